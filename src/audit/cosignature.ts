// Cosignatures (C2SP tlog-cosignature, type 04): a witness's statement that at a time it names this was the largest
// checkpoint of the log it had seen, and consistent with all it saw before. A cosignature never counts as the log's
// signature, nor the reverse. Type 06 (ML-DSA-44) is read elsewhere and never verified.
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { encodeBase64 } from './base64.js';
import type { Sign, VerifySignature } from './ed25519.js';
import type { Vkey } from './vkey.js';

/** A verified cosignature. */
export interface Cosignature {
  readonly key: Vkey;
  /** Unix seconds, 1 to 2^63-1: the witness's claim. */
  readonly seconds: bigint;
}

const MAX_SECONDS = 2n ** 63n - 1n;

/**
 * What a witness signs: `cosignature/v1`, the time line, then the checkpoint's text (all of it, with its newline).
 * Throws AUDIT_NOTE_INVALID on a time outside 1 to 2^63-1.
 */
export function cosignatureMessage(seconds: bigint, text: string): Uint8Array {
  if (!isTime(seconds)) throw invalid(`a cosignature's time is 1 to 2^63-1 seconds, not ${seconds}`);
  return new TextEncoder().encode(`cosignature/v1\ntime ${seconds}\n${text}`);
}

/**
 * The signature line (with its newline) of the witness `key` (type 4) for a checkpoint's text at `seconds`.
 * Throws AUDIT_NOTE_INVALID on another kind of key, a time out of range, or a signature that is not 64 bytes.
 */
export function cosignatureLine(text: string, key: Vkey, seconds: bigint, sign: Sign): string {
  if (key.type !== 4) throw invalid('only a witness key of type 4 cosigns');
  const signature = sign(cosignatureMessage(seconds, text));
  if (signature.length !== 64) throw invalid(`an Ed25519 signature has 64 bytes, not ${signature.length}`);
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, seconds);
  return `\u2014 ${key.name} ${encodeBase64(concatBytes(hexToBytes(key.keyId), time, signature))}\n`;
}

/**
 * The time (Unix seconds) of a cosignature that holds, null of any other. `signature` is what follows the key id on
 * the line, attacker-controlled as is `text`; never throws.
 */
export function verifyCosignature(
  key: Vkey,
  text: string,
  signature: Uint8Array,
  verify: VerifySignature,
): bigint | null {
  if (key.type !== 4 || signature.length !== 72) return null;
  const seconds = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
  if (!isTime(seconds)) return null;
  const holds = verify(key.publicKey, cosignatureMessage(seconds, text), signature.subarray(8));
  return holds ? seconds : null;
}

function isTime(seconds: bigint): boolean {
  return seconds > 0n && seconds <= MAX_SECONDS;
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_NOTE_INVALID', `invalid cosignature: ${reason}`, {
    hint: 'give a witness key of type 4 and the time in Unix seconds',
  });
}
