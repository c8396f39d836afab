// Whether this attempt may pass now. An approval opens the gate once, for exactly the subject it was given for,
// before it expires, under the policy and ceilings it was given under. Anything else waits or refuses.
import { isExpired } from '../../approval/ballot.js';
import { displayHash, displaySubject } from '../../approval/display.js';
import { digestOfSubjectBytes, subjectBytes, subjectDigest } from '../../approval/subject.js';
import { canonicalJson } from '../../canonical-json.js';
import type { ErrorCode } from '../../errors.js';
import type { Commitment, Json, SubjectDigest } from '../../json.js';
import type { EffectiveApproval } from '../../policy/ceiling/approval-duty.js';
import { eligibleApprovers, isReachable } from '../../policy/rbac/quorum.js';
import { approvalEnded, asJson, draft, timeText, type EntryContext } from '../log/entries.js';
import { editorsOfRetried } from './edited-request.js';
import { newId } from '../ids.js';
import { editorsOf, isAsLogged, isOpenInLog } from './origin.js';
import type { Attempt } from '../attempt/attempt.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from '../attempt/judged-attempt.js';
import { openJson, sealBytes, sealJson } from '../log/payload.js';
import type { ApprovalRecord, AttemptRecord, EntryDraft, Payload } from '../ports.js';
import { logTimeMs } from '../run/context.js';
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
    (approval.state === 'pending' || isGranted(guard.policy(), approval));
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
  if (approval?.state !== 'consumed' || !isGranted(guard.policy(), approval)) return null;
  const granted = subjectDigest({ ...subject, attempt: approval.attempt });
  if (granted !== approval.subjectDigest || !(await isAsLogged(guard.store, approval))) return null;
  return { kind: 'open', consume: null, approvalId: approval.id, ended: null };
}

/** What is asked for anew. */
interface Asking {
  readonly nowMs: number;
  /** The older request of this attempt whose place it takes. */
  readonly superseded: ApprovalRecord | null;
  /** Who has changed the input before. */
  readonly editors: readonly string[];
  /** Who changes it now; absent = nobody. */
  readonly editor?: string;
}

/**
 * A new request; the older one is withdrawn in the same commit. Who has changed the input counts among those who ask, for
 * as long as it is that input.
 */
export function requestApproval(guard: Guard, judged: Judged, asking: Asking): WaitingGate | RefusedGate {
  const { attempt, context, decision, subject, earlier, author } = judged;
  const { superseded, editor } = asking;
  const needed = decision.effective.approval;
  if (needed === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'policy asks for an approval but names no approvers');
  if (needed.author === true && author === null)
    return refused('APPROVAL_QUORUM_UNREACHABLE', 'nobody knows who wrote the workflow, who may not approve');
  const editors = [...new Set([...asking.editors, ...(editor === undefined ? [] : [editor])])];
  const tooFew = tooFewLeft(guard, judged, editors);
  if (tooFew !== null) return refused('APPROVAL_QUORUM_UNREACHABLE', tooFew);
  const run = attempt.run.id;
  const bytes = sealBytes(run, 'subject', subjectBytes(subject), 'application/json', guard);
  const inputPayload = earlier?.input == null ? sealJson(run, 'input', attempt.input, guard) : null;
  const input = inputPayload?.commitment ?? earlier?.input ?? null;
  const record = pendingRecord(guard, judged, {
    nowMs: asking.nowMs,
    needed,
    editors,
    subject: bytes.commitment,
  });
  const cause = editor === undefined ? 'what would run has changed' : `${editor} has changed the input`;
  const ended = superseded === null ? null : endApproval(context, superseded, 'withdrawn', cause);
  const requested = draft(
    context,
    'approval.requested',
    {
      ...requestedData(record),
      displayHash: displayHash(displaySubject(openJson(bytes))),
      ...(superseded === null ? {} : { supersedes: superseded.id }),
    },
    { subject: bytes.commitment, ...(input === null ? {} : { input }) },
  );
  const entries = ended === null ? [requested] : [ended.entry, requested];
  const payloads = [bytes, inputPayload].flatMap((payload) =>
    payload === null ? [] : [{ payload, entry: entries.length - 1 }],
  );
  const writes: ApprovalWrite[] = ended === null ? [] : [ended.write];
  writes.push({ op: 'insert', record });
  return { kind: 'waiting', approval: record, writes, entries, payloads, input };
}

function pendingRecord(
  guard: Guard,
  { attempt, callable, decision, subject, author }: Judged,
  asked: Pick<Asking, 'nowMs' | 'editors'> & {
    readonly needed: EffectiveApproval;
    readonly subject: Commitment;
  },
): ApprovalRecord {
  const { nowMs, needed, editors } = asked;
  const { mode, quorum, separationOfDuties, reasonRequired, expiresSeconds } = needed;
  return {
    id: newId('apr', guard.random),
    tenant: guard.tenant,
    run: attempt.run.id,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    subjectDigest: subjectDigest(subject),
    subject: asked.subject,
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
    ...(editors.length === 0 ? {} : { editors }),
    ...(attempt.redriver === null ? {} : { redriver: attempt.redriver }),
    ...(author === null ? {} : { author }),
  };
}

/** What of it the log tells. */
function requestedData(record: ApprovalRecord): Readonly<Record<string, Json>> {
  const { subjectDigest: digest, mode, quorum, separationOfDuties, stepPath, attempt } = record;
  const { editors, redriver, author } = record;
  return {
    approvalId: record.id,
    subjectDigest: digest,
    mode,
    quorum: asJson(quorum),
    separationOfDuties,
    expiresAt: timeText(record.expiresAtMs),
    stepPath,
    attempt,
    ...(editors === undefined ? {} : { editors }),
    ...(redriver === undefined ? {} : { redriver }),
    ...(author === undefined ? {} : { author }),
  };
}

/**
 * The decision knew of nobody who has changed the input or redriven run or step: without them the others may be too few.
 * Null = they are enough.
 */
function tooFewLeft(guard: Guard, judged: Judged, editors: readonly string[]): string | null {
  const { attempt, callable, decision, author } = judged;
  const { redriver } = attempt;
  const needed = decision.effective.approval;
  const hands = redriver === null ? editors : [...editors, redriver];
  if (needed?.separationOfDuties !== true || hands.length === 0) return null;
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
  if (isReachable(guard.policy(), guard.tenant, needed.quorum, eligible)) return null;
  const others = redriver === null ? [] : [`${redriver}, who redrove the run or step`];
  if (editors.length > 0) others.push(`${editors.join(', ')}, who changed the input`);
  const left = `without ${others.join(', and without ')}`;
  return `too few people are left to approve ${callable.resource} ${left}`;
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
