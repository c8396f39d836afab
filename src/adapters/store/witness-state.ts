// What a witness has cosigned, in one SQLite file: per origin the newest tree. Check and store are one transaction
// that holds the file's write lock from its beginning, so neither two requests nor two processes can take the witness
// back to a smaller tree. Never restore this file from a backup: a witness that forgets may cosign a fork.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { WritError } from '../../errors.js';
import type { WitnessedTree, WitnessState } from '../../runtime/ports.js';
import { openError, storeError } from './sqlite/driver-error.js';

/** "WrtW" in ASCII. */
const APPLICATION_ID = 0x57727457;
/** How long a request waits for another process's transaction, which takes milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

const TABLE = `CREATE TABLE IF NOT EXISTS cosigned (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL
) STRICT`;

const SQL = {
  latest: 'SELECT * FROM cosigned WHERE origin = ?',
  all: 'SELECT * FROM cosigned ORDER BY origin',
  // The size can't become smaller whatever the caller decides.
  store: `INSERT INTO cosigned VALUES (@origin, @size, @root, @note) ON CONFLICT (origin) DO UPDATE
    SET size = excluded.size, root = excluded.root, note = excluded.note WHERE excluded.size >= cosigned.size`,
} as const;

/**
 * Opens `file`, made with mode 0600 when absent. Throws STORE_UNAVAILABLE (no state of a witness, can't be opened),
 * STORE_READ_ONLY, STORE_FULL. After STORE_IO or STORE_FULL from `advance` nothing may be cosigned any more.
 */
export function openWitnessState(file: string): WitnessState {
  const path = resolve(file);
  const db = open(path);
  const [latest, all, store] = [db.prepare(SQL.latest), db.prepare(SQL.all), db.prepare(SQL.store)];
  const read = (origin: string): WitnessedTree | null => {
    const row = latest.get(origin);
    return row === undefined ? null : tree(row);
  };
  return {
    advance(origin, decide) {
      const work = db.transaction(() => {
        const { store: next, answer } = decide(read(origin));
        if (next !== null && store.run({ origin, ...next }).changes !== 1) {
          throw new WritError('INTERNAL', `a witness does not go back to size ${next.size}`);
        }
        return answer;
      });
      try {
        return work.immediate();
      } catch (error) {
        throw storeError(error, path, 'write to');
      }
    },
    latest() {
      try {
        return all.all().map((row) => ({ origin: (row as { origin: string }).origin, ...tree(row) }));
      } catch (error) {
        throw storeError(error, path, 'read');
      }
    },
    close: () => {
      db.close();
    },
  };
}

function open(path: string): Database.Database {
  let db: Database.Database | null = null;
  try {
    makeFile(path);
    db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    db.defaultSafeIntegers(true);
    // A rollback journal in one file; EXTRA syncs the directory too, so that no power cut undoes a commit.
    db.pragma('journal_mode = DELETE');
    db.pragma('synchronous = EXTRA');
    const made = db;
    made
      .transaction(() => {
        const id = Number(made.pragma('application_id', { simple: true }));
        const empty = made.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
        if (id !== APPLICATION_ID && !empty) {
          throw new WritError('STORE_UNAVAILABLE', `${path} is not the state of a witness`, {
            hint: 'give --state a file of its own',
          });
        }
        made.exec(TABLE);
        made.pragma(`application_id = ${APPLICATION_ID}`);
      })
      .immediate();
    return db;
  } catch (error) {
    db?.close();
    throw openError(error, path);
  }
}

/** Only ever opens a file it has just made: closing a descriptor of a shared one would drop this process's locks. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** A row of our own STRICT table. */
function tree(row: unknown): WitnessedTree {
  const { size, root, note } = row as { size: bigint; root: Uint8Array; note: string };
  return { size, root: Uint8Array.from(root), note };
}
