// The one meaning of an Ed25519 signature, for every room: RFC 8032 section 5.1.7 without the cofactor, which is what
// OpenSSL and WebCrypto check. With the cofactor, a key that has a component of small order could sign so that one
// verifier says yes and another no.
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';

/** Whether `signature` is the key's over `message`; never throws. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/**
 * True when `signature` (64 bytes) is the key's (32 bytes) over `message`: canonical encodings of R, S and a key that
 * is not of small order, and [S]B = R + [k]A. Never throws; all three values may be attacker-controlled.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return (
    ed25519.verify(signature, message, publicKey, { zip215: false }) &&
    holdsExactly(publicKey, message, signature)
  );
}

/** The equation itself, where the library checks eight times it. The encodings are known to be good. */
function holdsExactly(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const [r, s] = [signature.subarray(0, 32), bytesToNumberLE(signature.subarray(32))];
  const k = Point.Fn.create(bytesToNumberLE(sha512(concatBytes(r, publicKey, message))));
  const right = Point.fromBytes(r).add(Point.fromBytes(publicKey).multiplyUnsafe(k));
  return Point.BASE.multiplyUnsafe(s).equals(right);
}
