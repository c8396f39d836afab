// A log as a witness meets it: leaf hashes, signed checkpoints of every size, requests with proofs.
import { ed25519 } from '@noble/curves/ed25519.js';
import {
  consistencyProof,
  formatAddCheckpoint,
  formatVkey,
  leafHash,
  rangeRoot,
  appendLeaf,
  signCheckpoint,
} from '../../src/audit/index.js';
import type { Signer } from '../../src/runtime/ports.js';

/** A key from a seed; type 1 = log, 4 = witness. */
export function testKey(name: string, seed: number, type: 1 | 4 = 1): Signer {
  const secret = new Uint8Array(32).fill(seed);
  return {
    vkey: formatVkey(name, type, ed25519.getPublicKey(secret)),
    sign: (message) => ed25519.sign(message, secret),
  };
}

export const ORIGIN = 'log.example/test';

export class WitnessedLog {
  readonly key: Signer;
  readonly leaves: Uint8Array[];
  readonly roots: Uint8Array[];

  /** `salt` makes another log of the same origin and key: a fork. */
  constructor(size: number, { origin = ORIGIN, seed = 7, salt = '' } = {}) {
    this.key = testKey(origin, seed);
    this.leaves = Array.from({ length: size }, (_, i) => leafHash(new TextEncoder().encode(`${salt}${i}`)));
    let range: Uint8Array[] = [];
    this.roots = [rangeRoot(range, 0n)];
    this.leaves.forEach((leaf, i) => {
      range = appendLeaf(range, BigInt(i), leaf);
      this.roots.push(rangeRoot(range, BigInt(i + 1)));
    });
  }

  note(size: number, root = this.roots[size] ?? new Uint8Array(32)): string {
    return signCheckpoint(this.key.vkey, BigInt(size), root, (message) => this.key.sign(message));
  }

  proof(old: number, size: number): Uint8Array[] {
    return old === 0 ? [] : consistencyProof(this.leaves, BigInt(old), BigInt(size));
  }

  /** A well-formed request from `old` to `size`. */
  request(old: number, size: number): Uint8Array {
    return bytes(formatAddCheckpoint(BigInt(old), this.proof(old, size), this.note(size)));
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
