// Who approved what: each request of a run, the votes on it, and what became of it.
import { isObject, type Json, type JsonObject } from '../../json.js';
import { groupsOf } from './entry-groups.js';
import { proofOf, type ShownProof } from './shown-proof.js';
import { countOf, listOf, shown } from './shown-value.js';
import type { ShownEntry } from './report.js';

export interface ShownVote extends ShownProof {
  readonly index: string;
  readonly approver: string;
  readonly decision: string;
  readonly reason: string | null;
}

export interface ShownApproval {
  readonly id: string;
  readonly step: string;
  readonly attempt: number | null;
  readonly subjectDigest: string;
  /** Commitment of the exact subject. */
  readonly subject: string | null;
  readonly mode: string;
  /** In words: `1 of role:reviewer`. */
  readonly quorum: string;
  readonly requestedAt: string;
  readonly expiresAt: string;
  /** As the last entry about it says: requested, approved, denied, revoked, expired, withdrawn, used. */
  readonly state: string;
  readonly votes: readonly ShownVote[];
}

export function approvalsOf(own: readonly ShownEntry[]): readonly ShownApproval[] {
  const about = groupsOf(
    own.filter(({ entry }) => entry.type.startsWith('approval.')),
    ({ approvalId }) => shown(approvalId),
  );
  return own
    .filter(({ entry }) => entry.type === 'approval.requested')
    .map(({ entry: { data, time, commit } }) => {
      const id = shown(data.approvalId);
      const all = about.get(id) ?? [];
      return {
        id,
        step: shown(data.stepPath),
        attempt: countOf(data.attempt),
        subjectDigest: shown(data.subjectDigest),
        subject: commit['subject'] ?? null,
        mode: shown(data.mode),
        quorum: quorumText(data.quorum),
        requestedAt: time,
        expiresAt: shown(data.expiresAt),
        state: stateOf(all.findLast(({ entry }) => entry.type !== 'approval.reviewed')),
        votes: all.filter(({ entry }) => entry.type === 'approval.decided').map(voteOf),
      };
    });
}

function stateOf(last: ShownEntry | undefined): string {
  if (last === undefined) return 'requested';
  switch (last.entry.type) {
    case 'approval.consumed':
      return 'used';
    case 'approval.expired':
      return 'expired';
    case 'approval.withdrawn':
      return 'withdrawn';
    case 'approval.decided':
      return decidedState(last.entry.data);
    default:
      return 'requested';
  }
}

/** What a vote leads to follows from the vote; only whether it was the last one needed is the entry's to say. */
function decidedState({ decision, state }: JsonObject): string {
  if (decision === 'deny') return 'denied';
  if (decision === 'revoke') return 'revoked';
  if (decision !== 'approve') return shown(decision);
  return state === 'approved' || state === undefined ? 'approved' : 'requested';
}

function voteOf(one: ShownEntry): ShownVote {
  const { data, commit } = one.entry;
  return {
    index: one.index.toString(),
    approver: shown(data.approver),
    decision: shown(data.decision),
    ...proofOf(one),
    reason: commit['reason'] ?? null,
  };
}

/** In words: `1 of role:reviewer and 2 of role:operator`. */
export function quorumText(quorum: Json | undefined): string {
  const factors = listOf(quorum).map((factor) =>
    isObject(factor) ? `${shown(factor.n)} of ${shown(factor.role)}` : shown(factor),
  );
  if (factors.length > 0) return factors.join(' and ');
  return typeof quorum === 'string' || typeof quorum === 'number' ? `${quorum} approvals` : 'nobody named';
}
