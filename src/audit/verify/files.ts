// Rule 5, the other half: exactly the files the size requires. Partial tiles of earlier checkpoints may stay, when
// they are the beginning of what covers them now; everything else that is there is `extra`.
import { decodeBundle, decodeTile } from '../tile.js';
import {
  hashesAtLevel,
  parseCheckpointPath,
  parseTilePath,
  parseTimestampPath,
  tilePath,
  type Tile,
} from '../tile-path.js';
import { equalBytes } from '../tree-hash.js';
import type { Growth } from './growth.js';
import type { FindingList } from './report.js';
import type { LogSource } from './source.js';

const KNOWN = new Set(['checkpoint', 'vkey']);

/** The files of a log whose tree has `size`; what is wrong goes to `findings`, what nobody judges to `warnings`. */
export interface JudgedFiles {
  readonly source: LogSource;
  readonly list: (under?: string) => AsyncIterable<string>;
  readonly size: bigint;
  /** Files of a publication that was interrupted or made meanwhile may be there, and are not judged. */
  readonly growth: Growth;
  readonly findings: FindingList;
  readonly warnings: string[];
}

/** Judges every listed file by name, and kept partial tiles by content. The walk judges what the size requires. */
export async function checkFiles(judged: JudgedFiles): Promise<void> {
  const { source, list, size, growth, findings, warnings } = judged;
  const cover: Cover = { path: null, bytes: null };
  let unfinished = 0;
  let timestamps = 0;
  for await (const path of list()) {
    if (KNOWN.has(path) || parseCheckpointPath(path) !== null) continue;
    if (path === 'pending') {
      // One that was listed is gone when what it led to is published.
      if ((await source.get(path)) === null && !(await growth.reaches(size + 1n)))
        findings.add('extra', `${path} is listed but is no file`, { path });
    } else if (path === 'policy') {
      warnings.push('the file policy in the log is a suggestion of whoever keeps the log: not read');
    } else if (path.endsWith('.tmp')) {
      unfinished += 1;
    } else if (parseTimestampPath(path) !== null) {
      timestamps += 1;
      // A time stamp belongs to the checkpoint beside it.
      if ((await source.get(path.slice(0, -'.tsr'.length))) === null || (await source.get(path)) === null)
        findings.add('extra', `${path} is a time stamp of no checkpoint`, { path });
    } else if (path.startsWith('tile/')) {
      await checkTileFile(judged, path, cover);
    } else {
      findings.add('extra', `${path} is no file of a log`, { path });
    }
  }
  if (timestamps > 0)
    warnings.push(`${timestamps} time stamps (*.tsr) were not checked: openssl ts -verify does`);
  if (unfinished > 0)
    warnings.push(`${unfinished} *.tmp files are left over from writes that did not finish`);
}

/** The covering file last read: partial tiles of one tile are listed together. */
interface Cover {
  path: string | null;
  bytes: Uint8Array | null;
}

async function checkTileFile(
  { source, size, growth, findings }: JudgedFiles,
  path: string,
  cover: Cover,
): Promise<void> {
  const tile = parseTilePath(path);
  if (tile === null) {
    findings.add('malformed', `${path} is no path of a tile`, { path });
    return;
  }
  const hashes = hashesAtLevel(size, tile.level);
  const end = tile.n * 256n + BigInt(tile.width);
  if (end > hashes) {
    if (await isComing(tile, growth)) return;
    findings.add('extra', `${path} lies beyond the tree of size ${size}`, { path });
    return;
  }
  const covering = coveringTile(tile, size);
  const coverPath = tilePath(covering);
  if (coverPath === path) return;
  if (cover.path !== coverPath) {
    cover.bytes = await source.get(coverPath);
    cover.path = coverPath;
  }
  const bytes = await source.get(path);
  if (bytes === null) {
    // A link, a FIFO, a device: a name without bytes.
    findings.add('extra', `${path} is listed but is no file`, { path });
    return;
  }
  // An absent or unreadable cover is a finding of the walk already.
  if (cover.bytes !== null) comparePartial({ tile, bytes }, { tile: covering, bytes: cover.bytes }, findings);
}

/** Whether this file, beyond the judged tree, is of what is published by now: the last of it, or something on the way. */
async function isComing(tile: Tile, growth: Growth): Promise<boolean> {
  const end = tile.n * 256n + BigInt(tile.width);
  if (!(await growth.reaches(tile.level === 'entries' ? end : end << BigInt(8 * tile.level)))) return false;
  return coveringTile(tile, growth.size).width === tile.width || growth.hasMoved();
}

/** The tile that a tree of `size` has in this tile's place. */
function coveringTile(tile: Tile, size: bigint): Tile {
  const hashes = hashesAtLevel(size, tile.level);
  const full = (tile.n + 1n) * 256n <= hashes;
  return { ...tile, width: full ? 256 : Number(hashes % 256n) };
}

interface TileFile {
  readonly tile: Tile;
  readonly bytes: Uint8Array;
}

/** A partial tile is the beginning of what covers it now. */
function comparePartial({ tile, bytes }: TileFile, covering: TileFile, findings: FindingList): void {
  const decode = tile.level === 'entries' ? decodeBundle : decodeTile;
  const path = tilePath(tile);
  const parts = decode(bytes, tile.width);
  const whole = decode(covering.bytes, covering.tile.width);
  if (parts === null) {
    findings.add('malformed', `${path} does not hold exactly ${tile.width} items`, { path });
    return;
  }
  const at = parts.findIndex((part, i) => whole !== null && !equalBytes(part, whole[i] ?? new Uint8Array(0)));
  if (at < 0) return;
  const index = tile.n * 256n + BigInt(at);
  if (tile.level === 'entries') {
    findings.add('entry-mismatch', `${path} has another entry ${index} than the log`, { index, path });
  } else {
    findings.add('tile-mismatch', `${path} is not the beginning of ${tilePath(covering.tile)}`, { path });
  }
}
