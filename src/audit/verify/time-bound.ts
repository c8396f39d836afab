// Rule 6, the bound on time: what a quorum of witnesses had seen at some moment was not written later. An entry's time
// is the writer's claim; it may not lie after the cosignatures of the first checkpoint that holds the entry.
import type { Cosignature } from '../cosignature.js';
import { formatTime } from '../time.js';
import { quorumMet, type TlogPolicy } from '../tlog-policy.js';
import type { FindingList } from './report.js';

/** Entries below `size` were there by the end of that second. */
export interface TimeBound {
  readonly size: bigint;
  readonly seconds: bigint;
  /** The checkpoint that was cosigned, for messages. */
  readonly what: string;
}

/**
 * The bound that the cosignatures of one checkpoint give, null when they are no quorum. It is the latest of their
 * times: one witness with a slow clock, or a lying one, can't accuse the log where another one cosigned as well.
 */
export function boundOf(policy: TlogPolicy | null, cosignatures: readonly Cosignature[]): bigint | null {
  if (policy?.quorum == null || cosignatures.length === 0) return null;
  const cosigners = cosignatures.map(({ key }) => key);
  if (!quorumMet(policy, cosigners)) return null;
  return cosignatures.reduce((latest, { seconds }) => (seconds > latest ? seconds : latest), 0n);
}

/** Compares entries with bounds as both go by, in ascending order. Memory: one entry's index and time. */
export class TimeBounds {
  private latest: { readonly index: bigint; readonly timeMs: number; readonly time: string } | null = null;

  constructor(private readonly findings: FindingList) {}

  observe(index: bigint, entry: { readonly timeMs: number; readonly time: string }): void {
    if (this.latest !== null && entry.timeMs <= this.latest.timeMs) return;
    this.latest = { index, timeMs: entry.timeMs, time: entry.time };
  }

  /** Every entry below `bound.size` was observed, none above. */
  judge(bound: TimeBound): void {
    const { latest } = this;
    // A cosignature has whole seconds: the second it names belongs to it.
    if (latest === null || BigInt(latest.timeMs) < (bound.seconds + 1n) * 1000n) return;
    const seen = formatTime(Number(bound.seconds) * 1000) ?? `second ${bound.seconds}`;
    const message = `entry ${latest.index} says ${latest.time}, but by ${seen} witnesses had seen it (${bound.what} of size ${bound.size})`;
    this.findings.add('chain-broken', message, { index: latest.index });
    this.latest = null;
  }
}
