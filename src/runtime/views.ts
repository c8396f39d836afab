// What status, results and approvals show: read from the store, nothing computed twice, no data unless asked for.
import { displaySubject } from '../approval/display.js';
import { digestOfSubjectBytes } from '../approval/subject.js';
import { errorName, isErrorCode, WritError } from '../errors.js';
import { isObject, type Commitment, type Json } from '../json.js';
import { load } from './run-context.js';
import type { Guard } from './judge.js';
import { openJson } from './payload.js';
import type { ApprovalRecord, AttemptRecord, RunRecord, StoredPayload } from './ports.js';
import { finishedState, planOf } from './run-state.js';
import { EXIT_WAITING } from './settlement.js';
import type { ApprovalView, RunView, StepView, Waiting } from './writ.js';

export async function runView(guard: Guard, runId: string, withData: boolean): Promise<RunView> {
  const run = await load(guard, runId);
  const workflow = await guard.store.workflow(run.workflowId, run.workflowHash);
  const attempts = await guard.store.attempts(runId);
  const approvals = await guard.store.approvals({ run: runId });
  const steps: StepView[] = [];
  for (const stepPath of new Set(attempts.map((attempt) => attempt.stepPath))) {
    const own = attempts.filter((attempt) => attempt.stepPath === stepPath);
    const last = own.at(-1);
    if (last !== undefined) steps.push(await stepView(guard, run, last, own, approvals, withData));
  }
  return {
    id: run.id,
    workflow: {
      id: run.workflowId,
      hash: run.workflowHash,
      version: workflow?.version ?? 0,
      name: workflow?.name ?? run.workflowId,
    },
    status: run.status,
    initiator: run.initiator,
    createdAtMs: run.createdAtMs,
    updatedAtMs: run.updatedAtMs,
    waitingFor: waitingOf(run),
    steps,
    output: null,
    ...(withData ? await dataOf(guard, finishedState(run)?.output ?? null) : {}),
    error: await errorOf(guard, run),
    exitCode: run.exitCode ?? (run.status === 'waiting' ? EXIT_WAITING : 0),
  };
}

async function stepView(
  guard: Guard,
  run: RunRecord,
  last: AttemptRecord,
  own: readonly AttemptRecord[],
  approvals: readonly ApprovalRecord[],
  withData: boolean,
): Promise<StepView> {
  const { stepPath, status, functionId, principal, startedAtMs, finishedAtMs, output, error } = last;
  const approval = approvals.find((one) => one.id === last.approvalId);
  return {
    stepPath,
    name: nameOf(run, stepPath),
    status,
    attempts: own.length,
    functionId,
    principal,
    startedAtMs,
    durationMs: startedAtMs === null || finishedAtMs === null ? null : finishedAtMs - startedAtMs,
    approval:
      approval === undefined
        ? null
        : { id: approval.id, state: approval.state, decidedBy: approval.votes.map((vote) => vote.approver) },
    error,
    outputCommitment: output,
    output: null,
    ...(withData ? await dataOf(guard, output) : {}),
  };
}

/** As the document spells it. */
function nameOf(run: RunRecord, stepPath: string): string {
  return planOf(run).nodes[stepPath]?.name ?? stepPath;
}

function waitingOf(run: RunRecord): Waiting | null {
  // Written by this runtime (see Waiting), read back from our own store.
  return isObject(run.waitingFor) ? (run.waitingFor as unknown as Waiting) : null;
}

/** An output, or the entry that says why it is gone. */
async function dataOf(
  guard: Guard,
  output: Commitment | null,
): Promise<{ readonly output: Json; readonly outputErasedBy?: string }> {
  const payload = output === null ? null : await guard.store.payload(output);
  const erasedBy = payload?.erasedBy ?? null;
  return erasedBy === null
    ? { output: openJson(payload) }
    : { output: null, outputErasedBy: erasedBy.toString() };
}

async function errorOf(guard: Guard, run: RunRecord): Promise<RunView['error']> {
  const error = finishedState(run)?.error;
  if (error == null) return null;
  const payload = await guard.store.payload(error.detail);
  const detail = openJson(payload);
  const message =
    isObject(detail) && typeof detail['message'] === 'string' ? detail['message'] : erasedText(payload);
  return {
    code: error.code,
    name: error.name !== '' || !isErrorCode(error.code) ? error.name : errorName(error.code),
    message,
  };
}

export async function approvalView(guard: Guard, id: string): Promise<ApprovalView> {
  const record = await guard.store.approval(id);
  if (record === null)
    throw new WritError('NOT_FOUND', `no approval ${id}`, { hint: 'list them: writ approvals list' });
  const payload = await guard.store.payload(record.subject);
  // What is shown is what the digest names, or it is not shown.
  if (payload?.bytes != null && digestOfSubjectBytes(payload.bytes) !== record.subjectDigest) {
    throw new WritError('APPROVAL_DIGEST_MISMATCH', `the stored subject of ${id} was changed`, {
      hint: 'do not decide it; find out who changed the store: writ audit verify --payloads',
    });
  }
  const subject = openJson(payload);
  const display = payload?.bytes == null ? [erasedText(payload)] : displaySubject(subject);
  return { record, subject, display };
}

/** What stands where data was: gone by an entry of the log, or gone with none. */
function erasedText(payload: StoredPayload | null): string {
  const entry = payload?.erasedBy ?? null;
  return entry === null ? '(missing)' : `(erased, entry ${entry})`;
}
