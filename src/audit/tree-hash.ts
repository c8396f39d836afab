// The two hashes a log is made of. A leaf and a node can't be mistaken for one another: the first byte differs.
import { sha256 } from './sha256.js';

/** SHA-256(0x00 ‖ entry): 32 bytes (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Uint8Array {
  const message = new Uint8Array(entry.length + 1);
  message.set(entry, 1);
  return sha256(message);
}

/** SHA-256(0x01 ‖ left ‖ right): 32 bytes (RFC 6962 section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const message = new Uint8Array(1 + left.length + right.length);
  message[0] = 1;
  message.set(left, 1);
  message.set(right, 1 + left.length);
  return sha256(message);
}

/** Root of the tree of size 0: SHA-256 of nothing. */
export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** Equality of public values; the time it takes depends on them, so not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** True for a 32-byte array; anything else (attacker-controlled) is no hash. */
export function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}
