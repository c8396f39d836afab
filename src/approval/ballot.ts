// The state machine of one request: pending -> approved | denied | expired | withdrawn; approved -> consumed |
// expired | revoked | withdrawn. Terminal states never change. Any deny by an eligible person ends it. Two people of whom
// one votes for the other are one voice, and nobody's voice counts twice.
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
  /** People who changed the input; absent = nobody. They count as requesters. */
  readonly editors?: readonly string[];
  /** Who has redriven the run before it was asked for; absent = nobody. They count as requester. */
  readonly redriver?: string;
  /** Who wrote the workflow, where they may not decide; absent = they may. */
  readonly author?: string;
  readonly expiresAtMs: number;
  readonly votes: readonly CastVote[];
}

/** A vote that was counted. */
export interface CastVote {
  readonly approver: string;
  readonly decision: 'approve' | 'deny' | 'revoke';
  /** For whom; absent = for themselves. */
  readonly delegation?: string;
}

export interface Voter {
  /** Canonical identity, never a display name. */
  readonly id: string;
  /**
   * RBAC allows `approval.decide` on the function to whom the vote is for (`approval.breakglass` in an emergency), asked
   * at the moment of the vote.
   */
  readonly mayDecide: boolean;
  /** Who is said to have delegated the vote to them; absent = they vote for themselves. */
  readonly delegation?: string;
  /** What this one vote brings by itself. A delegation that does not hold brings nothing, whoever else has voted. */
  readonly brings: HoldsRole;
  /** Whose place it and the votes before it fill. */
  readonly holds: HoldsRole;
}

export interface BallotVote {
  readonly decision: 'approve' | 'deny' | 'revoke';
  /** What the voter saw; required for approve. */
  readonly digest: SubjectDigest | null;
  readonly reasonGiven: boolean;
  /** When it is cast, as the log counts time. */
  readonly nowMs: number;
}

/** The state after a vote; `null` = a replay of the same vote, nothing changes. Throws APPROVAL_*. */
export function castVote(ballot: Ballot, voter: Voter, vote: BallotVote): BallotState | null {
  const id = ballot.id;
  // Eligibility first: to somebody who may not decide, the state of the request is none of their business.
  if (!voter.id.startsWith('user:')) {
    throw new WritError('APPROVAL_NOT_ELIGIBLE', `${voter.id} is no person; only people decide ${id}`);
  }
  const seat = voter.delegation ?? voter.id;
  const isEligible = ballot.quorum.some((factor) => voter.brings(seat, factor.role));
  if (vote.decision === 'revoke' && (isEligible || voter.delegation === undefined)) {
    return revoke(ballot, voter, vote);
  }
  if (!voter.mayDecide || !isEligible) throw notEligible(ballot, voter, isEligible);
  const who = [voter.id, seat].find((one) => whyBarred(ballot, one) !== null);
  if (who !== undefined) {
    const did = whyBarred(ballot, who) ?? '';
    throw new WritError('APPROVAL_SEPARATION_OF_DUTIES', `${who} ${did} and may not decide ${id}`, {
      hint: 'another person has to decide',
    });
  }
  requireDigest(ballot, vote);
  const earlier = lastVoteOf(voter, ballot);
  const isSame = earlier?.approver === voter.id && earlier.delegation === voter.delegation;
  if (isSame && earlier.decision === vote.decision) return null;
  requireUnused(ballot, vote.nowMs);
  // A second thought counts only in the safe direction, and only while nothing is decided.
  if (earlier !== undefined && !(ballot.state === 'pending' && vote.decision === 'deny')) {
    const { approver, delegation } = earlier;
    const who = delegation === undefined ? approver : `${approver}, for ${delegation},`;
    throw new WritError('APPROVAL_ALREADY_VOTED', `${who} has already voted on ${id}`, {
      hint:
        ballot.state === 'pending'
          ? 'a vote is not taken back, and who votes for somebody is one voice with them; another person can still deny'
          : whatIsLeft(ballot),
    });
  }
  if (ballot.state !== 'pending') throw alreadyDecided(ballot);
  if (vote.decision === 'approve' && vote.digest === null) {
    throw new WritError('USAGE', `approving ${id} needs the full digest of what was looked at`);
  }
  requireReason(ballot, vote);
  if (vote.decision === 'deny') return 'denied';
  return quorumMet(ballot.quorum, [...seatsOf(ballot.votes), seat], voter.holds) ? 'approved' : 'pending';
}

export type Barring =
  | 'changed the input'
  | 'started this run'
  | 'redrove this run or step'
  | 'asked for this'
  | 'wrote the workflow';

/** What somebody did for which a separation of duties bars them from deciding; null = nothing. */
export function whyBarred(
  ballot: Pick<Ballot, 'separationOfDuties' | 'initiator' | 'requester' | 'editors' | 'redriver' | 'author'>,
  person: string,
): Barring | null {
  if (ballot.separationOfDuties) {
    if (ballot.editors?.includes(person) === true) return 'changed the input';
    if (ballot.initiator === person) return 'started this run';
    if (ballot.redriver === person) return 'redrove this run or step';
    if (ballot.requester === person) return 'asked for this';
  }
  return ballot.author === person ? 'wrote the workflow' : null;
}

