// The log's files in a directory (audit/FORMAT.md). Paths are relative, `/`-separated and of a fixed alphabet, so
// none can leave the directory. Files appear whole or not at all.
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { WritError } from '../../errors.js';
import type { LogDirectory } from '../../runtime/ports.js';
import { fileError, hasCode, readBounded, removeFile, replaceFile } from './durable-file.js';

/** Longest file of a log: a bundle of 256 entries of 65,535 bytes and their lengths. */
const MAX_FILE_BYTES = 256 * (65_535 + 2);
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Anyone may read a log; only its owner writes. */
const MODES = { file: 0o644, directory: 0o755 };

/** The directory, and the list of its files that a verifier needs to find what does not belong there. */
export interface TileDirectory extends LogDirectory {
  /**
   * Every file below the directory (or below `under`), depth first, names ascending in each directory. Anything
   * that is not a directory counts as a file; links are not followed. A directory that is absent has none.
   */
  list(under?: string): AsyncIterable<string>;
}

/**
 * Opens lazily: a missing directory reads as empty and is made by the first `put`. `get` cuts off what is longer
 * than any file of a log; what is no regular file reads as absent. Throws STORE_READ_ONLY, STORE_FULL, STORE_IO;
 * INTERNAL on a path outside the alphabet.
 */
export function openTileDirectory(dir: string): TileDirectory {
  const root = resolve(dir);
  return {
    put: (path, bytes) => replaceFile(inside(root, path), bytes, MODES),
    get: (path) => readBounded(inside(root, path), MAX_FILE_BYTES),
    remove: (path) => removeFile(inside(root, path)),
    list: (under) => walk(root, under === undefined ? '' : relative(under)),
  };
}

async function* walk(root: string, top: string): AsyncGenerator<string> {
  // A stack instead of recursion: the depth of somebody else's directory is not ours to trust.
  const stack = [{ path: top, directory: true }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (!next.directory) {
      yield next.path;
      continue;
    }
    const { path } = next;
    const found = await entriesOf(root, path);
    // Last name first: the stack gives them back in ascending order.
    for (const { name, directory } of found.toReversed()) {
      stack.push({ path: path === '' ? name : `${path}/${name}`, directory });
    }
  }
}

async function entriesOf(root: string, path: string): Promise<{ name: string; directory: boolean }[]> {
  try {
    const found = await readdir(join(root, path), { withFileTypes: true });
    return found
      .map((entry) => ({ name: entry.name, directory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw fileError(join(root, path), 'list', error);
  }
}

function inside(root: string, path: string): string {
  return join(root, relative(path));
}

/** `path` when every segment is a plain name; `..`, absolute paths and other bytes never get to the file system. */
function relative(path: string): string {
  if (path.split('/').every((segment) => SEGMENT.test(segment))) return path;
  throw new WritError('INTERNAL', `${JSON.stringify(path)} is no path in a log directory`);
}
