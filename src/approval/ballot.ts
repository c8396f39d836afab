// The state machine of one request: pending -> approved | denied | expired | withdrawn; approved -> consumed |
// expired | revoked | withdrawn. Terminal states never change. Any deny by an eligible person ends it.
import { WritError } from '../errors.js';
import type { SubjectDigest } from '../json.js';
import { quorumMet, type Factor, type HoldsRole } from './quorum.js';

export type BallotState =
  'pending' | 'approved' | 'denied' | 'expired' | 'withdrawn' | 'revoked' | 'consumed';

/** The part of a request that decides what a vote does. */
export interface Ballot {
  readonly id: string;
  readonly subjectDigest: SubjectDigest;
  readonly state: BallotState;
  readonly quorum: readonly Factor[];
  readonly separationOfDuties: boolean;
  readonly reasonRequired: boolean;
  readonly requester: string;
  readonly initiator: string;
  readonly expiresAtMs: number;
  readonly votes: readonly { readonly approver: string; readonly decision: 'approve' | 'deny' | 'revoke' }[];
}

export interface Voter {
  /** Canonical identity, never a display name. */
  readonly id: string;
  /** RBAC allows `approval.decide` on the function, asked at the moment of the vote. */
  readonly mayDecide: boolean;
}

export interface BallotVote {
  readonly decision: 'approve' | 'deny';
  /** What the voter saw; required for approve. */
  readonly digest: SubjectDigest | null;
  readonly reasonGiven: boolean;
}

/** The state after a vote; `null` = a replay of the same vote, nothing changes. Throws APPROVAL_*. */
export function castVote(
  ballot: Ballot,
  voter: Voter,
  vote: BallotVote,
  nowMs: number,
  holds: HoldsRole,
): BallotState | null {
  const id = ballot.id;
  // Eligibility first: to somebody who may not decide, the state of the request is none of their business.
  if (!voter.id.startsWith('user:')) {
    throw new WritError('APPROVAL_NOT_ELIGIBLE', `${voter.id} is no person; only people decide ${id}`);
  }
  if (!voter.mayDecide || !ballot.quorum.some((factor) => holds(voter.id, factor.role))) {
    const needed = ballot.quorum.map((factor) => factor.role).join(', ');
    throw new WritError('APPROVAL_NOT_ELIGIBLE', `${voter.id} may not decide ${id}; it needs ${needed}`, {
      hint: 'ask a person who holds the role, or have policies/ changed under review',
    });
  }
  if (ballot.separationOfDuties && (voter.id === ballot.initiator || voter.id === ballot.requester)) {
    throw new WritError(
      'APPROVAL_SEPARATION_OF_DUTIES',
      `${voter.id} started this run and may not decide ${id}`,
      {
        hint: 'another person has to decide',
      },
    );
  }
  if (vote.digest !== null && vote.digest !== ballot.subjectDigest) {
    throw new WritError('APPROVAL_DIGEST_MISMATCH', `the digest given is not the digest of ${id}`, {
      hint: `look at the request again: writ approvals show ${id}`,
    });
  }
  const earlier = ballot.votes.filter((one) => one.approver === voter.id).at(-1);
  if (earlier?.decision === vote.decision) return null;
  if (ballot.state === 'expired' || (isOpen(ballot.state) && nowMs >= ballot.expiresAtMs)) {
    throw new WritError('APPROVAL_EXPIRED', `${id} has expired`);
  }
  if (ballot.state === 'consumed')
    throw new WritError('APPROVAL_CONSUMED', `${id} was already used by its step`);
  // A second thought counts only in the safe direction, and only while nothing is decided.
  if (earlier !== undefined && !(ballot.state === 'pending' && vote.decision === 'deny')) {
    throw new WritError('APPROVAL_ALREADY_VOTED', `${voter.id} has already voted on ${id}`, {
      hint: 'a vote is not taken back; another person can still deny',
    });
  }
  if (ballot.state !== 'pending') throw new WritError('APPROVAL_ALREADY_DECIDED', `${id} is ${ballot.state}`);
  if (vote.decision === 'approve' && vote.digest === null) {
    throw new WritError('USAGE', `approving ${id} needs the full digest of what was looked at`);
  }
  if (ballot.reasonRequired && !vote.reasonGiven) {
    throw new WritError('APPROVAL_REASON_REQUIRED', `${id} needs a reason`, { hint: 'add --reason TEXT' });
  }
  if (vote.decision === 'deny') return 'denied';
  const approvers = ballot.votes.filter((one) => one.decision === 'approve').map((one) => one.approver);
  return quorumMet(ballot.quorum, [...approvers, voter.id], holds) ? 'approved' : 'pending';
}

/** At the border `now >= expiresAt` is expired. */
export function isExpired(
  ballot: { readonly state: BallotState; readonly expiresAtMs: number },
  nowMs: number,
): boolean {
  return isOpen(ballot.state) && nowMs >= ballot.expiresAtMs;
}

function isOpen(state: BallotState): boolean {
  return state === 'pending' || state === 'approved';
}
