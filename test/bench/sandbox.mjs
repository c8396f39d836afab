// What a step in a container and in WASM costs beside what it replaces: `docker run` with the same hardening, and a Node
// process of its own that runs the same module by node:wasi. Containers are left out where no engine answers.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openModuleManifest } from '../../dist/adapters/packages/index.js';
import { openDockerDriver } from '../../dist/adapters/sandbox/docker/index.js';
import { openWasmDriver } from '../../dist/adapters/sandbox/wasm/index.js';
import { openLocks } from '../../dist/adapters/store/locks.js';
import { initWrit } from '../../dist/open.js';
import { policies } from './governed-step.mjs';
import { median, ms, percent, report, reportTimes, timed } from './report.mjs';

const run = promisify(execFile);
const NO_INPUT = new Uint8Array(0);
const never = () => new AbortController().signal;

export async function sandboxBench({ root, home, at }) {
  await wasm(root);
  await idleRunner(root, at);
  await containers(root, home);
}

/** Of a process of its own: this one has run other figures before. */
async function idleRunner(root, at) {
  policies(root, at);
  await initWrit({ data: at('data'), origin: null, tenant: 'default', trustFile: at('trust.json') });
  const script = path.join(root, 'test', 'bench', 'idle-runner.mjs');
  const { stdout } = await run(process.execPath, [script, at('data'), at('policies')]);
  const idleMiB = Number(stdout.trim());
  report('memory of an idle runner process, its children not counted', {
    measured: `${idleMiB} MiB`,
    target: '<= 150 MiB',
    met: idleMiB <= 150,
  });
}

async function wasm(root) {
  const modules = openModuleManifest(path.join(root, 'sandbox', 'wasm'));
  const shipped = await Promise.all((await modules.names()).map((name) => modules.module(name)));
  const text = await modules.module('text');
  const request = (driver) => ({
    argv: ['text', 'upper'],
    env: {},
    stdin: Buffer.from('one line\n'),
    program: { kind: 'module', ...text },
    limits: driver.defaults,
  });
  const first = openWasmDriver({ poolSize: 1, shipped });
  const firstMs = await timed(() => first.run(request(first), never()));
  await first.close();
  const times = async (driver) => {
    const found = [];
    for (let i = 0; i < 14; i++) {
      await setTimeout(1_500); // until the next child has booted: a step in a workflow waits for others too
      found.push(await timed(() => driver.run(request(driver), never())));
    }
    return found.slice(2);
  };
  const warm = openWasmDriver({ poolSize: 1, shipped });
  const warmed = await times(warm);
  const abort = new AbortController();
  const spinning = warm.run(
    {
      ...request(warm),
      argv: ['js', '-e', 'for (;;);'],
      program: { kind: 'module', ...(await modules.module('javascript')) },
    },
    abort.signal,
  );
  await setTimeout(1_000);
  const cancelMs = await timed(() => {
    abort.abort();
    return spinning;
  });
  await warm.close();
  // As for a module of a user's: the process has run what the product ships, and this one never.
  const others = shipped.filter(({ digest }) => digest !== text.digest);
  const unknown = openWasmDriver({ poolSize: 1, shipped: others });
  const loaded = await times(unknown);
  await unknown.close();

  const script = `
    import { WASI } from 'node:wasi'; import { readFileSync } from 'node:fs';
    const wasi = new WASI({ version: 'preview1', args: ['text', 'upper'] });
    const module = await WebAssembly.compile(readFileSync(process.argv[1]));
    wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));`;
  const file = path.join(root, 'sandbox', 'wasm', 'modules', 'text.wasm');
  const bare = [];
  for (let i = 0; i < 8; i++) bare.push(await timed(() => nodeWasi(script, file)));

  const beside = `a process of its own with node:wasi, which holds nothing: p50 ${ms(median(bare))}`;
  reportTimes('WASM step, shipped tool, pre-forked single-use process', warmed, { p50: 10, p99: 50 }, beside);
  reportTimes('WASM step, a module the process has not seen', loaded, { p50: 30 }, beside);
  report('WASM step, the first one of a runner', {
    measured: ms(firstMs),
    target: '<= 400 ms',
    met: firstMs <= 400,
    beside,
  });
  report('WASM, cancel to dead', { measured: ms(cancelMs), target: '<= 2000 ms', met: cancelMs <= 2_000 });
}

