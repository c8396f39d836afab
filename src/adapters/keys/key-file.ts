// A private key in a file of its own: JSON, mode 0600, made once and never overwritten. What is
// read back is checked in full before it is used: owner, mode, no link, a directory that others can't write, size, exact
// keys, canonical base64, an Ed25519 key and nothing else.
// The private key never leaves this folder and never appears in a message.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, WritError } from '../../errors.js';

const MAX_BYTES = 4_096;
const PUBLIC_KEY_BYTES = 32;
const GROUP_AND_OTHERS = 0o077;
const WRITABLE_BY_OTHERS = 0o002;
/** Others may add files but not replace one, as in /tmp. */
const STICKY = 0o1000;

/** The codes a kind of key file uses. */
export interface KeyFileCodes {
  readonly what: string;
  readonly missing: ErrorCode;
  readonly invalid: ErrorCode;
  /** A file is there where a new key should go; `invalid` where nobody but writ itself chose the name. */
  readonly taken?: ErrorCode;
  /** What to do when the file is missing. */
  readonly make: string;
  /**
   * `private`: the directory is ours alone and has mode 0700. Else it is of somebody's choosing, and only may not let
   * everybody replace files in it.
   */
  readonly directory?: 'private';
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Base64 of the PKCS #8 DER form, as the file holds it. */
  readonly encoded: string;
}

/** A new Ed25519 key pair from the system's random source. */
export function generateKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('ed25519');
  const encoded = privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  return { privateKey, publicKey: rawPublicKey(privateKey), encoded };
}

/** The 64-byte Ed25519 signature of `message` (RFC 8032, pure Ed25519: no prehash). */
export function signEd25519(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return Uint8Array.from(signWith(null, message, privateKey));
}

/** Not `recursive: true`: Node 20 never returns from that where the file system says ENOENT for a name whose parent exists. */
function makeDirectory(directory: string, isParentThere = false): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    // Its parent is there now, so ENOENT is an answer and no longer a question.
    if (systemCode(error) !== 'ENOENT' || dirname(directory) === directory || isParentThere) throw error;
    makeDirectory(dirname(directory));
    makeDirectory(directory, true);
  }
}

/** Durable when it returns; throws `codes.taken` when the file exists, and then leaves it as it was. */
export function writeKeyFile(
  file: string,
  content: Readonly<Record<string, string | number>>,
  codes: KeyFileCodes,
): void {
  try {
    makeDirectory(dirname(file));
    checkDirectory(file, codes);
    // Exclusive: an existing key is never overwritten, and a planted symbolic link is never followed. Under its own
    // name from the start: a temporary file that a crash left behind would be a copy of the key that nobody knows of.
    writeNew(file, Buffer.from(`${JSON.stringify(content)}\n`));
    syncDirectory(dirname(file));
  } catch (error) {
    if (error instanceof WritError) throw error;
    const exists = systemCode(error) === 'EEXIST';
    throw new WritError(
      exists ? (codes.taken ?? codes.invalid) : codes.invalid,
      exists ? `${codes.what} ${file} exists already` : `cannot write ${codes.what} ${file}`,
      {
        hint: exists
          ? 'use it, or give another file name; keys are never overwritten'
          : 'give a place this user may write to',
        cause: error,
      },
    );
  }
}

/** `from` takes the place of `to`, whose key is gone then; atomic, and durable when it returns. */
export function replaceKeyFile(from: string, to: string, codes: KeyFileCodes): void {
  changing(to, codes, () => {
    renameSync(from, to);
    syncDirectory(dirname(to));
  });
}

/** The file is gone, durably; no error when there is none. */
export function removeKeyFile(file: string, codes: KeyFileCodes): void {
  changing(file, codes, () => {
    rmSync(file, { force: true });
    syncDirectory(dirname(file));
  });
}

/** The file's JSON object, whose keys are exactly `names`; throws `codes.missing` or `codes.invalid`. */
export function readKeyFile(
  file: string,
  names: readonly string[],
  codes: KeyFileCodes,
): Readonly<Record<string, unknown>> {
  const text = readPrivate(file, codes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.startsWith('-----BEGIN')) {
      const hint = 'a key of SSH is used from your ssh-agent: ssh-add FILE, then --key ssh-agent';
      throw invalid(file, codes, 'is a key of another program', hint);
    }
    // The parser's own message quotes the text it failed on.
    throw invalid(file, codes, `is not JSON (${error instanceof Error ? error.name : 'unreadable'})`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(file, codes, 'is not a JSON object');
  }
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const found = Object.keys(fields).sort().join(', ');
  if (found !== [...names].sort().join(', ')) {
    throw invalid(file, codes, `needs exactly the fields ${names.join(', ')}`);
  }
  return fields;
}

