// The log's files in a directory (audit/FORMAT.md). Paths are relative, `/`-separated and of a fixed alphabet, and no
// symbolic link below the directory is followed, so none can leave it. Files appear whole or not at all.
import { lstat, opendir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { WritError } from '../../errors.js';
import type { LogDirectory } from '../../runtime/ports.js';
import { fileError, hasCode, readBounded, removeFile, replaceFile } from './durable-file.js';

/** Longest file of a log: a bundle of 256 entries of 65,535 bytes and their lengths. */
const MAX_FILE_BYTES = 256 * (65_535 + 2);
const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Deeper than any file of a log (`tile/entries/` and 7 elements, the last with a `.p/W`): 11 segments. */
const MAX_DEPTH = 12;
/** Names of one directory that are in memory at once, and half of what may be for a moment. */
const LIST_CHUNK = 40_000;
/** Directories known to be real ones. */
const KNOWN_DIRECTORIES = 1_000;
/** Anyone may read a log; only its owner writes. */
const MODES = { file: 0o644, directory: 0o755 };

/** The directory, and the list of its files that a verifier needs to find what does not belong there. */
export interface TileDirectory extends LogDirectory {
  /**
   * Every file below the directory (or below `under`), depth first, names ascending in each directory. Anything
   * that is not a directory counts as a file, and so does what lies deeper than a log can be; links are not
   * followed. A directory that is absent has none. Memory does not grow with the number of files: a directory of
   * more than 100,000 names is read several times.
   */
  list(under?: string): AsyncIterable<string>;
}

/**
 * Opens lazily: a missing directory reads as empty and is made by the first `put`. `get` cuts off what is longer than
 * any file of a log; what is no regular file, or is reached only through a symbolic link, reads as absent, and nothing
 * is written or removed through one (`dir` itself may be a link). Throws STORE_READ_ONLY, STORE_FULL, STORE_IO;
 * INTERNAL on a path outside the alphabet.
 */
export function openTileDirectory(dir: string): TileDirectory {
  const root = resolve(dir);
  const real = new Set<string>();
  return {
    async put(path, bytes) {
      const file = inside(root, path);
      await refuseLinks(root, dirname(file), real);
      await replaceFile(file, bytes, MODES);
    },
    async get(path) {
      const file = inside(root, path);
      return (await isReal(root, dirname(file), real)) ? readBounded(file, MAX_FILE_BYTES, 'refuse') : null;
    },
    async remove(path) {
      const file = inside(root, path);
      // Where a link leads there is no file of this log.
      if (await isReal(root, dirname(file), real)) await removeFile(file);
    },
    list: (under) => walk(root, under === undefined ? '' : relative(under), real),
  };
}

/** True when every directory from `directory` up to below `root` is a directory itself and no link to one. */
async function isReal(root: string, directory: string, known: Set<string>): Promise<boolean> {
  if (directory === root || known.has(directory)) return true;
  if (!(await isReal(root, dirname(directory), known))) return false;
  try {
    if (!(await lstat(directory)).isDirectory()) return false;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return false;
    throw fileError(directory, 'read', error);
  }
  if (known.size >= KNOWN_DIRECTORIES) known.clear();
  known.add(directory);
  return true;
}

/** What is written stays below `root`: STORE_IO when a directory on the way is a link; one that is absent is made later. */
async function refuseLinks(root: string, directory: string, known: Set<string>): Promise<void> {
  if (await isReal(root, directory, known)) return;
  const parent = dirname(directory);
  if (parent !== root) await refuseLinks(root, parent, known);
  const found = await lstat(directory).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw fileError(directory, 'read', error);
  });
  if (found === null || found.isDirectory()) return;
  throw new WritError('STORE_IO', `${directory} is no directory but something in its place`, {
    hint: 'a log is written into real directories only: remove the link or file; the store writes the log anew',
  });
}

async function* walk(root: string, top: string, real: Set<string>): AsyncGenerator<string> {
  const start = join(root, top);
  if (!(await isReal(root, start, real))) return;
  // A stack instead of recursion: the depth of somebody else's directory is not ours to trust.
  const stack = [{ path: top, names: namesOf(start) }];
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    const next = await open.names.next();
    if (next.done === true) {
      stack.pop();
      continue;
    }
    const { name, isDirectory } = next.value;
    const path = open.path === '' ? name : `${open.path}/${name}`;
    if (isDirectory && stack.length < MAX_DEPTH) stack.push({ path, names: namesOf(join(root, path)) });
    else yield path;
  }
}

interface Name {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Ascending; one pass over the directory for every LIST_CHUNK names. */
async function* namesOf(directory: string): AsyncGenerator<Name> {
  for (let after = ''; ;) {
    const chunk = await smallestAfter(directory, after);
    yield* chunk;
    const last = chunk.at(-1);
    if (last === undefined || chunk.length < LIST_CHUNK) return;
    after = last.name;
  }
}

/** The first LIST_CHUNK names behind `after`, ascending; none when there is no such directory. */
async function smallestAfter(directory: string, after: string): Promise<Name[]> {
  let smallest: Name[] = [];
  let bound: string | null = null;
  const cut = (): void => {
    smallest.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    smallest = smallest.slice(0, LIST_CHUNK);
  };
  try {
    for await (const entry of await opendir(directory, { bufferSize: 1024 })) {
      const { name } = entry;
      if (name <= after || (bound !== null && name >= bound)) continue;
      smallest.push({ name, isDirectory: entry.isDirectory() });
      if (smallest.length < 2 * LIST_CHUNK) continue;
      cut();
      bound = smallest.at(-1)?.name ?? null;
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw fileError(directory, 'list', error);
    smallest = [];
  }
  cut();
  return smallest;
}

function inside(root: string, path: string): string {
  return join(root, relative(path));
}

/** `path` when every segment is a plain name; `..`, absolute paths and other bytes never get to the file system. */
function relative(path: string): string {
  if (path.split('/').every((segment) => SEGMENT.test(segment))) return path;
  throw new WritError('INTERNAL', `${JSON.stringify(path)} is no path in a log directory`);
}
