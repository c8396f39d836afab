// Files that leave the installation: an empty directory for a copy of the log, and a new private file for payloads.
// Nothing that is there already is ever written to.
import { constants } from 'node:fs';
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { WritError } from '../../errors.js';
import type { NewFile } from '../../runtime/ports.js';
import { fileError, hasCode } from './durable-file.js';
import { openTileDirectory, type TileDirectory } from './tile-directory.js';

/** `dir`, made when absent; USAGE unless it is an empty directory. Throws STORE_READ_ONLY, STORE_IO. */
export async function openEmptyDirectory(dir: string): Promise<TileDirectory> {
  const path = resolve(dir);
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
    const [first] = await readdir(path);
    if (first === undefined) return openTileDirectory(path);
  } catch (error) {
    if (hasCode(error, 'EEXIST', 'ENOTDIR')) throw taken(`${dir} is no directory`, 'another directory');
    throw fileError(path, 'use', error);
  }
  throw taken(`${dir} is not empty`, 'a new directory');
}

/**
 * A new file of mode 0600 in a directory that exists; USAGE when something of that name is there. What is written is
 * there under its name at once, so that erasing a payload can find it. Throws STORE_READ_ONLY, STORE_FULL, STORE_IO.
 */
export async function openNewFile(file: string): Promise<NewFile> {
  const path = resolve(file);
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw taken(`${file} exists already`, 'another file name');
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw taken(`${dirname(path)} is no directory`, 'another place');
    throw fileError(path, 'write', error);
  }
  return {
    path,
    async write(text) {
      try {
        await handle.appendFile(text);
      } catch (error) {
        throw fileError(path, 'write', error);
      }
    },
    async finish() {
      try {
        await handle.datasync();
        const own = await handle.stat();
        const there = await stat(path).catch(() => null);
        await syncDirectory(dirname(path));
        return there?.ino === own.ino && there.dev === own.dev;
      } catch (error) {
        throw fileError(path, 'write', error);
      } finally {
        await handle.close();
      }
    },
    async discard() {
      await handle.close();
      await rm(path, { force: true });
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
