// A private key in a file of its own: JSON, mode 0600, made once and never overwritten. What is read back is checked
// in full before it is used: mode, size, exact keys, canonical base64, an Ed25519 key and nothing else.
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
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type ErrorCode, WritError } from '../../errors.js';

const MAX_BYTES = 4_096;
const PUBLIC_KEY_BYTES = 32;
const GROUP_AND_OTHERS = 0o077;

/** The codes a kind of key file uses. */
export interface KeyFileCodes {
  readonly what: string;
  readonly missing: ErrorCode;
  readonly invalid: ErrorCode;
  /** What to do when the file is missing. */
  readonly make: string;
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

/** Durable when it returns; throws `codes.invalid` when the file exists, and then leaves it as it was. */
export function writeKeyFile(
  file: string,
  content: Readonly<Record<string, string | number>>,
  codes: KeyFileCodes,
): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Exclusive: an existing key is never overwritten, and a planted symbolic link is never followed.
    const descriptor = openSync(file, 'wx', 0o600);
    try {
      const bytes = Buffer.from(`${JSON.stringify(content)}\n`);
      if (writeSync(descriptor, bytes) !== bytes.length) throw new Error('short write');
      fsyncSync(descriptor);
    } catch (error) {
      unlinkSync(file);
      throw error;
    } finally {
      closeSync(descriptor);
    }
    syncDirectory(dirname(file));
  } catch (error) {
    const exists = systemCode(error) === 'EEXIST';
    throw new WritError(
      codes.invalid,
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
    // Without O_NONBLOCK a planted named pipe would hang the open.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
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
    if ((stat.mode & GROUP_AND_OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw invalid(
        file,
        codes,
        `has mode ${mode}, others may read or change it`,
        `run chmod 600 on it; if others could have read it, make a new key`,
      );
    }
    if (stat.size > MAX_BYTES) throw invalid(file, codes, `is larger than ${MAX_BYTES} bytes`);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
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
