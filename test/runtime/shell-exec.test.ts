// tool::shell_exec on the one road: always in a container, under every ceiling, with what ran in the log. The engine is
// a fake at the port; test/contract has the real one.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { SandboxDriver } from '../../src/runtime/ports.js';
import { AGENT_DIGEST, FakeSandbox, field, rules, steps, useTeam, type OpenChange } from './fixture.js';

const here = useTeam();
const OTHER = `sha256:${'cd'.repeat(32)}`;

describe('tool::shell_exec', () => {
  let docker: FakeSandbox;
  let policies: string;
  beforeEach(() => {
    docker = new FakeSandbox('docker');
    policies = here.team.policiesWith('roles/default.yaml', () => undefined);
    writeFileSync(
      path.join(policies, 'rbac', 'shell.yaml'),
      rules(
        ['adjuster', 'function.invoke', 'tool::shell_exec'],
        ['claims-agent', 'function.invoke', 'tool::shell_exec'],
      ).replaceAll('TEST-', 'SHELL-'),
    );
  });
  const open = (change: OpenChange = {}) => here.team.open({ policies, docker, ...change });
  const run = async (line: string, change: OpenChange = {}) => {
    const writ = await open(change);
    return here.team.run(writ, steps([`functionId: "tool::shell_exec", ${line}`]));
  };
  const bytes = (text: string) => ({ bytes: new TextEncoder().encode(text), truncated: false });

  it('runs argv in a container of the default image, and gives back what it printed', async () => {
    docker.results = [{ stdout: bytes('out'), stderr: bytes('err'), usage: { wallMs: 12.4 } }];
    const view = await run('config: { argv: [echo, "$(id)"], env: { A: b }, stdin: text, cwd: /work/a }');
    expect(view).toMatchObject({
      status: 'completed',
      output: { stdout: 'out', stderr: 'err', exitCode: 0, durationMs: 12, truncated: false },
    });
    expect(docker.runs).toHaveLength(1);
    expect(docker.runs[0]).toMatchObject({
      argv: ['echo', '$(id)'],
      env: { A: 'b' },
      cwd: '/work/a',
      program: { kind: 'image', digest: AGENT_DIGEST, repository: null },
      run: view.id,
    });
    const [started] = await here.team.facts(view.id, 'sandbox.started');
    expect(started).toMatchObject({ driver: 'docker', imageDigest: AGENT_DIGEST, network: [], mounts: [] });
  });

  it('runs the WASM module that argv names where the step says so, and no container', async () => {
    const view = await run('config: { argv: [claims-triage, x] }, sandbox: wasm');
    expect(view.status).toBe('completed');
    expect(docker.runs).toEqual([]);
    const [started] = await here.team.facts(view.id, 'sandbox.started');
    expect(started).toMatchObject({ driver: 'wasm' });
  });

  it('takes a command as one literal text for sh', async () => {
    await run(`config: { command: "ls; rm -rf / #" }`);
    expect(docker.runs[0]?.argv).toEqual(['sh', '-c', 'ls; rm -rf / #']);
  });

  it("gives the sandbox the step's image and limits", async () => {
    await run(
      `config: { argv: [a] }, sandbox: { driver: docker, image: "${OTHER}", limits: { memoryMiB: 32, pids: 8, cpus: 0.5, diskMiB: 4, cpuMs: 500, timeoutMs: 900 } }`,
    );
    expect(docker.runs[0]?.program.digest).toBe(OTHER);
    expect(docker.runs[0]?.limits).toEqual({
      timeoutMs: 900,
      memoryMiB: 32,
      outputBytes: 65_536,
      pids: 8,
      cpus: 0.5,
      diskMiB: 4,
      cpuMs: 500,
    });
  });

  it('fails with the exit code of the command, whatever it means to others', async () => {
    for (const exitCode of [1, 75, 77, 255]) {
      docker.results = [{ exitCode, stderr: bytes('no') }];
      const view = await run('config: { argv: [a] }');
      expect(view).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_EXIT' } });
    }
  });

  it('cuts what a step holds of its output, at exactly the limit', async () => {
    docker.results = [{ stdout: bytes('x'.repeat(102_400)), stderr: bytes('e'.repeat(51_200)) }];
    expect((await run('config: { argv: [a] }')).output).toMatchObject({ truncated: false });
    docker.results = [{ stdout: bytes('x'.repeat(102_401)), stderr: bytes('e'.repeat(51_201)) }];
    const { output } = await run('config: { argv: [a] }');
    expect(output).toMatchObject({ truncated: true });
    expect(field(output, 'stdout')).toBe('x'.repeat(102_400));
    expect(field(output, 'stderr')).toBe('e'.repeat(51_200));
  });

  it('fails when stdout is no text, and says how bytes come out: none is lost without a word', async () => {
    docker.results = [{ stdout: { bytes: new Uint8Array([0x61, 0xff]), truncated: false } }];
    const view = await run('config: { argv: [a] }');
    expect(view).toMatchObject({ status: 'failed', error: { code: 'STEP_OUTPUT_INVALID' } });
    // For people: its bytes are replaced.
    docker.results = [{ stderr: { bytes: new Uint8Array([0x61, 0xff]), truncated: false } }];
    expect(field((await run('config: { argv: [a] }')).output, 'stderr')).toBe('a\ufffd');
  });

  it('leaves out a character that the cut has split', async () => {
    docker.results = [{ stdout: bytes(`${'x'.repeat(102_399)}é`) }];
    const { output } = await run('config: { argv: [a] }');
    expect(output).toMatchObject({ truncated: true, stdout: 'x'.repeat(102_399) });
  });

  describe('whose engine went away while it ran', () => {
    const LOST = {
      status: 'crashed',
      isLost: true,
      exitCode: null,
      limitHit: 'unknown',
      reason: 'gone',
    } as const;

    it('is not run again by itself, whatever its retries: a person decides', async () => {
      docker.results = [LOST];
      const writ = await open();
      const text = steps([
        'functionId: "tool::shell_exec", config: { argv: [a] }, errorMode: retry, maxRetries: 3',
      ]);
      const view = await here.team.run(writ, text);
      expect(view).toMatchObject({ status: 'indeterminate', waitingFor: { kind: 'person' } });
      expect(docker.runs).toHaveLength(1);
      const [finished] = await here.team.facts(view.id, 'step.finished');
      expect(finished).toMatchObject({ status: 'indeterminate', code: 'STEP_INDETERMINATE' });
      await writ.resume(view.id, await here.team.as(writ, 'alice'), { lost: 'rerun' });
      expect((await here.team.drive(writ, view.id)).status).toBe('completed');
      expect(docker.runs).toHaveLength(2);
    });

    it('has failed, as any other may, where it is declared idempotent', async () => {
      docker.results = [LOST];
      const words = 'functionId: "tool::shell_exec", idempotent: true, config: { argv: [a] }';
      const view = await here.team.run(await open(), steps([words]));
      expect(view).toMatchObject({ status: 'failed', error: { code: 'SANDBOX_CRASHED' } });
      const [finished] = await here.team.facts(view.id, 'step.finished');
      expect(finished).toMatchObject({ status: 'failed', code: 'SANDBOX_CRASHED' });
    });
  });

  it('gives files back', async () => {
    docker.results = [{ outputs: [{ path: 'a/b', bytes: new TextEncoder().encode('made') }] }];
    const { output } = await run('config: { argv: [a], outputs: ["a/*"], files: { in: text } }');
    expect(field(output, 'files')).toEqual({ 'a/b': 'made' });
    expect(docker.runs[0]?.outputs).toEqual(['a/*']);
    expect(docker.runs[0]?.files?.map((file) => file.path)).toEqual(['in']);
  });

  it.each([
    ['oom', 'SANDBOX_OOM'],
    ['timeout', 'SANDBOX_TIMEOUT'],
    ['output-limit', 'SANDBOX_OUTPUT_LIMIT'],
    ['output-refused', 'SANDBOX_OUTPUT_REFUSED'],
    ['crashed', 'SANDBOX_CRASHED'],
    ['unavailable', 'SANDBOX_UNAVAILABLE'],
  ] as const)('fails when it ended as %s', async (status, code) => {
    docker.results = [{ status, exitCode: status === 'oom' ? 0 : null }];
    expect(await run('config: { argv: [a] }')).toMatchObject({ status: 'failed', error: { code } });
  });

  describe('runs nothing', () => {
    const refused = async (line: string, code: string, exitCode: number, change: OpenChange = {}) => {
      const view = await run(line, change);
      expect(view).toMatchObject({ status: 'failed', error: { code }, exitCode });
      expect(docker.runs).toEqual([]);
      expect(await here.team.types(view.id)).not.toContain('step.intended');
    };

    it('in WASM, which has no shell', () =>
      refused('config: { command: a }, sandbox: wasm', 'SANDBOX_UNSUPPORTED', 6));

    it.each(['image: default', 'cwd: /work'])('in WASM, which has no %s', (field) =>
      refused(`config: { argv: [a], ${field} }, sandbox: wasm`, 'SANDBOX_UNSUPPORTED', 6),
    );

    it('where there is no engine', async () => {
      const gone: SandboxDriver = {
        ...docker,
        preflight: () => docker.preflight(),
        prepare: () => Promise.reject(new WritError('SANDBOX_UNAVAILABLE', 'no Docker engine answers')),
        run: (request) => docker.run(request),
        close: () => docker.close(),
      };
      await refused('config: { argv: [a] }', 'SANDBOX_UNAVAILABLE', 6, { docker: gone });
    });

    it('under a ceiling that allows no container', async () => {
      policies = here.team.policiesWith('ceilings/org.yaml', (document) => {
        document.setIn(['spec', 'sandbox'], { allowed: ['wasm'] });
      });
      writeFileSync(
        path.join(policies, 'rbac', 'shell.yaml'),
        rules(
          ['adjuster', 'function.invoke', 'tool::shell_exec'],
          ['claims-agent', 'function.invoke', 'tool::shell_exec'],
        ).replaceAll('TEST-', 'SHELL-'),
      );
      const writ = await open();
      const text = steps(['functionId: "tool::shell_exec", config: { argv: [a] }']);
      const checked = await writ.validate({ text, file: null });
      expect(checked.diagnostics.map(({ code }) => code)).toContain('DOC_CEILING_EXCEEDED');
      await expect(here.team.run(writ, text)).rejects.toMatchObject({ code: 'DOC_INVALID' });
      expect(docker.runs).toEqual([]);
    });

    it('above a ceiling of processes or cores', async () => {
      mkdirSync(path.join(policies, 'ceilings'), { recursive: true });
      writeFileSync(
        path.join(policies, 'ceilings', 'small.yaml'),
        'apiVersion: writ/v1\nkind: Ceiling\nmetadata: { name: small, layer: environment }\nspec: { limits: { pids: 16, cpus: 0.5 } }\n',
      );
      const writ = await open();
      for (const limits of ['pids: 17', 'cpus: 0.6']) {
        const text = steps([
          `functionId: "tool::shell_exec", config: { argv: [a] }, sandbox: { driver: docker, limits: { ${limits} } }`,
        ]);
        await expect(here.team.run(writ, text)).rejects.toMatchObject({ code: 'DOC_INVALID' });
      }
      expect(docker.runs).toEqual([]);
    });

    it('without a right', async () => {
      const writ = await here.team.open({ docker });
      const view = await here.team.run(
        writ,
        steps(['functionId: "tool::shell_exec", config: { argv: [a] }']),
      );
      expect(view).toMatchObject({ status: 'failed', exitCode: 3 });
      expect(docker.runs).toEqual([]);
    });

    it('of a request that is none', () =>
      refused('config: { argv: [a], command: b }', 'FUNCTION_REQUEST_INVALID', 1));

    it('of an image that is named by a tag', () =>
      refused('config: { argv: [a], image: "alpine:latest" }', 'FUNCTION_REQUEST_INVALID', 1));
  });
});
