// Rule 6: the hash-linked chain of each run. `seq` counts without a gap, `prev` is the leaf hash of the run's
// previous entry, time never goes back within a run. Memory: one tail a run.
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Entry } from '../entry.js';
import type { FindingList } from './report.js';

interface Tail {
  readonly seq: number;
  readonly leafHash: Uint8Array;
  readonly timeMs: number;
  readonly index: bigint;
}

export class Chains {
  /** By run; null is the log's own chain. */
  private readonly tails = new Map<string | null, Tail>();

  constructor(private readonly findings: FindingList) {}

  has(run: string): boolean {
    return this.tails.has(run);
  }

  /** Entries in log order; `leafHash` is the one the tree holds. */
  observe(index: bigint, entry: Entry, leafHash: Uint8Array): void {
    const tail = this.tails.get(entry.run);
    const seq = tail === undefined ? 0 : tail.seq + 1;
    const prev = tail === undefined ? null : bytesToHex(tail.leafHash);
    const of = entry.run === null ? 'the log itself' : `run ${entry.run}`;
    if (entry.seq !== seq) {
      this.findings.add('chain-broken', `entry ${index} has seq ${entry.seq}, ${of} expects ${seq}`, {
        index,
      });
    } else if (entry.prev !== prev) {
      this.findings.add('chain-broken', `entry ${index} does not name the previous entry of ${of}`, {
        index,
      });
    } else if (tail !== undefined && entry.timeMs < tail.timeMs) {
      this.findings.add('chain-broken', `entry ${index} is earlier than entry ${tail.index} of ${of}`, {
        index,
      });
    }
    this.tails.set(entry.run, { seq: entry.seq, leafHash, timeMs: entry.timeMs, index });
  }
}
