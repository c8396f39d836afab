// What a guest prints, however it cuts it into pieces, costs the runner no more than its bytes.
import { once } from 'node:events';
import { createServer, connect, Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { collect } from './wasm/child-pipes.js';
import { openCapture } from './docker/capture.js';

const PIECES = 500_000;
const MOST_BYTES = 24 * 1024 * 1024;

const used = (): number => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

describe('output that comes byte by byte', () => {
  it('hole: took a hundred times its size of the memory of the runner', () => {
    const capture = openCapture(PIECES, () => undefined);
    const chunk = Buffer.alloc(65_536, 'x');
    const before = used();
    for (let at = 0; at < PIECES; at += 1)
      capture.give('stdout', chunk.subarray(at % 65_536, (at % 65_536) + 1));
    expect(used() - before).toBeLessThan(MOST_BYTES);
    expect(Buffer.from(capture.result().stdout.bytes).toString()).toBe('x'.repeat(PIECES));
    expect(capture.full()).toBeNull();
  });

  it('hole: and so it did from a module', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'writ-pieces-'));
    const server = createServer().listen(path.join(folder, 's'));
    const near = connect({ path: path.join(folder, 's') });
    const [far] = (await once(server, 'connection')) as [Socket];
    try {
      const collected = collect(far, (length) => length);
      const before = used();
      for (let at = 0; at < PIECES; at += 1) far.emit('data', Buffer.from('y'));
      expect(used() - before).toBeLessThan(MOST_BYTES);
      expect(collected.bytes().length).toBe(PIECES);
    } finally {
      near.destroy();
      far.destroy();
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
});
