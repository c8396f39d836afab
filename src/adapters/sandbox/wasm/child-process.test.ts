// Children that are no engine: what is told of a process that does not do what a child does.
import { describe, expect, it } from 'vitest';
import { bootChild } from './child-process.js';
import type { ChildOrder } from './child-run.js';
import type { Launch } from './hardening.js';

const READY = `{"t":"ready","uid":0,"filesDenied":true,"spawnDenied":true,"interfaces":0,"envNames":0}`;
const { signal } = new AbortController();

/** A process that reports `lines`, one after the other, and then does `after`. */
function saying(lines: readonly string[], after: string): Launch {
  const script = `const { writeSync } = require('node:fs');
    for (const line of ${JSON.stringify(lines)}) writeSync(3, line + '\\n');
    ${after}`;
  return { command: process.execPath, args: ['-e', script], uid: null };
}

const order: ChildOrder = {
  module: new Uint8Array(0),
  stdin: new Uint8Array(0),
  args: [],
  env: {},
  timeoutMs: 60_000,
  outputBytes: 100,
  rssLimitBytes: null,
  cpuMs: null,
  files: [],
  diskBytes: 100,
  select: null,
};

describe('a child', () => {
  it('that ends before it was ready is one that did not start', async () => {
    await expect(bootChild(saying([], 'process.exit(0)'), [], signal)).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
    });
  });

  it('whose engine loads and then runs nothing is not taken for warm', async () => {
    const child = await bootChild(saying([READY], 'process.exit(1)'), [], signal);
    expect(await child.warmed()).toBe(false);
    await child.gone;
  });

  it('that says something else in place of being warm is told by its death, not by its words', async () => {
    const exit = '{"t":"exit","code":0,"out":0,"err":0,"files":null}';
    const child = await bootChild(
      saying([READY, exit], `process.stdin.once('data', () => process.exit(1))`),
      [],
      signal,
    );
    const { end } = await child.run(order, signal);
    expect(end).toMatchObject({ kind: 'died' });
    await child.gone;
  });

  it('that is warm and then ends its order is told by its report', async () => {
    const exit = '{"t":"exit","code":7,"out":0,"err":0,"files":null}';
    const child = await bootChild(
      saying([READY, '{"t":"warm"}', exit], 'process.stdin.resume()'),
      [],
      signal,
    );
    expect(await child.warmed()).toBe(true);
    const { end } = await child.run(order, signal);
    expect(end).toEqual({ kind: 'exit', code: 7, files: [] });
    await child.gone;
  });
});
