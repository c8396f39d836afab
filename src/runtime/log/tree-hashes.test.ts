// Proofs from the store's tiles are the proofs from all leaf hashes, for every size across tile borders.
import { describe, expect, it } from 'vitest';
import { appendLeaf, consistencyProof, inclusionProof, rangeRoot } from '../../audit/index.js';
import { MemoryStore, note } from '../../../test/audit/log-fixture.js';
import { rootAt, withHashes } from './tree-hashes.js';

const store = new MemoryStore();
store.append(Array.from({ length: 600 }, (_, i) => note(i)));
const leaves = store.rows.map((row) => row.leafHash);

describe('hashes for proofs', () => {
  it.each([1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 600])('make every proof of size %i', async (size) => {
    for (const index of [0, 1, Math.floor(size / 2), size - 1].filter((i) => i < size)) {
      const made = await withHashes(store, BigInt(size), (read) => inclusionProof(read, index, size));
      expect(made).toEqual(inclusionProof(leaves, index, size));
    }
    for (const old of [1, Math.ceil(size / 3), size]) {
      const made = await withHashes(store, BigInt(size), (read) => consistencyProof(read, old, size));
      expect(made).toEqual(consistencyProof(leaves, old, size));
    }
  });

  it.each([0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 599, 600])(
    'make the root of size %i, that of no entries too',
    async (size) => {
      const range = leaves
        .slice(0, size)
        .reduce<readonly Uint8Array[]>((so, leaf, i) => appendLeaf(so, BigInt(i), leaf), []);
      expect(await rootAt(store, BigInt(size))).toEqual(rangeRoot(range, BigInt(size)));
    },
  );

  it('reads each tile once', async () => {
    let reads = 0;
    const counted = {
      hashes(level: number, first: bigint, count: number) {
        reads += 1;
        return store.hashes(level, first, count);
      },
    };
    await withHashes(counted, 600n, (read) => [0, 1, 2, 255, 300].map((i) => inclusionProof(read, i, 600)));
    expect(reads).toBe(4);
  });

  it('does not accept a computation that asks for something else the second time', async () => {
    let call = 0n;
    await expect(withHashes(store, 600n, (read) => read(0, (call += 1n)))).rejects.toThrow(/second time/);
  });
});
