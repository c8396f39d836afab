// What a verification is given from outside, read from where the command line points: keys, a policy, witnesses,
// earlier checkpoints. Everything is read whole and strictly before the thing that is judged is opened; what can't be
// read is USAGE (exit 2), never a verdict.
import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readBounded } from './adapters/store/durable-file.js';
import { openTileDirectory } from './adapters/store/tile-directory.js';
import { parseCheckpoint } from './audit/checkpoint.js';
import { MAX_NOTE_BYTES, parseNote } from './audit/note.js';
import { parseCheckpointPath } from './audit/tile-path.js';
import { MAX_POLICY_BYTES } from './audit/tlog-policy.js';
import { trustOf, type TrustOptions } from './audit/verify/trust.js';
import { WritError } from './errors.js';

/** As the command line gives it. */
export interface TrustFiles {
  /** Pinned log keys. */
  readonly vkeys: readonly string[];
  /** File with a tlog-policy. */
  readonly policy?: string | null;
  /** Witness keys and how many must have cosigned (default all), instead of a policy. */
  readonly witnesses?: readonly string[];
  readonly quorum?: number | null;
  /** Files with signed checkpoints of this log seen earlier, or directories: copies of the log, or of checkpoints. */
  readonly old: readonly string[];
}

export type ReadTrust = Omit<TrustOptions, 'trust'> & { readonly old: readonly string[] };

/** Checkpoints that one `--old` may give, and their bytes together. */
const MAX_OLD = 100_000;
const MAX_OLD_BYTES = 64 * 1024 * 1024;

/** Throws USAGE and AUDIT_POLICY_INVALID, both exit 2, on anything that can't be read. */
export async function readTrust(files: TrustFiles): Promise<ReadTrust> {
  const { policy = null, witnesses = [], quorum = null } = files;
  const trust = {
    vkeys: files.vkeys,
    ...(policy === null ? {} : { policy: await readPolicy(policy) }),
    ...(witnesses.length === 0 ? {} : { witnesses }),
    ...(quorum === null ? {} : { quorum }),
  };
  asUsage(() => trustOf(trust), 'an argument');
  const old: string[] = [];
  for (const path of files.old) old.push(...(await readOld(path)));
  return { ...trust, old };
}

async function readPolicy(file: string): Promise<string> {
  const bytes = await readGiven(file, MAX_POLICY_BYTES, 'the policy');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new WritError('USAGE', `can't read the policy ${file}: it is not UTF-8`, { cause });
  }
}

async function readOld(path: string): Promise<readonly string[]> {
  if (!(await isDirectory(path))) return [await readNote(path)];
  const log = openTileDirectory(path);
  const newest = await log.get('checkpoint');
  const names = newest === null ? await filesIn(path) : ['checkpoint'];
  if (newest !== null) {
    for await (const name of log.list('checkpoints')) {
      if (parseCheckpointPath(name) !== null) names.push(name);
      if (names.length > MAX_OLD) break;
    }
  }
  if (names.length === 0) throw unreadable(path, 'it holds no checkpoint');
  if (names.length > MAX_OLD) throw unreadable(path, `it holds more than ${MAX_OLD} checkpoints`);
  const notes: string[] = [];
  let length = 0;
  for (const name of names) {
    const note = await readNote(join(path, name));
    length += note.length;
    if (length > MAX_OLD_BYTES)
      throw unreadable(path, `its checkpoints are more than ${MAX_OLD_BYTES} bytes`);
    notes.push(note);
  }
  return notes;
}

/** A folder of checkpoints holds nothing else. */
async function filesIn(path: string): Promise<string[]> {
  const found = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(path, 'it can not be listed', error);
  });
  const other = found.find((entry) => !entry.isFile());
  if (other !== undefined) throw unreadable(join(path, other.name), 'it is no file');
  return found.map((entry) => entry.name).sort();
}

async function readNote(file: string): Promise<string> {
  const bytes = await readGiven(file, MAX_NOTE_BYTES, 'the old checkpoint');
  return asUsage(() => {
    parseCheckpoint(parseNote(bytes).text);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  }, `the old checkpoint ${file}`);
}

/**
 * A regular file, read whole. Longer than `limit` bytes it is refused; or, when it is itself what is judged, cut after
 * one byte too many, so that its reader says so. Throws USAGE.
 */
export async function readGiven(
  file: string,
  limit: number,
  what: string,
  tooLong: 'refuse' | 'cut' = 'refuse',
): Promise<Uint8Array> {
  let bytes: Uint8Array | null;
  try {
    bytes = await readBounded(file, limit);
  } catch (error) {
    throw unreadable(`${what} ${file}`, 'it can not be opened', error);
  }
  if (bytes === null) {
    throw unreadable(`${what} ${file}`, existsSync(file) ? 'it is no regular file' : 'there is no such file');
  }
  if (bytes.length > limit && tooLong === 'refuse') {
    throw unreadable(`${what} ${file}`, `it is longer than ${limit} bytes`);
  }
  return bytes;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(path, 'there is no such file or directory', error);
  }
}

function unreadable(what: string, reason: string, cause?: unknown): WritError {
  return new WritError('USAGE', `can't read ${what}: ${reason}`, {
    hint: 'check the path, and that this user may read it',
    cause,
  });
}

/** The origin that a note claims, only to look up what this machine knows of it; null when it can't be read. */
export function originOfNote(note: string | Uint8Array): string | null {
  try {
    return parseCheckpoint(parseNote(note).text).origin;
  } catch (error) {
    // Unreadable: the verification says so with the right word.
    if (error instanceof WritError) return null;
    throw error;
  }
}

/** An argument of the command that is no note, key or checkpoint: exit 2, while the same in a log is a verdict. */
function asUsage<T>(read: () => T, what: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WritError) || error.exitCode === 2) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new WritError('USAGE', `can't read ${what}: ${error.message}`, { ...hint, cause: error });
  }
}

/** 2^255-19, the field's prime. */
const P = 2n ** 255n - 19n;
/** y of the eight points of small order, under which anything may verify; two of the values were computed. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
]);

/**
 * The platform's Ed25519, 11 times faster than the portable one and as strict: a key must be the canonical encoding of
 * a point that is not of small order. OpenSSL itself refuses other encodings of R and S.
 */
export function verifyWithNode(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const y = BigInt(`0x${Buffer.from(publicKey).reverse().toString('hex')}`) & (2n ** 255n - 1n);
  if (y >= P || SMALL_ORDER_Y.has(y)) return false;
  // Read from DER, a key costs nearly as much as the signature that is checked with it.
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return nodeVerify(null, message, key, signature);
}
