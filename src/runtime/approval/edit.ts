// Changing what a request asks for, before anybody approves it: the old request is withdrawn and another one, with the
// digest of the new input, takes its place in the same commit. Policy and ceilings are asked again first, and whoever
// changed the input counts as one who asks: where duties are separated, somebody else has to approve it.
import { alreadyDecided, castVote } from '../../approval/ballot.js';
import { canonicalJson } from '../../canonical-json.js';
import type { Task } from '../../engine/command.js';
import { WritError } from '../../errors.js';
import { isObject, type Json, type SubjectDigest } from '../../json.js';
import { checkDeciding } from '../../policy/rbac/package-access.js';
import { requestApproval } from './request.js';
import { requireAsLogged } from './origin.js';
import { attemptRecord, known } from '../attempt/record.js';
import { draft } from '../log/entries.js';
import { decisionEntries } from '../attempt/decision-entries.js';
import type { Guard } from '../guard-parts.js';
import { judge } from '../attempt/judge.js';
import type { Judged } from '../attempt/judged-attempt.js';
import { isConflict, LiveRun } from '../run/live-run.js';
import type { ApprovalRecord, Receipt } from '../ports.js';
import { REMEMBERED_MS, requireNotReceived } from './received.js';
import { recordedBytes } from '../run/recordable.js';
import { entryContext, load, logTimeMs } from '../run/context.js';
import { attemptOf } from '../runner.js';
import { approvalView } from '../view/approval-view.js';
import { isAssured } from './vote-proof.js';
import { holdsRoles } from './voice.js';
import type { EditRequest, Principal } from '../writ.js';

/** An edited input has at most this many bytes in canonical form. */
const MAX_EDITED_BYTES = 262_144;

/** Who wants to change which request to what. */
interface AskedEdit {
  readonly id: string;
  readonly edit: EditRequest;
  readonly editor: Principal;
}

/**
 * The new request, durable. Throws APPROVAL_*, POLICY_* and CEILING_* (then the old request stands), USAGE, and
 * STORE_CONFLICT when the message of `receipt` was received before: `madeBy` says what it came to.
 */
export async function editApproval(guard: Guard, asked: AskedEdit): Promise<ApprovalRecord> {
  const { input, receipt } = asked.edit;
  if (recordedBytes(input, 'the changed input', 'USAGE') > MAX_EDITED_BYTES) {
    throw new WritError('USAGE', `the changed input has more than ${MAX_EDITED_BYTES} bytes`);
  }
  for (;;) {
    await requireNotReceived(guard.store, receipt === undefined ? [] : [receipt]);
    try {
      return await editOnce(guard, asked);
    } catch (error) {
      // Somebody voted at this moment: judge the edit against what the request is now.
      if (!isConflict(error)) throw error;
    }
  }
}

async function editOnce(guard: Guard, { id, edit, editor }: AskedEdit): Promise<ApprovalRecord> {
  const { record: approval, subject } = await approvalView(guard, id);
  await requireAsLogged(guard.store, approval);
  const nowMs = await logTimeMs(guard);
  await requireMayEdit(guard, approval, { digest: edit.digest, editor, nowMs });
  const live = await LiveRun.open(guard, approval.run);
  const task = await waitingTask(guard, live, approval);
  const input = guard.redact.json(edit.input);
  if (canonicalJson(inputOf(subject)) === canonicalJson(input)) {
    throw new WritError('USAGE', `the input of ${id} is this one already`);
  }
  const context = entryContext(guard, live.run, { id: editor.id, via: 'approvals' });
  const attempt = { ...attemptOf(guard, live, task), isWaiting: true, input };
  const judged = await judge(guard, attempt, context);
  await requireStillAsked(guard, judged, approval);
  const { editors = [] } = approval;
  const asking = { nowMs, superseded: approval, editors, editor: editor.id };
  const gate = requestApproval(guard, judged, asking);
  if (gate.kind === 'refused') {
    throw new WritError(gate.code, gate.message, {
      hint: `${id} stands as it is; deny it and start a run with that input, or have more people given the role`,
    });
  }
  const before = decisionEntries(judged);
  const row = { status: 'waiting', input: gate.input, approvalId: gate.approval.id } as const;
  await guard.journal.commit({
    entries: [...before, ...gate.entries],
    approvals: gate.writes,
    ...receiptOf(edit.receipt, id, gate.approval),
    payloads: gate.payloads.map(({ payload, entry }) => ({ payload, entry: entry + before.length })),
    attempts: [{ record: attemptRecord(judged.attempt, { ...known(judged), ...row }) }],
  });
  return gate.approval;
}

