// Checking Ed25519 signatures (RFC 8032). The room never holds a secret key: signing is a function it is given.
import { ed25519 } from '@noble/curves/ed25519.js';

/** True when `signature` (64 bytes) is the key's over `message`; never throws. */
export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** 64-byte Ed25519 signature of `message`. */
export type Sign = (message: Uint8Array) => Uint8Array;

/** Strict RFC 8032 rules: canonical encodings only. All three values may be attacker-controlled. */
export const verifyEd25519: VerifySignature = (publicKey, message, signature) =>
  publicKey.length === 32 &&
  signature.length === 64 &&
  ed25519.verify(signature, message, publicKey, { zip215: false });
