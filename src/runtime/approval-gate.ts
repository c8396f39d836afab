// Whether this attempt may pass now. An approval opens the gate once, for exactly the subject it was given for,
// before it expires, under the policy and ceilings it was given under. Anything else waits or refuses.
import { isExpired } from '../approval/ballot.js';
import { displayHash, displaySubject } from '../approval/display.js';
import { digestOfSubjectBytes, subjectBytes, subjectDigest } from '../approval/subject.js';
import { canonicalJson } from '../canonical-json.js';
import type { ErrorCode } from '../errors.js';
import type { Commitment, SubjectDigest } from '../json.js';
import { eligibleApprovers, isReachable } from '../policy/quorum.js';
import { approvalEnded, asJson, draft, timeText, type EntryContext } from './entries.js';
import { editorsOfRetried } from './edited-request.js';
import { newId } from './ids.js';
import { editorsOf, isAsLogged, isOpenInLog } from './approval-origin.js';
import type { Attempt } from './attempt.js';
import type { Guard } from './guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { openJson, sealBytes, sealJson } from './payload.js';
import type { ApprovalRecord, AttemptRecord, EntryDraft, Payload } from './ports.js';
import { logTimeMs } from './run-context.js';
import { isGranted } from './vote-proof.js';

export type Gate = OpenGate | WaitingGate | RefusedGate;

/** The step may start. `consume` becomes consumed, and what `ended` says ends, in the transaction of the intent. */
export interface OpenGate {
  readonly kind: 'open';
  readonly consume: ApprovalRecord | null;
  readonly approvalId: string | null;
  /** A request of this attempt that policy no longer asks for. */
  readonly ended: EndedApproval | null;
}

/** The step waits. With `writes` empty nothing changed since last time. */
export interface WaitingGate {
  readonly kind: 'waiting';
  readonly approval: ApprovalRecord;
  readonly writes: readonly ApprovalWrite[];
  readonly entries: readonly EntryDraft[];
  /** `entry` = position in `entries`. */
  readonly payloads: readonly { readonly payload: Payload; readonly entry: number }[];
  readonly input: Commitment | null;
}

export interface RefusedGate {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly ended: EndedApproval | null;
}

/** A request that ends together with the refusal. */
export interface EndedApproval {
  readonly write: ApprovalWrite;
  readonly entry: EntryDraft;
}

interface ApprovalWrite {
  readonly op: 'insert' | 'update';
  readonly record: ApprovalRecord;
}

export async function openGate(guard: Guard, judged: Judged): Promise<Gate> {
  const { attempt, context } = judged;
  if (judged.decision.verdict !== 'needs_approval') {
    const ended = await endOpenApproval(guard, context, judged.earlier, 'policy no longer asks for it');
    return { kind: 'open', consume: null, approvalId: null, ended };
  }
  const nowMs = await logTimeMs(guard);
  const id = judged.earlier?.approvalId ?? null;
  const named = id === null ? null : await guard.store.approval(id);
  // Another attempt's approval is none of this one's, whatever the attempt's row names.
  const approval = named !== null && isOf(named, attempt) ? named : null;
  if (approval === null)
    return (
      (await standingConsumption(guard, judged)) ??
      request(guard, judged, nowMs, null, { editors: await editorsOfRetried(guard, attempt) })
    );
  switch (approval.state) {
    case 'denied':
      return refused('APPROVAL_DENIED', `${approval.id} was denied by ${deniers(approval)}`);
    case 'expired':
      return refused('APPROVAL_EXPIRED', `${approval.id} has expired`);
    case 'withdrawn':
    case 'revoked':
      return refused('APPROVAL_WITHDRAWN', `${approval.id} was ${approval.state}`);
    case 'consumed':
      return refused('APPROVAL_CONSUMED', `${approval.id} was already used`);
    case 'pending':
    case 'approved':
      break;
  }
  if (!(await isOpenInLog(guard.store, approval)))
    return refused(
      'APPROVAL_DIGEST_MISMATCH',
      `the log says that ${approval.id} is over, and its row does not`,
    );
  if (isExpired(approval, nowMs)) {
    const ended = endApproval(context, approval, 'expired', 'expired before its step started');
    return refused('APPROVAL_EXPIRED', `${approval.id} has expired`, ended);
  }
  if ((await storedDigest(guard, approval)) !== approval.subjectDigest) {
    const ended = endApproval(context, approval, 'withdrawn', 'stored subject does not match its digest');
    return refused('APPROVAL_DIGEST_MISMATCH', `the stored subject of ${approval.id} was changed`, ended);
  }
  // Policy, ceilings, program or limits changed since it was shown: what was approved is not what would run.
  const again = async () =>
    request(guard, judged, nowMs, approval, { editors: await editorsOf(guard.store, approval) });
  if (subjectDigest(judged.subject) !== approval.subjectDigest) return again();
  // Who has to approve is what policy says now, not what a row says.
  if (!isAsDemanded(approval, judged)) return again();
  if (approval.state === 'approved') {
    // The row says so; only votes that hold make it so.
    if (!isGranted(guard.policy(), approval)) return again();
    if (!(await isAsLogged(guard.store, approval))) {
      const ended = endApproval(context, approval, 'withdrawn', 'stored request does not match the log');
      return refused('APPROVAL_DIGEST_MISMATCH', `the stored request ${approval.id} was changed`, ended);
    }
    return { kind: 'open', consume: approval, approvalId: approval.id, ended: null };
  }
  return {
    kind: 'waiting',
    approval,
    writes: [],
    entries: [],
    payloads: [],
    input: judged.earlier?.input ?? null,
  };
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
  if (approval?.state !== 'consumed' || !isGranted(guard.policy(), approval)) return null;
  const granted = subjectDigest({ ...subject, attempt: approval.attempt });
  if (granted !== approval.subjectDigest || !(await isAsLogged(guard.store, approval))) return null;
  return { kind: 'open', consume: null, approvalId: approval.id, ended: null };
}

