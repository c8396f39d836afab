// Inclusion and consistency together, over trees of every small size.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendLeaf, rangeRoot } from './compact-range.js';
import { consistencyProof, verifyConsistency } from './consistency.js';
import { rangeHash, type HashReader } from './hash-reader.js';
import { inclusionProof, verifyInclusion } from './inclusion.js';
import { emptyRoot, leafHash, nodeHash } from './tree-hash.js';

const SIZES = 261;
const leaves = Array.from({ length: SIZES }, (_, i) => leafHash(Uint8Array.of(i >> 8, i & 255)));
const roots = [emptyRoot()];
for (let i = 0, range: Uint8Array[] = []; i < SIZES; i++) {
  range = appendLeaf(range, BigInt(i), leaves[i] ?? emptyRoot());
  roots.push(rangeRoot(range, BigInt(i + 1)));
}
const root = (size: number): Uint8Array => roots[size] ?? emptyRoot();
const leaf = (index: number): Uint8Array => leaves[index] ?? emptyRoot();
const flip = (bytes: Uint8Array, bit: number): Uint8Array =>
  bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));

describe('proofs', () => {
  it('verify for every index of every size to 64, and around 256', () => {
    for (const size of [...Array.from({ length: 64 }, (_, i) => i + 1), 255, 256, 257, 260]) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(leaves, index, size);
        expect(verifyInclusion({ index, size, leafHash: leaf(index), root: root(size), proof })).toBe(true);
      }
    }
  });
  it('verify for every pair of sizes to 64, and around 256', () => {
    const sizes = [...Array.from({ length: 64 }, (_, i) => i + 1), 255, 256, 257, 260];
    for (const size1 of sizes) {
      for (const size2 of sizes.filter((size) => size >= size1)) {
        const proof = consistencyProof(leaves, size1, size2);
        expect(verifyConsistency({ size1, size2, root1: root(size1), root2: root(size2), proof })).toBe(true);
      }
    }
  });
  it('fail when any bit of a hash, the index or a size is changed', () => {
    const pick = fc
      .integer({ min: 2, max: 260 })
      .chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1)));
    fc.assert(
      fc.property(pick, fc.nat(255), fc.nat(), ([size, index], bit, which) => {
        const proof = inclusionProof(leaves, index, size);
        const claim = { index, size, leafHash: leaf(index), root: root(size), proof };
        const at = which % proof.length;
        const changed = proof.map((hash, i) => (i === at ? flip(hash, bit) : hash));
        expect(verifyInclusion({ ...claim, proof: changed })).toBe(false);
        expect(verifyInclusion({ ...claim, leafHash: flip(leaf(index), bit) })).toBe(false);
        expect(verifyInclusion({ ...claim, root: flip(root(size), bit) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: proof.slice(0, -1) })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...proof, leaf(0)] })).toBe(false);
        expect(verifyInclusion({ ...claim, index: (index + 1) % size })).toBe(false);
      }),
    );
  });
  it('are the same from a reader of perfect subtrees as from a list', () => {
    const read: HashReader = (level, index) => {
      if (level === 0) return leaf(Number(index));
      return nodeHash(read(level - 1, index * 2n), read(level - 1, index * 2n + 1n));
    };
    for (const [a, b] of [
      [0, 1],
      [5, 9],
      [100, 257],
      [256, 260],
      [259, 260],
    ] as const) {
      expect(inclusionProof(read, a, b)).toEqual(inclusionProof(leaves, a, b));
      if (a > 0) expect(consistencyProof(read, a, b)).toEqual(consistencyProof(leaves, a, b));
      expect(rangeHash(read, 0n, BigInt(b))).toEqual(root(b));
    }
  });
  it('need no more than 63 hashes at the largest size and keep every digit of it', () => {
    const read: HashReader = (level, index) => leafHash(new TextEncoder().encode(`${level}/${index}`));
    const size = 2n ** 63n - 1n;
    const index = 2n ** 62n + 1n;
    const proof = inclusionProof(read, index, size);
    expect(proof.length).toBeLessThanOrEqual(63);
    const claim = { leafHash: read(0, index), root: rangeHash(read, 0n, size), proof, size: size.toString() };
    // The reader makes hashes up, so only the shape is judged: another index needs another length or fails.
    expect(verifyInclusion({ ...claim, index: size })).toBe(false);
    expect(verifyInclusion({ ...claim, index: 2n ** 63n })).toBe(false);
  });
});

describe('verifiers', () => {
  const good = { index: 1, size: 2, leafHash: leaf(1), root: root(2), proof: [leaf(0)] };
  it.each([
    ['an index equal to the size', { ...good, index: 2 }],
    ['a negative index', { ...good, index: -1 }],
    ['a fraction', { ...good, index: 0.5 }],
    ['a size that is not exact', { ...good, size: 2 ** 53 }],
    ['a size in hexadecimal', { ...good, size: '0x2' }],
    ['a size with a leading zero', { ...good, size: '02' }],
    ['a size of 2^63', { ...good, size: 2n ** 63n }],
    ['size 0', { ...good, index: 0, size: 0 }],
    ['a short root', { ...good, root: root(2).subarray(1) }],
    ['a long leaf hash', { ...good, leafHash: new Uint8Array(33) }],
    ['a short proof hash', { ...good, proof: [leaf(0).subarray(1)] }],
    ['a proof that is no list', { ...good, proof: 'x' as never }],
    ['a root that is text', { ...good, root: 'x' as never }],
  ])('refuse %s without throwing', (_name, claim) => {
    expect(verifyInclusion(good)).toBe(true);
    expect(verifyInclusion(claim)).toBe(false);
  });
  it('refuse consistency from size 0, except from 0 to 0 with the empty root', () => {
    const claim = { size1: 0, size2: 0, root1: emptyRoot(), root2: emptyRoot(), proof: [] };
    expect(verifyConsistency(claim)).toBe(true);
    expect(verifyConsistency({ ...claim, proof: null })).toBe(true);
    expect(verifyConsistency({ ...claim, size2: 2, root2: root(2) })).toBe(false);
    expect(verifyConsistency({ ...claim, root1: root(1), root2: root(1) })).toBe(false);
    expect(verifyConsistency({ ...claim, proof: [leaf(0)] })).toBe(false);
  });
  it('refuse consistency to a smaller tree', () => {
    const proof = consistencyProof(leaves, 3, 7);
    expect(verifyConsistency({ size1: 7, size2: 3, root1: root(7), root2: root(3), proof })).toBe(false);
  });
});

describe('makers of proofs', () => {
  it('throw on what has no proof', () => {
    for (const act of [
      () => inclusionProof(leaves, 5, 5),
      () => inclusionProof(leaves, 0, 0),
      () => inclusionProof(leaves.slice(0, 3), 0, 4),
      () => consistencyProof(leaves, 0, 4),
      () => consistencyProof(leaves, 5, 4),
      () => rangeRoot(leaves.slice(0, 2), 4n),
      () => appendLeaf([], 1n, leaf(0)),
    ]) {
      expect(act).toThrow(expect.objectContaining({ code: 'AUDIT_PROOF_INVALID' }));
    }
  });
});
