// Checking Ed25519 signatures (RFC 8032). The room never holds a secret key: signing is a function it is given.

/** True when `signature` (64 bytes) is the key's over `message`; never throws. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** 64-byte Ed25519 signature of `message`. */
export type Sign = (message: Uint8Array) => Uint8Array;

export { verifyEd25519 } from '../ed25519.js';
