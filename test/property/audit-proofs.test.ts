// Trees of every size from 0 to 300: each proof that exists holds, none that was changed does, and every judgement is
// the one of RFC 6962's own recursive definition, which is written out here a second time.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  appendLeaf,
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  nodeHash,
  rangeFromEdge,
  rangeRoot,
  tilesOfSize,
  verifyConsistency,
  verifyInclusion,
  verifyLog,
  type HashReader,
  type Verdict,
} from '../../src/audit/index.js';
import { fastVerify, testSigner, type MemoryDirectory } from '../audit/log-fixture.js';
import { rawLog } from '../audit/raw-log.js';

const SIZES = 300;
const sizes = Array.from({ length: SIZES + 1 }, (_, size) => size);
const entries = Array.from({ length: SIZES }, (_, i) => new TextEncoder().encode(`entry ${i}`));
const leaves = entries.map(leafHash);
const leaf = (index: number): Uint8Array => leaves[index] ?? emptyRoot();

/** Every perfect subtree once: making a proof is then as cheap as it is from tiles. */
const subtrees = new Map<string, Uint8Array>();
const read: HashReader = (level, index) => {
  if (level === 0) return leaf(Number(index));
  const key = `${level}/${index}`;
  const hash = subtrees.get(key) ?? nodeHash(read(level - 1, index * 2n), read(level - 1, index * 2n + 1n));
  subtrees.set(key, hash);
  return hash;
};

/** MTH of RFC 6962 section 2.1, as it stands there. */
const split = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));
const trees = new Map<string, Uint8Array>();
function treeHash(from: number, to: number): Uint8Array {
  if (from === to) return emptyRoot();
  if (to - from === 1) return leaf(from);
  const key = `${from}-${to}`;
  const middle = from + split(to - from);
  const hash = trees.get(key) ?? nodeHash(treeHash(from, middle), treeHash(middle, to));
  trees.set(key, hash);
  return hash;
}
const roots = sizes.map((size) => treeHash(0, size));
const root = (size: number): Uint8Array => roots[size] ?? emptyRoot();

/** The root that a PATH of section 2.1.1 leads to; null when it is no path of (index, size). */
function rootOfPath(
  index: number,
  size: number,
  hash: Uint8Array,
  path: readonly Uint8Array[],
): Uint8Array | null {
  if (index >= size) return null;
  if (size === 1) return path.length === 0 ? hash : null;
  const last = path.at(-1);
  if (last === undefined) return null;
  const k = split(size);
  const rest = path.slice(0, -1);
  const below = index < k ? rootOfPath(index, k, hash, rest) : rootOfPath(index - k, size - k, hash, rest);
  if (below === null) return null;
  return index < k ? nodeHash(below, last) : nodeHash(last, below);
}

/** Old and new root that a SUBPROOF of section 2.1.2 leads to; null when it is none of (old, size). */
function rootsOfProof(
  old: number,
  size: number,
  whole: Uint8Array | null,
  proof: readonly Uint8Array[],
): readonly [Uint8Array, Uint8Array] | null {
  if (old === size) {
    const hash = whole ?? proof[0];
    return hash !== undefined && proof.length === (whole === null ? 1 : 0) ? [hash, hash] : null;
  }
  const last = proof.at(-1);
  if (last === undefined) return null;
  const k = split(size);
  const rest = proof.slice(0, -1);
  if (old <= k) {
    const below = rootsOfProof(old, k, whole, rest);
    return below === null ? null : [below[0], nodeHash(below[1], last)];
  }
  const below = rootsOfProof(old - k, size - k, null, rest);
  return below === null ? null : [nodeHash(last, below[0]), nodeHash(last, below[1])];
}

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && Buffer.compare(a, b) === 0;
const flip = (bytes: Uint8Array, at: number, bit: number): Uint8Array => {
  const changed = bytes.slice();
  changed[at] = (changed[at] ?? 0) ^ (1 << bit);
  return changed;
};
/** The proof with one bit of one byte changed, for every byte of it. */
function* changedProofs(proof: readonly Uint8Array[], salt: number): Generator<Uint8Array[]> {
  for (let i = 0; i < proof.length; i++) {
    for (let at = 0; at < 32; at++) {
      yield proof.map((hash, j) => (i === j ? flip(hash, at, (at + salt) % 8) : hash));
    }
  }
}
/** Shorter, longer, out of order: lengths and places that no byte flip makes. */
function* misshapenProofs(proof: readonly Uint8Array[]): Generator<Uint8Array[]> {
  if (proof.length > 0) yield proof.slice(1);
  if (proof.length > 0) yield proof.slice(0, -1);
  yield [...proof, emptyRoot()];
  yield [emptyRoot(), ...proof];
  for (let i = 1; i < proof.length; i++) {
    yield proof.map((hash, j) => (j === i ? proof[i - 1] : j === i - 1 ? proof[i] : hash) ?? hash);
  }
}

