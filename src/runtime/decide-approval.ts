// A person's decision on one request: eligibility is asked at this moment, the vote is signed with the person's own
// key, and the decision is durable before it is acknowledged. Two processes may decide at once: compare-and-set.
import { castVote } from '../approval/ballot.js';
import { decisionBytes } from '../approval/decision.js';
import { WritError } from '../errors.js';
import type { SubjectDigest } from '../json.js';
import { checkAccess } from '../policy/access.js';
import { fillsRole } from '../policy/approval-duty.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import { approvalEnded, draft, timeText, type EntryContext } from './entries.js';
import type { Guard } from './judge.js';
import { sealJson } from './payload.js';
import type { ApprovalRecord, ApprovalState, Vote } from './ports.js';
import { entryContext, load, logTimeMs } from './run-context.js';
import { decisionOf, isProven } from './vote-proof.js';
import { approvalView } from './views.js';
import type { Principal } from './writ.js';

export interface VoteRequest {
  readonly decision: 'approve' | 'deny';
  readonly digest: SubjectDigest | null;
  readonly reason: string | null;
}

const MAX_REASON = 2_000;

/** The record after the vote, durable. The same vote again is a replay and changes nothing. */
export async function decideApproval(
  guard: Guard,
  id: string,
  vote: VoteRequest,
  approver: Principal,
): Promise<ApprovalRecord> {
  if (vote.reason !== null && vote.reason.length > MAX_REASON) {
    throw new WritError('USAGE', `a reason has at most ${MAX_REASON} characters`);
  }
  for (;;) {
    const approval = await guard.store.approval(id);
    if (approval === null)
      throw new WritError('NOT_FOUND', `no approval ${id}`, { hint: 'list them: writ approvals list' });
    try {
      // Nobody signs for a subject that is no longer what its digest says.
      await approvalView(guard, id);
      return await decideOnce(guard, approval, vote, approver);
    } catch (error) {
      // Somebody else's vote came first: judge this one against the new state.
      if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    }
  }
}

async function decideOnce(
  guard: Guard,
  approval: ApprovalRecord,
  request: VoteRequest,
  approver: Principal,
): Promise<ApprovalRecord> {
  const nowMs = await logTimeMs(guard);
  const snapshot = guard.policy();
  const run = await load(guard, approval.run);
  const context = entryContext(guard, run, { id: approver.id, via: 'approvals' });
  const access = checkAccess(snapshot, {
    subject: approver.id,
    domain: approval.tenant,
    action: 'approval.decide',
    resource: approval.functionId,
  });
  const voter = { id: approver.id, mayDecide: access.allowed };
  const ballotVote = {
    decision: request.decision,
    digest: request.digest,
    reasonGiven: request.reason !== null,
  };
  const holds = (person: string, role: string): boolean => {
    return fillsRole(snapshot.rolesOf(person, approval.tenant), role);
  };
  const reason =
    request.reason === null ? null : sealJson(approval.run, 'reason', { text: request.reason }, guard);
  let state: ApprovalState | null;
  let vote: Vote;
  try {
    state = castVote(approval, voter, ballotVote, nowMs, holds);
    if (state === null) return approval;
    vote = sign(snapshot, approval, request.decision, approver, nowMs, reason?.commitment ?? null);
  } catch (error) {
    await recordRefusedVote(guard, context, approval, approver, access.ruleId, error, nowMs);
    throw error;
  }
  const record: ApprovalRecord = { ...approval, state, votes: [...approval.votes, vote] };
  const entry = draft(
    context,
    'approval.decided',
    {
      approvalId: approval.id,
      subjectDigest: approval.subjectDigest,
      approver: approver.id,
      decision: request.decision,
      keyId: vote.keyId,
      signature: vote.signature,
      assurance: vote.assurance,
      at: timeText(nowMs),
      expiresAt: timeText(approval.expiresAtMs),
      state,
    },
    reason === null ? {} : { reason: reason.commitment },
  );
  await guard.journal.commit({
    entries: [{ ...entry, beforeMs: approval.expiresAtMs }],
    approvals: [{ op: 'update', record }],
    payloads: reason === null ? [] : [{ payload: reason, entry: 0 }],
  });
  return { ...record, version: record.version + 1 };
}

/** A vote that was not allowed leaves an entry too; a request found expired is ended on the spot. */
async function recordRefusedVote(
  guard: Guard,
  context: EntryContext,
  approval: ApprovalRecord,
  approver: Principal,
  ruleId: string | null,
  error: unknown,
  nowMs: number,
): Promise<void> {
  if (!(error instanceof WritError) || error.kind !== 'refusal') return;
  const entry = draft(context, 'authz.decided', {
    stepPath: approval.stepPath,
    attempt: null,
    subject: approver.id,
    agent: null,
    domain: approval.tenant,
    action: 'approval.decide',
    resource: approval.functionId,
    verdict: 'deny',
    ruleId,
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
  snapshot: PolicySnapshot,
  approval: ApprovalRecord,
  decision: 'approve' | 'deny',
  approver: Principal,
  nowMs: number,
  reason: Vote['reason'],
): Vote {
  const unsigned: Omit<Vote, 'signature'> = {
    seq: approval.votes.length,
    approver: approver.id,
    keyId: approver.publicKey,
    assurance: approver.assurance,
    decision,
    reason,
    atMs: nowMs,
  };
  const signature = approver.sign?.(decisionBytes(decisionOf(approval, unsigned))) ?? null;
  const vote = {
    ...unsigned,
    signature: signature === null ? null : Buffer.from(signature).toString('base64'),
  };
  if (isProven(snapshot, approval, vote)) return vote;
  throw new WritError(
    'APPROVAL_SIGNATURE_INVALID',
    `nothing proves that this is the vote of ${approver.id}`,
    {
      hint: 'sign with a key that policies/approvers.yaml holds for this person',
    },
  );
}