/** Whom the approvals among `votes` count for: the one who delegated the vote, else the voter. */
export function seatsOf(votes: readonly CastVote[]): readonly string[] {
  return votes
    .filter((one) => one.decision === 'approve')
    .map(({ approver, delegation }) => delegation ?? approver);
}

/** Takes an approval back before its step has started: by who voted, or by who may decide. Roles and duties don't matter. */
function revoke(ballot: Ballot, voter: Voter, vote: BallotVote): BallotState | null {
  const { id, state } = ballot;
  const earlier = lastVoteOf(voter, ballot);
  if (!voter.mayDecide && earlier === undefined) {
    throw new WritError('APPROVAL_NOT_ELIGIBLE', `${voter.id} has not voted on ${id} and may not decide it`, {
      hint: 'ask a person who may decide it, or cancel the run: writ workflow cancel',
    });
  }
  requireDigest(ballot, vote);
  if (earlier?.decision === 'revoke') return null;
  requireUnused(ballot, vote.nowMs);
  if (state === 'pending') {
    throw new WritError('USAGE', `${id} is not approved yet: there is nothing to revoke`, {
      hint: `deny it instead: writ approvals deny ${id}`,
    });
  }
  if (state !== 'approved') throw alreadyDecided(ballot);
  requireReason(ballot, vote);
  return 'revoked';
}

/** What is missing: the delegation that was named, the right, or a role of the request. */
function notEligible({ id, quorum }: Ballot, voter: Voter, isEligible: boolean): WritError {
  const { delegation, mayDecide } = voter;
  const needed = quorum.map((factor) => factor.role).join(', ');
  const ask = 'ask another person, or have policies/ changed under review';
  if (delegation !== undefined && !isEligible) {
    const what = `nothing lets ${voter.id} decide ${id} for ${delegation}; it needs ${needed}`;
    return new WritError('APPROVAL_NOT_ELIGIBLE', what, {
      hint: 'it takes a delegation of approvers.yaml that lends the role and has not ended; the person is named as there',
    });
  }
  const whose = delegation ?? voter.id;
  const what = mayDecide
    ? `${whose} may not decide ${id}; it needs ${needed}`
    : `${whose} may not decide ${id}: no rule of rbac/ lets them`;
  return new WritError('APPROVAL_NOT_ELIGIBLE', what, { hint: ask });
}

/** Who votes now comes too late. */
export function alreadyDecided(ballot: Pick<Ballot, 'id' | 'state'>): WritError {
  return new WritError('APPROVAL_ALREADY_DECIDED', `${ballot.id} is ${ballot.state}`, {
    hint: whatIsLeft(ballot),
  });
}

/** What can be done about a request that is no longer pending. */
function whatIsLeft({ id, state }: Pick<Ballot, 'id' | 'state'>): string {
  if (state === 'approved') return `until its step starts it can be taken back: writ approvals revoke ${id}`;
  if (state === 'withdrawn') return 'another request may have taken its place: writ approvals list';
  return `what became of it: writ approvals show ${id}`;
}

/** Theirs, or of whoever is one voice with them. */
function lastVoteOf(voter: Voter, { votes }: Ballot): CastVote | undefined {
  return votes.filter((one) => isOneVoice(one, voter)).at(-1);
}

/** Whether `cast` and a vote of `voter` would be the voice of one person. */
function isOneVoice(cast: CastVote, voter: Voter): boolean {
  const voices = [voter.id, voter.delegation];
  return (
    voices.includes(cast.approver) || (cast.delegation !== undefined && voices.includes(cast.delegation))
  );
}

function requireDigest(ballot: Ballot, { digest }: BallotVote): void {
  if (digest === null || digest === ballot.subjectDigest) return;
  throw new WritError('APPROVAL_DIGEST_MISMATCH', `the digest given is not the digest of ${ballot.id}`, {
    hint: `look at the request again: writ approvals show ${ballot.id}`,
  });
}

function requireUnused({ id, state, expiresAtMs }: Ballot, nowMs: number): void {
  if (state === 'expired' || (isOpen(state) && nowMs >= expiresAtMs)) {
    throw new WritError('APPROVAL_EXPIRED', `${id} has expired`);
  }
  if (state !== 'consumed') return;
  throw new WritError('APPROVAL_CONSUMED', `${id} was already used by its step`, {
    hint: 'what has started is stopped by cancelling its run: writ workflow cancel',
  });
}

function requireReason({ id, reasonRequired }: Ballot, { reasonGiven }: BallotVote): void {
  if (!reasonRequired || reasonGiven) return;
  throw new WritError('APPROVAL_REASON_REQUIRED', `${id} needs a reason`, { hint: 'add --reason TEXT' });
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
