// Rule 5, one pass from the first entry to the last: entries hash to the stored level-0 tiles, stored tiles to
// their parents, the right edge to the root. Memory is one tile a level. Where two files disagree, the one that
// its parent (or the signed root) confirms is right and the other is named.
import { rangeFromEdge, rangeRoot } from '../compact-range.js';
import { decodeBundle, decodeTile, encodeTile } from '../tile.js';
import type { TileHasher } from '../tile-hash.js';
import { hashesAtLevel, TILE_WIDTH, tilePath, type Tile, type TileLevel } from '../tile-path.js';
import { equalBytes } from '../tree-hash.js';
import type { FindingList } from './report.js';
import type { LogSource } from './source.js';

/** The leaves of one tile, in order; all but the last batch have 256. */
export interface LeafBatch {
  /** Index of the first leaf. */
  readonly first: bigint;
  /** How many leaves. */
  readonly width: number;
  /** Their hashes, as a tile. */
  readonly hashes: Uint8Array;
  /** Root of the tile; null when it is partial. */
  readonly root: Uint8Array | null;
  /** Their entries, each of which hashes to its leaf; null when they are absent or disagree. */
  readonly bundle: Uint8Array | null;
  /** What `layOutBatch` makes of `bundle`; null where the walk had no time for it. */
  readonly layouts: Int32Array<ArrayBuffer> | null;
}

/** A bundle and the entries in it. */
interface Bundle {
  readonly bytes: Uint8Array;
  readonly entries: readonly Uint8Array[];
}

/**
 * Gives the leaves of the tree of `size`, as `walkTree` does for the files of the same log: one way to have them read
 * and hashed somewhere else, such as in a thread of its own. What is wrong is in `findings` before the batch is given.
 */
export type WalkTree = (size: bigint, root: Uint8Array, findings: FindingList) => AsyncIterable<LeafBatch>;

/** A tile as it is stored and as its children make it; equal unless something was changed. */
interface Claims {
  readonly tile: Tile & { readonly level: number };
  readonly stored: Uint8Array;
  readonly computed: Uint8Array;
}

/** The hashes of a full tile that are taken as right, and the tile's root over them. */
interface Settled {
  readonly hash: Uint8Array;
  readonly hashes: Uint8Array;
}

interface OpenTile {
  readonly tile: Tile & { readonly level: number };
  readonly stored: Uint8Array | null;
  /** Roots of the tiles below, as they are closed. */
  readonly computed: Uint8Array[];
}

/**
 * Yields the leaves of the tree of `size`, adding what is wrong to `findings`. Ends early where neither entries
 * nor hashes of a tile can be read: then the rest can't be judged, and findings say what is missing.
 */
export async function* walkTree(
  source: LogSource,
  size: bigint,
  root: Uint8Array,
  findings: FindingList,
  hasher: TileHasher,
): AsyncGenerator<LeafBatch> {
  /** By level: the tile whose children are being read. */
  const open = new Map<number, OpenTile>();
  const edge: Claims[] = [];
  let last: { bundle: Bundle | null; claims: Claims } | null = null;

  for (let n = 0n; n * 256n < size; n++) {
    const tile = { level: 0, n, width: widthAt(size, 0, n) };
    const bundle = await readBundle(source, { ...tile, level: 'entries' }, findings);
    const stored = await readTile(source, tile, findings);
    const computed = bundle === null ? stored : hasher.leaves(bundle.entries);
    if (computed === null) return;
    const claims: Claims = { tile, stored: stored ?? computed, computed };
    if (tile.width < TILE_WIDTH) {
      last = { bundle, claims };
      break;
    }
    const { hash, hashes } = await closeTile(claims);
    yield batch(n, hashes, hash, bundle, computed);
  }

  for (const parent of open.values()) edge.push(claimsOf(parent));
  if (last !== null) edge.push(last.claims);
  const trusted = settleEdge(edge, size, root, findings);
  if (last !== null) {
    const { claims, bundle } = last;
    yield batch(claims.tile.n, claims[trusted], null, bundle, claims.computed);
  }

  /** Compares a full tile with its parent, and every ancestor that becomes full with it. */
  async function closeTile(claims: Claims): Promise<Settled> {
    const first = await settleFull(claims);
    let hash = first.hash;
    let child = claims.tile;
    for (;;) {
      const parent = await parentOf(child);
      parent.computed.push(hash);
      if (parent.computed.length < TILE_WIDTH) break;
      open.delete(parent.tile.level);
      hash = (await settleFull(claimsOf(parent))).hash;
      child = parent.tile;
    }
    return first;
  }

  /** The hashes and the root of a full tile that its parent confirms; the stored ones when it confirms neither. */
  async function settleFull(claims: Claims): Promise<Settled> {
    const { tile, stored, computed } = claims;
    const hash = hasher.root(stored);
    if (equalBytes(stored, computed)) return { hash, hashes: computed };
    const parent = (await parentOf(tile)).stored;
    const expected = parent === null ? undefined : hashAt(parent, Number(tile.n % 256n));
    const other = hasher.root(computed);
    if (expected !== undefined && !equalBytes(hash, expected) && equalBytes(other, expected)) {
      reportTile(claims, findings);
      return { hash: other, hashes: computed };
    }
    reportChildren(claims, findings);
    return { hash, hashes: stored };
  }

  async function parentOf(child: Tile & { level: number }): Promise<OpenTile> {
    const level = child.level + 1;
    const known = open.get(level);
    if (known !== undefined) return known;
    const n = child.n / 256n;
    const tile = { level, n, width: widthAt(size, level, n) };
    const opened: OpenTile = { tile, stored: await readTile(source, tile, findings), computed: [] };
    open.set(level, opened);
    return opened;
  }
}

