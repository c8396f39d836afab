// A person's decision on one request: eligibility is asked at this moment, the vote is signed with the person's own
// key, and the decision is durable before it is acknowledged. Two processes may decide at once: compare-and-set.
import { castVote, type Voter } from '../../approval/ballot.js';
import { decisionBytes, isReason, MAX_REASON_CHARACTERS } from '../../approval/decision.js';
import type { HoldsRole } from '../../approval/quorum.js';
import { WritError } from '../../errors.js';
import type { AccessAnswer } from '../../policy/rbac/access.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import { requireAsLogged } from './origin.js';
import { approvalEnded, draft, timeText, type EntryContext } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { isConflict } from '../run/live-run.js';
import { notFound } from '../not-found.js';
import { sealJson } from '../log/payload.js';
import type { ApprovalRecord, ApprovalReview, ApprovalState, Payload, Receipt, Vote } from '../ports.js';
import { REMEMBERED_MS, requireNotReceived } from './received.js';
import { entryContext, load, logTimeMs } from '../run/context.js';
import { requireFresh, requireRecent, saltedBy } from './signed-elsewhere.js';
import { decisionOf, isProven } from './vote-proof.js';
import { approvalView } from '../view/approval-view.js';
import { accessOf, actionOf, holdsRoles, type Voice } from './voice.js';
import type { Principal, VoteRequest } from '../writ.js';

/** A vote that somebody asks to be recorded. */
interface AskedVote {
  readonly guard: Guard;
  readonly approval: ApprovalRecord;
  readonly request: VoteRequest;
  readonly approver: Principal;
}

/** It, and all that it is judged by, as it is at one moment. */
interface Voting extends AskedVote {
  readonly nowMs: number;
  readonly snapshot: PolicySnapshot;
  readonly access: AccessAnswer;
  /** Sealed; null = none was given. */
  readonly reason: Payload | null;
  readonly context: EntryContext;
}

/**
 * The record after the vote, durable. The same vote again is a replay and changes nothing. Throws STORE_CONFLICT when
 * the message of `receipt` was received before: what it came to is in the store.
 */
export async function decideApproval(
  guard: Guard,
  { id, vote, approver }: { readonly id: string; readonly vote: VoteRequest; readonly approver: Principal },
): Promise<ApprovalRecord> {
  if (vote.reason !== null && !isReason(vote.reason)) {
    throw new WritError('USAGE', `a reason is text of at most ${MAX_REASON_CHARACTERS} characters`);
  }
  for (;;) {
    const approval = await guard.store.approval(id);
    if (approval === null) throw notFound('approval', id);
    const asked = { guard, approval, request: vote, approver };
    // Whoever knows a public key can name it: until the signature holds, nothing is written about its owner, and nothing
    // is told of what they sent before.
    requireTheirs(asked);
    await requireNotReceived(guard.store, messagesOf(vote));
    try {
      // Nobody signs for a subject that is no longer what its digest says.
      await approvalView(guard, id);
      // Nor for a request that is not the one that was asked: its row decides whose vote counts, beside which, and for how long.
      await requireAsLogged(guard.store, approval);
      return await decideOnce(asked);
    } catch (error) {
      // Somebody else's vote came first: judge this one against the new state.
      if (!isConflict(error)) throw error;
    }
  }
}

async function decideOnce(asked: AskedVote): Promise<ApprovalRecord> {
  const { guard, approval, request, approver } = asked;
  const nowMs = await logTimeMs(guard);
  const snapshot = guard.policy();
  const run = await load(guard, approval.run);
  const voting: Voting = {
    ...asked,
    nowMs,
    snapshot,
    access: accessOf(snapshot, approval, { approver: approver.id, ...whoseOf(request) }),
    reason: reasonOf(asked),
    context: entryContext(guard, run, { id: approver.id, via: 'approvals' }),
  };
  if (request.signed !== undefined)
    requireRecent(request.signed.atMs, nowMs, 'the decision', 'APPROVAL_SIGNATURE_INVALID');
  let counted: CountedVote | null;
  try {
    counted = await countVote(voting);
  } catch (error) {
    await recordRefusedVote(voting, error);
    throw error;
  }
  if (counted !== null) return recordVote(voting, counted);
  const received = receiptOf(asked, approval);
  if (received.receipts !== undefined) await guard.journal.commit({ ...received, entries: [] });
  return approval;
}

