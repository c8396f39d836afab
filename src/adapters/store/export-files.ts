// Files that leave the installation: an empty directory for a copy of the log, and a new private file for payloads.
// Nothing that is there already is ever written to; a file takes the place of an older one only when that is asked for.
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WritError } from '../../errors.js';
import type { NewFile } from '../../runtime/ports.js';
import { fileError, hasCode, makeDirectory } from './durable-file.js';
import { openTileDirectory, type TileDirectory } from './tile-directory.js';

/** `dir`, made when absent; USAGE unless it is an empty directory. Throws STORE_READ_ONLY, STORE_IO. */
export async function openEmptyDirectory(dir: string): Promise<TileDirectory> {
  const path = resolve(dir);
  try {
    await makeDirectory(path, 0o755);
    const [first] = await readdir(path);
    if (first === undefined) return openTileDirectory(path);
  } catch (error) {
    if (error instanceof WritError) throw error;
    if (hasCode(error, 'EEXIST', 'ENOTDIR')) throw taken(`${dir} is no directory`, 'another directory');
    throw fileError(path, 'use', error);
  }
  throw taken(`${dir} is not empty`, 'a new directory');
}

/**
 * A new file of mode 0600 in a directory that exists; USAGE when something of that name is there, unless the new file
 * `replaces` it. What is written is there under its name at once, so that erasing a payload can find it. Throws STORE_READ_ONLY, STORE_FULL, STORE_IO.
 */
export async function openNewFile(file: string, replaces = false): Promise<NewFile> {
  const path = resolve(file);
  let handle: FileHandle;
  try {
    if (replaces) await rm(path, { force: true });
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw taken(`${file} exists already`, 'another file name');
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw taken(`${dirname(path)} is no directory`, 'another place');
    throw fileError(path, 'write', error);
  }
  let finished: Stats | null = null;
  /** Somebody may have removed the file, or put another in its place. */
  const isOurs = async (): Promise<boolean> => {
    const own = finished ?? (await handle.stat());
    const there = await lstat(path).catch(() => null);
    return there?.ino === own.ino && there.dev === own.dev;
  };
  return {
    path,
    async write(bytes) {
      try {
        await handle.appendFile(bytes);
      } catch (error) {
        throw fileError(path, 'write', error);
      }
    },
    async finish() {
      try {
        await handle.datasync();
        if (!(await isOurs())) return false;
        await syncDirectory(dirname(path));
        finished = await handle.stat();
        await handle.close();
        return true;
      } catch (error) {
        throw fileError(path, 'write', error);
      }
    },
    async discard() {
      // An unfinished file is looked at while it is open: nothing else can have its inode until then.
      try {
        if (await isOurs()) await rm(path, { force: true });
      } finally {
        if (finished === null) await handle.close();
      }
    },
  };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function taken(message: string, instead: string): WritError {
  return new WritError('USAGE', message, { hint: `name ${instead}; nothing is ever overwritten` });
}
