// Commitments bind payloads that live outside the log. With its own random salt each, a payload can't be guessed
// from its commitment; with payload and salt deleted, the commitment says nothing and every proof stays valid.
import { WritError } from '../errors.js';
import { isHex64, type Commitment } from '../json.js';
import { hexOf } from './hex.js';
import { sha256, type Sha256 } from './sha256.js';

/** Bytes of a salt: fresh from a cryptographic source for every payload. */
export const SALT_BYTES = 32;
/** Bytes of a block of SHA-256. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const UTF8 = new TextEncoder();

/**
 * HMAC-SHA-256(salt, 0x00 ‖ label ‖ 0x00 ‖ payload) as 64 lower-case hex digits.
 * Throws AUDIT_ENTRY_INVALID on a salt that is not 32 bytes, or a label that is empty or holds a NUL: the label's
 * end must be unambiguous. `hash`: the platform's SHA-256, which is faster.
 */
export function commitment(
  salt: Uint8Array,
  label: string,
  bytes: Uint8Array,
  hash: Sha256 = sha256,
): Commitment {
  if (salt.length !== SALT_BYTES) {
    throw new WritError(
      'AUDIT_ENTRY_INVALID',
      `the salt of payload "${label}" has ${salt.length} bytes, not 32`,
    );
  }
  if (label === '' || label.includes('\0')) {
    throw new WritError('AUDIT_ENTRY_INVALID', 'the label of a payload is empty or holds a NUL character');
  }
  const hex = hexOf(hmac(hash, salt, UTF8.encode(`\0${label}\0`), bytes));
  if (!isHex64(hex)) throw new WritError('INTERNAL', 'an HMAC of 64 hex digits was expected');
  return hex;
}

/** Both messages, for all calls: hashing is synchronous and `hash` keeps nothing. A longer payload gets room of its own. */
const room = new Uint8Array(4_096);
const outer = new Uint8Array(BLOCK_BYTES + DIGEST_BYTES);

/** RFC 2104 over `head` and `body`; `key` is no longer than a block. */
function hmac(hash: Sha256, key: Uint8Array, head: Uint8Array, body: Uint8Array): Uint8Array {
  const length = BLOCK_BYTES + head.length + body.length;
  const inner = length > room.length ? new Uint8Array(length) : room.subarray(0, length);
  inner.fill(0x36, key.length, BLOCK_BYTES);
  outer.fill(0x5c, key.length, BLOCK_BYTES);
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] ?? 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  inner.set(head, BLOCK_BYTES);
  inner.set(body, BLOCK_BYTES + head.length);
  outer.set(hash(inner), BLOCK_BYTES);
  // Neither salts nor payloads stay behind.
  inner.fill(0);
  const result = hash(outer);
  outer.fill(0);
  return result;
}
