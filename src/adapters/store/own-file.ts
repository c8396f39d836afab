// Small SQLite files of our own beside the store: made with mode 0600, and never taken for a file of somebody else.
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { WritError } from '../../errors.js';
import { openError } from './sqlite/driver-error.js';

/** How long a call waits for another process's transaction, which takes milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

export interface OwnFile {
  /** Tells it from any other SQLite file. */
  readonly applicationId: number;
  /** `CREATE … IF NOT EXISTS` of all it holds. */
  readonly tables: string;
  /** `DELETE` keeps everything in one file; `EXTRA` syncs the directory too, so that no power cut undoes a commit. */
  readonly journal: 'WAL' | 'DELETE';
  readonly synchronous: 'FULL' | 'EXTRA';
  /** `the state of a witness`: what another file is not, and what to do about it. */
  readonly what: string;
  readonly hint: string;
}

/** Throws STORE_UNAVAILABLE (another file, can't be opened), STORE_READ_ONLY, STORE_FULL. Integers are read as BigInt. */
export function openOwnFile(path: string, file: OwnFile): Database.Database {
  let db: Database.Database | null = null;
  try {
    makeFile(path);
    db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    db.defaultSafeIntegers(true);
    db.pragma(`journal_mode = ${file.journal}`);
    db.pragma(`synchronous = ${file.synchronous}`);
    const made = db;
    made
      .transaction(() => {
        const id = Number(made.pragma('application_id', { simple: true }));
        const isEmpty = made.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
        if (id !== file.applicationId && !isEmpty)
          throw new WritError('STORE_UNAVAILABLE', `${path} is not ${file.what}`, { hint: file.hint });
        made.exec(file.tables);
        made.pragma(`application_id = ${file.applicationId}`);
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
