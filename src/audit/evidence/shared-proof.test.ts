// Shared proofs: what is left out of one proof is exactly what earlier ones have shown, for every tree and choice of
// entries; nothing else is accepted.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inclusionProof } from '../inclusion.js';
import { appendLeaf, rangeRoot } from '../compact-range.js';
import { leafHash } from '../tree-hash.js';
import { ProvenNodes } from './shared-proof.js';

const leaves = Array.from({ length: 600 }, (_, i) => leafHash(new TextEncoder().encode(`entry ${i}`)));

function rootOf(size: number): Uint8Array {
  let range: readonly Uint8Array[] = [];
  for (let i = 0; i < size; i++) range = appendLeaf(range, BigInt(i), leaf(i));
  return rangeRoot(range, BigInt(size));
}

function leaf(i: number): Uint8Array {
  const hash = leaves[i];
  if (hash === undefined) throw new Error(`no leaf ${i}`);
  return hash;
}

function shortened(size: number, indices: readonly number[]): readonly (readonly Uint8Array[])[] {
  const tree = new ProvenNodes(BigInt(size), null);
  return indices.map((i) => tree.shorten(BigInt(i), leaf(i), inclusionProof(leaves, i, size)));
}

describe('shared proofs', () => {
  it('prove every choice of entries of every tree of up to 64, and of some larger ones', () => {
    const sizes = [...Array.from({ length: 64 }, (_, i) => i + 1), 255, 256, 257, 600];
    for (const size of sizes) {
      const root = rootOf(size);
      const every = Array.from({ length: size }, (_, i) => i);
      for (const indices of [every, every.filter((i) => i % 3 === 0), every.slice(-2), [0]]) {
        const proofs = shortened(size, indices);
        const tree = new ProvenNodes(BigInt(size), root);
        const verdicts = indices.map((i, at) => tree.verify(BigInt(i), leaf(i), proofs[at] ?? []));
        expect(verdicts).toEqual(indices.map(() => true));
      }
    }
  });

  it('begin with the whole proof of RFC 6962 and end with almost nothing', () => {
    const proofs = shortened(
      600,
      Array.from({ length: 600 }, (_, i) => i),
    );
    expect(proofs[0]).toEqual(inclusionProof(leaves, 0, 600));
    expect(proofs[1]).toEqual([]);
    const hashes = proofs.reduce((sum, proof) => sum + proof.length, 0);
    expect(hashes).toBeLessThanOrEqual(600);
  });

  it('refuse another leaf, a changed hash, one hash more and one less, at any place', () => {
    const choice = fc
      .integer({ min: 1, max: 300 })
      .chain((size) =>
        fc.tuple(
          fc.constant(size),
          fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { minLength: 1, maxLength: 20 }),
          fc.nat(),
          fc.constantFrom('leaf', 'hash', 'more', 'less', 'index'),
        ),
      );
    fc.assert(
      fc.property(choice, ([size, chosen, seed, change]) => {
        const indices = chosen.toSorted((a, b) => a - b);
        const proofs = shortened(size, indices).map((proof) => [...proof]);
        const at = seed % indices.length;
        const proof = proofs[at] ?? [];
        if (change === 'more') proof.push(leaf(0));
        if (change === 'less') fc.pre(proof.pop() !== undefined);
        if (change === 'hash') {
          fc.pre(proof.length > 0);
          proof[seed % proof.length] = flipped(proof[seed % proof.length] ?? leaf(0), seed);
        }
        fc.pre(change !== 'index' || size > 1);
        const tree = new ProvenNodes(BigInt(size), rootOf(size));
        const verdicts = indices.map((i, k) => {
          const shown = k === at && change === 'leaf' ? flipped(leaf(i), seed) : leaf(i);
          const index = k === at && change === 'index' ? (i + 1) % size : i;
          return tree.verify(BigInt(index), shown, proofs[k] ?? []);
        });
        expect(verdicts[at]).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('learn nothing from a proof that was refused', () => {
    const tree = new ProvenNodes(4n, rootOf(4));
    const [first = [], second = []] = shortened(4, [0, 1]);
    expect(tree.verify(0n, flipped(leaf(0), 1), first)).toBe(false);
    expect(tree.verify(1n, leaf(1), second)).toBe(false);
    expect(tree.verify(0n, leaf(0), first)).toBe(true);
    expect(tree.verify(1n, leaf(1), second)).toBe(true);
  });
});

function flipped(hash: Uint8Array, seed: number): Uint8Array {
  const copy = Uint8Array.from(hash);
  copy[seed % copy.length] = (copy[seed % copy.length] ?? 0) ^ 1;
  return copy;
}
