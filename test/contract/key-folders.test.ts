// Keys that are made in the same new folders at the same moment: none of them is taken for one that was there.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, it } from 'vitest';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-key-folders-'));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

it('two who make the same folder for their keys at the same moment both have their key', async () => {
  const threads = 2;
  const arrived = new SharedArrayBuffer(4);
  const writers = Array.from({ length: threads }, (_, name) => {
    const workerData = { home, name, arrived, threads, rounds: 100 };
    return once(new Worker(new URL('key-writer.mjs', import.meta.url), { workerData }), 'message');
  });
  expect((await Promise.all(writers)).flat(2)).toEqual([]);
});
