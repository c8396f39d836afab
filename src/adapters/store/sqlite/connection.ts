// Opens the store's file with the settings durability rests on. Two connections: one writes, one only reads, so
// that a read never sees an open transaction.
// Never open, copy or close the file by other means in a process that has the store open: POSIX drops all of a
// process's locks on a file when any of its descriptors of that file is closed.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import { isBusy, openError } from './driver-error.js';
import { checkSchema, createSchema } from './schema.js';

/** Older versions can lose committed writes silently when one process checkpoints while another writes. */
const MINIMUM_VERSION = [3, 51, 3] as const;
const BUSY_POLL_MS = 1;
/**
 * Of a new file, in bytes; a file keeps those it was made with. An entry has about a kilobyte: on SQLite's own 4 KiB a
 * fifth of each page stays empty, and every page is a system call of its own.
 */
const PAGE_BYTES = 8_192;
/** Of the write-ahead log, before it is copied into the file: pages that many commits change are copied once. */
const CHECKPOINT_BYTES = 16 * 1024 * 1024;
/** Pages of the writing connection in memory, in KiB. */
const CACHE_KIB = 16_384;

export interface ConnectionOptions {
  readonly file: string;
  readonly readOnly: boolean;
  /** How long to wait for another process, in ms. */
  readonly busyTimeoutMs: number;
  /** Upper bound of the file; null = SQLite's own. */
  readonly maxBytes: number | null;
}

export interface Connections {
  /** Null when the store was opened read-only. */
  readonly writer: Database.Database | null;
  readonly reader: Database.Database;
  /** Absolute. */
  readonly file: string;
}

/**
 * Opens the file, made with mode 0600 (its directory 0700) when absent. Throws STORE_UNAVAILABLE when it can't be
 * opened or isn't a store, STORE_READ_ONLY when it can't be written, STORE_BUSY after `busyTimeoutMs`.
 */
export async function openConnections(options: ConnectionOptions): Promise<Connections> {
  // Absolute, so that SQLite can't take the name for a URI.
  const file = resolve(options.file);
  const opened: Database.Database[] = [];
  try {
    let writer: Database.Database | null = null;
    if (!options.readOnly) {
      createFile(file);
      const db = new Database(file, { fileMustExist: true, timeout: options.busyTimeoutMs });
      opened.push(db);
      await whileBusy(options.busyTimeoutMs, () => {
        prepareWriter(db, file, options.maxBytes);
      });
      writer = db;
    } else if (!existsSync(file)) {
      throw new WritError('STORE_UNAVAILABLE', `there is no store at ${file}`, {
        hint: 'make one with writ init, or point --data at the right directory',
      });
    }
    const reader = new Database(file, {
      readonly: true,
      fileMustExist: true,
      timeout: options.busyTimeoutMs,
    });
    opened.push(reader);
    reader.defaultSafeIntegers(true);
    assertVersion(reader);
    await whileBusy(options.busyTimeoutMs, () => {
      checkSchema(reader, file);
    });
    return { writer, reader, file };
  } catch (error) {
    for (const db of opened) db.close();
    throw openError(error, file);
  }
}

function prepareWriter(db: Database.Database, file: string, maxBytes: number | null): void {
  db.defaultSafeIntegers(true);
  assertVersion(db);
  // Says nothing of a file that has pages.
  db.pragma(`page_size = ${PAGE_BYTES}`);
  const mode = db.pragma('journal_mode = WAL', { simple: true });
  if (mode !== 'wal') {
    throw new WritError(
      'STORE_UNAVAILABLE',
      `the file system of ${file} can't keep a write-ahead log (${String(mode)})`,
      { hint: 'put the data directory on a local disk' },
    );
  }
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('secure_delete = ON');
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_BYTES / pageBytes}`);
  db.pragma(`cache_size = -${CACHE_KIB}`);
  if (maxBytes !== null) db.pragma(`max_page_count = ${Math.floor(maxBytes / pageBytes)}`);
  createSchema(db, file);
  checkSchema(db, file);
  // From here the writer waits for the lock without blocking the process: see GroupWriter.
  db.pragma('busy_timeout = 0');
}

/** Some lock conflicts at open are not waited for by SQLite itself (change of the journal mode). */
async function whileBusy(timeoutMs: number, work: () => void): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
    }
    await pause(BUSY_POLL_MS);
  }
}

/** Only ever opens a file it has just made: closing a descriptor of a shared one would drop this process's locks. */
function createFile(file: string): void {
  const directory = dirname(file);
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
  // SQLite syncs the file's own directory; the names of directories made above it are ours to sync.
  if (made !== undefined) {
    for (let child = directory; child.length >= made.length; child = dirname(child)) {
      syncDirectory(dirname(child));
    }
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function assertVersion(db: Database.Database): void {
  const version = String(db.prepare('SELECT sqlite_version()').pluck().get());
  const parts = version.split('.').map(Number);
  for (const [i, least] of MINIMUM_VERSION.entries()) {
    const part = parts[i] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new WritError(
        'STORE_UNAVAILABLE',
        `SQLite ${version} is older than ${MINIMUM_VERSION.join('.')}`,
        {
          hint: 'reinstall writ with its pinned better-sqlite3',
        },
      );
    }
  }
}