interface CountedVote {
  readonly vote: Vote;
  /** Of the request, after it. */
  readonly state: ApprovalState;
}

/** Null = a replay of the same vote. Throws APPROVAL_*, USAGE. */
async function countVote(voting: Voting): Promise<CountedVote | null> {
  const { guard, approval, request, nowMs, reason } = voting;
  const { decision, digest, signed } = request;
  requireEmergency(approval, request);
  requireAskable(approval, voting.access);
  const reasonGiven = request.reason !== null;
  const state = castVote(approval, voterOf(voting), { decision, digest, reasonGiven, nowMs });
  if (state === null) return null;
  const commitment = reason?.commitment ?? null;
  const cast = { decision, atMs: signed?.atMs ?? nowMs, reason: commitment, ...whoseOf(request) };
  const vote = sign(voting, cast);
  if (signed !== undefined && commitment !== null) await requireFresh(guard.store, commitment, 'this reason');
  return { vote, state };
}

/**
 * What policy says of them at the time that is signed, by which the vote is judged again when its step starts, and now:
 * what begins or ends between the two counts for neither.
 */
function voterOf({ approval, request, approver, nowMs, snapshot, access }: Voting): Voter {
  const { delegation, signed } = request;
  const holdsWith = (before: readonly Voice[]): HoldsRole => {
    const at = [nowMs, signed?.atMs ?? nowMs].map((atMs) =>
      holdsRoles(snapshot, approval, [...before, { approver: approver.id, atMs, ...whoseOf(request) }]),
    );
    return (person, role) => at.every((holds) => holds(person, role));
  };
  return {
    id: approver.id,
    mayDecide: access.allowed,
    brings: holdsWith([]),
    holds: holdsWith(approval.votes),
    ...(delegation === undefined ? {} : { delegation }),
  };
}

async function recordVote(voting: Voting, { vote, state }: CountedVote): Promise<ApprovalRecord> {
  const { guard, approval, request, nowMs, snapshot, reason } = voting;
  const record: ApprovalRecord = {
    ...approval,
    ...(request.breakGlass === true ? { review: openReview(snapshot, approval, nowMs) } : {}),
    state,
    votes: [...approval.votes, vote],
  };
  const entry = draft(
    voting.context,
    'approval.decided',
    {
      approvalId: approval.id,
      subjectDigest: approval.subjectDigest,
      approver: vote.approver,
      decision: vote.decision,
      ...whoseOf(vote),
      keyId: vote.keyId,
      signature: vote.signature,
      assurance: vote.assurance,
      at: timeText(vote.atMs),
      expiresAt: timeText(approval.expiresAtMs),
      state,
    },
    reason === null ? {} : { reason: reason.commitment },
  );
  await guard.journal.commit({
    entries: [{ ...entry, beforeMs: approval.expiresAtMs }],
    approvals: [{ op: 'update', record }],
    payloads: reason === null ? [] : [{ payload: reason, entry: 0 }],
    ...receiptOf(voting, record),
  });
  return { ...record, version: record.version + 1 };
}

type Whose = Pick<Vote, 'delegation' | 'breakGlass'>;

function whoseOf({ delegation, breakGlass }: Whose): Whose {
  return {
    ...(delegation === undefined ? {} : { delegation }),
    ...(breakGlass === undefined ? {} : { breakGlass }),
  };
}

/** The same for the same request of somebody who signs elsewhere, who brings its salt. */
function reasonOf({ guard, approval, request: { reason, signed } }: AskedVote): Payload | null {
  if (reason === null) return null;
  return sealJson(approval.run, 'reason', { text: reason }, saltedBy(signed?.reasonSalt ?? null, guard));
}

/** Throws APPROVAL_SIGNATURE_INVALID for what somebody else signed in the name of `approver`. */
function requireTheirs(asked: AskedVote): void {
  const { guard, request } = asked;
  const { decision, signed } = request;
  if (signed === undefined) return;
  const reason = reasonOf(asked)?.commitment ?? null;
  sign({ ...asked, snapshot: guard.policy() }, { decision, atMs: signed.atMs, reason, ...whoseOf(request) });
}

