// The hashes of a whole tile in one piece. A walk over a log makes two hashes a leaf; an array of its own for each, and
// copies from one to the other, would cost it half as much again.
import { WritError } from '../errors.js';
import { TILE_WIDTH } from './tile-path.js';

const HASH_BYTES = 32;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** SHA-256 (FIPS 180-4) of `bytes`, written into `into` from `at` on. It keeps nothing of `bytes`. */
export type Sha256Into = (bytes: Uint8Array, into: Uint8Array, at: number) => void;

/** The tree's hashes (RFC 6962 section 2.1), tile by tile. */
export interface TileHasher {
  /** The leaf hashes of `entries`, as a tile. */
  readonly leaves: (entries: readonly Uint8Array[]) => Uint8Array;
  /** The hash that a full tile has in the tile above it. */
  readonly root: (tile: Uint8Array) => Uint8Array;
}

/** As `treeHasher`, for tiles: hashing is synchronous, so all messages lie in the same memory. */
export function tileHasher(hash: Sha256Into): TileHasher {
  let leafMessage = new Uint8Array(1024);
  // A row of the tree, shrinking to its root, and behind it the message for the next node.
  const row = new Uint8Array(TILE_BYTES + 1 + 2 * HASH_BYTES);
  const nodeMessage = row.subarray(TILE_BYTES);
  return {
    leaves(entries) {
      const tile = new Uint8Array(entries.length * HASH_BYTES);
      for (const [i, entry] of entries.entries()) {
        if (entry.length >= leafMessage.length) leafMessage = new Uint8Array(entry.length * 2 + 1);
        leafMessage.set(entry, 1);
        hash(leafMessage.subarray(0, entry.length + 1), tile, i * HASH_BYTES);
      }
      return tile;
    },
    root(tile) {
      if (tile.length !== TILE_BYTES)
        throw new WritError('INTERNAL', `a tile of ${tile.length} bytes has no root in the level above`);
      row.set(tile);
      nodeMessage[0] = 1;
      for (let nodes = TILE_WIDTH / 2; nodes >= 1; nodes /= 2) {
        for (let i = 0; i < nodes; i++) {
          row.copyWithin(TILE_BYTES + 1, i * 2 * HASH_BYTES, (i + 1) * 2 * HASH_BYTES);
          hash(nodeMessage, row, i * HASH_BYTES);
        }
      }
      return row.slice(0, HASH_BYTES);
    },
  };
}