function nodeWasi(script, file) {
  return new Promise((resolve, reject) => {
    const args = ['--no-warnings', '--input-type=module', '-e', script, file];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`node:wasi ended ${code}`))));
    child.stdin.end('one line\n');
  });
}

async function containers(root, home) {
  let image;
  try {
    execFileSync('docker', ['version'], { stdio: 'ignore' });
    const built = execFileSync(process.execPath, [path.join(root, 'sandbox/images/build.mjs'), 'sh'], {
      encoding: 'utf8',
    });
    image = built.trim().split(' ')[1];
  } catch {
    report('container steps', { measured: 'not measured: no Docker engine answers here' });
    return;
  }
  const seccomp = path.join(root, 'sandbox', 'seccomp.json');
  const open = (poolSize) =>
    openDockerDriver({
      locks: openLocks(home),
      installation: home,
      seccomp: async () => readFileSync(seccomp, 'utf8'),
      poolSize,
    });
  const request = (driver, argv) => ({
    argv,
    env: {},
    stdin: NO_INPUT,
    program: { kind: 'image', digest: image, repository: null },
    limits: driver.defaults,
  });
  const steps = async (driver, pauseMs, isPooled) => {
    const found = [];
    for (let i = 0; i < 16; i++) {
      await setTimeout(pauseMs);
      let ended;
      const took = await timed(async () => {
        ended = await driver.run(request(driver, ['sh', '-c', 'echo hi']), never());
      });
      // A pool that was empty says nothing of a warm one.
      if (i >= 4 && ended.evidence.pooled === isPooled) found.push(took);
    }
    return found;
  };
  const plain = [];
  for (let i = 0; i < 10; i++) plain.push(await timed(() => run('docker', hardened(image, seccomp))));
  const cold = open(0);
  const coldTimes = await steps(cold, 0, false);
  const abort = new AbortController();
  const sleeping = cold.run(request(cold, ['sleep', '60']), abort.signal);
  await setTimeout(1_000);
  const cancelMs = await timed(() => {
    abort.abort();
    return sleeping;
  });
  await cold.close();
  const pooled = open(2);
  const poolTimes = await steps(pooled, 600, true);
  await pooled.close();

  const beside = `\`docker run\` with the same options: p50 ${ms(median(plain))}`;
  reportTimes('container step, cold', coldTimes, { p50: 300 }, beside);
  const part = percent(median(poolTimes), median(plain));
  report('container step without files, from the warm pool', {
    measured: `p50 ${ms(median(poolTimes))}, ${part} of a cold \`docker run\` (n=${poolTimes.length})`,
    target: '<= 40 %',
    met: median(poolTimes) <= 0.4 * median(plain),
    beside,
  });
  report('container, cancel to dead', {
    measured: ms(cancelMs),
    target: '<= 2000 ms',
    met: cancelMs <= 2_000,
  });
}

/** What a step's container has, as a command line says it. */
function hardened(image, seccomp) {
  return [
    ...['run', '--rm', '--network', 'none', '--read-only', '--cap-drop', 'ALL', '--user', '65534:65534'],
    ...['--security-opt', 'no-new-privileges', '--security-opt', `seccomp=${seccomp}`, '--init'],
    ...[
      '--memory',
      '256m',
      '--memory-swap',
      '256m',
      '--cpus',
      '1',
      '--pids-limit',
      '64',
      '--log-driver',
      'none',
    ],
    ...['--tmpfs', '/tmp:noexec,nosuid,nodev,size=16m', '--tmpfs', '/work:exec,nosuid,nodev,size=64m'],
    ...[image, 'sh', '-c', 'echo hi'],
  ];
}
