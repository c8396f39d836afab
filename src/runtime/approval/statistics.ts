// How people cope with what they are asked: how often a run asks, how long a decision takes, and how many approvals come
// faster than anybody reads. Read from the requests and their votes; nothing more is recorded about anybody.
import type { ApprovalRecord, Store } from '../ports.js';

/** An approval that came faster was hardly read. */
const HASTY_MS = 2_000;

export interface ApprovalStatistics {
  readonly requests: number;
  readonly runs: number;
  /** Requests per run that asked at all; 0 without one. */
  readonly requestsPerRun: number;
  readonly votes: number;
  /** From the request to the vote; null without votes. */
  readonly medianDecisionMs: number | null;
  readonly approvals: number;
  /** Approvals within 2 s of the request. */
  readonly approvedWithin2s: number;
  /** Of all approvals, 0 to 1; null without one. */
  readonly shareApprovedWithin2s: number | null;
  readonly breakGlass: number;
  /** Emergency votes that nobody has reviewed. */
  readonly openReviews: number;
}

export async function approvalStatistics(store: Pick<Store, 'approvals'>): Promise<ApprovalStatistics> {
  return statisticsOf(await store.approvals());
}

export function statisticsOf(records: readonly ApprovalRecord[]): ApprovalStatistics {
  const votes = records.flatMap((record) =>
    record.votes.map((vote) => ({ ...vote, tookMs: Math.max(0, vote.atMs - record.createdAtMs) })),
  );
  const times = votes.map((vote) => vote.tookMs).sort((a, b) => a - b);
  const approvals = votes.filter((vote) => vote.decision === 'approve');
  const hasty = approvals.filter((vote) => vote.tookMs < HASTY_MS).length;
  const runs = new Set(records.map((record) => record.run)).size;
  return {
    requests: records.length,
    runs,
    requestsPerRun: runs === 0 ? 0 : records.length / runs,
    votes: votes.length,
    medianDecisionMs: median(times),
    approvals: approvals.length,
    approvedWithin2s: hasty,
    shareApprovedWithin2s: approvals.length === 0 ? null : hasty / approvals.length,
    breakGlass: votes.filter((vote) => vote.breakGlass === true).length,
    openReviews: records.filter((record) => record.review?.closedBy === null).length,
  };
}

/** Of sorted numbers; of an even count the mean of the middle two. */
function median(sorted: readonly number[]): number | null {
  const at = sorted.length >> 1;
  const upper = sorted[at];
  if (upper === undefined) return null;
  const lower = sorted.length % 2 === 0 ? sorted[at - 1] : upper;
  return (upper + (lower ?? upper)) / 2;
}
