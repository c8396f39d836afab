// The embedded locks: the port's contract, then the files they leave.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocks } from '../../src/adapters/store/locks.js';
import { locksContract } from './locks.js';

const HOLDER = fileURLToPath(new URL('lock-holder.mjs', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/adapters/store/locks.js', import.meta.url));

locksContract('Lock files', () => {
  const base = mkdtempSync(join(tmpdir(), 'writ-locks-'));
  const directory = join(base, 'locks');
  return {
    open: () => openLocks(directory),
    startHolder: (name) => {
      if (!existsSync(BUILT)) throw new Error(`${BUILT} is missing: build first (npx tsc -p .)`);
      return spawn(process.execPath, [HOLDER, directory, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    },
    remove: () => {
      rmSync(base, { recursive: true, force: true });
    },
  };
});

describe('lock files', () => {
  let base: string;

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'writ-lock-files-'));
  });
  afterEach(() => {
    rmSync(base, { recursive: true, force: true });
  });

  it('are empty, private, and gone when the lock is free', () => {
    const directory = join(base, 'locks');
    const locks = openLocks(directory);
    expect(existsSync(directory)).toBe(false);
    const lock = locks.tryHold('run-1');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory)).toEqual(['run-1.lock']);
    const { mode, size } = statSync(join(directory, 'run-1.lock'));
    expect([mode & 0o777, size]).toEqual([0o600, 0]);
    expect(locks.tryHold('run-1')).toBeNull();
    lock?.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('of a killed holder are taken over', () => {
    const directory = join(base, 'locks');
    openLocks(directory).tryHold('x')?.release();
    writeFileSync(join(directory, 'run-1.lock'), '');
    const lock = openLocks(directory).tryHold('run-1');
    expect(lock).not.toBeNull();
    lock?.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('that were removed under their holder do not stop the release, nor a new lock', () => {
    const directory = join(base, 'locks');
    const locks = openLocks(directory);
    const lock = locks.tryHold('run-1');
    rmSync(join(directory, 'run-1.lock'));
    lock?.release();
    const again = locks.tryHold('run-1');
    expect(again).not.toBeNull();
    again?.release();
  });

  it('need a directory: a file in its place is STORE_UNAVAILABLE', () => {
    const file = join(base, 'file');
    writeFileSync(file, '');
    for (const directory of [file, join(file, 'locks')]) {
      expect(() => openLocks(directory).tryHold('run-1')).toThrow(
        expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
      );
    }
  });
});
