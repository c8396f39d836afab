// Rule 6: the hash-linked chain of each run. `seq` counts without a gap, `prev` is the leaf hash of the run's
// previous entry, time never goes back within a run. Memory: one tail a run.
import type { Entry } from '../entry.js';
import { ownText } from '../own-text.js';
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
    const where = { index };
    if (entry.seq !== seq) {
      const message = `entry ${index} has seq ${entry.seq}, ${chainOf(entry)} expects ${seq}`;
      this.findings.add('chain-broken', message, where);
    } else if (tail === undefined ? entry.prev !== null : !isHexOf(entry.prev, tail.leafHash)) {
      const message = `entry ${index} does not name the previous entry of ${chainOf(entry)}`;
      this.findings.add('chain-broken', message, where);
    } else if (tail !== undefined && entry.timeMs < tail.timeMs) {
      const message = `entry ${index} is earlier than entry ${tail.index} of ${chainOf(entry)}`;
      this.findings.add('chain-broken', message, where);
    }
    const run = tail === undefined && entry.run !== null ? ownText(entry.run) : entry.run;
    this.tails.set(run, { seq: entry.seq, leafHash, timeMs: entry.timeMs, index });
  }
}

function chainOf(entry: Entry): string {
  return entry.run === null ? 'the log itself' : `run ${entry.run}`;
}

/** Character codes of the two digits of every byte. */
const DIGITS = new Uint8Array(512);
for (let i = 0; i < 512; i++) DIGITS[i] = '0123456789abcdef'.charCodeAt(i % 2 === 0 ? i >> 5 : (i >> 1) & 15);

/** Whether `hex` is what `bytes` are written as, lower-case, without writing them. */
function isHexOf(hex: string | null, bytes: Uint8Array): boolean {
  if (hex?.length !== bytes.length * 2) return false;
  for (let i = 0; i < bytes.length; i++) {
    const at = 2 * (bytes[i] ?? 0);
    if (hex.charCodeAt(2 * i) !== DIGITS[at] || hex.charCodeAt(2 * i + 1) !== DIGITS[at + 1]) return false;
  }
  return true;
}