/** Who had a hand in the input. */
interface Hands {
  /** Who changes it now. */
  readonly editor?: string | null;
  /** Who changed it before; default: those of the request whose place is taken. */
  readonly editors?: readonly string[];
}

/**
 * A new request; an older one of this attempt is withdrawn in the same commit. Who has changed the input counts among
 * those who ask, for as long as it is that input.
 */
export function request(
  guard: Guard,
  judged: Judged,
  nowMs: number,
  superseded: ApprovalRecord | null,
  { editor = null, editors: before = superseded?.editors ?? [] }: Hands = {},
): WaitingGate | RefusedGate {
  const { attempt, callable, context, decision, subject, earlier, author } = judged;
  const needed = decision.effective.approval;
  if (needed === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'policy asks for an approval but names no approvers');
  if (needed.author === true && author === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'nobody knows who wrote the workflow, who may not approve');
  const { mode, quorum, separationOfDuties, expiresSeconds, reasonRequired } = needed;
  const subjectPayload = sealBytes(
    attempt.run.id,
    'subject',
    subjectBytes(subject),
    'application/json',
    guard,
  );
  const inputPayload =
    earlier?.input == null ? sealJson(attempt.run.id, 'input', attempt.input, guard) : null;
  const input = inputPayload?.commitment ?? earlier?.input ?? null;
  const editors = [...new Set([...before, ...(editor === null ? [] : [editor])])];
  if (!canBeReached(guard, judged, editors)) {
    const others = attempt.redriver === null ? [] : [`${attempt.redriver}, who redrove the run or step`];
    if (editors.length > 0) others.push(`${editors.join(', ')}, who changed the input`);
    const left = `without ${others.join(', and without ')}`;
    const message = `too few people are left to approve ${callable.resource} ${left}`;
    return refused('APPROVAL_QUORUM_UNREACHABLE', message);
  }
  const hands = {
    ...(editors.length === 0 ? {} : { editors }),
    ...(attempt.redriver === null ? {} : { redriver: attempt.redriver }),
    ...(author === null ? {} : { author }),
  };
  const record: ApprovalRecord = {
    id: newId('apr', guard.random),
    tenant: guard.tenant,
    run: attempt.run.id,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    subjectDigest: subjectDigest(subject),
    subject: subjectPayload.commitment,
    mode,
    quorum,
    separationOfDuties,
    reasonRequired,
    requester: callable.agent ?? attempt.run.initiator,
    initiator: attempt.run.initiator,
    functionId: callable.resource,
    ...namedBy(callable),
    demandedBy: decision.demandedBy,
    policyHash: decision.policyHash,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + expiresSeconds * 1000,
    state: 'pending',
    votes: [],
    version: 0,
    ...hands,
  };
  const requested = draft(
    context,
    'approval.requested',
    {
      approvalId: record.id,
      subjectDigest: record.subjectDigest,
      displayHash: displayHash(displaySubject(openJson(subjectPayload))),
      mode,
      quorum: asJson(quorum),
      separationOfDuties,
      expiresAt: timeText(record.expiresAtMs),
      stepPath: attempt.stepPath,
      attempt: attempt.attempt,
      ...hands,
      ...(superseded === null ? {} : { supersedes: superseded.id }),
    },
    { subject: subjectPayload.commitment, ...(input === null ? {} : { input }) },
  );
  const cause = editor === null ? 'what would run has changed' : `${editor} has changed the input`;
  const ended = superseded === null ? null : endApproval(context, superseded, 'withdrawn', cause);
  const entries = ended === null ? [requested] : [ended.entry, requested];
  const entry = entries.length - 1;
  const payloads = [{ payload: subjectPayload, entry }];
  if (inputPayload !== null) payloads.push({ payload: inputPayload, entry });
  const writes: ApprovalWrite[] = ended === null ? [] : [ended.write];
  writes.push({ op: 'insert', record });
  return { kind: 'waiting', approval: record, writes, entries, payloads, input };
}

/** The decision knew of nobody who has changed the input or redriven run or step: without them the others may be too few. */
function canBeReached(guard: Guard, judged: Judged, editors: readonly string[]): boolean {
  const { attempt, callable, decision, author } = judged;
  const needed = decision.effective.approval;
  const hands = attempt.redriver === null ? editors : [...editors, attempt.redriver];
  if (needed?.separationOfDuties !== true || hands.length === 0) return true;
  const { initiator } = attempt.run;
  const involved = [initiator, callable.agent ?? initiator, ...hands];
  const question = {
    domain: guard.tenant,
    functionId: callable.resource,
    requester: callable.agent,
    ...namedBy(callable),
    separationOfDuties: true,
    involved,
  };
  const barred = author === null ? {} : { author };
  const eligible = eligibleApprovers(guard.policy(), { ...question, ...barred });
  return isReachable(guard.policy(), guard.tenant, needed.quorum, eligible);
}

function namedBy({ package: agent }: Judged['callable']): Pick<ApprovalRecord, 'repository'> {
  return agent === null ? {} : { repository: agent.repository };
}

function endApproval(
  context: EntryContext,
  approval: ApprovalRecord,
  state: 'expired' | 'withdrawn',
  cause: string,
): EndedApproval {
  const type = state === 'expired' ? 'approval.expired' : 'approval.withdrawn';
  return {
    write: { op: 'update', record: { ...approval, state } },
    entry: approvalEnded(context, type, approval, cause),
  };
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

function refused(code: ErrorCode, message: string, ended: EndedApproval | null = null): RefusedGate {
  return { kind: 'refused', code, message, ended };
}
