// The WASM driver under the contract, plus what only it promises: modules refused from their bytes, traps with their
// reason, and processes that die with the runner.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openWasmDriver } from '../../src/adapters/sandbox/wasm/index.js';
import type {
  SandboxDriver,
  SandboxLimits,
  SandboxProgram,
  SandboxRequest,
  SandboxResult,
} from '../../src/runtime/ports.js';
import { childrenOf, descendantsOf, gone } from '../processes.js';
import { sandboxContract, text, type SandboxSubject } from './sandbox.js';
import { probe, programOf } from './wasm/programs.js';

async function subject(): Promise<SandboxSubject> {
  const program = { kind: 'module', ...(await probe()) } as const;
  const bytes = Uint8Array.from(program.bytes);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  return {
    program,
    argv: (args) => ['probe', ...args],
    wrong: { program: { ...program, bytes }, code: 'INTEGRITY_DIGEST' },
    evidenceOf: 'moduleSha256',
    ownVariables: [],
    work: '/workspace',
  };
}

sandboxContract('wasm', () => openWasmDriver({ poolSize: 2 }), subject);
sandboxContract('wasm without a pool', () => openWasmDriver({ poolSize: 0 }), subject);

describe('wasm sandbox', () => {
  let driver: SandboxDriver;
  let module: Extract<SandboxProgram, { kind: 'module' }>;
  beforeAll(async () => {
    module = { kind: 'module', ...(await probe()) };
    driver = openWasmDriver({ poolSize: 2 });
  });
  afterAll(() => driver.close());

  const request = (argv: readonly string[], limits: Partial<SandboxLimits> = {}): SandboxRequest => ({
    argv: ['probe', ...argv],
    env: {},
    stdin: new Uint8Array(0),
    program: module,
    limits: { ...driver.defaults, ...limits },
  });
  const run = (argv: readonly string[], limits: Partial<SandboxLimits> = {}): Promise<SandboxResult> =>
    driver.run(request(argv, limits), new AbortController().signal);

  it.each([
    ['trap', 'unreachable'],
    ['div', 'divide_by_zero'],
    ['null', 'out_of_bounds'],
    ['rec', 'stack_overflow'],
  ])('W17, W18: names the trap of %s and runs the next step', async (verb, reason) => {
    const result = await run([verb]);
    expect(result).toMatchObject({ status: 'crashed', exitCode: null });
    expect(result.reason).toContain(reason);
    expect((await run(['exit', '0'])).exitCode).toBe(0);
  });

  it('W18: keeps what was written before a trap', async () => {
    expect(text((await run(['trap'])).stdout)).toBe('before');
  });

  it.each(['/etc/passwd', '../../../../etc/passwd', '/proc/self/environ', fileURLToPath(import.meta.url)])(
    'W01, W02, W03: opens no file of the host: %s',
    async (path) => {
      expect(existsSync('/etc/passwd')).toBe(true);
      expect(await run(['open', path])).toMatchObject({ status: 'exited', exitCode: 2 });
    },
  );

  it('W19: has no socket to receive from', async () => {
    expect(await run(['net'])).toMatchObject({ status: 'exited', exitCode: 0 });
  });

  it('W15: bounds a file that grows for ever', async () => {
    const result = await run(['fill'], { diskMiB: 8 });
    expect(result).toMatchObject({ status: 'output-limit', limitHit: 'diskMiB' });
    expect(Number(result.evidence['peakRssMiB'] ?? 0)).toBeLessThan(64 + 32 + 160);
    expect(await run(['fill', '7'], { diskMiB: 8 })).toMatchObject({ status: 'exited', exitCode: 0 });
  });

  it('bounds how many files there are', async () => {
    const most = await run(['many', '5000']);
    expect(most).toMatchObject({ status: 'output-limit', limitHit: 'diskMiB' });
    const wanted = await driver.run(
      { ...request(['many', '300']), outputs: ['**'] },
      new AbortController().signal,
    );
    expect(wanted).toMatchObject({ status: 'output-limit', limitHit: 'outputs' });
    expect(wanted.outputs).toBeUndefined();
  });

  it('W04: follows no link that a guest has planted', async () => {
    for (const target of ['/etc/passwd', '/workspace/own']) {
      const planted = {
        ...request(['link', target, '/workspace/l']),
        files: [{ path: 'own', bytes: new Uint8Array(1) }],
        outputs: ['*'],
      };
      const result = await driver.run(planted, new AbortController().signal);
      expect(result).toMatchObject({ status: 'output-refused' });
      expect(result.outputs).toBeUndefined();
    }
    // Where a pattern expects a folder, as a container's are.
    for (const [target, pattern] of [
      ['/workspace/real', 'out/*.csv'],
      ['/bin', 'out/**'],
      ['real', '**/*.csv'],
    ] as const) {
      const planted = {
        ...request(['link', target, '/workspace/out']),
        files: [{ path: 'real/a.csv', bytes: new Uint8Array(1) }],
        outputs: [pattern],
      };
      const result = await driver.run(planted, new AbortController().signal);
      expect([pattern, result]).toMatchObject([pattern, { status: 'output-refused' }]);
    }
    const unwanted = { ...request(['link', '/etc/passwd', '/workspace/l']), outputs: ['x*'] };
    const result = await driver.run(unwanted, new AbortController().signal);
    // The control: the link was made, and opening it finds nothing.
    expect(result).toMatchObject({ status: 'exited', exitCode: 2, outputs: [] });
  });

  it('kills a guest at its CPU time', async () => {
    const result = await run(['spin'], { cpuMs: 300 });
    expect(result).toMatchObject({ status: 'timeout', limitHit: 'cpuMs' });
    expect(result.usage.cpuMs).toBeGreaterThan(300);
  });

  it('shows a deterministic guest the same clock and random bytes in every run, and another seed others', async () => {
    const seen = async (seed: string): Promise<string> => {
      const fixed = {
        ...request(['clock']),
        deterministic: { seed: seed.repeat(64), nowMs: 1_700_000_000_000 },
      };
      const result = await driver.run(fixed, new AbortController().signal);
      expect(result.evidence).toMatchObject({ deterministic: true, pooled: false });
      return text(result.stdout);
    };
    const [one, again, other] = [await seen('a'), await seen('a'), await seen('b')];
    expect(one).toMatch(/^1700000000000000000 [0-9a-f]{32}$/);
    expect(again).toBe(one);
    expect(other).not.toBe(one);
    expect(text((await run(['clock'])).stdout)).not.toContain('1700000000000');
  });

  it('W06: shows nothing a run wrote to the next one', async () => {
    expect(await run(['touch', 'note'])).toMatchObject({ status: 'exited', exitCode: 0 });
    expect(await run(['open', 'note'])).toMatchObject({ status: 'exited', exitCode: 2 });
  });

  it('W21: shows a run nothing of another that is under way', async () => {
    const abort = new AbortController();
    let one = Promise.resolve<SandboxResult | null>(null);
    await new Promise<void>((held) => {
      one = driver.run({ ...request(['hold', 'workspace/a']), onOutput: () => held() }, abort.signal);
    });
    expect(await run(['open', 'workspace/a'])).toMatchObject({ status: 'exited', exitCode: 2 });
    abort.abort();
    expect(await one).toMatchObject({ status: 'cancelled' });
  });

  it.each(['dev/urandom', 'dev/zero'])('W24: bounds a device without end: %s', async (device) => {
    const result = await run(['stream', device], { outputBytes: 2_000 });
    expect(result).toMatchObject({ status: 'output-limit', stdout: { truncated: true } });
    expect(result.stdout.bytes.length).toBe(2_000);
  });

  it.each([
    [255, 255],
    [256, 0],
    [257, 1],
    [4_294_967_295, 255],
  ])('tells of exit code %i what an operating system would: %i', async (code, told) => {
    expect(await run(['exit', `${code}`])).toMatchObject({ status: 'exited', exitCode: told });
  });

  it('records original and rewritten bytes, limits and what keeps them', async () => {
    const evidence = await driver.prepare(request([], { memoryMiB: 32 }));
    expect(evidence).toMatchObject({ engine: '@wasmer/sdk', limits: { memoryMiB: 32 }, mounts: 'none' });
    expect(evidence['moduleAsRunSha256']).not.toBe(evidence['moduleSha256']);
    expect(JSON.stringify(evidence['keptBy'])).toContain('module maximum 512 pages');
  });

  it('says what is not enforced where unshare and prlimit are missing, and still runs', async () => {
    const bare = openWasmDriver({ poolSize: 0, env: { PATH: '' } });
    try {
      const { ok, problems } = await bare.preflight();
      expect(ok).toBe(true);
      expect(problems.join('\n')).toMatch(/namespace: not available[^]*not limited/);
      const result = await bare.run(request(['spin'], { timeoutMs: 300 }), new AbortController().signal);
      expect(result.status).toBe('timeout');
      expect(JSON.stringify(result.evidence['keptBy'])).toContain('prlimit not found');
    } finally {
      await bare.close();
    }
  });

  it('runs without namespaces, and says so, where the machine has the tool and refuses them', async () => {
    const tools = mkdtempSync(join(tmpdir(), 'writ-tools-'));
    chmodSync(tools, 0o755);
    writeFileSync(join(tools, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const refused = openWasmDriver({ poolSize: 1, env: { PATH: tools } });
    try {
      const { ok, problems } = await refused.preflight();
      expect([ok, problems.join('\n')]).toEqual([true, expect.stringContaining('namespace: not available')]);
      const result = await refused.run(request(['exit', '4']), new AbortController().signal);
      expect(result).toMatchObject({ status: 'exited', exitCode: 4 });
      expect(JSON.stringify(result.evidence['keptBy'])).not.toContain('own network namespace');
    } finally {
      await refused.close();
      rmSync(tools, { recursive: true });
    }
  });

  it('HOLE: runs in no child without the namespaces that another one has confirmed', async () => {
    const tools = mkdtempSync(join(tmpdir(), 'writ-tools-'));
    chmodSync(tools, 0o755);
    const script =
      '#!/bin/sh\n[ -e "${0%/*}/broken" ] && exit 1\nexec /usr/bin/env -i /usr/bin/unshare "$@"\n';
    writeFileSync(join(tools, 'unshare'), script, { mode: 0o755 });
    const driver = openWasmDriver({ poolSize: 1, env: { PATH: `${tools}:/usr/bin:/bin` } });
    try {
      const { problems } = await driver.preflight();
      const isKept = problems.length === 0;
      writeFileSync(join(tools, 'broken'), '');
      // Its time is none of the pool's: a child is started for it.
      const asked = { ...request(['exit', '4']), limits: { ...driver.defaults, timeoutMs: 130_000 } };
      const result = await driver.run(asked, new AbortController().signal);
      expect(result.status).toBe(isKept ? 'unavailable' : 'exited');
    } finally {
      await driver.close();
      rmSync(tools, { recursive: true });
    }
  });

  it('is unavailable after close', async () => {
    const closed = openWasmDriver({ poolSize: 0 });
    await closed.close();
    expect(await closed.preflight()).toMatchObject({ ok: false });
    const result = await closed.run(request([]), new AbortController().signal);
    expect(result.status).toMatch(/cancelled|unavailable/);
  });

  it('cancels what runs when it is closed', async () => {
    const before = childrenOf(process.pid);
    const closing = openWasmDriver({ poolSize: 1 });
    await closing.preflight();
    const work = closing.run(request(['spin']), new AbortController().signal);
    await closing.close();
    expect((await work).status).toBe('cancelled');
    expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
  });

  it.each(['closed', 'cancelled and closed'])(
    'HOLE: leaves no process where a child boots for one step alone, when it is %s',
    async (how) => {
      const before = childrenOf(process.pid);
      const own = (): number => childrenOf(process.pid).filter((pid) => !before.includes(pid)).length;
      const closing = openWasmDriver({ poolSize: 0 });
      await closing.preflight();
      const waiting = own();
      const fixed = { seed: 'a'.repeat(64), nowMs: 0 };
      const abort = new AbortController();
      const work = [0, 1].map(() => closing.run({ ...request([]), deterministic: fixed }, abort.signal));
      await expect.poll(own, { interval: 5, timeout: 30_000 }).toBeGreaterThan(waiting);
      if (how !== 'closed') abort.abort();
      await closing.close();
      expect(own()).toBe(0);
      const ends = await Promise.all(work);
      expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['cancelled']));
    },
  );

  it('W12: has no process left when a run is over', async () => {
    const solo = openWasmDriver({ poolSize: 0 });
    const before = childrenOf(process.pid);
    const work = solo.run(request(['spin'], { timeoutMs: 600 }), new AbortController().signal);
    expect((await work).status).toBe('timeout');
    expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
    await solo.close();
  });

  it('keeps no process ready for somebody who only looks whether all is well', async () => {
    const before = childrenOf(process.pid);
    const own = (): readonly number[] => childrenOf(process.pid).filter((pid) => !before.includes(pid));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const looked = openWasmDriver({ poolSize: 1 });
    try {
      expect(await looked.preflight()).toMatchObject({ ok: true });
      expect(own()).toHaveLength(1);
      vi.advanceTimersByTime(60_000); // nobody came
      vi.useRealTimers();
      await expect.poll(own, { timeout: 30_000 }).toEqual([]);
      expect(await looked.preflight()).toMatchObject({ ok: true });
      expect(own()).toEqual([]);
    } finally {
      vi.useRealTimers();
      await looked.close();
    }
  });

  it.each(['idle', 'spin'])(
    'leaves no process behind when the runner is killed while a child is %s',
    async (state) => {
      const dist = new URL('../../dist/adapters/sandbox/wasm/index.js', import.meta.url);
      expect(existsSync(dist), 'build first: npm run build').toBe(true);
      const script = `
      const { openWasmDriver } = await import(${JSON.stringify(dist.href)});
      const driver = openWasmDriver({ poolSize: 1 });
      await driver.preflight();
      if (${JSON.stringify(state)} === 'spin') {
        const chunks = []; for await (const chunk of process.stdin) chunks.push(chunk);
        void driver.run({ argv: ['probe', 'spin'], env: {}, stdin: new Uint8Array(0),
          program: { kind: 'module', digest: ${JSON.stringify(module.digest)}, bytes: new Uint8Array(Buffer.concat(chunks)) },
          limits: { ...driver.defaults, timeoutMs: 60000 }, onOutput: () => console.log('up') },
          new AbortController().signal);
      } else console.log('up');
      setInterval(() => undefined, 1000);`;
      const runner = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      runner.stdin.end(Buffer.from(module.bytes));
      await once(runner.stdout, 'data');
      const descendants = descendantsOf(runner.pid ?? 0);
      expect(descendants.length).toBeGreaterThan(0);
      runner.kill('SIGKILL');
      await gone(descendants);
    },
  );

  it('does not keep a runner alive that forgot to close it', async () => {
    const dist = new URL('../../dist/adapters/sandbox/wasm/index.js', import.meta.url);
    const script = `
      const { openWasmDriver } = await import(${JSON.stringify(dist.href)});
      await openWasmDriver({ poolSize: 1 }).preflight();`;
    const runner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    expect(await once(runner, 'exit')).toEqual([0, null]);
  });
});