/** The key pair of a PKCS #8 field; throws `codes.invalid` for anything but one Ed25519 private key. */
export function decodeKeyPair(encoded: unknown, file: string, codes: KeyFileCodes): KeyPair {
  if (typeof encoded !== 'string') throw invalid(file, codes, 'has no private key');
  const der = Buffer.from(encoded, 'base64');
  if (der.toString('base64') !== encoded) throw invalid(file, codes, 'holds no canonical base64 private key');
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    // No cause: OpenSSL's error may describe the key's bytes.
    throw invalid(file, codes, 'holds no PKCS #8 private key');
  }
  if (privateKey.asymmetricKeyType !== 'ed25519')
    throw invalid(file, codes, 'holds a key other than Ed25519');
  return { privateKey, publicKey: rawPublicKey(privateKey), encoded };
}

/** The error for a key file that exists but is not to be used. */
export function invalid(file: string, codes: KeyFileCodes, why: string, hint?: string): WritError {
  return new WritError(codes.invalid, `${codes.what} ${file} ${why}`, {
    hint: hint ?? 'restore the key file from a backup; a damaged key can not be repaired',
  });
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  // RFC 8410: the raw key is the end of the DER form.
  return Uint8Array.from(spki.subarray(spki.length - PUBLIC_KEY_BYTES));
}

function readPrivate(file: string, codes: KeyFileCodes): string {
  let descriptor: number;
  try {
    // Without O_NONBLOCK a planted named pipe would hang the open; a link could lead to somebody else's key.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'ELOOP') {
      throw invalid(file, codes, 'is a symbolic link', 'put the key file itself there, not a link to it');
    }
    if (systemCode(error) === 'ENOENT') {
      throw new WritError(codes.missing, `there is no ${codes.what} at ${file}`, {
        hint: codes.make,
        cause: error,
      });
    }
    throw new WritError(
      codes.invalid,
      `cannot read ${codes.what} ${file} (${systemCode(error) ?? 'unknown'})`,
      { hint: 'run as the user who owns the key', cause: error },
    );
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw invalid(file, codes, 'is not a regular file');
    checkOwner(stat, file, file, codes);
    if ((stat.mode & GROUP_AND_OTHERS) !== 0) {
      throw invalid(
        file,
        codes,
        `has mode ${modeText(stat)}, others may read or change it`,
        `run chmod 600 on it; if others could have read it, make a new key`,
      );
    }
    checkDirectory(file, codes);
    if (stat.size > MAX_BYTES) throw invalid(file, codes, `is larger than ${MAX_BYTES} bytes`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}

/** The directory decides who may put another file in a key's place. */
function checkDirectory(file: string, codes: KeyFileCodes): void {
  const directory = dirname(file);
  const isPrivate = codes.directory === 'private';
  const stat = isPrivate ? lstatSync(directory) : statSync(directory);
  if (isPrivate) {
    if (!stat.isDirectory()) {
      throw invalid(
        file,
        codes,
        `lies in ${directory}, which is a link or no directory`,
        'keep the key in a real directory',
      );
    }
    checkOwner(stat, directory, file, codes);
    if ((stat.mode & GROUP_AND_OTHERS) !== 0) {
      throw invalid(
        file,
        codes,
        `lies in ${directory} of mode ${modeText(stat)}, which others may enter or change`,
        `run chmod 700 ${directory}; if others could have changed the key, make a new one`,
      );
    }
  } else if ((stat.mode & WRITABLE_BY_OTHERS) !== 0 && (stat.mode & STICKY) === 0) {
    throw invalid(
      file,
      codes,
      `lies in ${directory} of mode ${modeText(stat)}, where everybody may put another file in its place`,
      `run chmod o-w ${directory}, or keep the key elsewhere`,
    );
  }
}

function checkOwner(stat: Stats, path: string, file: string, codes: KeyFileCodes): void {
  // Undefined where users have no numbers.
  const user = process.geteuid?.();
  if (user === undefined || stat.uid === user) return;
  const what = path === file ? '' : `lies in ${path}, which `;
  throw invalid(
    file,
    codes,
    `${what}belongs to user ${stat.uid}, and writ runs as user ${user}`,
    `run writ as the user who owns the key, or run chown ${user} on it`,
  );
}

function modeText(stat: Stats): string {
  return (stat.mode & 0o7777).toString(8).padStart(4, '0');
}

/** Durable when it returns. */
function writeNew(file: string, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    if (writeSync(descriptor, bytes) !== bytes.length) throw new Error('short write');
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(file);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

function changing(file: string, codes: KeyFileCodes, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw new WritError(
      codes.invalid,
      `cannot change ${codes.what} ${file} (${systemCode(error) ?? 'unknown'})`,
      { hint: 'run as the user who owns the key, and look at the disk', cause: error },
    );
  }
}

function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
