import { describe, expect, it } from 'vitest';
import {
  appendLeaf,
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHash,
  nodeHash,
  parseTilePath,
  rangeRoot,
  tilePath,
  tilesOfSize,
  verifyConsistency,
  verifyInclusion,
  type TileLevel,
} from '../../src/audit/index.js';
import {
  base64,
  corpus,
  CORPUS_NOTE,
  HAVE_CORPUS,
  hex,
  type ConsistencyCase,
  type InclusionCase,
} from './corpus.js';

interface Hashes {
  leaf: { data: string; hash: string }[];
  node: { left: string; right: string; hash: string }[];
  root: { size: number; leaves: string[]; root: string }[];
}
interface TilePaths {
  paths: { level?: TileLevel; n?: number | string; w?: number; path: string; ok: boolean }[];
  tree_tiles: {
    size: number | string;
    levels: { level: number; full: number; partial: number; partialPath?: string }[];
  }[];
}

const leaves = Array.from({ length: 1024 }, (_, i) => leafHash(new TextEncoder().encode(`leaf ${i}`)));

describe.skipIf(!HAVE_CORPUS)(`tree vectors${CORPUS_NOTE}`, () => {
  describe.each(['inclusion.json', 'generated-inclusion.json'])('%s', (file) => {
    it.each(corpus<{ tests: InclusionCase[] }>(file).tests ?? [])(
      '$name is judged as the vector says',
      (test) => {
        const verdict = verifyInclusion({
          index: test.leafIdx,
          size: test.treeSize,
          leafHash: base64(test.leafHash),
          root: base64(test.root),
          proof: test.proof?.map(base64) ?? null,
        });
        expect(verdict).toBe(!test.wantErr);
      },
    );
  });

  describe.each(['consistency.json', 'generated-consistency.json'])('%s', (file) => {
    it.each(corpus<{ tests: ConsistencyCase[] }>(file).tests ?? [])(
      '$name is judged as the vector says',
      (test) => {
        const verdict = verifyConsistency({
          size1: test.size1,
          size2: test.size2,
          root1: base64(test.root1),
          root2: base64(test.root2),
          proof: test.proof?.map(base64) ?? null,
        });
        expect(verdict).toBe(!test.wantErr);
      },
    );
  });

  it('makes the very proofs the vectors accept', () => {
    for (const test of corpus<{ tests: InclusionCase[] }>('generated-inclusion.json').tests ?? []) {
      // "size+1, same root" is a proof that also fits another size: accepted, but not one of that tree.
      if (!/^[0-9]+\/[0-9]+$/.test(test.name) || Number(test.treeSize) > leaves.length) continue;
      const proof = inclusionProof(leaves, test.leafIdx, test.treeSize);
      expect(proof.map((hash) => Buffer.from(hash).toString('base64'))).toEqual(test.proof);
    }
    for (const test of corpus<{ tests: ConsistencyCase[] }>('generated-consistency.json').tests ?? []) {
      if (test.wantErr || Number(test.size2) > leaves.length) continue;
      const proof = consistencyProof(leaves, test.size1, test.size2);
      expect(proof.map((hash) => Buffer.from(hash).toString('base64'))).toEqual(test.proof);
    }
  });

  it('gives the root of every size in roots.json', () => {
    let range: Uint8Array[] = [];
    for (const [size, root] of (corpus<{ roots: string[] }>('roots.json').roots ?? []).entries()) {
      expect(Buffer.from(rangeRoot(range, BigInt(size))).toString('hex')).toBe(root);
      range = appendLeaf(range, BigInt(size), leaves[size] ?? emptyRoot());
    }
  });

  const hashes = corpus<Hashes>('hashes.json');
  it('hashes leaves and nodes as hashes.json says', () => {
    expect(hashes.leaf?.length).toBeGreaterThan(0);
    for (const { data, hash } of hashes.leaf ?? []) expect(leafHash(hex(data))).toEqual(hex(hash));
    for (const { left, right, hash } of hashes.node ?? [])
      expect(nodeHash(hex(left), hex(right))).toEqual(hex(hash));
  });
  it('hashes whole trees as hashes.json says', () => {
    for (const { size, leaves: data, root } of hashes.root ?? []) {
      let range: Uint8Array[] = [];
      data.forEach((leaf, i) => (range = appendLeaf(range, BigInt(i), leafHash(hex(leaf)))));
      expect(rangeRoot(range, BigInt(size))).toEqual(hex(root));
    }
  });

  const { paths = [], tree_tiles = [] } = corpus<TilePaths>('tile-paths.json');
  it.each(paths)(
    'reads and writes the tile path $path as tile-paths.json says',
    ({ level, n, w, path, ok }) => {
      const tile = parseTilePath(path);
      if (!ok || level === undefined || n === undefined || w === undefined) {
        expect(tile).toBeNull();
        return;
      }
      expect(tile).toEqual({ level, n: BigInt(n), width: w });
      expect(tilePath({ level, n: BigInt(n), width: w })).toBe(path);
    },
  );
  it.each(tree_tiles)('lists the tiles of a tree of size $size', ({ size, levels }) => {
    const tiles = tilesOfSize(BigInt(size));
    expect(tiles.map(({ level, full, partial }) => ({ level, full: Number(full), partial }))).toEqual(
      // The vectors count partial tiles at the end of a level as their width.
      levels.map(({ level, full, partial }) => ({ level, full, partial })),
    );
    for (const { level, partial, partialPath } of levels) {
      const count = tiles.find((tile) => tile.level === level);
      if (partialPath === undefined || count === undefined) continue;
      expect(tilePath({ level, n: count.full, width: partial })).toBe(partialPath);
    }
  });
});
