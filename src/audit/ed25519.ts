// Checking Ed25519 signatures (RFC 8032). The room never holds a secret key: signing is a function it is given.

/** 64-byte Ed25519 signature of `message`. */
export type Sign = (message: Uint8Array) => Uint8Array;

export { verifyEd25519, type VerifySignature } from '../ed25519.js';
