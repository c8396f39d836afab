// Commitments bind payloads that live outside the log. With its own random salt each, a payload can't be guessed
// from its commitment; with payload and salt deleted, the commitment says nothing and every proof stays valid.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { isHex64, type Commitment } from '../json.js';

/** Bytes of a salt: fresh from a cryptographic source for every payload. */
export const SALT_BYTES = 32;

/**
 * HMAC-SHA-256(salt, 0x00 ‖ label ‖ 0x00 ‖ payload) as 64 lower-case hex digits.
 * Throws AUDIT_ENTRY_INVALID on a salt that is not 32 bytes, or a label that is empty or holds a NUL: the label's
 * end must be unambiguous.
 */
export function commitment(salt: Uint8Array, label: string, bytes: Uint8Array): Commitment {
  if (salt.length !== SALT_BYTES) {
    throw new WritError(
      'AUDIT_ENTRY_INVALID',
      `the salt of payload "${label}" has ${salt.length} bytes, not 32`,
    );
  }
  if (label === '' || label.includes('\0')) {
    throw new WritError('AUDIT_ENTRY_INVALID', 'the label of a payload is empty or holds a NUL character');
  }
  const mac = hmac.create(sha256, salt);
  mac.update(new TextEncoder().encode(`\0${label}\0`)).update(bytes);
  const hex = bytesToHex(mac.digest());
  if (!isHex64(hex)) throw new WritError('INTERNAL', 'an HMAC of 64 hex digits was expected');
  return hex;
}
