// The ends of the chains this process has lately extended, so that a run that goes on needs no look into the file.
// They are of one tree and used only while the log still is that tree: after a rollback, or an append of another
// process, its compact range is another one, and everything is looked up again.
import type { ChainTail, LogRow } from '../../../runtime/ports.js';

/** Chains that are remembered; beyond, all are looked up again. */
const MOST = 1_000;

export class ChainTails {
  readonly #tails = new Map<string, ChainTail>();
  #range: Uint8Array | null = null;

  /** What is known of the chain of `run` in the log with the compact range `range`. */
  of(run: string, range: Uint8Array): ChainTail | null {
    if (this.#range === null || Buffer.compare(this.#range, range) !== 0) return null;
    return this.#tails.get(run) ?? null;
  }

  /** The log with the compact range `before` became that with `after` by `rows`. */
  extended(before: Uint8Array, rows: readonly LogRow[], after: Uint8Array): void {
    const sameLog = this.#range !== null && Buffer.compare(this.#range, before) === 0;
    if (!sameLog || this.#tails.size > MOST) this.#tails.clear();
    for (const { run, seq, leafHash } of rows) this.#tails.set(run, { seq, leafHash });
    this.#range = after;
  }
}
