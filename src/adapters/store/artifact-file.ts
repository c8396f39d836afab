// Files of the artifact store. No link is followed: a link where a folder or a file should be is a fault. Bytes are hashed
// on every read, and nothing is remembered.
import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { WritError } from '../../errors.js';
import type { Digest } from '../../json.js';
import { fileError, hasCode, readBounded } from './durable-file.js';

export const MODES = { file: 0o600, directory: 0o700 };

/** The name of the bytes: their SHA-256. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

export function hexOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** False when one is missing. Throws STORE_IO when one is a link, or no folder. */
export async function areFolders(...paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    try {
      if (!(await lstat(path)).isDirectory()) {
        throw new WritError('STORE_IO', `${path} is no directory of writ: links are not followed`, {
          hint: 'find out who put it there, and put the directory back',
        });
      }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error instanceof WritError ? error : fileError(path, 'read', error);
    }
  }
  return true;
}

/** Names of what lies in the last of `folders`, each below the one before, and is named so; none when one is missing. */
export async function entriesOf(
  named: RegExp,
  ...folders: readonly [string, ...string[]]
): Promise<readonly string[]> {
  if (!(await areFolders(...folders))) return [];
  const folder = folders.at(-1) ?? folders[0];
  try {
    // What a crash has left beside them is named otherwise.
    return (await readdir(folder)).filter((name) => named.test(name));
  } catch (error) {
    throw fileError(folder, 'list', error);
  }
}

/** Null when there is nothing. What lies there and is no file of ours, or is longer than one, is a fault. */
export async function readFileAt(path: string, limit: number): Promise<Uint8Array | null> {
  const bytes = await readBounded(path, limit, 'refuse');
  if (bytes !== null && bytes.length <= limit) return bytes;
  if (bytes === null && (await storedAt(path)) === null) return null;
  throw broken(bytes === null ? 'is no file: links are not followed' : 'is longer than it can be');
}

/** Null when there is nothing. */
export async function storedAt(path: string): Promise<number | null> {
  try {
    return Math.floor((await lstat(path)).mtimeMs);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return null;
    throw fileError(path, 'read', error);
  }
}

/** What lies there is not what the store has written. */
export function broken(what: string, cause?: unknown): WritError {
  return new WritError('INTEGRITY_DIGEST', `a file of the artifact store ${what}`, {
    hint: 'put the artifact again, and find out who changed the data directory',
    cause,
  });
}
