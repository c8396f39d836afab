// Whether a server sees to what is due: asked by processes that may ask at the same moment, after servers that were killed.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocks } from '../../src/adapters/store/locks.js';
import { holdServing, isServed } from '../../src/adapters/store/serving.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'writ-serving-'));
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

describe('a data directory is served', () => {
  it('while a server holds its lock, and no longer', async () => {
    const locks = openLocks(home);
    expect(await isServed(locks)).toBe(false);
    const server = await holdServing(locks, 'one');
    expect(await isServed(openLocks(home))).toBe(true);
    server?.release();
    expect(await isServed(locks)).toBe(false);
    expect(readdirSync(home)).toEqual([]);
  });

  it('by nobody where a server was killed, though another process asks at the same moment', async () => {
    writeFileSync(join(home, 'serve.killed.lock'), '');
    const [one, other] = [openLocks(home), openLocks(home)];
    // One asks: it has its turn, and the lock that the server left behind.
    const turn = one.tryHold('serving');
    const left = one.tryHold('serve.killed');
    const answer = isServed(other);
    left?.release();
    writeFileSync(join(home, 'serve.killed.lock'), '');
    turn?.release();
    expect(await answer).toBe(false);
    expect(readdirSync(home)).toEqual([]);
  });
});