describe('the root', () => {
  it('of every size is that of the definition, by appending and from the edge of the tiles', () => {
    let range: Uint8Array[] = [];
    for (const size of sizes) {
      expect(rangeRoot(range, BigInt(size))).toEqual(root(size));
      const edge = tilesOfSize(BigInt(size)).map(({ level, full, partial }) =>
        Array.from({ length: partial }, (_, i) => read(level * 8, full * 256n + BigInt(i))),
      );
      expect(rangeFromEdge(edge)).toEqual(range);
      range = appendLeaf(range, BigInt(size), leaf(size));
    }
  });
});

describe('inclusion', () => {
  it('is proven for every index of every size, and by the definition', () => {
    for (const size of sizes) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(read, index, size);
        const claim = { index, size, leafHash: leaf(index), root: root(size), proof };
        if (!verifyInclusion(claim)) throw new Error(`${index} of ${size} is refused`);
        const defined = rootOfPath(index, size, leaf(index), proof);
        if (!same(root(size), defined ?? emptyRoot())) throw new Error(`${index} of ${size} is no PATH`);
      }
    }
  });
  it('is refused with any byte changed: proof, leaf, root, at every size', () => {
    for (const size of sizes.slice(1)) {
      const index = (size * 7919) % size === 0 ? (size * 31) % size : (size * 7919) % size;
      for (const at of new Set([0, index, size >> 1, size - 1])) {
        const proof = inclusionProof(read, at, size);
        const claim = { index: at, size, leafHash: leaf(at), root: root(size), proof };
        const bad: (typeof claim)[] = [];
        if (at === index || size < 20) {
          for (const changed of changedProofs(proof, size)) bad.push({ ...claim, proof: changed });
        }
        for (const changed of misshapenProofs(proof)) bad.push({ ...claim, proof: changed });
        for (let byte = 0; byte < 32; byte++) {
          bad.push({ ...claim, leafHash: flip(claim.leafHash, byte, size % 8) });
          bad.push({ ...claim, root: flip(claim.root, byte, size % 8) });
        }
        const accepted = bad.find(verifyInclusion);
        if (accepted !== undefined) throw new Error(`${at} of ${size}: a changed claim is accepted`);
      }
    }
  });
  it('is judged as the definition judges it, whatever index and size are claimed', () => {
    const place = fc.integer({ min: 1, max: SIZES });
    fc.assert(
      fc.property(place, fc.nat(SIZES), place, fc.nat(SIZES + 1), (size, i, otherSize, other) => {
        const index = i % size;
        const proof = inclusionProof(read, index, size);
        for (const [claimed, of] of [
          [other, size],
          [index, otherSize],
          [other, otherSize],
        ] as const) {
          const claim = { index: claimed, size: of, leafHash: leaf(index), root: root(size), proof };
          const defined = rootOfPath(claimed, of, leaf(index), proof);
          expect(verifyInclusion(claim)).toBe(defined !== null && same(defined, root(size)));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('consistency', () => {
  it('is proven for every pair of sizes, and by the definition', () => {
    for (const size2 of sizes.slice(1)) {
      for (let size1 = 1; size1 <= size2; size1++) {
        const proof = consistencyProof(read, size1, size2);
        const claim = { size1, size2, root1: root(size1), root2: root(size2), proof };
        if (!verifyConsistency(claim)) throw new Error(`${size1} to ${size2} is refused`);
        const [old, now] = rootsOfProof(size1, size2, root(size1), proof) ?? [];
        if (!same(old, root(size1)) || !same(now, root(size2)))
          throw new Error(`${size1} to ${size2} is no PROOF`);
      }
    }
  });
  it('is refused with any byte changed: proof, either root, at every size', () => {
    for (const size2 of sizes.slice(2)) {
      const chosen = 1 + ((size2 * 7919) % (size2 - 1));
      for (const size1 of new Set([1, chosen, size2 >> 1, size2 - 1])) {
        const proof = consistencyProof(read, size1, size2);
        const claim = { size1, size2, root1: root(size1), root2: root(size2), proof };
        const bad: (typeof claim)[] = [];
        if (size1 === chosen || size2 < 20) {
          for (const changed of changedProofs(proof, size2)) bad.push({ ...claim, proof: changed });
        }
        for (const changed of misshapenProofs(proof)) bad.push({ ...claim, proof: changed });
        for (let byte = 0; byte < 32; byte++) {
          bad.push({ ...claim, root1: flip(claim.root1, byte, size2 % 8) });
          bad.push({ ...claim, root2: flip(claim.root2, byte, size2 % 8) });
        }
        const accepted = bad.find(verifyConsistency);
        if (accepted !== undefined) throw new Error(`${size1} to ${size2}: a changed claim is accepted`);
      }
    }
  });
  it('is judged as the definition judges it, whatever sizes are claimed', () => {
    const size = fc.integer({ min: 1, max: SIZES });
    fc.assert(
      fc.property(size, size, size, size, (a, b, c, d) => {
        const [size1, size2] = [Math.min(a, b), Math.max(a, b)];
        const proof = consistencyProof(read, size1, size2);
        for (const [old, now] of [
          [c, size2],
          [size1, d],
          [c, d],
        ] as const) {
          const claim = { size1: old, size2: now, root1: root(size1), root2: root(size2), proof };
          const defined = old <= now ? rootsOfProof(old, now, root(size1), proof) : null;
          const holds = defined !== null && same(defined[0], root(size1)) && same(defined[1], root(size2));
          expect(verifyConsistency(claim)).toBe(holds);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a whole log', () => {
  const judge = async (directory: MemoryDirectory): Promise<Verdict> =>
    (
      await verifyLog(directory, {
        vkeys: [testSigner().vkey],
        entries: 'opaque',
        verifySignature: fastVerify,
      })
    ).verdict;
  let all: MemoryDirectory;
  beforeAll(() => {
    all = rawLog(entries, { sizes: sizes });
  });

  it('verifies at every size, published there alone and after every size before', async () => {
    for (const size of sizes) {
      if ((await judge(rawLog(entries.slice(0, size)))) !== 'verified') throw new Error(`size ${size}`);
    }
    expect(await judge(all)).toBe('verified');
  });

  it('is refused at every size with any byte of any file changed', async () => {
    const random = fc.sample(fc.tuple(fc.nat(), fc.nat(), fc.nat(7)), { numRuns: 4 * sizes.length, seed: 3 });
    for (const size of sizes) {
      const directory = rawLog(entries.slice(0, size));
      const names = [...directory.files.keys()];
      for (let i = 0; i < 4; i++) {
        const [which, where, bit] = random[size * 4 + i] ?? [0, 0, 0];
        const name = names[which % names.length] ?? '';
        const bytes = directory.files.get(name) ?? new Uint8Array();
        directory.files.set(name, flip(bytes, where % bytes.length, bit));
        const verdict = await judge(directory);
        if (verdict === 'verified')
          throw new Error(`size ${size}: ${name} byte ${where % bytes.length} bit ${bit}`);
        directory.files.set(name, bytes);
      }
    }
  });

  it('is refused with any file taken away, emptied or of another size', async () => {
    for (const size of [1, 2, 255, 256, 257, 300]) {
      const directory = rawLog(entries.slice(0, size));
      for (const [name, bytes] of [...directory.files]) {
        // Software that is not ours publishes no history and no key.
        const optional = name === 'vkey' || name.startsWith('checkpoints/');
        directory.files.delete(name);
        expect(await judge(directory), name).toBe(optional ? 'verified' : 'missing');
        for (const other of [
          new Uint8Array(),
          bytes.subarray(1),
          bytes.subarray(0, -1),
          Uint8Array.of(...bytes, 10),
        ]) {
          directory.files.set(name, other);
          expect(await judge(directory), `${name} of ${other.length} bytes`).not.toBe('verified');
        }
        directory.files.set(name, bytes);
      }
    }
  });
});
