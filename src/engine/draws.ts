// Chance without a source of it: everything random in a run comes from the seed it was started with, drawn by number,
// so that a run which goes on in another process draws what it would have drawn here, and nobody without the seed can
// foresee it.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** 32 bytes: SHA-256 over the seed and what they are for. */
export function drawBytes(seed: string, purpose: string): Uint8Array {
  return sha256(utf8ToBytes(`${seed} ${purpose}`));
}

export function drawHex(seed: string, purpose: string): string {
  return bytesToHex(drawBytes(seed, purpose));
}

/** In [0, 1), from the first 6 of them. */
export function fractionOf(bytes: Uint8Array): number {
  return bytes.subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0) / 2 ** 48;
}
