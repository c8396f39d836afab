// Many steps of every kind at once, good and bad beside one another: each gets its own answer, and at the end nothing is
// left and the runner is as large as before. Without an engine all of them run in WASM, and the title says so.
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openModuleManifest } from '../../src/adapters/packages/module-manifest.js';
import { openWasmDriver } from '../../src/adapters/sandbox/wasm/index.js';
import type { SandboxDriver, SandboxProgram, SandboxRequest } from '../../src/runtime/ports.js';
import { imageProgram, images, installation, left, noEngine, skipped } from '../contract/docker/engine.js';
import { text } from '../contract/sandbox.js';
import { childrenOf, commandLines } from '../processes.js';

const STEPS = 200;
const AT_ONCE = 8;
const MiB = 1024 * 1024;

interface Step {
  readonly driver: SandboxDriver;
  readonly request: SandboxRequest;
  readonly wanted: readonly [status: string, stdout: string];
}

it(`runs ${STEPS} mixed steps, ${AT_ONCE} at once, each right, and leaves nothing${skipped}`, async () => {
  const before = childrenOf(process.pid);
  const wasm = openWasmDriver({ poolSize: 2 });
  const home = installation();
  const docker = noEngine === null ? home.open({ poolSize: 2 }) : null;
  const folder = fileURLToPath(new URL('../../sandbox/wasm', import.meta.url));
  const module = async (name: string): Promise<SandboxProgram> => {
    const found = await openModuleManifest(folder).module(name);
    if (found === null) throw new Error(`${name} is not shipped`);
    return { kind: 'module', ...found };
  };
  const [upper, javascript] = [await module('text'), await module('javascript')];
  const sh = docker === null ? null : imageProgram(images('sh').sh);
  const stepOf = (n: number): Step => {
    const request = (
      argv: readonly string[],
      program: SandboxProgram,
      driver: SandboxDriver,
    ): Step['request'] => ({
      argv,
      env: {},
      stdin: Buffer.from(`step ${n}\n`),
      program,
      limits: { ...driver.defaults, timeoutMs: n % 10 === 3 || n % 10 === 8 ? 400 : 60_000 },
    });
    const inDocker = docker !== null && sh !== null && n % 2 === 0;
    switch (n % 10) {
      case 3:
        return {
          driver: wasm,
          request: request(['js', '-e', 'for (;;);'], javascript, wasm),
          wanted: ['timeout', ''],
        };
      case 5:
        return {
          driver: wasm,
          request: request(['js', '-e', 'exit(4)'], javascript, wasm),
          wanted: ['exited', ''],
        };
      case 8:
        if (inDocker)
          return { driver: docker, request: request(['sleep', '60'], sh, docker), wanted: ['timeout', ''] };
        break;
      default:
        if (inDocker)
          return {
            driver: docker,
            request: request(['tr', 'a-z', 'A-Z'], sh, docker),
            wanted: ['exited', `STEP ${n}\n`],
          };
    }
    return {
      driver: wasm,
      request: request(['text', 'upper'], upper, wasm),
      wanted: ['exited', `STEP ${n}\n`],
    };
  };

  let next = 0;
  let atFirst = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < STEPS; n = next++) {
      // Libraries are loaded and pools are full by then.
      if (n === 40) atFirst = process.memoryUsage().rss;
      const { driver, request, wanted } = stepOf(n);
      const result = await driver.run(request, new AbortController().signal);
      // An engine whose container is killed while it starts a program says so on the program's stdout.
      const said = result.status === 'timeout' ? '' : text(result.stdout);
      expect([result.status, said], `step ${n}`).toEqual(wanted);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(process.memoryUsage().rss - atFirst).toBeLessThan(60 * MiB);
  await wasm.close();
  await docker?.close();
  if (docker !== null) expect(await left(home.home)).toEqual([]);
  expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
  expect(commandLines().filter((line) => line.startsWith('js -e '))).toEqual([]);
});
