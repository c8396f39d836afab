// Secrets by handle: one file each in `<data>/secrets`, mode 0600, named by the handle, holding the value and nothing
// else. A file that others may read, that is a link, or that holds no usable value is an error, never left out: a
// secret that is not known would be stored in clear. Values never appear in a message.
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import type { Secret, SecretSource } from '../../runtime/ports.js';

/** Shorter values would be found everywhere. */
const MIN_SECRET_BYTES = 8;
export const MAX_SECRET_BYTES = 4_096;
const MAX_SECRETS = 1_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const GROUP_AND_OTHERS = 0o077;
const TEMPORARY = '.tmp';
const TICK_MS = 1_000;

export interface SecretDirectory extends SecretSource {
  /**
   * Durable when it returns; true when it took the place of another value, which is no longer recognised. Throws
   * SECRET_INVALID, SECRET_UNREADABLE.
   */
  set(name: string, value: Uint8Array): boolean;
  /** False when there is none of this name. Throws SECRET_UNREADABLE. */
  remove(name: string): boolean;
}

/** `handleOf` gives what stands for a value: no value may be a part of one. */
export function openSecretDirectory(directory: string, handleOf: (name: string) => string): SecretDirectory {
  let seen = '';
  let known: readonly Secret[] = [];
  const current = (): readonly Secret[] => {
    const now = stamp(directory);
    if (now.text === seen) return known;
    known = readAll(directory);
    // Clocks of file systems tick in milliseconds: a change right after this one might leave the same stamp.
    seen = Date.now() - now.changedMs > TICK_MS ? now.text : '';
    return known;
  };
  return {
    current,
    set(name, value) {
      check(name, value);
      const before = current();
      const others = before.filter((one) => one.name !== name);
      const names = [...others.map((one) => one.name), name];
      for (const secret of [...others, { name, value }]) {
        const inHandle = names.find((other) =>
          Buffer.from(handleOf(other)).includes(Buffer.from(secret.value)),
        );
        if (inHandle === undefined) continue;
        throw new WritError(
          'SECRET_INVALID',
          `the value of ${secret.name} is a part of the handle of ${inHandle}`,
          {
            hint: 'choose another name, or a value that is harder to guess',
          },
        );
      }
      if (others.length >= MAX_SECRETS) {
        throw new WritError('SECRET_INVALID', `there are ${MAX_SECRETS} secrets already`, {
          hint: 'remove those that are no longer used: writ secrets remove NAME',
        });
      }
      guarded(directory, () => {
        write(directory, name, value);
      });
      const former = before.find((one) => one.name === name);
      return former !== undefined && !Buffer.from(former.value).equals(value);
    },
    remove(name) {
      if (!NAME.test(name) || !current().some((one) => one.name === name)) return false;
      guarded(directory, () => {
        unlinkSync(join(directory, name));
        removeLeftovers(directory);
        syncDirectory(directory);
      });
      return true;
    },
  };
}

/**
 * Changes whenever a file is made, replaced, removed, written in place or given other permissions. A directory says
 * nothing of what happens inside its files, so each of them is asked.
 */
function stamp(directory: string): { readonly text: string; readonly changedMs: number } {
  const found = statSync(directory, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return { text: 'none', changedMs: 0 };
  let text = `${found.ino} ${found.ctimeNs}`;
  let changedMs = found.ctimeMs;
  for (const name of namesIn(directory)) {
    const file = lstatSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
    text += file === undefined ? `\n${name}` : `\n${name} ${file.ino} ${file.size} ${file.ctimeNs}`;
    if (file !== undefined && file.ctimeMs > changedMs) changedMs = file.ctimeMs;
  }
  return { text, changedMs: Number(changedMs) };
}

function readAll(directory: string): readonly Secret[] {
  return namesIn(directory).map((name) => ({ name, value: readOne(join(directory, name), name) }));
}

/** The files that hold secrets, sorted; none where there is no directory. */
function namesIn(directory: string): readonly string[] {
  const secrets = allNamesIn(directory)
    .filter((name) => !name.endsWith(TEMPORARY))
    .sort();
  if (secrets.length > MAX_SECRETS) throw unreadable(directory, `holds more than ${MAX_SECRETS} files`);
  return secrets;
}

function allNamesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw unreadable(directory, 'can not be listed', error);
  }
}

function readOne(file: string, name: string): Uint8Array {
  if (!NAME.test(name)) throw unreadable(file, 'has a name that is no handle');
  let descriptor: number;
  try {
    // Non-blocking: a FIFO somebody put there must not stop every command.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw unreadable(file, codeOf(error) === 'ELOOP' ? 'is a link' : 'can not be read', error);
  }
  try {
    const found = fstatSync(descriptor);
    if (!found.isFile()) throw unreadable(file, 'is no file');
    if ((found.mode & GROUP_AND_OTHERS) !== 0) {
      throw unreadable(
        file,
        'may be read by others',
        undefined,
        `chmod 600 ${file}; it may be known already`,
      );
    }
    const bytes = Buffer.alloc(MAX_SECRET_BYTES + 1);
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    const problem = lengthProblem(length);
    if (problem !== null) throw unreadable(file, problem);
    return new Uint8Array(bytes.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
}

function check(name: string, value: Uint8Array): void {
  if (!NAME.test(name)) {
    throw new WritError('SECRET_INVALID', `"${name.slice(0, 80)}" is no name of a secret`, {
      hint: '1 to 64 letters, digits, dots, hyphens or underscores, the first a letter or digit',
    });
  }
  if (name.endsWith(TEMPORARY)) {
    throw new WritError('SECRET_INVALID', `the name of a secret can't end in ${TEMPORARY}`);
  }
  const problem = lengthProblem(value.length);
  if (problem === null) return;
  throw new WritError('SECRET_INVALID', `the value of ${name} ${problem}`, {
    hint: `${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes; a shorter one would be found in everything`,
  });
}

function lengthProblem(length: number): string | null {
  if (length < MIN_SECRET_BYTES) return `has ${length} bytes, fewer than ${MIN_SECRET_BYTES}`;
  return length > MAX_SECRET_BYTES ? `has more than ${MAX_SECRET_BYTES} bytes` : null;
}

/** What a crash left of an earlier `set` holds a value that nobody knows is there. */
function removeLeftovers(directory: string): void {
  for (const name of allNamesIn(directory)) {
    if (name.endsWith(TEMPORARY)) rmSync(join(directory, name), { force: true });
  }
}

/** A crash leaves the old value or the new one, and perhaps a temporary file, which the next change removes. */
function write(directory: string, name: string, value: Uint8Array): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  removeLeftovers(directory);
  const temporary = join(directory, `${randomUUID()}${TEMPORARY}`);
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    try {
      if (writeSync(descriptor, value) !== value.length) throw new Error('short write');
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, join(directory, name));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function guarded(directory: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new WritError('SECRET_UNREADABLE', `can't write to ${directory}`, {
      hint: 'give this user write access to the data directory and everything in it',
      cause: error,
    });
  }
}

function unreadable(path: string, problem: string, cause?: unknown, hint?: string): WritError {
  return new WritError('SECRET_UNREADABLE', `the secret ${path} ${problem}`, {
    hint: hint ?? 'put it right, or remove the file; until then nothing is stored',
    cause,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