describe('wasm module check', () => {
  const driver = openWasmDriver({ poolSize: 0 });
  afterAll(() => driver.close());

  const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const name = (value: string): number[] => [value.length, ...Buffer.from(value)];
  const section = (id: number, body: readonly number[]): number[] => [id, body.length, ...body];
  const TYPE = section(1, [1, 0x60, 0, 0]);
  const FUNCTION = section(3, [1, 0]);
  const MEMORY = section(5, [1, 0, 1]);
  const EXPORT = section(7, [2, ...name('memory'), 2, 0, ...name('_start'), 0, 0]);
  const CODE = section(10, [1, 2, 0, 0x0b]);
  const importing = (module: string, field: string, kind: readonly number[]): number[] =>
    section(2, [1, ...name(module), ...name(field), ...kind]);
  const prepare = (bytes: readonly number[] | Uint8Array) =>
    driver.prepare({
      argv: [],
      env: {},
      stdin: new Uint8Array(0),
      program: { kind: 'module', ...programOf(Uint8Array.from(bytes)) },
      limits: driver.defaults,
    });

  /** One segment of zeros; `at` is a signed LEB128. */
  const data = (at: readonly number[], size: number): number[] =>
    section(11, [1, 0, 0x41, ...at, 0x0b, size, ...new Array<number>(size).fill(0)]);

  /** Of two entries. */
  const TABLE = section(4, [1, 0x70, 0, 2]);
  /** One segment. */
  const elements = (...segment: readonly number[]): number[] => section(9, [1, ...segment]);

  it.each([
    ['up to the last byte', data([0xff, 0xff, 0x03], 1)],
    ['that is put nowhere by itself', section(11, [1, 1, 2, 0, 0])],
    ['at a place that is another expression', section(11, [1, 0, 0x23, 0, 0x0b, 1, 0])],
    ['of the largest table', section(4, [1, 0x70, 0, 0x80, 0xad, 0xe2, 0x04])],
    ['elements up to the last entry', elements(0, 0x41, 1, 0x0b, 1, 0)],
    ['elements of every other form', elements(1, 0, 1, 0)],
    ['elements that are declared', elements(3, 0, 1, 0)],
    ['elements with a table number', elements(2, 0, 0x41, 0, 0x0b, 0, 2, 0, 0)],
    ['elements of expressions', elements(4, 0x41, 0, 0x0b, 2, 0xd2, 0, 0x0b, 0xd0, 0x70, 0x0b)],
    ['elements of expressions with a type', elements(6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd2, 0, 0x0b)],
    ['elements at a place that is another expression', elements(0, 0x23, 0, 0x0b, 1, 0)],
  ])(
    'accepts data and tables that fit, and leaves to the engine what is not plain: %s',
    async (_what, one) => {
      const at = (id: number): readonly number[] => (one[0] === id ? one : []);
      const table = one[0] === 9 ? TABLE : at(4);
      const before = [...HEADER, ...TYPE, ...FUNCTION, ...table, ...MEMORY, ...EXPORT, ...at(9)];
      expect(await prepare([...before, ...CODE, ...at(11)])).toMatchObject({ driver: 'wasm' });
    },
  );

  it('accepts the smallest command', async () => {
    const evidence = await prepare([...HEADER, ...TYPE, ...FUNCTION, ...MEMORY, ...EXPORT, ...CODE]);
    expect(evidence).toMatchObject({ driver: 'wasm' });
  });

  const cases: readonly (readonly [string, readonly number[], RegExp])[] = [
    ['empty bytes', [], /does not begin/],
    ['text', [...Buffer.from('console.log("hello world")')], /does not begin/],
    ['only a header', HEADER, /_start/],
    ['a component', [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], /component/],
    [
      'a reactor',
      [
        ...HEADER,
        ...TYPE,
        ...FUNCTION,
        ...MEMORY,
        ...section(7, [2, ...name('memory'), 2, 0, ...name('_initialize'), 0, 0]),
        ...CODE,
      ],
      /_start/,
    ],
    ['a section cut off', [...HEADER, 1, 100, 1], /cut off/],
    ['a length without end', [...HEADER, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], /too long/],
    ['a section twice', [...HEADER, ...TYPE, ...TYPE], /twice/],
    ['an unknown section', [...HEADER, ...section(77, [0])], /unknown/],
    ['no memory', [...HEADER, ...TYPE, ...FUNCTION, ...EXPORT, ...CODE], /no memory/],
    ['imported memory', [...HEADER, ...importing('env', 'memory', [2, 0, 1])], /imports its memory/],
    ['shared memory', [...HEADER, ...section(5, [1, 3, 1, 2])], /shared/],
    ['64-bit memory', [...HEADER, ...section(5, [1, 4, 1])], /64-bit/],
    ['two memories', [...HEADER, ...section(5, [2, 0, 1, 0, 1])], /exactly one/],
    [
      'more memory than the limit',
      [...HEADER, ...TYPE, ...FUNCTION, ...section(5, [1, 0, 0x81, 0x08]), ...EXPORT, ...CODE],
      /1025 pages/,
    ],
    [
      'data one byte behind its memory',
      [...HEADER, ...TYPE, ...FUNCTION, ...MEMORY, ...EXPORT, ...CODE, ...data([0xff, 0xff, 0x03], 2)],
      /data segment 0 lies outside/,
    ],
    [
      'data at a place that is negative',
      [...HEADER, ...TYPE, ...FUNCTION, ...MEMORY, ...EXPORT, ...CODE, ...data([0x7f], 1)],
      /data segment 0 lies outside/,
    ],
    [
      'a table that no engine makes',
      [...HEADER, ...TYPE, ...FUNCTION, ...section(4, [1, 0x70, 0, 0x81, 0xad, 0xe2, 0x04]), ...MEMORY],
      /table of 10000001 entries/,
    ],
    [
      'an element one entry behind its table',
      [...HEADER, ...TYPE, ...FUNCTION, ...TABLE, ...MEMORY, ...EXPORT, ...elements(0, 0x41, 2, 0x0b, 1, 0)],
      /element segment 0 lies outside/,
    ],
    [
      'an element of an expression behind its table',
      [...HEADER, ...TABLE, ...elements(6, 0, 0x41, 0x7f, 0x0b, 0x70, 1, 0xd2, 0, 0x0b)],
      /element segment 0 lies outside/,
    ],
    [
      'an element for a table that is not there',
      [...HEADER, ...TABLE, ...elements(2, 1, 0x41, 0, 0x0b, 0, 1, 0)],
      /element segment 0 lies outside/,
    ],
    [
      'elements that are cut off',
      [...HEADER, ...TABLE, ...elements(0, 0x41, 0, 0x0b, 0xff, 0xff, 3, 0)],
      /cut off/,
    ],
    ['a host function', [...HEADER, ...TYPE, ...importing('env', 'system', [0, 0])], /env\.system/],
    [
      'an outbound socket',
      [...HEADER, ...TYPE, ...importing('wasix_32v1', 'sock_connect', [0, 0])],
      /wasix_32v1\.sock_connect/,
    ],
    [
      'a socket under the name of preview 1',
      [...HEADER, ...TYPE, ...importing('wasi_snapshot_preview1', 'sock_open', [0, 0])],
      /sock_open/,
    ],
    [
      'a function of WASI in another form',
      [...HEADER, ...TYPE, ...importing('wasi_snapshot_preview1', 'fd_write', [0, 0])],
      /imports fd_write as \(\) -> \(\), and that is \(i32, i32, i32, i32\) -> \(i32\)/,
    ],
    [
      'a function of WASI of a type that is not there',
      [...HEADER, ...TYPE, ...importing('wasi_snapshot_preview1', 'fd_write', [0, 9])],
      /a type that it has not/,
    ],
    [
      '_start with a parameter',
      [...HEADER, ...section(1, [1, 0x60, 1, 0x7f, 0]), ...FUNCTION, ...MEMORY, ...EXPORT, ...CODE],
      /_start is \(i32\) -> \(\), not \(\) -> \(\)/,
    ],
    [
      '_start with a result',
      [...HEADER, ...section(1, [1, 0x60, 0, 1, 0x7e]), ...FUNCTION, ...MEMORY, ...EXPORT, ...CODE],
      /_start is \(\) -> \(i64\)/,
    ],
    [
      'more functions than can be made',
      [...HEADER, ...TYPE, ...section(3, [0xc1, 0x84, 0x3d, 0]), ...MEMORY],
      /1000001 functions/,
    ],
    [
      'a global import',
      [...HEADER, ...importing('wasi_snapshot_preview1', 'fd_write', [3, 0x7f, 0])],
      /other than a function/,
    ],
  ];
  it.each(cases)('W09, W10: refuses %s before anything starts', async (_what, bytes, message) => {
    await expect(prepare(bytes)).rejects.toMatchObject({ code: 'SANDBOX_MODULE_INVALID' });
    await expect(prepare(bytes)).rejects.toThrow(message);
  });

  it('refuses a module above 64 MiB', async () => {
    const bytes = new Uint8Array(64 * 1024 * 1024 + 1);
    bytes.set(HEADER);
    const request = { argv: [], env: {}, stdin: new Uint8Array(0), limits: driver.defaults };
    await expect(
      driver.prepare({ ...request, program: { kind: 'module', ...programOf(new Uint8Array(0)), bytes } }),
    ).rejects.toMatchObject({ code: 'SANDBOX_MODULE_INVALID' });
  });

  it('refuses every truncation of a real module', async () => {
    const { bytes } = await probe();
    for (let length = 0; length < bytes.length; length += 97) {
      const outcome = await prepare(bytes.subarray(0, length)).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      );
      // A cut between two sections can leave a shorter module that is still whole up to its code.
      expect(['SANDBOX_MODULE_INVALID', 'accepted']).toContain(outcome);
      if (outcome === 'accepted') expect(length).toBeGreaterThan(bytes.length / 2);
    }
  });

  it.each([
    ['code that is not valid', [], [0, 0x6a, 0x0b], 'not valid WebAssembly'],
    ['a trap before _start', section(8, [0]), [0, 0x00, 0x0b], 'stopped before _start'],
    [
      'a wait for another thread',
      [],
      [0, 0x41, 0, 0x41, 0, 0x42, 0x7f, 0xfe, 0x01, 2, 0, 0x1a, 0x0b],
      'the guest trapped: atomic_wait',
    ],
  ] as const)(
    'calls it a crash when the engine finds what the check could not see: %s',
    async (_what, start, body, reason) => {
      const result = await driver.run(
        {
          argv: [],
          env: {},
          stdin: new Uint8Array(0),
          program: {
            kind: 'module',
            ...programOf(
              Uint8Array.from([
                ...HEADER,
                ...TYPE,
                ...FUNCTION,
                ...MEMORY,
                ...EXPORT,
                ...start,
                ...section(10, [1, body.length, ...body]),
              ]),
            ),
          },
          limits: driver.defaults,
        },
        new AbortController().signal,
      );
      expect(result).toMatchObject({ status: 'crashed', exitCode: null });
      expect(result.reason).toContain(reason);
    },
  );
});
