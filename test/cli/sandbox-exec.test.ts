// `writ sandbox exec`: governed as a step, refused where a promise can't be kept, and with an engine, what came of it.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { images, left, noEngine, skipped } from '../contract/docker/engine.js';
import { newDesk, type Desk } from './claims-desk.js';
import type { RunOptions } from './writ.js';

const RULES = `apiVersion: writ/v1
kind: Rules
rules:
  - { id: SB-1, effect: allow, subject: role:adjuster, domain: default, action: workflow.run, resource: writ-sandbox-exec, reason: tests }
  - { id: SB-2, effect: allow, subject: role:adjuster, domain: default, action: function.invoke, resource: 'tool::*', reason: tests }
`;

describe('writ sandbox exec', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await newDesk();
    writeFileSync(desk.at('policies', 'rbac', 'sandbox.yaml'), RULES);
  });
  afterAll(() => desk.remove());

  /** --json stands before `--`: what comes after belongs to the program. */
  const json = async (
    words: readonly string[],
    options?: RunOptions,
  ): Promise<{ code: unknown; value: unknown }> => {
    const [group = '', verb = '', ...rest] = words;
    const { code, stdout } = await desk.run([group, verb, '--json', ...rest], options);
    return { code, value: JSON.parse(stdout) as unknown };
  };
  const DOCKER = ['sandbox', 'exec', '--driver', 'docker'];
  const absent = { env: { WRIT_KEY: 'alice.key', DOCKER_HOST: 'unix:///nonexistent/docker.sock' } };

  it.each([
    [[...DOCKER], /name the program/],
    [[...DOCKER, '--module', 'm', '--', 'a'], /--module is for/],
    [[...DOCKER, '--timeout-ms', '1e3', '--', 'a'], /--timeout-ms 1e3 is no number/],
    [[...DOCKER, '--env', 'A', '--', 'a'], /no =/],
    [[...DOCKER, '--file', 'not-there', '--', 'a'], /no regular file/],
    [[...DOCKER, '--file', 'link=f', '--', 'a'], /no regular file/],
    [[...DOCKER, '--privileged', '--', 'a'], /unknown option/],
    [['sandbox', 'exec', '--', 'a'], /--driver/],
    [['sandbox', 'exec', '--driver', 'host', '--', 'a'], /--driver/],
    [['sandbox', 'exec', '--driver', 'wasm', '--', 'a'], /needs --module/],
  ])('refuses %j as no command', async (words, message) => {
    if (!existsSync(desk.at('link'))) symlinkSync('/etc/passwd', desk.at('link'));
    const ran = await desk.run(words);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(message);
  });

  it('is denied to who has no right', async () => {
    const ran = await desk.run([...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id'], {
      env: { WRIT_KEY: 'eve.key' },
    });
    expect(ran.code).toBe(3);
  });

  it('runs nothing where no engine answers, and says what to do', async () => {
    const words = [...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id'];
    const ran = await desk.run(words, absent);
    expect(ran.code).toBe(6);
    expect(ran.stderr).toContain('no Docker engine answers');
    const { code, value } = await json(words, absent);
    expect(code).toBe(6);
    expect(value).toMatchObject({ error: { code: 'SANDBOX_UNAVAILABLE' } });
  });

  it('runs nothing without an image', async () => {
    const { code, value } = await json([...DOCKER, '--', 'id'], absent);
    expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_IMAGE_MISSING' } }]);
  });

  it('tells where docker.yaml is wrong', async () => {
    writeFileSync(desk.at('docker.yaml'), 'images:\n  default: alpine:latest\n');
    const { value } = await json([...DOCKER, '--', 'id'], absent);
    expect(JSON.stringify(value)).toMatch(/docker\.yaml:2:/);
    writeFileSync(desk.at('docker.yaml'), '');
  });

  it('runs a shipped module in WASM, with what it printed', async () => {
    const { code, value } = await json(
      [
        'sandbox',
        'exec',
        '--driver',
        'wasm',
        '--module',
        'claims-triage',
        '--stdin',
        '-',
        '--timeout-ms',
        '9000',
      ],
      { input: '{}' },
    );
    expect(value).toMatchObject({
      status: 'exited',
      evidence: { driver: 'wasm', limits: { timeoutMs: 9000 } },
    });
    expect(code).toBe((value as { exitCode: number }).exitCode === 0 ? 0 : 1);
  });

  it('refuses a limit that WASM has not', async () => {
    const words = ['sandbox', 'exec', '--driver', 'wasm', '--module', 'claims-triage', '--pids', '8'];
    const { code, value } = await json(words);
    expect([code, value]).toMatchObject([6, { error: { code: 'SANDBOX_UNSUPPORTED' } }]);
  });

  describe.skipIf(noEngine !== null)(`with an engine${skipped}`, () => {
    let id: string;
    beforeAll(() => {
      id = images('sh').sh;
      writeFileSync(desk.at('docker.yaml'), `images: { default: "${id}" }\n`);
    });

    it('prints what the program printed, and ends as it ended', async () => {
      const ran = await desk.run([
        ...DOCKER,
        '--env',
        'X=y z',
        '--',
        'sh',
        '-c',
        'echo "$X"; echo err >&2; exit 3',
      ]);
      expect(ran).toMatchObject({ code: 1, stdout: 'y z' });
      expect(ran.stderr).toMatch(/err\nexit code 3/);
      expect(await desk.run([...DOCKER, '--', 'true'])).toMatchObject({ code: 0, stdout: '' });
    });

    it('gives all of the result as JSON, files too', async () => {
      writeFileSync(desk.at('in.bin'), Buffer.from([0xff, 0, 1]));
      const { code, value } = await json([
        ...DOCKER,
        ...[
          '--image',
          id,
          '--file',
          'in.bin=a/in',
          '--out',
          'out/*',
          '--out-dir',
          'made',
          '--memory-mib',
          '64',
        ],
        ...['--', 'sh', '-c', 'mkdir out; cp a/in out/copy; printf "\\377"'],
      ]);
      expect(code).toBe(0);
      expect(value).toMatchObject({
        status: 'exited',
        exitCode: 0,
        limitHit: null,
        stdout: { base64: '/w==', bytes: 1, truncated: false },
        stderr: { text: '', bytes: 0 },
        outputs: [{ path: 'out/copy', size: 3 }],
        evidence: { driver: 'docker', imageId: id, network: 'none', limits: { memoryMiB: 64 } },
      });
      expect([...readFileSync(desk.at('made', 'out', 'copy'))]).toEqual([0xff, 0, 1]);
    });

    it('ends with 1 at a limit and names it', async () => {
      const words = [...DOCKER, '--timeout-ms', '700', '--', 'sleep', '60'];
      const { code, value } = await json(words);
      expect([code, value]).toMatchObject([1, { status: 'timeout', limitHit: 'timeoutMs' }]);
    });

    it('ends with 6 for an image and a runtime that are not there', async () => {
      const image = await json([...DOCKER, '--image', `sha256:${'0'.repeat(64)}`, '--', 'id']);
      expect([image.code, image.value]).toMatchObject([6, { error: { code: 'SANDBOX_IMAGE_MISSING' } }]);
      const runtime = await json([...DOCKER, '--runtime', 'kata', '--', 'id']);
      expect([runtime.code, runtime.value]).toMatchObject([
        6,
        { error: { code: 'SANDBOX_RUNTIME_UNKNOWN' } },
      ]);
    });

    it('shows control characters of a program as text', async () => {
      const ran = await desk.run([...DOCKER, '--', 'printf', '\\033]0;x\\007\\033[2J\\r']);
      expect(ran.stdout).not.toMatch(/[\u001b\u0007\r]/);
      expect(ran.stdout).toContain('x');
    });

    it('leaves a log that verifies, and no container', async () => {
      expect(await desk.run(['audit', 'verify'])).toMatchObject({ code: 0 });
      expect(await left(desk.at('.writ'))).toEqual([]);
      expect((await desk.run(['doctor'])).stdout).toMatch(/ok +sandbox docker +docker ready/);
    });
  });
});
