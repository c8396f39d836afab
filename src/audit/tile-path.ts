// Names of the files of a tree (C2SP tlog-tiles). A tile has one valid path, and a path names one tile.
import { parseTreeSize } from './tree-size.js';

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;

/** Level 0..63 of hashes, or the entry bundles. */
export type TileLevel = number | 'entries';

export interface Tile {
  readonly level: TileLevel;
  readonly n: bigint;
  /** 1..256; 256 is a full tile. */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, N in 3-digit elements, all but the last with `x`. */
export function tilePath(tile: Tile): string {
  const digits = tile.n.toString();
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const elements = padded.match(/[0-9]{3}/g) ?? [];
  const n = elements.map((e, i) => (i < elements.length - 1 ? `x${e}` : e)).join('/');
  return `tile/${tile.level}/${n}${tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`}`;
}

const SHAPE = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,6}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** null unless `path` (attacker-controlled) is the shortest form of a tile's path. */
export function parseTilePath(path: string): Tile | null {
  const match = SHAPE.exec(path);
  if (match === null) return null;
  const [, level = '', elements = '', width = '256'] = match;
  if (match[3] === '256') return null;
  const n = parseTreeSize(elements.replace(/[x/]/g, '').replace(/^0+(?=[0-9])/, ''));
  if (n === null || Number(width) > TILE_WIDTH) return null;
  if (level !== 'entries' && Number(level) > 63) return null;
  const tile: Tile = { level: level === 'entries' ? 'entries' : Number(level), n, width: Number(width) };
  return tilePath(tile) === path ? tile : null;
}

export interface TileCount {
  readonly level: number;
  /** Full tiles 0..full-1 exist. */
  readonly full: bigint;
  /** Width of the one partial tile, numbered `full`; 0 = there is none. */
  readonly partial: number;
}

/** Hashes at a tile level in a tree of `size`: floor(size / 256^level); entries count as level 0. */
export function hashesAtLevel(size: bigint, level: TileLevel): bigint {
  return level === 'entries' ? size : size >> (8n * BigInt(level));
}

/** The tiles that exist for a tree of `size`, level 0 first; empty for size 0. Bundles follow level 0. */
export function tilesOfSize(size: bigint): TileCount[] {
  const levels: TileCount[] = [];
  for (let level = 0; hashesAtLevel(size, level) > 0n; level++) {
    const hashes = hashesAtLevel(size, level);
    levels.push({ level, full: hashes / 256n, partial: Number(hashes % 256n) });
  }
  return levels;
}

/** `checkpoints/<size, 20 digits>`. */
export function checkpointPath(size: bigint): string {
  return `checkpoints/${size.toString().padStart(20, '0')}`;
}

/** The size a path below `checkpoints/` names; null for any other path. */
export function parseCheckpointPath(path: string): bigint | null {
  const match = /^checkpoints\/0*((?:0|[1-9][0-9]*))$/.exec(path);
  const size = match?.[1] === undefined ? null : parseTreeSize(match[1]);
  return size !== null && checkpointPath(size) === path ? size : null;
}

/** `checkpoints/<size, 20 digits>.tsr`: a time stamp response over that checkpoint's text. */
export function timestampPath(size: bigint): string {
  return `${checkpointPath(size)}.tsr`;
}

/** The size a path of a time stamp names; null for any other path. */
export function parseTimestampPath(path: string): bigint | null {
  return path.endsWith('.tsr') ? parseCheckpointPath(path.slice(0, -'.tsr'.length)) : null;
}
