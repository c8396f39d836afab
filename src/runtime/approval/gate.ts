// Whether this attempt may pass now. An approval opens the gate once, for exactly the subject it was given for,
// before it expires, under the policy and ceilings it was given under. Anything else waits or refuses.
import { isExpired } from '../../approval/ballot.js';
import { digestOfSubjectBytes, subjectDigest } from '../../approval/subject.js';
import { canonicalJson } from '../../canonical-json.js';
import type { SubjectDigest } from '../../json.js';
import type { Attempt } from '../attempt/attempt.js';
import type { Judged } from '../attempt/judged-attempt.js';
import type { Guard } from '../guard-parts.js';
import { asJson, type EntryContext } from '../log/entries.js';
import type { ApprovalRecord, AttemptRecord } from '../ports.js';
import { logTimeMs } from '../run/context.js';
import { editorsOfRetried } from './edited-request.js';
import { editorsOf, isAsLogged, isOpenInLog } from './origin.js';
import { endApproval, refused, type EndedApproval, type Gate, type RefusedGate } from './passage.js';
import { requestApproval } from './request.js';
import { isGranted } from './vote-proof.js';

export async function openGate(guard: Guard, judged: Judged): Promise<Gate> {
  const { attempt, context } = judged;
  if (judged.decision.verdict !== 'needs_approval') {
    const ended = await endOpenApproval(guard, context, judged.earlier, 'policy no longer asks for it');
    return { kind: 'open', consume: null, approvalId: null, ended };
  }
  const nowMs = await logTimeMs(guard);
  const id = judged.earlier?.approvalId ?? null;
  const approval = id === null ? null : await guard.store.approval(id);
  // Another attempt's approval is none of this one's, whatever the attempt's row names.
  if (approval !== null && isOf(approval, attempt)) return gateOf(guard, judged, { approval, nowMs });
  const standing = await standingConsumption(guard, judged);
  if (standing !== null) return standing;
  const editors = await editorsOfRetried(guard, attempt);
  return requestApproval(guard, judged, { nowMs, superseded: null, editors });
}

/** By the request that this attempt has made. */
async function gateOf(
  guard: Guard,
  judged: Judged,
  { approval, nowMs }: { readonly approval: ApprovalRecord; readonly nowMs: number },
): Promise<Gate> {
  const { context, earlier } = judged;
  const over = overGate(approval);
  if (over !== null) return over;
  const { id } = approval;
  if (!(await isOpenInLog(guard.store, approval)))
    return refused('APPROVAL_DIGEST_MISMATCH', `the log says that ${id} is over, and its row does not`);
  if (isExpired(approval, nowMs)) {
    const ended = endApproval(context, approval, 'expired', 'expired before its step started');
    return refused('APPROVAL_EXPIRED', `${id} has expired`, ended);
  }
  if ((await storedDigest(guard, approval)) !== approval.subjectDigest) {
    const ended = endApproval(context, approval, 'withdrawn', 'stored subject does not match its digest');
    return refused('APPROVAL_DIGEST_MISMATCH', `the stored subject of ${id} was changed`, ended);
  }
  // Policy, ceilings, program or limits changed since it was shown: what was approved is not what would run. Who has to
  // approve is what policy says now, not what a row says; and only votes that hold make it approved.
  const isStill =
    subjectDigest(judged.subject) === approval.subjectDigest &&
    isAsDemanded(approval, judged) &&
    (approval.state === 'pending' || isGranted(guard, approval));
  if (!isStill) {
    const editors = await editorsOf(guard.store, approval);
    return requestApproval(guard, judged, { nowMs, superseded: approval, editors });
  }
  if (approval.state === 'pending') {
    const input = earlier?.input ?? null;
    return { kind: 'waiting', approval, writes: [], entries: [], payloads: [], input };
  }
  if (!(await isAsLogged(guard.store, approval))) {
    const ended = endApproval(context, approval, 'withdrawn', 'stored request does not match the log');
    return refused('APPROVAL_DIGEST_MISMATCH', `the stored request ${id} was changed`, ended);
  }
  return { kind: 'open', consume: approval, approvalId: id, ended: null };
}

