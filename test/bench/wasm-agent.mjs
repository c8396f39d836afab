// One agent in a pre-forked, single-use WASM process: the sandbox itself, not governance.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openModuleManifest } from '../../dist/adapters/packages/index.js';
import { openWasmDriver } from '../../dist/adapters/sandbox/wasm/index.js';
import { reportTimes } from './report.mjs';

export async function wasmAgent({ root }) {
  const module = await openModuleManifest(path.join(root, 'sandbox', 'wasm')).module('claims-triage');
  const claim = readFileSync(path.join(root, 'examples', 'claims-review', 'claims', 'clean-collision.json'));
  const driver = openWasmDriver({ poolSize: 1, shipped: [module] });
  const { signal } = new AbortController();
  const times = [];
  for (let i = 0; i < 12; i++) {
    await setTimeout(1_500);
    const before = performance.now();
    const result = await driver.run(
      {
        argv: ['claims-triage'],
        env: {},
        stdin: claim,
        program: { kind: 'module', ...module },
        limits: driver.defaults,
      },
      signal,
    );
    if (result.status !== 'exited')
      throw new Error(`the triage agent ended ${result.status}: ${result.reason}`);
    times.push(performance.now() - before);
  }
  await driver.close();
  reportTimes(
    'one agent in a pre-forked, single-use WASM process (the sandbox, not governance)',
    times.slice(2),
    {
      p50: 10,
    },
  );
}