function claimsOf({ tile, stored, computed }: OpenTile): Claims {
  const made = encodeTile(computed);
  return { tile, stored: stored ?? made, computed: made };
}

/** The right edge against the signed root: which of the two claims hold. Reports what doesn't. */
function settleEdge(
  edge: readonly Claims[],
  size: bigint,
  root: Uint8Array,
  findings: FindingList,
): 'stored' | 'computed' {
  const edgeRoot = (which: 'stored' | 'computed'): Uint8Array => {
    const hashes: (readonly Uint8Array[])[] = [];
    for (let level = 0; hashesAtLevel(size, level) > 0n; level++) {
      const claims = edge.find(({ tile }) => tile.level === level);
      hashes.push(claims === undefined ? [] : hashesOf(claims[which]));
    }
    return rangeRoot(rangeFromEdge(hashes), size);
  };
  const storedHolds = equalBytes(edgeRoot('stored'), root);
  const computedHolds = !storedHolds && equalBytes(edgeRoot('computed'), root);
  for (const claims of edge) {
    if (equalBytes(claims.stored, claims.computed)) continue;
    if (computedHolds) reportTile(claims, findings);
    else reportChildren(claims, findings);
  }
  if (!storedHolds && !computedHolds) {
    findings.add('root-mismatch', `the tiles of size ${size} do not hash to the root in the checkpoint`);
  }
  return computedHolds ? 'computed' : 'stored';
}

function reportTile(claims: Claims, findings: FindingList): void {
  const path = tilePath(claims.tile);
  const what = claims.tile.level === 0 ? 'the entries' : 'the tiles below it';
  findings.add('tile-mismatch', `${path} is not what ${what} hash to`, { path });
}

function reportChildren(claims: Claims, findings: FindingList): void {
  const { tile, stored, computed } = claims;
  hashesOf(stored).forEach((hash, i) => {
    const child = tile.n * 256n + BigInt(i);
    const other = hashAt(computed, i);
    if (other.length === 0 || equalBytes(hash, other)) return;
    if (tile.level === 0) {
      findings.add('entry-mismatch', `entry ${child} does not hash to its leaf`, {
        index: child,
        path: tilePath({ ...tile, level: 'entries' }),
      });
    } else {
      const path = tilePath({ level: tile.level - 1, n: child, width: TILE_WIDTH });
      findings.add('tile-mismatch', `${path} does not hash to its place in ${tilePath(tile)}`, { path });
    }
  });
}

/** The `i`th hash of a tile; nothing where the tile has none. */
function hashAt(tile: Uint8Array, i: number): Uint8Array {
  return tile.subarray(i * 32, i * 32 + 32);
}

function hashesOf(tile: Uint8Array): Uint8Array[] {
  return Array.from({ length: tile.length / 32 }, (_, i) => hashAt(tile, i));
}

function batch(
  n: bigint,
  hashes: Uint8Array,
  root: Uint8Array | null,
  bundle: Bundle | null,
  computed: Uint8Array,
): LeafBatch {
  const agree = hashes === computed || equalBytes(hashes, computed);
  const given = agree ? bundle : null;
  const width = hashes.length / 32;
  return { first: n * 256n, width, hashes, root, bundle: given?.bytes ?? null, layouts: null };
}

function widthAt(size: bigint, level: TileLevel, n: bigint): number {
  const left = hashesAtLevel(size, level) - n * 256n;
  return left < 256n ? Number(left) : TILE_WIDTH;
}

/** A tile; null, and a finding, when it is absent or can't be read. */
async function readTile(source: LogSource, tile: Tile, findings: FindingList): Promise<Uint8Array | null> {
  const path = tilePath(tile);
  const bytes = await source.get(path);
  if (bytes === null) findings.add('missing', `${path} is missing`, { path });
  if (bytes === null || decodeTile(bytes, tile.width) !== null) return bytes;
  findings.add('malformed', `${path} is not a whole number of hashes of its width`, { path });
  return null;
}

/** As `readTile`, a bundle. */
async function readBundle(source: LogSource, tile: Tile, findings: FindingList): Promise<Bundle | null> {
  const path = tilePath(tile);
  const bytes = await source.get(path);
  if (bytes === null) findings.add('missing', `${path} is missing`, { path });
  const entries = bytes === null ? null : decodeBundle(bytes, tile.width);
  if (bytes !== null && entries !== null) return { bytes, entries };
  if (bytes !== null) findings.add('malformed', `${path} does not hold exactly its entries`, { path });
  return null;
}
