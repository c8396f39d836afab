// The contract of every SandboxDriver: what a program is given and gives back, which end gets which name, and that
// nothing outlives it. Real time is the subject here, so bounds are asserted, never instants.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  SandboxDriver,
  SandboxLimits,
  SandboxProgram,
  SandboxRequest,
  SandboxResult,
} from '../../src/runtime/ports.js';
import { childrenOf } from '../processes.js';

export interface SandboxSubject {
  /** The probe of test/contract/wasm/probe.as, or a program with the same verbs. */
  readonly program: SandboxProgram;
  /** What calls the probe with these arguments. */
  readonly argv: (args: readonly string[]) => readonly string[];
  /** A program that is not what its digest says, or is not there, and the code of its refusal. */
  readonly wrong: { readonly program: SandboxProgram; readonly code: string };
  /** Where the evidence names the program. */
  readonly evidenceOf: string;
  /** Variables that the sandbox itself sets. */
  readonly ownVariables: readonly string[];
  /** Where files are put; null = it takes none, and refuses a request that has some. */
  readonly work: string | null;
}

const KiB = 1024;
/** From a limit or an abort to the end, on a machine that is busy with other things; `npm run bench` has the promise. */
const KILL_SLACK_MS = 5_000;

export function text(stream: { readonly bytes: Uint8Array }): string {
  return Buffer.from(stream.bytes).toString('utf8');
}

export function sandboxContract(
  name: string,
  makeDriver: () => SandboxDriver,
  makeSubject: () => Promise<SandboxSubject>,
): void {
  describe(`sandbox contract: ${name}`, () => {
    let driver: SandboxDriver;
    let subject: SandboxSubject;
    let before: readonly number[];

    beforeAll(async () => {
      before = childrenOf(process.pid);
      subject = await makeSubject();
      driver = makeDriver();
      const { ok, problems } = await driver.preflight();
      expect(problems.filter(() => !ok)).toEqual([]);
    });
    afterAll(async () => {
      await driver.close();
      expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
    });

    const request = (args: readonly string[], limits: Partial<SandboxLimits> = {}): SandboxRequest => ({
      argv: subject.argv(args),
      env: {},
      stdin: new Uint8Array(0),
      program: subject.program,
      limits: { ...driver.defaults, ...limits },
    });
    const run = (argv: readonly string[], limits: Partial<SandboxLimits> = {}): Promise<SandboxResult> =>
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
        const seen = text(result.stdout).split('\0').filter(Boolean).sort();
        const own = (variable: string): boolean =>
          subject.ownVariables.some((name) => variable.startsWith(`${name}=`));
        expect(seen.filter((variable) => !own(variable))).toEqual(['EMPTY=', 'ONLY=this=one']);
        expect(seen.join()).not.toContain('canary');
      } finally {
        delete process.env['WRIT_CANARY'];
      }
    });

    it('kills a loop that never calls out at its time limit', async () => {
      const result = await run(['spin'], { timeoutMs: 500 });
      expect(result).toMatchObject({ status: 'timeout', exitCode: null, limitHit: 'timeoutMs' });
      // On a busy machine it may not have come that far.
      expect(['', 'spinning']).toContain(text(result.stdout));
      expect(result.usage.wallMs).toBeGreaterThanOrEqual(499);
      expect(result.usage.wallMs).toBeLessThan(500 + KILL_SLACK_MS);
    });

    it('kills a sleeper at its time limit', async () => {
      const result = await run(['sleep'], { timeoutMs: 400 });
      expect(result).toMatchObject({ status: 'timeout', limitHit: 'timeoutMs' });
      expect(result.usage.wallMs).toBeLessThan(400 + KILL_SLACK_MS);
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

    it('is over soon after an abort, whatever the program does', async () => {
      const abort = new AbortController();
      let abortedMs = 0;
      const onOutput = (): void => {
        abortedMs = performance.now();
        abort.abort();
      };
      const result = await driver.run({ ...request(['spin']), onOutput }, abort.signal);
      expect(result).toMatchObject({ status: 'cancelled', exitCode: null });
      expect(text(result.stdout)).toBe('spinning');
      expect(performance.now() - abortedMs).toBeLessThan(KILL_SLACK_MS);
    });

    it('starts nothing when it was aborted before', async () => {
      const result = await driver.run(request(['exit', '0']), AbortSignal.abort());
      expect(result).toMatchObject({ status: 'cancelled', exitCode: null, usage: { wallMs: 0 } });
    });

    it('refuses a program that is not what its digest says, before anything starts', async () => {
      const { program, code } = subject.wrong;
      const changed = { ...request(['exit', '0']), program };
      await expect(driver.prepare(changed)).rejects.toMatchObject({ code });
      const end = await driver.run(changed, new AbortController().signal).then(
        (result) => result.status,
        (error: { code: string }) => error.code,
      );
      expect(['unavailable', code]).toContain(end);
    });

    it('shows output as it comes, and the same bytes at the end', async () => {
      const seen: [string, string][] = [];
      const stdin = Buffer.from('watched');
      const onOutput: SandboxRequest['onOutput'] = (stream, bytes) => {
        seen.push([stream, Buffer.from(bytes).toString('utf8')]);
      };
      const result = await driver.run({ ...request([]), stdin, onOutput }, new AbortController().signal);
      const shown = (stream: string): string =>
        seen.flatMap(([from, part]) => (from === stream ? [part] : [])).join('');
      expect([shown('stdout'), shown('stderr')]).toEqual([text(result.stdout), text(result.stderr)]);
      expect(shown('stdout')).toBe('watched');
    });

    it('puts files in and takes files out, or refuses both', async () => {
      const { work } = subject;
      const files = [{ path: 'in/data', bytes: Buffer.from('from outside\0') }];
      const wants = {
        ...request(['copy', `${work ?? ''}/in/data`, `${work ?? ''}/copy`]),
        files,
        outputs: ['*'],
      };
      if (work === null) {
        await expect(driver.prepare(wants)).rejects.toMatchObject({ code: 'SANDBOX_UNSUPPORTED' });
        return;
      }
      const result = await driver.run(wants, new AbortController().signal);
      expect(result).toMatchObject({ status: 'exited', exitCode: 0 });
      const outputs = result.outputs ?? [];
      expect(outputs.map(({ path, bytes }) => [path, Buffer.from(bytes).toString('utf8')])).toEqual([
        ['copy', 'from outside\0'],
      ]);
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
      { pids: 0 },
      { cpus: 0 },
      { cpus: 10_000 },
      { diskMiB: 1_000_000 },
      { cpuMs: -1 },
      { gpus: 1 },
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
      expect(evidence).toMatchObject({
        driver: driver.kind,
        network: 'none',
        [subject.evidenceOf]: subject.program.digest,
      });
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
