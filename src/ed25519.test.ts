import { createPublicKey, verify as nodeVerify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concatBytes } from '@noble/hashes/utils.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyEd25519 } from './ed25519.js';

const { Point } = ed25519;
const message = new TextEncoder().encode('message');
/** A point of order 8. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');

function byOpenSsl(publicKey: Uint8Array, signature: Uint8Array): boolean {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return nodeVerify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
}

/** A signature by secret `a` and nonce `r`, whose key and R have `i` and `j` times the point of order 8 added. */
function mixed(a: bigint, r: bigint, i: bigint, j: bigint): { key: Uint8Array; signature: Uint8Array } {
  const key = Point.BASE.multiply(a).add(TORSION.multiplyUnsafe(i)).toBytes();
  const point = Point.BASE.multiply(r).add(TORSION.multiplyUnsafe(j)).toBytes();
  const k = Point.Fn.create(bytesToNumberLE(sha512(concatBytes(point, key, message))));
  const s = Point.Fn.add(r, Point.Fn.mul(k, a));
  return { key, signature: concatBytes(point, numberToBytesLE(s, 32)) };
}

describe('a signature', () => {
  it('is the same for this room and for OpenSSL, also where key or R have a part of small order', () => {
    const secret = fc.bigInt({ min: 1n, max: 2n ** 200n });
    const part = fc.bigInt({ min: 0n, max: 7n });
    const seen = new Set<boolean>();
    fc.assert(
      fc.property(secret, secret, part, part, (a, r, i, j) => {
        const { key, signature } = mixed(a, r, i, j);
        const verdict = verifyEd25519(key, message, signature);
        expect(verdict).toBe(byOpenSsl(key, signature));
        if (i === 0n && j === 0n) expect(verdict).toBe(true);
        if (i === 0n && j > 0n) expect(verdict).toBe(false);
        seen.add(verdict);
      }),
      {
        numRuns: 60,
        examples: [
          [5n, 7n, 0n, 0n],
          [5n, 7n, 0n, 4n],
        ],
      },
    );
    expect([...seen].sort()).toEqual([false, true]);
  });
  it('with the cofactor would hold where it does not', () => {
    const cases = Array.from({ length: 8 }, (_, r) => mixed(123n, BigInt(r) + 1n, 1n, 0n));
    const wrong = cases.filter(({ key, signature }) => !verifyEd25519(key, message, signature));
    expect(wrong.length).toBeGreaterThan(0);
    for (const { key, signature } of wrong)
      expect(ed25519.verify(signature, message, key, { zip215: false })).toBe(true);
  });
  it('of a wrong length, or under bytes that are no point, is none', () => {
    const { key, signature } = mixed(5n, 7n, 0n, 0n);
    expect(verifyEd25519(key, message, signature)).toBe(true);
    expect(verifyEd25519(key.subarray(1), message, signature)).toBe(false);
    expect(verifyEd25519(key, message, signature.subarray(1))).toBe(false);
    expect(verifyEd25519(new Uint8Array(32).fill(2), message, signature)).toBe(false);
    expect(verifyEd25519(key, message, new Uint8Array(64))).toBe(false);
  });
});
