// policies.lock: which bytes a policy directory holds, what they come to, and who signed that. A lock that is there
// must fit; a signature counts only by a key that was made known outside the directory it vouches for.
import { isObject, type Hex, type Json } from '../../json.js';
import { compareText, type Problems } from './diagnostic.js';
import { MODEL_HASH, sha256Hex } from '../rbac/model.js';
import type { Hashing } from './policy-hash.js';

export const LOCK_FILE = 'policies.lock';

/** `sig` is the base64 of an Ed25519 signature of `lockMessage(policyHash)`; `keyId` is `ed25519:<base64>`. */
export interface PolicyLock {
  readonly version: 1;
  readonly modelHash: string;
  /** Relative path -> SHA-256 of its text, in hex. */
  readonly files: Readonly<Record<string, string>>;
  readonly policyHash: string;
  readonly signatures: readonly { readonly keyId: string; readonly sig: string }[];
}

/** What is signed: `"writ.policies.v1\0"` and the 32 bytes of the policy hash. */
export function lockMessage(policyHash: string): Uint8Array {
  if (!HASH.test(policyHash)) throw new RangeError('a policy hash is 64 hex digits');
  const prefix = new TextEncoder().encode('writ.policies.v1\0');
  const message = new Uint8Array(prefix.length + 32);
  message.set(prefix);
  for (let at = 0; at < 32; at += 1) {
    message[prefix.length + at] = Number.parseInt(policyHash.slice(2 * at, 2 * at + 2), 16);
  }
  return message;
}

/** A lock of these files as they are, unsigned. */
export function lockOf(files: ReadonlyMap<string, string>, policyHash: Hex): PolicyLock {
  return { version: 1, modelHash: MODEL_HASH, files: hashesOf(files), policyHash, signatures: [] };
}

/** The lock, or why the text is none. */
export function readLock(text: string): PolicyLock | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is no JSON';
  }
  if (!isObject(value as Json)) return 'is no JSON object';
  const {
    version,
    modelHash,
    files,
    policyHash,
    signatures = [],
    ...others
  } = value as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `has the unknown field ${JSON.stringify(unknown.slice(0, 64))}`;
  if (version !== 1) return 'is not of version 1';
  if (typeof modelHash !== 'string' || typeof policyHash !== 'string' || !HASH.test(policyHash)) {
    return 'names no model hash and policy hash';
  }
  if (typeof files !== 'object' || files === null || Array.isArray(files)) return 'names no files';
  const hashes = Object.entries(files as Record<string, unknown>);
  if (!hashes.every((entry): entry is [string, string] => typeof entry[1] === 'string')) {
    return 'names a file without its hash';
  }
  if (!Array.isArray(signatures) || signatures.length > MAX_SIGNATURES) return 'has no list of signatures';
  const read: { keyId: string; sig: string }[] = [];
  for (const one of signatures as unknown[]) {
    const { keyId, sig } = (one ?? {}) as Record<string, unknown>;
    if (typeof keyId !== 'string' || typeof sig !== 'string') return 'has a signature without key or value';
    read.push({ keyId, sig });
  }
  return { version, modelHash, files: Object.fromEntries(hashes), policyHash, signatures: read };
}

const HASH = /^[0-9a-f]{64}$/;
const MAX_SIGNATURES = 100;

/** Adds a problem for each file that is not what the lock says, is missing, or is not named by it. */
export function checkLockedFiles(
  files: ReadonlyMap<string, string>,
  problems: Problems,
  sha256?: Hashing['sha256'],
): PolicyLock | null {
  const text = files.get(LOCK_FILE);
  if (text === undefined) return null;
  const start = { line: 1, column: 1 };
  const lock = readLock(text);
  const hint = 'look at what has changed, then lock again: writ policy lock';
  if (typeof lock === 'string') {
    problems.add(LOCK_FILE, start, `the lock ${lock}`, 'make it anew: writ policy lock');
    return null;
  }
  if (lock.modelHash !== MODEL_HASH) {
    problems.add(LOCK_FILE, start, 'the lock is of another model', hint);
  }
  const now = hashesOf(files, sha256);
  for (const file of [...new Set([...Object.keys(lock.files), ...Object.keys(now)])].toSorted(compareText)) {
    const locked = Object.hasOwn(lock.files, file) ? lock.files[file] : undefined;
    const found = now[file];
    if (locked === found) continue;
    const why =
      found === undefined
        ? 'is missing'
        : locked === undefined
          ? 'is not in the lock'
          : 'differs from the lock';
    problems.add(file, start, `${file} ${why}`, hint);
  }
  return lock;
}

/** Distinct keys of `trusted` whose signature of this policy hash holds. */
export function signedBy(
  lock: PolicyLock,
  trusted: readonly string[],
  verify: (publicKey: string, message: Uint8Array, signature: string) => boolean,
): readonly string[] {
  const message = lockMessage(lock.policyHash);
  const valid = lock.signatures
    .filter(({ keyId, sig }) => trusted.includes(keyId) && verify(keyId, message, sig))
    .map(({ keyId }) => keyId);
  return [...new Set(valid)].toSorted(compareText);
}

/** Everything that decides or tests; pages to read (`*.md`) may change. */
function hashesOf(
  files: ReadonlyMap<string, string>,
  sha256?: Hashing['sha256'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...files]
      .filter(([file]) => file !== LOCK_FILE && !/^[^/]+\.md$/.test(file))
      .toSorted(([a], [b]) => compareText(a, b))
      .map(([file, text]) => [file, sha256Hex(text, sha256)]),
  );
}
