// Hashes of the log's tree, for proofs and for the roots of earlier sizes. The proof algorithms are pure and ask one
// hash at a time; the store answers in tiles and later. So a proof is computed twice: once to learn what it asks for,
// once with the answers.
import type { HashReader } from '../../audit/hash-reader.js';
import { perfectRoot, rangeFromEdge, rangeRoot } from '../../audit/compact-range.js';
import { hashesAtLevel, TILE_WIDTH, tilesOfSize } from '../../audit/tile-path.js';
import { WritError } from '../../errors.js';
import type { Store } from '../ports.js';

const TILE_LEVELS = 8;
const UNKNOWN = new Uint8Array(32);

/**
 * What `compute` gives with hashes of the tree of `size` entries, which the store must hold. `compute` is called
 * twice and must ask for the same hashes each time, whatever they are. Reads each tile once. Throws STORE_IO.
 */
export async function withHashes<T>(
  store: Pick<Store, 'hashes'>,
  size: bigint,
  compute: (read: HashReader) => T,
): Promise<T> {
  const wanted = new Map<string, { readonly level: number; readonly index: bigint }>();
  compute((level, index) => {
    wanted.set(`${level}/${index}`, { level, index });
    return UNKNOWN;
  });
  const tiles = new Map<string, readonly Uint8Array[]>();
  const hashes = new Map<string, Uint8Array>();
  for (const [place, { level, index }] of wanted) {
    const tileLevel = Math.floor(level / TILE_LEVELS);
    const inTile = level % TILE_LEVELS;
    const first = index << BigInt(inTile);
    const n = first / BigInt(TILE_WIDTH);
    const key = `${tileLevel}/${n}`;
    const tile = tiles.get(key) ?? (await readTile(store, size, tileLevel, n));
    tiles.set(key, tile);
    const start = Number(first % BigInt(TILE_WIDTH));
    hashes.set(place, perfectRoot(tile.slice(start, start + 2 ** inTile)));
  }
  return compute((level, index) => {
    const hash = hashes.get(`${level}/${index}`);
    if (hash === undefined) throw new WritError('INTERNAL', 'a proof asked for another hash the second time');
    return hash;
  });
}

/** The hashes of a tile of the tree of `size` entries, up to 256. */
function readTile(
  store: Pick<Store, 'hashes'>,
  size: bigint,
  level: number,
  n: bigint,
): Promise<readonly Uint8Array[]> {
  const first = n * BigInt(TILE_WIDTH);
  const left = hashesAtLevel(size, level) - first;
  return store.hashes(level, first, left < BigInt(TILE_WIDTH) ? Number(left) : TILE_WIDTH);
}

/** Root of an earlier size (0 too) or of this one, from the right edge of that tree. Reads at most 255 hashes a level. */
export async function rootAt(store: Pick<Store, 'hashes'>, size: bigint): Promise<Uint8Array> {
  const edge: (readonly Uint8Array[])[] = [];
  for (const { level, full, partial } of tilesOfSize(size)) {
    edge.push(partial === 0 ? [] : await store.hashes(level, full * BigInt(TILE_WIDTH), partial));
  }
  return rangeRoot(rangeFromEdge(edge), size);
}