/** What a request that is over comes to; null while it is open. */
function overGate(approval: ApprovalRecord): RefusedGate | null {
  const { id, state } = approval;
  switch (state) {
    case 'denied':
      return refused('APPROVAL_DENIED', `${id} was denied by ${deniers(approval)}`);
    case 'expired':
      return refused('APPROVAL_EXPIRED', `${id} has expired`);
    case 'withdrawn':
    case 'revoked':
      return refused('APPROVAL_WITHDRAWN', `${id} was ${state}`);
    case 'consumed':
      return refused('APPROVAL_CONSUMED', `${id} was already used`);
    case 'pending':
    case 'approved':
      return null;
  }
}

/**
 * A row whose function, quorum, duties or expiry were changed in the store would let other people decide, or later, than
 * policy does.
 */
function isAsDemanded(
  approval: ApprovalRecord,
  { attempt, callable, context, decision, author }: Judged,
): boolean {
  const needed = decision.effective.approval;
  if (needed === null) return false;
  const demanded = { mode: needed.mode, quorum: asJson(needed.quorum), author, redriver: attempt.redriver };
  const { separationOfDuties, reasonRequired, expiresSeconds } = needed;
  const duties = { ...demanded, separationOfDuties, reasonRequired, livesMs: expiresSeconds * 1000 };
  const { mode, quorum } = approval;
  const stored = {
    ...{ mode, quorum: asJson(quorum), author: approval.author ?? null, redriver: approval.redriver ?? null },
    ...{ separationOfDuties: approval.separationOfDuties, reasonRequired: approval.reasonRequired },
    livesMs: approval.expiresAtMs - approval.createdAtMs,
  };
  const isSame = canonicalJson(duties) === canonicalJson(stored);
  const isOfThis = approval.functionId === callable.resource && approval.tenant === context.tenant;
  const { initiator } = attempt.run;
  return (
    isSame &&
    isOfThis &&
    approval.repository === callable.package?.repository &&
    approval.initiator === initiator &&
    approval.requester === (callable.agent ?? initiator)
  );
}

/** The open request of an attempt that can't start any more ends with it. */
export async function endOpenApproval(
  guard: Guard,
  context: EntryContext,
  earlier: AttemptRecord | null,
  cause: string,
): Promise<EndedApproval | null> {
  const id = earlier?.approvalId ?? null;
  const approval = id === null ? null : await guard.store.approval(id);
  if (approval === null || (approval.state !== 'pending' && approval.state !== 'approved')) return null;
  return endApproval(context, approval, 'withdrawn', cause);
}

/**
 * Two attempts run under the consumption of the one directly before them, with the same idempotency key and the same
 * subject but for the attempt's number: an idempotent step whose outcome was lost, and the next turn of a conversation.
 */
async function standingConsumption(guard: Guard, judged: Judged): Promise<Gate | null> {
  const { attempt, subject } = judged;
  const { run, stepPath, node, conversation, idempotencyKey } = attempt;
  if (!node.idempotent && conversation === null) return null;
  const before = await guard.store.attempt(run.id, stepPath, attempt.attempt - 1);
  if (before?.idempotencyKey !== idempotencyKey) return null;
  const isRerun = before.status === 'indeterminate' && node.idempotent;
  const isNextTurn = before.status === 'asked' && conversation !== null;
  if (!isRerun && !isNextTurn) return null;
  const approval = before.approvalId === null ? null : await guard.store.approval(before.approvalId);
  if (approval?.state !== 'consumed' || !isGranted(guard, approval)) return null;
  const granted = subjectDigest({ ...subject, attempt: approval.attempt });
  if (granted !== approval.subjectDigest || !(await isAsLogged(guard.store, approval))) return null;
  return { kind: 'open', consume: null, approvalId: approval.id, ended: null };
}

function isOf(approval: ApprovalRecord, { run, stepPath, attempt }: Attempt): boolean {
  return approval.run === run.id && approval.stepPath === stepPath && approval.attempt === attempt;
}

async function storedDigest(guard: Guard, approval: ApprovalRecord): Promise<SubjectDigest | null> {
  const payload = await guard.store.payload(approval.subject);
  return payload?.bytes == null ? null : digestOfSubjectBytes(payload.bytes);
}

function deniers(approval: ApprovalRecord): string {
  return approval.votes
    .filter((vote) => vote.decision === 'deny')
    .map((vote) => vote.approver)
    .join(', ');
}
