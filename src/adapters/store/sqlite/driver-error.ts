// Turns what the driver and the file system throw into the STORE_* codes of the port, so that no foreign error
// leaves the adapter. Messages name the file, never a value that was being written.
import Database from 'better-sqlite3';
import { type ErrorCode, WritError } from '../../../errors.js';

/** Another connection holds the lock this one needs; nothing was changed. */
export function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
}

/**
 * The row was refused, the transaction and the file are sound: a statement a caller's data broke, not the disk.
 * Everything else the driver throws says that the file can't be relied on.
 */
export function isRefusedRow(error: unknown): boolean {
  if (!(error instanceof Database.SqliteError)) return true;
  return /^SQLITE_(CONSTRAINT|MISMATCH|RANGE|TOOBIG|ERROR$)/.test(error.code);
}

/** The STORE_* error for anything thrown while working on `file`; a WritError passes unchanged. */
export function storeError(error: unknown, file: string, doing: string): WritError {
  if (error instanceof WritError) return error;
  const code = driverCode(error);
  const verdict = judge(code);
  return new WritError(
    verdict.code,
    `cannot ${doing} ${file}: ${verdict.what}${code === '' ? '' : ` (${code})`}`,
    {
      hint: verdict.hint,
      cause: error,
    },
  );
}

/** As storeError, for opening: what can't be opened at all is STORE_UNAVAILABLE. */
export function openError(error: unknown, file: string): WritError {
  if (error instanceof WritError) return error;
  const code = driverCode(error);
  if (
    !/^(SQLITE_(CANTOPEN|NOTADB|ERROR|PERM|AUTH)|EEXIST|ENOENT|ENOTDIR|EISDIR|ELOOP|ENAMETOOLONG)/.test(code)
  ) {
    return storeError(error, file, 'open');
  }
  return new WritError('STORE_UNAVAILABLE', `cannot open ${file} as a store (${code})`, {
    hint: 'check that the path is a writ data directory this user may read and write',
    cause: error,
  });
}

function driverCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

function judge(code: string): { code: ErrorCode; what: string; hint: string } {
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return {
      code: 'STORE_BUSY',
      what: 'another process holds the write lock',
      hint: 'wait for the other writ process, or stop it, and try again',
    };
  }
  if (/^(SQLITE_(READONLY|CANTOPEN|PERM)|EROFS|EACCES|EPERM)/.test(code)) {
    return {
      code: 'STORE_READ_ONLY',
      what: 'the file or its directory can not be written',
      hint: 'give this user write access to the data directory and everything in it',
    };
  }
  if (/^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT)/.test(code)) {
    return {
      code: 'STORE_FULL',
      what: 'no space is left',
      hint: 'free space on the disk of the data directory, then start again',
    };
  }
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
    return {
      code: 'STORE_IO',
      what: 'the file is damaged',
      hint: 'stop, keep a copy for examination, restore a backup and run writ audit verify on it',
    };
  }
  return {
    code: 'STORE_IO',
    what: 'reading or writing failed',
    hint: 'check the disk and the system log; nothing runs until the store can be written',
  };
}
