// The contract of every SandboxDriver: what a program is given and gives back, which end gets which name, and that
// nothing outlives it. Real time is the subject here, so bounds are asserted, never instants.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Limits, SandboxDriver, SandboxRequest, SandboxResult } from '../../src/runtime/ports.js';

export interface SandboxPrograms {
  /** The probe of test/contract/wasm/probe.as, or a program with the same verbs. */
  readonly probe: SandboxRequest['module'];
}

const KiB = 1024;

/** Pids of this process's direct children. */
export function childPids(): string[] {
  return readdirSync('/proc/self/task').flatMap((task) => {
    const children = readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim();
    return children === '' ? [] : children.split(' ');
  });
}

export function text(stream: { readonly bytes: Uint8Array }): string {
  return Buffer.from(stream.bytes).toString('utf8');
}

export function sandboxContract(
  name: string,
  makeDriver: () => SandboxDriver,
  programs: () => Promise<SandboxPrograms>,
): void {
  describe(`sandbox contract: ${name}`, () => {
    let driver: SandboxDriver;
    let probe: SandboxRequest['module'];
    let before: string[];

    beforeAll(async () => {
      before = childPids();
      probe = (await programs()).probe;
      driver = makeDriver();
      const { ok, problems } = await driver.preflight();
      expect(problems.filter(() => !ok)).toEqual([]);
    });
    afterAll(async () => {
      await driver.close();
      expect(childPids().filter((pid) => !before.includes(pid))).toEqual([]);
    });

    const request = (argv: readonly string[], limits: Partial<Limits> = {}): SandboxRequest => ({
      argv: ['probe', ...argv],
      env: {},
      stdin: new Uint8Array(0),
      module: probe,
      limits: { ...driver.defaults, ...limits },
    });
    const run = (argv: readonly string[], limits: Partial<Limits> = {}): Promise<SandboxResult> =>
      driver.run(request(argv, limits), new AbortController().signal);

    it('gives stdin to the program, keeps stdout, stderr and exit code apart', async () => {
      const stdin = Buffer.from('Grüße 🌍\0\n');
      const result = await driver.run({ ...request([]), stdin }, new AbortController().signal);
      expect(result).toMatchObject({ status: 'exited', exitCode: 3, limitHit: null, reason: null });
      expect(Buffer.from(result.stdout.bytes)).toEqual(stdin);
      expect(text(result.stderr)).toBe('err');
      expect(result.stdout.truncated || result.stderr.truncated).toBe(false);
    });

    it('carries a megabyte through stdin and stdout unchanged', async () => {
      const stdin = Buffer.alloc(1000 * KiB, 'abcdefg');
      const result = await driver.run({ ...request([]), stdin }, new AbortController().signal);
      expect(result.status).toBe('exited');
      expect(Buffer.from(result.stdout.bytes).equals(stdin)).toBe(true);
    });

    it('ends well when the program does not read its stdin', async () => {
      const result = await driver.run(
        { ...request(['exit', '7']), stdin: Buffer.alloc(500 * KiB) },
        new AbortController().signal,
      );
      expect(result).toMatchObject({ status: 'exited', exitCode: 7 });
    });

    it('passes arguments as they are, without a shell', async () => {
      const result = await run(['args', '; touch /tmp/pwn #', '$(id)', '', 'ü']);
      expect(text(result.stdout).split('\0').slice(1)).toEqual([
        'args',
        '; touch /tmp/pwn #',
        '$(id)',
        '',
        'ü',
        '',
      ]);
    });

    it("shows exactly the step's environment, nothing of the runner's", async () => {
      process.env['WRIT_CANARY'] = 'canary-7f3a';
      try {
        const result = await driver.run(
          { ...request(['env']), env: { ONLY: 'this=one', EMPTY: '' } },
          new AbortController().signal,
        );
        expect(text(result.stdout).split('\0').filter(Boolean).sort()).toEqual(['EMPTY=', 'ONLY=this=one']);
      } finally {
        delete process.env['WRIT_CANARY'];
      }
    });

    it('kills a loop that never calls out at its time limit', async () => {
      const result = await run(['spin'], { timeoutMs: 500 });
      expect(result).toMatchObject({ status: 'timeout', exitCode: null, limitHit: 'timeoutMs' });
      expect(text(result.stdout)).toBe('spinning');
      expect(result.usage.wallMs).toBeGreaterThanOrEqual(499);
      expect(result.usage.wallMs).toBeLessThan(800);
    });

    it('kills a sleeper at its time limit', async () => {
      const result = await run(['sleep'], { timeoutMs: 400 });
      expect(result).toMatchObject({ status: 'timeout', limitHit: 'timeoutMs' });
      expect(result.usage.wallMs).toBeLessThan(700);
    });

    it('stops memory at the limit', async () => {
      const result = await run(['mem'], { memoryMiB: 16 });
      expect(result.status === 'oom' || (result.status === 'exited' && result.exitCode === 9)).toBe(true);
      if (result.status === 'exited') expect(Number(text(result.stdout))).toBeLessThanOrEqual(16);
    });

    it.each([
      ['yes', 'stdout'],
      ['yes-err', 'stderr'],
    ] as const)('stops a flood (%s) at the output limit and keeps what fits', async (verb, stream) => {
      const result = await run([verb], { outputBytes: 64 * KiB });
      expect(result).toMatchObject({ status: 'output-limit', exitCode: null, limitHit: 'outputBytes' });
      expect(result[stream].truncated).toBe(true);
      expect(result[stream].bytes.length).toBe(64 * KiB);
    });

    it('lets exactly the output limit through and stops at one byte more', async () => {
      const fits = await run(['bytes', '5000'], { outputBytes: 5000 });
      expect(fits).toMatchObject({ status: 'exited', exitCode: 0, stdout: { truncated: false } });
      const over = await run(['bytes', '5001'], { outputBytes: 5000 });
      expect(over).toMatchObject({ status: 'output-limit', stdout: { truncated: true } });
      expect(over.stdout.bytes.length).toBe(5000);
    });

    it('is over within two seconds of an abort', async () => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 200);
      const startedMs = performance.now();
      const result = await driver.run(request(['spin']), abort.signal);
      expect(result).toMatchObject({ status: 'cancelled', exitCode: null });
      expect(performance.now() - startedMs).toBeLessThan(2_200);
    });

    it('starts nothing when it was aborted before', async () => {
      const result = await driver.run(request(['exit', '0']), AbortSignal.abort());
      expect(result).toMatchObject({ status: 'cancelled', exitCode: null, usage: { wallMs: 0 } });
    });

    it('refuses bytes that are not what their digest says, before anything starts', async () => {
      const bytes = Uint8Array.from(probe.bytes);
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      const changed = { ...request([]), module: { digest: probe.digest, bytes } };
      await expect(driver.prepare(changed)).rejects.toMatchObject({ code: 'INTEGRITY_DIGEST' });
      await expect(driver.run(changed, new AbortController().signal)).rejects.toMatchObject({
        code: 'INTEGRITY_DIGEST',
      });
    });

    it.each([
      { timeoutMs: 0 },
      { timeoutMs: 1.5 },
      { timeoutMs: Number.POSITIVE_INFINITY },
      { timeoutMs: 15 * 60 * 1000 + 1 },
      { memoryMiB: 0 },
      { memoryMiB: 1_000_000 },
      { outputBytes: -1 },
      { outputBytes: 16 * KiB * KiB + 1 },
    ])('refuses a limit it cannot keep: %o', async (limits) => {
      await expect(driver.prepare(request([], limits))).rejects.toMatchObject({
        code: 'SANDBOX_UNSUPPORTED',
      });
    });

    it.each([
      { argv: ['probe', 'a\0b'] },
      { env: { 'A=B': 'x' } },
      { env: { A: 'x\0y' } },
      { argv: ['probe', 'x'.repeat(200_000)] },
    ])('refuses a request it cannot pass on, case %#', async (part) => {
      await expect(driver.prepare({ ...request([]), ...part })).rejects.toMatchObject({
        code: 'SANDBOX_SPEC_INVALID',
      });
    });

    it('states before the act what will run and what keeps each limit', async () => {
      const evidence = await driver.prepare(request(['exit', '0']));
      expect(evidence).toMatchObject({ driver: driver.kind, network: 'none', moduleSha256: probe.digest });
      const result = await run(['exit', '0']);
      expect(result.evidence).toMatchObject({ ...evidence, status: 'exited', exitCode: 0, stdoutBytes: 0 });
    });

    it('runs a good program right beside bad ones', async () => {
      const stdin = Buffer.from('steady');
      const bad = ['trap', 'spin', 'mem'].map((verb) => run([verb], { timeoutMs: 1_000 }));
      const good = await driver.run({ ...request([]), stdin }, new AbortController().signal);
      expect(text(good.stdout)).toBe('steady');
      await Promise.all(bad);
    });
  });
}
