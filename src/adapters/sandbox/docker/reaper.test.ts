// Which containers of others are removed; the engine here is an HTTP server with a list of them.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openLocks } from '../../store/locks.js';
import { openEngine } from './engine.js';
import { openRunner } from './reaper.js';

const HOUR_MS = 3_600_000;
const GRACE_MS = 60_000;

describe('the reaper', () => {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-reaper-'));
  const socket = path.join(home, 'engine.sock');
  let deadlineMs = 0;
  const removed: string[] = [];
  let others: readonly string[] = [];
  let stuck = '';
  const server = createServer((request, response) => {
    if (request.method === 'DELETE') {
      if (stuck !== '' && request.url?.includes(stuck) === true) {
        response.writeHead(500, { 'content-type': 'application/json' });
        response.end('{"message":"device or resource busy"}');
        return;
      }
      removed.push(request.url ?? '');
    }
    const Labels = {
      'writ.runner': 'a'.repeat(32),
      'writ.installation': 'another',
      'writ.deadline': String(deadlineMs),
    };
    response.setHeader('content-type', 'application/json');
    const ids = ['theirs', ...others];
    response.end(JSON.stringify(ids.map((Id) => ({ Id, Names: [`/${Id}`], Labels }))));
  });

  beforeAll(async () => {
    server.listen(socket);
    await once(server, 'listening');
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true });
  });

  /** How many of another installation's containers go, with the clock set `byMs` on between open and reap. */
  const reaped = async (endsInMs: number, byMs: number): Promise<number> => {
    deadlineMs = Date.now() + endsInMs;
    const runner = openRunner(openLocks(home), 'ours');
    if (byMs !== 0) {
      vi.useFakeTimers({ toFake: ['Date'] });
      vi.setSystemTime(Date.now() + byMs);
    }
    try {
      return await runner.reap(await openEngine(socket));
    } finally {
      vi.useRealTimers();
      runner.release();
    }
  };

  it('removes what another installation should have ended long ago, and nothing before that', async () => {
    expect(await reaped(-GRACE_MS - 1_000, 0)).toBe(1);
    expect(removed.splice(0)).toEqual(['/containers/theirs?force=true&v=true']);
    expect(await reaped(-GRACE_MS + 30_000, 0)).toBe(0);
  });

  it.each([HOUR_MS, -HOUR_MS])(
    "hole: a clock that was set by %i ms ended the steps of another installation's runner",
    async (byMs) => {
      expect(await reaped(10_000, byMs)).toBe(0);
      expect(removed).toEqual([]);
    },
  );

  it('hole: a clock that was an hour behind when it opened kept it from ever removing what others left', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const rightMs = Date.now();
    vi.setSystemTime(rightMs - HOUR_MS);
    const runner = openRunner(openLocks(home), 'ours');
    vi.setSystemTime(rightMs);
    deadlineMs = rightMs - 2 * GRACE_MS;
    try {
      const engine = await openEngine(socket);
      expect(await runner.reap(engine)).toBe(0);
      vi.advanceTimersByTime(20 * 60_000);
      expect(await runner.reap(engine)).toBe(0);
      vi.advanceTimersByTime(1_000);
      // One that was made since then may have been seen for no time at all.
      others = ['later'];
      expect(await runner.reap(engine)).toBe(1);
      expect(removed.splice(0)).toEqual(['/containers/theirs?force=true&v=true']);
    } finally {
      others = [];
      vi.useRealTimers();
      runner.release();
    }
  });

  it('hole: one that the engine could not remove kept all those behind it', async () => {
    removed.length = 0;
    others = ['behind'];
    stuck = 'theirs';
    try {
      await expect(reaped(-2 * GRACE_MS, 0)).rejects.toThrow('device or resource busy');
      expect(removed).toEqual([expect.stringContaining('behind')]);
    } finally {
      others = [];
      stuck = '';
    }
  });
});