/** What is told of a recorded vote, and again when the same message comes a second time. */
function receiptOf(
  { request, approver }: AskedVote,
  record: ApprovalRecord,
): { readonly receipts?: readonly Receipt[] } {
  const { id, run, state, subjectDigest, expiresAtMs, createdAtMs } = record;
  const messages = messagesOf(request);
  if (messages.length === 0) return {};
  const answer = { id, run, subjectDigest, decision: request.decision, approver: approver.id, state };
  const untilMs = Math.max(expiresAtMs, createdAtMs) + REMEMBERED_MS;
  return { receipts: messages.map((one) => ({ ...one, answer, untilMs })) };
}

function messagesOf({ receipt, also }: VoteRequest): readonly NonNullable<VoteRequest['receipt']>[] {
  return [receipt, also].filter((one) => one !== undefined);
}

/** A question that can't be asked of policy gets its own words: another person would fare no better. */
function requireAskable({ id }: ApprovalRecord, { code, message, hint }: AccessAnswer): void {
  if (code !== 'POLICY_REQUEST_INVALID') return;
  const about = hint === null ? {} : { hint };
  throw new WritError('APPROVAL_NOT_ELIGIBLE', `${id} can't be decided so: ${message}`, about);
}

function requireEmergency({ id }: ApprovalRecord, request: VoteRequest): void {
  if (request.breakGlass !== true) return;
  if (request.decision === 'revoke' || request.delegation !== undefined) {
    throw new WritError('USAGE', "an emergency role approves or denies, in nobody else's name", {
      hint: 'leave out --break-glass',
    });
  }
  if (request.reason !== null) return;
  throw new WritError('APPROVAL_REASON_REQUIRED', `an emergency vote on ${id} needs a reason`, {
    hint: 'add --reason TEXT: it is what the review looks at',
  });
}

/** The first emergency vote opens it; a second one changes nothing. */
function openReview(snapshot: PolicySnapshot, approval: ApprovalRecord, nowMs: number): ApprovalReview {
  const hours = snapshot.breakGlass?.reviewWithinHours ?? 0;
  return approval.review ?? { dueAtMs: nowMs + hours * 3_600_000, closedBy: null, closedAtMs: null };
}

/** A vote that was not allowed leaves an entry too; a request found expired is ended on the spot. */
async function recordRefusedVote(voting: Voting, error: unknown): Promise<void> {
  const { guard, approval, request, approver, nowMs, access, context } = voting;
  if (!(error instanceof WritError) || error.kind !== 'refusal') return;
  const entry = draft(context, 'authz.decided', {
    stepPath: approval.stepPath,
    attempt: null,
    subject: approver.id,
    agent: null,
    domain: approval.tenant,
    action: actionOf(request),
    resource: approval.functionId,
    verdict: 'deny',
    ruleId: access.ruleId,
    code: error.code,
    approvalId: approval.id,
  });
  const expired =
    error.code === 'APPROVAL_EXPIRED' && approval.state !== 'expired' && nowMs >= approval.expiresAtMs;
  const ended = approvalEnded(context, 'approval.expired', approval, 'expired before it was decided');
  await guard.journal.commit({
    entries: expired ? [entry, ended] : [entry],
    approvals: expired ? [{ op: 'update', record: { ...approval, state: 'expired' } }] : [],
  });
}

/** The vote, signed. Throws APPROVAL_SIGNATURE_INVALID when nothing proves that it is this person's. */
function sign(
  { guard, snapshot, approval, approver }: Pick<Voting, 'guard' | 'snapshot' | 'approval' | 'approver'>,
  cast: Pick<Vote, 'decision' | 'reason' | 'atMs' | 'delegation' | 'breakGlass'>,
): Vote {
  const unsigned: Omit<Vote, 'signature'> = {
    seq: approval.votes.length,
    approver: approver.id,
    keyId: approver.publicKey,
    assurance: approver.assurance,
    ...cast,
  };
  const signature = approver.sign?.(decisionBytes(decisionOf(approval, unsigned))) ?? null;
  const vote = {
    ...unsigned,
    signature: signature === null ? null : Buffer.from(signature).toString('base64'),
  };
  if (isProven(guard, snapshot, approval, vote)) return vote;
  throw new WritError(
    'APPROVAL_SIGNATURE_INVALID',
    `nothing proves that this is the vote of ${approver.id}`,
    {
      hint: 'sign with a key that policies/approvers.yaml holds for this person',
    },
  );
}
