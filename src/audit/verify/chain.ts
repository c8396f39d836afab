// Rule 6: the hash-linked chain of each run. `seq` counts without a gap, `prev` is the leaf hash of the run's
// previous entry, time never goes back within a run. Memory: one tail a run.
import type { Entry } from '../entry.js';
import { ownText } from '../own-text.js';
import type { FindingList } from './report.js';

interface Tail {
  seq: number;
  leafHash: string;
  timeMs: number;
  index: bigint;
}

export class Chains {
  /** By run; null is the log's own chain. */
  private readonly tails = new Map<string | null, Tail>();

  constructor(private readonly findings: FindingList) {}

  has(run: string): boolean {
    return this.tails.has(run);
  }

  /** Entries in log order; `leafHash` is the one the tree holds, in hex. */
  observe(index: bigint, entry: Omit<Entry, 'data'>, leafHash: string): void {
    const tail = this.tails.get(entry.run);
    const seq = tail === undefined ? 0 : tail.seq + 1;
    const where = { index };
    if (entry.seq !== seq) {
      const message = `entry ${index} has seq ${entry.seq}, ${chainOf(entry)} expects ${seq}`;
      this.findings.add('chain-broken', message, where);
    } else if (entry.prev !== (tail?.leafHash ?? null)) {
      const message = `entry ${index} does not name the previous entry of ${chainOf(entry)}`;
      this.findings.add('chain-broken', message, where);
    } else if (tail !== undefined && entry.timeMs < tail.timeMs) {
      const message = `entry ${index} is earlier than entry ${tail.index} of ${chainOf(entry)}`;
      this.findings.add('chain-broken', message, where);
    }
    if (tail === undefined) {
      const run = entry.run === null ? null : ownText(entry.run);
      this.tails.set(run, { seq: entry.seq, leafHash, timeMs: entry.timeMs, index });
      return;
    }
    tail.seq = entry.seq;
    // The last one of most runs: it must not keep the text that it was cut from.
    tail.leafHash = entry.type === 'run.finished' ? ownText(leafHash) : leafHash;
    tail.timeMs = entry.timeMs;
    tail.index = index;
  }
}

function chainOf(entry: Omit<Entry, 'data'>): string {
  return entry.run === null ? 'the log itself' : `run ${entry.run}`;
}
