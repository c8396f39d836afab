// Locks between processes. A lock is an exclusive SQLite transaction on an empty file of its own: the operating
// system holds it (POSIX record locks) and frees it when the process dies, however it dies. No pid, no time to live,
// no heartbeat. A free lock leaves no file behind, except after a kill; the next holder takes that file over.
import { mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { WritError } from '../../errors.js';
import type { Lock, Locks } from '../../runtime/ports.js';
import { isBusy, openError } from './sqlite/driver-error.js';

const POLL_MS = 20;
const SUFFIX = '.lock';
const NAME = /^[a-z0-9_-][a-z0-9._-]{0,127}$/;
/** Each miss means that another process took and freed the lock meanwhile. */
const MAX_MISSES = 16;

/**
 * Locks that live in `place` (made with mode 0700). Names: 1 to 128 of `a-z 0-9 . _ -`, no leading dot; others
 * throw INPUT_INVALID. A directory that can't be used throws STORE_READ_ONLY or STORE_UNAVAILABLE.
 */
export function openLocks(place: string): Locks {
  // Where the working folder has been removed, Node never ends making folders in a relative place.
  const directory = resolve(place);
  const tryHold = (name: string): Lock | null => {
    const file = join(directory, `${checkName(name)}${SUFFIX}`);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      for (let miss = 0; miss < MAX_MISSES; miss++) {
        const held = tryFile(file);
        if (held !== 'moved') return held === 'busy' ? null : lockOn(name, file, held.db, held.id);
      }
      return null;
    } catch (error) {
      throw openError(error, file);
    }
  };
  return {
    tryHold,
    names() {
      try {
        const files = readdirSync(directory).filter((file) => file.endsWith(SUFFIX));
        return files.map((file) => file.slice(0, -SUFFIX.length)).filter((name) => NAME.test(name));
      } catch (error) {
        // Nobody has ever held one.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw openError(error, directory);
      }
    },
    async hold(name, timeoutMs) {
      const giveUpAt = performance.now() + timeoutMs;
      for (;;) {
        const lock = tryHold(name);
        if (lock !== null) return lock;
        const leftMs = giveUpAt - performance.now();
        if (leftMs <= 0) {
          throw new WritError('STORE_BUSY', `lock ${name} is held by another process after ${timeoutMs} ms`, {
            hint: 'wait for the other writ process, or stop it, and try again',
          });
        }
        await pause(Math.min(POLL_MS, leftMs));
      }
    },
  };
}

/** Takes the lock of `file`, which may be freed and removed by its holder at any moment in between. */
function tryFile(file: string): { db: Database.Database; id: string } | 'busy' | 'moved' {
  makeFile(file);
  const id = identity(file);
  if (id === null) return 'moved';
  const db = new Database(file, { timeout: 0 });
  try {
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
    // A lock on a file that was removed since is a lock on nothing: only the file at this path counts.
    if (identity(file) === id) return { db, id };
  } catch (error) {
    db.close();
    if (isBusy(error)) return 'busy';
    throw error;
  }
  db.close();
  return 'moved';
}

function lockOn(name: string, file: string, db: Database.Database, id: string): Lock {
  return {
    name,
    release() {
      if (!db.open) return;
      try {
        // Removed while it is still held, so that nobody can lock a file that is about to go. When somebody else
        // removed it, the file there now is another holder's.
        if (identity(file) === id) unlinkSync(file);
      } catch (error) {
        throw openError(error, file);
      } finally {
        db.close();
      }
    },
  };
}

/**
 * Opens only a file it has just made: closing any descriptor of a file frees all of this process's locks on it,
 * and nobody can hold one on a file this new.
 */
function makeFile(file: string): void {
  try {
    writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Tells a file from a later one of the same name, also when the inode number is used again. */
function identity(file: string): string | null {
  try {
    const { dev, ino, birthtimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new WritError('INPUT_INVALID', `lock name ${JSON.stringify(name.slice(0, 128))} is not valid`, {
    hint: 'use 1 to 128 of the characters a-z 0-9 . _ - and no leading dot',
  });
}
