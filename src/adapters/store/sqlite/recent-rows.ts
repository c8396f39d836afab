// Rows of the log that this process has committed and nobody has published yet, so that publishing them reads nothing
// back. Only what COMMIT has returned for gets here; where rows of another process lie between, the file is read.
import type { LogRow } from '../../../runtime/ports.js';

/** More bytes than this wait for no publisher. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Entries of a file of the log: the last file of a publication is written again by the next one. */
const TILE_WIDTH = 256n;

type Kept = Pick<LogRow, 'bytes' | 'leafHash'>;

export class RecentRows {
  #first = 0n;
  #rows: Kept[] = [];
  #bytes = 0;

  /** `rows` follow one another and were committed. */
  add(rows: readonly LogRow[]): void {
    const [row] = rows;
    if (row === undefined) return;
    if (row.index !== this.#first + BigInt(this.#rows.length) || this.#bytes > MOST_BYTES) {
      this.#first = row.index;
      this.#rows = [];
      this.#bytes = 0;
    }
    for (const { bytes, leafHash } of rows) {
      this.#rows.push({ bytes, leafHash });
      this.#bytes += bytes.length;
    }
  }

  /** The rows `first` to before `end`; null unless all are here. */
  between(first: bigint, end: bigint): readonly Kept[] | null {
    if (first < this.#first || end > this.#first + BigInt(this.#rows.length)) return null;
    return this.#rows.slice(Number(first - this.#first), Number(end - this.#first));
  }

  /** The log is published up to `size`: forgets what no later publication writes. */
  published(size: bigint): void {
    const count = Number((size / TILE_WIDTH) * TILE_WIDTH - this.#first);
    if (count <= 0) return;
    for (const { bytes } of this.#rows.splice(0, count)) this.#bytes -= bytes.length;
    // Beyond what is here, the next rows start anew.
    this.#first += BigInt(count);
  }
}
