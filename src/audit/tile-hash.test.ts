import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { platformSha256Into } from '../adapters/hash.js';
import { perfectRoot } from './compact-range.js';
import { sha256 } from './sha256.js';
import { encodeTile } from './tile.js';
import { tileHasher, type Sha256Into } from './tile-hash.js';

const portableInto: Sha256Into = (bytes, into, at) => {
  into.set(sha256(bytes), at);
};
const leafOf = (entry: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Uint8Array.of(0)).update(entry).digest());
/** Longer and shorter ones take turns: the message array is used again. */
const LENGTHS = [0, 1, 65_535, 5, 1022, 1023, 1024, 1025, 0, 300];
const entries = Array.from({ length: 256 }, (_, i) => new Uint8Array(LENGTHS[i] ?? (i * 37) % 700).fill(i));

describe.each([
  ['of the platform', platformSha256Into],
  ['of this room', portableInto],
])('the hashes of a tile, by the SHA-256 %s', (_name, hash) => {
  const hasher = tileHasher(hash);
  const leaves = entries.map(leafOf);

  it('are those of RFC 6962, leaf by leaf and at the root', () => {
    const tile = hasher.leaves(entries);
    expect(tile).toEqual(encodeTile(leaves));
    expect(hasher.root(tile)).toEqual(perfectRoot(leaves));
    expect(hasher.leaves(entries.slice(3, 5))).toEqual(encodeTile(leaves.slice(3, 5)));
    expect(hasher.leaves([])).toEqual(new Uint8Array(0));
  });

  it('share no memory with what was hashed before, nor with what is hashed next', () => {
    const tile = hasher.leaves(entries);
    const kept = tile.slice();
    const root = hasher.root(tile);
    const keptRoot = root.slice();
    hasher.root(hasher.leaves(entries.toReversed()));
    expect(tile).toEqual(kept);
    expect(root).toEqual(keptRoot);
    tile.fill(0);
    expect(hasher.root(kept)).toEqual(keptRoot);
  });

  it('have no root unless the tile is full', () => {
    expect(() => hasher.root(hasher.leaves(entries.slice(1)))).toThrow(/no root/);
  });
});
