// The write-ahead log of a process that writes without a pause, copied by a thread of its own. The built store runs: the
// thread has a file of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/clock.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { extendLog } from '../../src/runtime/log/log.js';
import { draft } from './store.js';

const WRITER = fileURLToPath(new URL('large-writer.mjs', import.meta.url));
const MIB = 1024 * 1024;

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-checkpoints-'));
  file = join(directory, 'writ.db');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Starts the writer; each line goes to `said`. */
function writer(changes: number, said: (line: string) => void) {
  const child = spawn(process.execPath, [WRITER, file, String(changes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: child.stdout }).on('line', said);
  return child;
}

/** What the file holds once another process has opened it; nothing of it may be damaged. */
async function entriesLeft(): Promise<number> {
  const store = await openSqliteStore({ file, extendLog, clock: systemClock });
  const { size } = await store.log();
  await store.close();
  const db = new Database(file, { readonly: true });
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    const count = db.prepare('SELECT count(*) FROM log_entry').pluck().get();
    expect(count).toBe(Number(size));
    return Number(size);
  } finally {
    db.close();
  }
}

describe('a process that writes without a pause', { timeout: 240_000 }, () => {
  it('keeps its write-ahead log within bounds, and leaves none', async () => {
    const lines: string[] = [];
    const child = writer(2_500, (line) => lines.push(line));
    expect(await once(child, 'close')).toEqual([0, null]);
    const largest = Number(/^wal ([0-9]+)$/.exec(lines.at(-1) ?? '')?.[1]);
    // It wrote more than twice as much.
    expect(largest).toBeGreaterThan(4 * MIB);
    expect(largest).toBeLessThan(50 * MIB);
    expect(existsSync(`${file}-wal`)).toBe(false);
    expect(await entriesLeft()).toBe(2_500);
  });

  it('copies by itself where it can have no thread', async () => {
    // These modules have no built file beside them for one to run.
    const store = await openSqliteStore({ file, extendLog, clock: systemClock });
    const change = { entries: [draft('r', 'authz.decided', { fill: 'x'.repeat(48_000) })] };
    let largest = 0;
    for (let i = 0; i < 1_500; i++) {
      await store.commit(change);
      largest = Math.max(largest, statSync(`${file}-wal`).size);
    }
    await store.close();
    expect(largest).toBeGreaterThan(8 * MIB);
    expect(largest).toBeLessThan(24 * MIB);
    expect(await entriesLeft()).toBe(1_500);
  });

  it('and is killed while the log is copied has lost nothing that was durable', async () => {
    let durable = 0;
    for (const more of [260, 330, 410, 520, 700]) {
      const before = durable;
      let said = 0;
      const child = writer(0, (line) => {
        said = Number(line);
        if (said === more) child.kill('SIGKILL');
      });
      expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
      const left = await entriesLeft();
      expect(left).toBeGreaterThanOrEqual(before + said);
      durable = left;
    }
  });
});
