// Replacing one file so that a crash leaves the old bytes or the new ones, never a mix, and what was acknowledged
// is on the disk: temporary file, fdatasync, rename, fsync of the directory. An fsync is never tried twice: after
// an error the kernel may have dropped the data and say yes the next time.
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, open, rename, rm, rmdir, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { WritError } from '../../errors.js';

/**
 * Atomic and durable when it resolves; on rejection the file has its old bytes, or the new ones not surely on disk.
 * Missing directories are made, durably. Throws STORE_READ_ONLY, STORE_FULL, and STORE_IO for all else, any sync
 * error included. A crash may leave `<path>.<uuid>.tmp`, which nobody reads.
 */
export async function replaceFile(path: string, bytes: Uint8Array, modes: FileModes): Promise<void> {
  // Opened before anything is written and held until its fsync: an error in between is reported to this descriptor.
  const directory = await holdDirectory(path, modes.directory);
  try {
    const temporary = `${path}.${randomUUID()}.tmp`;
    try {
      await writeNew(temporary, bytes, modes.file);
      await guarded(path, () => rename(temporary, path));
    } catch (error) {
      // The first error is the one that counts; what can't be removed is a left-over that nobody reads.
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
    await synced(path, directory.sync());
  } finally {
    await directory.release();
  }
}

export interface FileModes {
  readonly file: number;
  readonly directory: number;
}

/**
 * At most `limit` + 1 bytes of a regular file, so that one that is too long shows by its length; null when there is
 * no such file: a directory, a FIFO, a socket, a device is none, and with `links: 'refuse'` neither is a symbolic
 * link. Throws STORE_IO, STORE_READ_ONLY.
 */
export async function readBounded(
  path: string,
  limit: number,
  links: 'follow' | 'refuse' = 'follow',
): Promise<Uint8Array | null> {
  let descriptor: number;
  // Synchronous calls: a log is many small files, and four turns of the thread pool for each cost more than the reads.
  try {
    // Non-blocking: opening a FIFO somebody put there must not wait for a writer.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    descriptor = openSync(path, links === 'refuse' ? flags | constants.O_NOFOLLOW : flags);
  } catch (error) {
    // ENXIO: a socket. ELOOP: a link that is not followed, or that leads to itself.
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ENXIO', 'ELOOP')) return null;
    throw fileError(path, 'read', error);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) return null;
    const bytes = new Uint8Array(Math.min(stat.size, limit + 1));
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(descriptor, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    throw fileError(path, 'read', error);
  } finally {
    closeSync(descriptor);
  }
}

/** Absent when it resolves; not synced, so a crash may bring it back. Throws STORE_READ_ONLY, STORE_IO. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw fileError(path, 'remove', error);
  }
}

/** A driver's error as the store code it stands for. */
export function fileError(path: string, doing: string, cause: unknown): WritError {
  if (hasCode(cause, 'EROFS', 'EACCES', 'EPERM')) {
    const access = doing === 'read' || doing === 'list' ? 'read' : 'write';
    return new WritError('STORE_READ_ONLY', `can't ${doing} ${path}: no permission`, {
      hint: `give this user ${access} access to the directory, or choose another one`,
      cause,
    });
  }
  if (hasCode(cause, 'ENOSPC', 'EDQUOT')) {
    return new WritError('STORE_FULL', `can't ${doing} ${path}: the disk is full`, {
      hint: 'free space and start again; nothing was lost',
      cause,
    });
  }
  return new WritError('STORE_IO', `can't ${doing} ${path}`, {
    hint: 'check the disk and start again; files of the log are rebuilt from the store',
    cause,
  });
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}

/** Directories in which this process is replacing files, by path. */
const held = new Map<string, HeldDirectory>();

/** The directory of `path`, made when it is missing; open until everybody who holds it has released it. */
async function holdDirectory(path: string, mode: number): Promise<HeldDirectory> {
  const name = dirname(path);
  for (;;) {
    const known = held.get(name);
    if (known !== undefined) return known.hold();
    const handle = await guarded(path, () => openDirectory(name, mode));
    // Somebody else may have been faster.
    if (held.has(name)) await handle.close();
    else held.set(name, new HeldDirectory(name, handle));
  }
}

/**
 * An open directory. Files that are renamed in it while an fsync runs share the next one; after one that failed there
 * is no other.
 */
class HeldDirectory {
  readonly #name: string;
  readonly #handle: FileHandle;
  #holders = 0;
  #last = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(name: string, handle: FileHandle) {
    this.#name = name;
    this.#handle = handle;
  }

  hold(): this {
    this.#holders += 1;
    return this;
  }

  /** Resolves when an fsync is over that began after the call. */
  sync(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = null;
      this.#last = this.#handle.sync();
      return this.#last;
    });
    return this.#next;
  }

  async release(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    held.delete(this.#name);
    await this.#handle.close();
  }
}

async function openDirectory(directory: string, mode: number): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  try {
    return await open(directory, flags);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await makeDirectory(directory, mode);
  return open(directory, flags);
}

async function writeNew(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await guarded(path, () => open(path, 'wx', mode));
  try {
    await guarded(path, () => file.writeFile(bytes));
    await synced(path, file.datasync());
  } finally {
    await file.close();
  }
}

/**
 * Makes what is missing, from the top down, and syncs each directory that got a new entry. Not `recursive: true`:
 * Node 20 never returns from that where the file system says ENOENT for a name whose parent exists.
 */
export async function makeDirectory(directory: string, mode: number): Promise<void> {
  const missing: string[] = [];
  for (let path = directory; !(await tryMakeDirectory(path, mode)); path = dirname(path)) missing.push(path);
  for (const path of missing.reverse()) {
    // Its parent is there now, so ENOENT is an answer and no longer a question.
    if (!(await tryMakeDirectory(path, mode))) throw fileError(path, 'make', null);
  }
}

/** False when the parent is missing. */
async function tryMakeDirectory(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return true;
    if (hasCode(error, 'ENOENT') && dirname(path) !== path) return false;
    throw error;
  }
  try {
    await syncParent(path);
  } catch (error) {
    // It goes again: whoever comes next would find it there, and take it for durable.
    await rmdir(path).catch(() => undefined);
    throw error;
  }
  return true;
}

/** A parent may be one that may be written and not read. */
async function syncParent(path: string): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  const parent = await open(dirname(path), flags).catch((error: unknown) => {
    throw fileError(dirname(path), 'read', error);
  });
  try {
    await synced(path, parent.sync());
  } finally {
    await parent.close();
  }
}

async function guarded<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw error instanceof WritError ? error : fileError(path, 'write', error);
  }
}

async function synced(path: string, sync: Promise<void>): Promise<void> {
  try {
    await sync;
  } catch (cause) {
    throw new WritError('STORE_IO', `can't make ${path} durable`, {
      hint: 'stop, check the disk and start again; a failed sync is never tried twice',
      cause,
    });
  }
}
