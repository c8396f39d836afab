// A log may grow while it is judged. What was published after the judged checkpoint was read is not judged, and is no
// damage: a signed checkpoint that is there by now, `pending` or `checkpoint`, is what tells it from files somebody added.
import type { Checkpoint } from '../checkpoint.js';
import { equalBytes } from '../tree-hash.js';
import type { OpenCheckpoint } from './signed-checkpoint.js';
import type { LogSource } from './source.js';

export class Growth {
  /** What `pending` and `checkpoint` held when they were read last. */
  private readonly held = new Map<string, Uint8Array>();
  /** The largest checkpoint met so far. */
  private largest: Checkpoint;
  private moved = false;

  /** `pending` is the one that was met before anything was judged; null when there was none. */
  constructor(
    private readonly source: LogSource,
    private readonly open: OpenCheckpoint,
    private readonly judged: Checkpoint,
    private readonly pending: Checkpoint | null,
  ) {
    this.largest = pending ?? judged;
  }

  /** True when a signed checkpoint says, by now, that the log has `size` entries or more. */
  async reaches(size: bigint): Promise<boolean> {
    if (size <= this.largest.size) return true;
    // A publication removes `pending` when it has written `checkpoint`: read in this order, neither is missed.
    for (const path of ['pending', 'checkpoint']) await this.look(path);
    return size <= this.largest.size;
  }

  /** The size that is known to be reached. */
  get size(): bigint {
    return this.largest.size;
  }

  /** True when, by now, `checkpoint` itself is larger than what is judged: of one publication, or of several. */
  async hasMoved(): Promise<boolean> {
    await this.look('checkpoint');
    return this.moved;
  }

  /** The root of this size, as far as it is known without judging; null when it is not. */
  rootOf(size: bigint): Uint8Array | null {
    const known = [this.judged, this.largest].find((checkpoint) => checkpoint.size === size);
    return known?.root ?? null;
  }

  /** What is to be said of it; null when nothing but what `pending` led to was met. */
  get warning(): string | null {
    if (!this.moved && this.size === (this.pending ?? this.judged).size) return null;
    return `the log grew to size ${this.size} while it was verified: only ${this.judged.size} entries were judged`;
  }

  private async look(path: string): Promise<void> {
    const bytes = await (this.source.reread === undefined ? this.source.get(path) : this.source.reread(path));
    const before = this.held.get(path);
    if (bytes === null || (before !== undefined && equalBytes(before, bytes))) return;
    this.held.set(path, bytes);
    const read = this.open(bytes);
    if ('verdict' in read || read.checkpoint.origin !== this.judged.origin) return;
    const { size } = read.checkpoint;
    if (path === 'checkpoint' && size > this.judged.size) this.moved = true;
    if (size > this.largest.size) this.largest = read.checkpoint;
  }
}