/** The task that waits for this request, if what it was given can be changed. Throws APPROVAL_WITHDRAWN, USAGE. */
async function waitingTask(guard: Guard, live: LiveRun, approval: ApprovalRecord): Promise<Task> {
  const { id, run, stepPath, attempt } = approval;
  const task = live.isFinished ? null : live.execution.task(stepPath);
  const row = await guard.store.attempt(run, stepPath, attempt);
  if (task?.attempt !== attempt || row?.status !== 'waiting' || row.approvalId !== id) {
    throw new WritError('APPROVAL_WITHDRAWN', `nothing waits for ${id} any more`);
  }
  if (task.conversation === null) return task;
  throw new WritError('USAGE', `${id} is about a turn of a conversation, whose input can't be changed`, {
    hint: 'deny it, and start again with other words',
  });
}

/** Throws what policy says when it denies the changed input, and USAGE when it asks for no approval of it. */
async function requireStillAsked(
  guard: Guard,
  { attempt, context, callable, decision }: Judged,
  { id, stepPath }: ApprovalRecord,
): Promise<void> {
  if (decision.verdict === 'deny') {
    const code = decision.code ?? 'POLICY_ERROR';
    // Of no attempt: the request as it was stands, and its step may still run.
    const data = { subject: attempt.run.initiator, agent: callable.agent, domain: guard.tenant };
    const asked = { action: callable.action, resource: callable.resource, ruleId: null };
    const about = { stepPath, attempt: null, verdict: 'deny', code, approvalId: id };
    await guard.journal.commit({
      entries: [draft(context, 'authz.decided', { ...about, ...data, ...asked })],
    });
    throw new WritError(code, decision.message, decision.hint === null ? {} : { hint: decision.hint });
  }
  if (decision.verdict === 'allow') {
    throw new WritError('USAGE', 'with this input policy asks for no approval, so there is nothing to edit', {
      hint: `deny ${id} and start a run with that input`,
    });
  }
}

function receiptOf(
  receipt: EditRequest['receipt'],
  supersedes: string,
  made: ApprovalRecord,
): { readonly receipts?: readonly Receipt[] } {
  if (receipt === undefined) return {};
  const untilMs = made.expiresAtMs + REMEMBERED_MS;
  return { receipts: [{ ...receipt, answer: { made: made.id, supersedes }, untilMs }] };
}

/** The request that an edit has made, from its receipt's answer; null = that message was no edit. */
export function madeBy(answer: Json): string | null {
  const made = isObject(answer) ? answer['made'] : undefined;
  return typeof made === 'string' ? made : null;
}

interface Editing {
  /** Of what they saw. */
  readonly digest: SubjectDigest;
  readonly editor: Principal;
  readonly nowMs: number;
}

/** Who may approve it may change it: the same questions, asked of a vote that is not cast. */
async function requireMayEdit(
  guard: Guard,
  approval: ApprovalRecord,
  { digest, editor, nowMs }: Editing,
): Promise<void> {
  const snapshot = guard.policy();
  const { tenant: domain, functionId: resource } = approval;
  const asked = { subject: editor.id, domain, action: 'approval.decide', resource };
  const holds = holdsRoles(snapshot, approval, [{ approver: editor.id, atMs: nowMs }]);
  const mayDecide = checkDeciding(snapshot, asked, approval).allowed;
  const voter = { id: editor.id, mayDecide, brings: holds, holds };
  // An editor may edit again: what bars them is voting on it, not changing it once more.
  const ballot = { ...approval, editors: (approval.editors ?? []).filter((one) => one !== editor.id) };
  try {
    castVote(ballot, voter, { decision: 'approve', digest, reasonGiven: true, nowMs });
    if (!isAssured(snapshot, approval, editor)) {
      throw new WritError('APPROVAL_SIGNATURE_INVALID', `nothing proves enough that this is ${editor.id}`, {
        hint: 'come with a key that policies/approvers.yaml holds for this person',
      });
    }
    if (approval.state !== 'pending') throw alreadyDecided(approval);
  } catch (error) {
    if (error instanceof WritError && error.kind === 'refusal') {
      const run = await load(guard, approval.run);
      const context = entryContext(guard, run, { id: editor.id, via: 'approvals' });
      const about = { stepPath: approval.stepPath, attempt: null, agent: null, ruleId: null };
      const data = { ...asked, ...about, verdict: 'deny', code: error.code, approvalId: approval.id };
      await guard.journal.commit({ entries: [draft(context, 'authz.decided', data)] });
    }
    throw error;
  }
}

function inputOf(subject: Json): Json {
  return isObject(subject) ? (subject['input'] ?? null) : null;
}
