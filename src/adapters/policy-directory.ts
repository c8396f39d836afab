// Reads a policy directory into memory, bounded and as it lies on disk; understands nothing of what it reads.
// Only regular files are opened, and a link is followed only to a regular file inside the directory. Files whose
// name starts with a dot are left out; everything else is handed over, so the loader can refuse what it doesn't know.
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { WritError } from '../errors.js';

/** Bounds of a policy directory. */
const MAX_POLICY_FILES = 200;
export const MAX_POLICY_FILE_BYTES = 1024 * 1024;
const MAX_DEPTH = 4;

/**
 * Relative path with `/` -> text, sorted by path. Throws POLICY_INVALID when the directory is missing or
 * unreadable or writable by everybody, a bound is exceeded, a file is not regular, a link leads outside, or bytes are not UTF-8.
 */
export async function readPolicyDirectory(directory: string): Promise<ReadonlyMap<string, string>> {
  const root = await guarded(directory, 'policy directory', () => realpath(directory));
  const place = { root, directory };
  const paths = await list(place, '', 0);
  if (paths.length > MAX_POLICY_FILES) {
    throw invalid(`${directory}: more than ${MAX_POLICY_FILES} files`, 'keep other files elsewhere');
  }
  const files = new Map<string, string>();
  for (const path of paths.toSorted((a, b) => (a < b ? -1 : 1))) {
    files.set(path, await guarded(join(directory, path), 'policy file', () => read(place, path)));
  }
  return files;
}

interface Place {
  readonly root: string;
  /** As whoever reads a message has named it. */
  readonly directory: string;
}

/** Relative paths of all files and links below `folder`; stops as soon as there are too many. */
async function list(place: Place, folder: string, depth: number): Promise<string[]> {
  const at = join(place.root, folder);
  const named = join(place.directory, folder);
  const { mode } = await guarded(named, 'policy directory', () => stat(at));
  refuseOpen(named, mode);
  const entries = await guarded(named, 'policy directory', () => readdir(at, { withFileTypes: true }));
  const paths: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) {
      paths.push(path);
    } else if (depth >= MAX_DEPTH) {
      const where = join(place.directory, path);
      throw invalid(`${where}: folders are nested deeper than ${MAX_DEPTH}`, 'keep other files elsewhere');
    } else {
      paths.push(...(await list(place, path, depth + 1)));
    }
    if (paths.length > MAX_POLICY_FILES) break;
  }
  return paths;
}

async function read({ root, directory }: Place, path: string): Promise<string> {
  const where = join(directory, path);
  const target = await realpath(join(root, path));
  const inside = relative(root, target);
  if (inside === '..' || inside.startsWith(`..${sep}`)) {
    throw invalid(`${where}: link leads out of the policy directory`, 'copy the file into it');
  }
  // Before opening: opening a pipe would wait for its writer.
  if (!(await stat(target)).isFile()) throw invalid(`${where}: is not a regular file`, 'remove it');
  const handle = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const info = await handle.stat({ bigint: true });
    if (!info.isFile()) throw invalid(`${where}: is not a regular file`, 'remove it');
    refuseOpen(where, Number(info.mode));
    // One byte more than allowed is enough to see that a file is too large, also while it grows.
    const buffer = new Uint8Array(Math.min(Number(info.size), MAX_POLICY_FILE_BYTES) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > MAX_POLICY_FILE_BYTES) {
      throw invalid(`${where}: larger than ${MAX_POLICY_FILE_BYTES} bytes`, 'split the file');
    }
    // Half of what is being written could be whole to the loader, without its last denials.
    const after = await handle.stat({ bigint: true });
    if (length !== Number(info.size) || after.size !== info.size || after.mtimeNs !== info.mtimeNs) {
      throw invalid(
        `${where}: was written while it was read`,
        'try again; put files in place by renaming them',
      );
    }
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer.subarray(0, length));
  } finally {
    await handle.close();
  }
}

/** Whoever may write here decides everything. Not asked where modes say nothing. */
function refuseOpen(path: string, mode: number): void {
  if (process.platform === 'win32' || (mode & 0o002) === 0) return;
  throw invalid(`${path}: everybody on this machine may write it`, `take that away: chmod -R o-w`);
}

/** Turns a file system error into POLICY_INVALID; `what` could not be read, and why. */
async function guarded<T>(path: string, what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof WritError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const missing = code === 'ENOENT' && what === 'policy directory';
    throw new WritError(
      'POLICY_INVALID',
      `${what} ${path} ${missing ? 'does not exist' : `can't be read: ${reason(code)}`}`,
      {
        hint: missing
          ? 'name one with --policies DIR, or create policies/ with writ init'
          : 'check the file and its permissions',
        cause: error,
      },
    );
  }
}

function reason(code: string): string {
  return code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : code;
}

function invalid(message: string, hint: string): WritError {
  return new WritError('POLICY_INVALID', message, { hint });
}
