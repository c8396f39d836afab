// Rule 4: every checkpoint seen before must be a prefix of this log. Given ones (old copies, the trust record) and
// those in `checkpoints/` are compared with the root of their size while the tree goes by; none is kept.
import { WritError } from '../../errors.js';
import { appendLeaf, rangeFromEdge, rangeRoot } from '../compact-range.js';
import { decodeTile } from '../tile.js';
import { parseCheckpointPath, TILE_WIDTH } from '../tile-path.js';
import { equalBytes } from '../tree-hash.js';
import type { Checkpoint } from '../checkpoint.js';
import type { Cosignature } from '../cosignature.js';
import type { Growth } from './growth.js';
import { MAX_FINDINGS, type Finding, type FindingList, type Where } from './report.js';
import type { OpenCheckpoint, ReadCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import type { TimeBound } from './time-bound.js';
import type { LeafBatch } from './tree-walk.js';

/** A checkpoint this log has to agree with, and where it comes from. */
export interface Seen {
  readonly checkpoint: Checkpoint;
  readonly what: string;
  readonly path?: string;
  readonly cosignatures: readonly Cosignature[];
  /** Why it is not trusted yet: only a key that the trusted one replaced may have signed it. Null = it is signed. */
  readonly unsigned: string | null;
}

/** One in `checkpoints/` that can't be compared, and why: told in its place among the others. */
export interface Unusable {
  readonly path: string;
  readonly size: bigint;
  readonly verdict: Finding['verdict'];
  readonly message: string;
}

export type Earlier = Seen | Unusable;

const sizeOf = (one: Earlier): bigint => ('verdict' in one ? one.size : one.checkpoint.size);

/** What the note says, when it is signed or may be signed by a former key; null when it is neither. */
export function seenOf(read: ReadCheckpoint, what: string, path?: string): Seen | null {
  const told = 'verdict' in read ? read.claimed : read;
  if (told === undefined) return null;
  const { checkpoint, cosignatures } = told;
  const unsigned = 'verdict' in read ? read.message : null;
  return { checkpoint, what, ...(path === undefined ? {} : { path }), cosignatures, unsigned };
}

/** Compares checkpoints, in ascending size, with the tree's roots. Memory: one compact range and one checkpoint. */
export class History {
  /** Compact range over the roots of the full tiles so far. */
  private range: Uint8Array[] = [];
  private tiles = 0n;
  private next: Earlier | null = null;
  /** Some checkpoint waits for the keys that the log once had. */
  waiting = false;
  /** Those of them that are no prefix of this log, by `what`; bounded, since each becomes a finding. */
  readonly waitingForks = new Set<string>();

  constructor(
    private readonly seen: AsyncIterator<Earlier>,
    private readonly newest: Checkpoint,
    /** Copies in `checkpoints/` may be there of what is published meanwhile. */
    private readonly growth: Growth,
    /** Sizes alone decide: rollback, or another root for the same size. */
    private readonly early: FindingList,
    /** Decided by the tree, so it counts only when the tree itself is whole. */
    private readonly forks: FindingList,
    /** The bound on time that cosignatures give (`boundOf`); null = none. */
    private readonly bound: (cosignatures: readonly Cosignature[]) => bigint | null,
  ) {}

  /** Batches in order, all of them full but the last. Returns what bounds the time of entries up to this batch. */
  async observe(batch: LeafBatch): Promise<readonly TimeBound[]> {
    const bounds: TimeBound[] = [];
    const end = batch.first + BigInt(batch.width);
    for (let seen = await this.peek(); seen !== null && sizeOf(seen) <= end; seen = await this.peek()) {
      this.next = null;
      if ('verdict' in seen) {
        this.tell(seen);
        continue;
      }
      const count = Number(seen.checkpoint.size - batch.first);
      const range =
        count === TILE_WIDTH && batch.root !== null
          ? appendLeaf(this.range, this.tiles, batch.root)
          : [...this.range, ...rangeFromEdge([hashesOf(batch).slice(0, count)])];
      const seconds = (await this.judge(seen, rangeRoot(range, seen.checkpoint.size)))
        ? this.bound(seen.cosignatures)
        : null;
      if (seconds !== null) bounds.push({ size: seen.checkpoint.size, seconds, what: seen.what });
    }
    if (batch.root === null) return bounds;
    this.range = appendLeaf(this.range, this.tiles, batch.root);
    this.tiles += 1n;
    return bounds;
  }

  /** What is left when the tree has ended. */
  async finish(): Promise<void> {
    for (let seen = await this.peek(); seen !== null; seen = await this.peek()) {
      this.next = null;
      if ('verdict' in seen) this.tell(seen);
      else await this.judge(seen, null);
    }
  }

  private tell({ verdict, message, path }: Unusable): void {
    this.early.add(verdict, message, { path });
  }

  private async peek(): Promise<Earlier | null> {
    if (this.next === null) {
      const step = await this.seen.next();
      this.next = step.done === true ? null : step.value;
    }
    return this.next;
  }

  /** True when it is a prefix of this log. */
  private async judge(seen: Seen, root: Uint8Array | null): Promise<boolean> {
    const { size } = seen.checkpoint;
    const where: Where = seen.path === undefined ? {} : { path: seen.path };
    // Only the log's own copies: what was given from outside is to be judged, not to be overtaken.
    const isAhead = seen.path !== undefined && size > this.newest.size && (await this.growth.reaches(size));
    if (seen.unsigned !== null) {
      // A former key's time ended inside this tree: what is larger is nobody's.
      if (size > this.newest.size) this.early.add('bad-signature', `${seen.what}: ${seen.unsigned}`, where);
      else this.waiting = true;
    }
    const known = isAhead || size === this.newest.size ? this.growth.rootOf(size) : root;
    if (known !== null && equalBytes(seen.checkpoint.root, known)) return !isAhead;
    if (seen.unsigned !== null) {
      if (size <= this.newest.size && this.waitingForks.size < MAX_FINDINGS) this.waitingForks.add(seen.what);
    } else if (isAhead) {
      const message = `${seen.what} has another root than the checkpoint that is published by now`;
      if (known !== null) this.early.add('fork', message, where);
    } else if (size > this.newest.size) {
      const message = `the log had size ${size} (${seen.what}), its checkpoint says ${this.newest.size}`;
      this.early.add('rollback', message, where);
    } else if (size === this.newest.size) {
      this.early.add('fork', `${seen.what} has another root for size ${size}`, where);
    } else if (root !== null) {
      this.forks.add('fork', `${seen.what} of size ${size} is not a prefix of this log`, where);
    }
    return false;
  }
}

function hashesOf({ hashes, width, first }: LeafBatch): readonly Uint8Array[] {
  const all = decodeTile(hashes, width);
  if (all !== null) return all;
  throw new WritError('INTERNAL', `the batch from entry ${first} has not one hash for each entry`);
}

/** Merges two ascending streams into one. */
export async function* mergeSeen(
  given: readonly Seen[],
  published: AsyncIterable<Earlier>,
): AsyncGenerator<Earlier> {
  const rest = given.toSorted((a, b) => compare(a.checkpoint.size, b.checkpoint.size));
  for await (const seen of published) {
    while (rest[0] !== undefined && rest[0].checkpoint.size <= sizeOf(seen)) {
      yield rest[0];
      rest.shift();
    }
    yield seen;
  }
  yield* rest;
}

/** The checkpoints of `checkpoints/`, ascending. */
export async function* publishedCheckpoints(
  source: LogSource,
  openCheckpoint: OpenCheckpoint,
): AsyncGenerator<Earlier> {
  if (source.list === undefined) return;
  let last = -1n;
  for await (const path of source.list('checkpoints')) {
    const size = parseCheckpointPath(path);
    // Other names are judged with all files; a source that lists out of order can't be compared in one pass.
    if (size === null) continue;
    const bytes = await source.get(path);
    const read = bytes === null ? null : openCheckpoint(bytes);
    const seen = read === null ? null : seenOf(read, path, path);
    if (read === null) {
      yield { path, size, verdict: 'missing', message: `${path} is listed but can't be read` };
    } else if (seen === null) {
      if ('verdict' in read) yield { path, size, verdict: read.verdict, message: `${path}: ${read.message}` };
    } else if (size <= last || (seen.checkpoint.size !== size && seen.unsigned === null)) {
      const message = `${path} holds the checkpoint of size ${seen.checkpoint.size}`;
      yield { path, size, verdict: 'malformed', message };
    } else {
      last = size;
      // What it says counts only once it is signed; until then its place is what its name says.
      yield { ...seen, checkpoint: { ...seen.checkpoint, size } };
    }
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
