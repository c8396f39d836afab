// Rule 4: every checkpoint seen before must be a prefix of this log. Given ones (old copies, the trust record) and
// those in `checkpoints/` are compared with the root of their size while the tree goes by; none is kept.
import { appendLeaf, rangeFromEdge, rangeRoot } from '../compact-range.js';
import { parseCheckpointPath, TILE_WIDTH } from '../tile-path.js';
import { equalBytes } from '../tree-hash.js';
import type { Checkpoint } from '../checkpoint.js';
import type { FindingList, Where } from './report.js';
import type { OpenCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';
import type { LeafBatch } from './tree-walk.js';

/** A checkpoint this log has to agree with, and where it comes from. */
export interface Seen {
  readonly checkpoint: Pick<Checkpoint, 'size' | 'root'>;
  readonly what: string;
  readonly path?: string;
}

/** Compares checkpoints, in ascending size, with the tree's roots. Memory: one compact range and one checkpoint. */
export class History {
  /** Compact range over the roots of the full tiles so far. */
  private range: Uint8Array[] = [];
  private tiles = 0n;
  private next: Seen | null = null;

  constructor(
    private readonly seen: AsyncIterator<Seen>,
    private readonly newest: Checkpoint,
    /** What an unfinished publication is about to make the newest; its copy in `checkpoints/` may be there already. */
    private readonly pending: Checkpoint | null,
    /** Sizes alone decide: rollback, or another root for the same size. */
    private readonly early: FindingList,
    /** Decided by the tree, so it counts only when the tree itself is whole. */
    private readonly forks: FindingList,
  ) {}

  /** Batches in order, all of them full but the last. */
  async observe(batch: LeafBatch): Promise<void> {
    const end = batch.first + BigInt(batch.hashes.length);
    for (
      let seen = await this.peek();
      seen !== null && seen.checkpoint.size <= end;
      seen = await this.peek()
    ) {
      const count = Number(seen.checkpoint.size - batch.first);
      const range =
        count === TILE_WIDTH && batch.root !== null
          ? appendLeaf(this.range, this.tiles, batch.root)
          : [...this.range, ...rangeFromEdge([batch.hashes.slice(0, count)])];
      this.judge(seen, rangeRoot(range, seen.checkpoint.size));
      this.next = null;
    }
    if (batch.root === null) return;
    this.range = appendLeaf(this.range, this.tiles, batch.root);
    this.tiles += 1n;
  }

  /** What is left when the tree has ended. */
  async finish(): Promise<void> {
    for (let seen = await this.peek(); seen !== null; seen = await this.peek()) {
      this.judge(seen, null);
      this.next = null;
    }
  }

  private async peek(): Promise<Seen | null> {
    if (this.next === null) {
      const step = await this.seen.next();
      this.next = step.done === true ? null : step.value;
    }
    return this.next;
  }

  private judge(seen: Seen, root: Uint8Array | null): void {
    const { size } = seen.checkpoint;
    const where: Where = seen.path === undefined ? {} : { path: seen.path };
    if (this.pending !== null && size === this.pending.size && seen.path !== undefined) {
      if (equalBytes(seen.checkpoint.root, this.pending.root)) return;
      this.early.add('fork', `${seen.what} has another root than the pending checkpoint`, where);
    } else if (size > this.newest.size) {
      const message = `the log had size ${size} (${seen.what}), its checkpoint says ${this.newest.size}`;
      this.early.add('rollback', message, where);
    } else if (size === this.newest.size && !equalBytes(seen.checkpoint.root, this.newest.root)) {
      this.early.add('fork', `${seen.what} has another root for size ${size}`, where);
    } else if (root !== null && !equalBytes(seen.checkpoint.root, root)) {
      this.forks.add('fork', `${seen.what} of size ${size} is not a prefix of this log`, where);
    }
  }
}

/** Merges two ascending streams into one. */
export async function* mergeSeen(
  given: readonly Seen[],
  published: AsyncIterable<Seen>,
): AsyncGenerator<Seen> {
  const rest = given.toSorted((a, b) => compare(a.checkpoint.size, b.checkpoint.size));
  for await (const seen of published) {
    while (rest[0] !== undefined && rest[0].checkpoint.size <= seen.checkpoint.size) {
      yield rest[0];
      rest.shift();
    }
    yield seen;
  }
  yield* rest;
}

/** The readable checkpoints of `checkpoints/`, ascending; others become findings. */
export async function* publishedCheckpoints(
  source: LogSource,
  openCheckpoint: OpenCheckpoint,
  findings: FindingList,
): AsyncGenerator<Seen> {
  if (source.list === undefined) return;
  let last = -1n;
  for await (const path of source.list('checkpoints')) {
    const size = parseCheckpointPath(path);
    // Other names are judged with all files; a source that lists out of order can't be compared in one pass.
    if (size === null) continue;
    const bytes = await source.get(path);
    const read = bytes === null ? null : openCheckpoint(bytes);
    if (read === null) {
      findings.add('missing', `${path} is listed but can't be read`, { path });
    } else if ('verdict' in read) {
      findings.add(read.verdict, `${path}: ${read.message}`, { path });
    } else if (read.checkpoint.size !== size || size <= last) {
      findings.add('malformed', `${path} holds the checkpoint of size ${read.checkpoint.size}`, { path });
    } else {
      last = size;
      yield { checkpoint: read.checkpoint, what: path, path };
    }
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
