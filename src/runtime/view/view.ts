// What status, results and approvals show: read from the store, nothing computed twice, no data unless asked for.
import { displaySubject } from '../../approval/display.js';
import { digestOfSubjectBytes } from '../../approval/subject.js';
import { errorName, isErrorCode, WritError } from '../../errors.js';
import { isObject, type Commitment, type Json } from '../../json.js';
import { notFound } from '../not-found.js';
import { load } from '../run/context.js';
import type { Guard } from '../guard-parts.js';
import { openJson } from '../log/payload.js';
import { principalOf } from '../call/callable.js';
import { outline, referenceOf } from '../plan/outline.js';
import { stepLabel, stepName, stepNames, stepNode } from '../../engine/step-path.js';
import type { ApprovalRecord, RunRecord, StoredPayload } from '../ports.js';
import { finishedState, isFinished, planOf } from '../run/state.js';
import { EXIT_WAITING } from '../run/settlement.js';
import { stepEntries } from './step-entries.js';
import {
  attemptsOf,
  groupSteps,
  isDone,
  isFailed,
  isSkippedForError,
  lastOf,
  statusOf,
  together,
  type StepGroup,
  type StepMember,
} from './step-groups.js';
import type { ApprovalView, RunView, StepView, Waiting } from '../writ.js';

/** How many items of a map, or calls of a conversation, are told one by one. */
export const NESTED_SHOWN = 20;

export interface ViewOptions {
  readonly withData: boolean;
  /** Default: NESTED_SHOWN. */
  readonly nested?: number;
}

export async function runView(
  guard: Guard,
  runId: string,
  { withData, nested = NESTED_SHOWN }: ViewOptions,
): Promise<RunView> {
  const run = await load(guard, runId);
  const workflow = await guard.store.workflow(run.workflowId, run.workflowHash);
  const approvals = await guard.store.approvals({ run: runId });
  const groups = groupSteps(planOf(run), await guard.store.attempts(runId));
  const view: Viewing = {
    guard,
    run,
    error: await errorOf(guard, run),
    approvals: new Map(approvals.map((one) => [one.id, one])),
    withData,
    nested,
    totals: await itemTotals(guard, run, groups),
    entries: withData ? await stepEntries(guard.store, runId, hiddenPaths(groups, nested)) : null,
  };
  const begun: StepView[] = [];
  for (const group of groups) begun.push(await groupView(view, group));
  const steps = withPending(view, begun);
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
    error: hinted(view.error, steps),
    exitCode: run.exitCode ?? (run.status === 'waiting' ? EXIT_WAITING : 0),
  };
}

/** Dialect 1: every step in the order of the document. Which states of dialect 2 a run comes to is not known before. */
function withPending({ run, withData }: Viewing, begun: readonly StepView[]): readonly StepView[] {
  const plan = planOf(run);
  if (plan.dialect !== 'steps') return begun;
  const left = new Map(begun.map((one) => [one.stepPath, one]));
  const listed = outline(plan);
  const last = listed.findLastIndex(({ key }) => left.has(key));
  const ordered = listed.flatMap(({ key, map, group }, at): StepView[] => {
    const node = stepNode(plan, key);
    if (node === null) return [];
    const found = left.get(key);
    left.delete(key);
    if (found !== undefined) return [found];
    // Whatever the run has gone past has left a row, but for a map without items.
    const isPast = run.status === 'completed' || (at < last && listed[last]?.group !== group);
    const isEmpty = map !== null && isPast;
    return [
      {
        stepPath: key,
        name: node.name,
        status: isEmpty ? 'succeeded' : 'pending',
        attempts: 0,
        functionId: referenceOf(node.call),
        principal: principalOf(plan, run, node),
        startedAtMs: null,
        durationMs: null,
        approval: null,
        error: null,
        outputCommitment: null,
        output: isEmpty && withData ? [] : null,
        ...(withData ? { auditEntries: [] } : {}),
        ...(isEmpty ? { items: { done: 0, failed: 0, total: 0 }, nested: [] } : {}),
      },
    ];
  });
  return [...ordered, ...left.values()];
}

/** Items of maps that are counted but not told one by one. */
function hiddenPaths(groups: readonly StepGroup[], nested: number): ReadonlySet<string> {
  const hidden = groups.flatMap(({ isMap, members }) => (isMap ? members.slice(nested) : []));
  return new Set(hidden.map((one) => lastOf(one).stepPath));
}

interface Viewing {
  readonly guard: Guard;
  readonly run: RunRecord;
  /** Of the run. */
  readonly error: RunView['error'];
  readonly approvals: ReadonlyMap<string, ApprovalRecord>;
  readonly withData: boolean;
  readonly nested: number;
  readonly totals: ReadonlyMap<string, number>;
  /** Log indices by step path; null without data. */
  readonly entries: ReadonlyMap<string, readonly string[]> | null;
}

/** How many items an active map has; of one that has ended only those are known that were attempted. */
async function itemTotals(
  guard: Guard,
  run: RunRecord,
  groups: readonly StepGroup[],
): Promise<ReadonlyMap<string, number>> {
  const totals = new Map<string, number>();
  const plan = planOf(run);
  if (plan.dialect !== 'steps' || isFinished(run) || !groups.some((group) => group.isMap)) return totals;
  const lanes = (await guard.store.parts(run.id, 'items/')).get('items/');
  const here = (await guard.store.parts(run.id, 'frame/')).get('frame/');
  const fork = isObject(here) && typeof here['node'] === 'string' ? plan.nodes[here['node']] : undefined;
  if (fork?.kind !== 'fork' || !Array.isArray(lanes)) return totals;
  fork.lanes.forEach(({ start }, lane) => {
    const items: unknown = lanes[lane];
    if (Array.isArray(items)) totals.set(start, items.length);
  });
  return totals;
}

/** A step; of a map all of its items as one, the first of them by themselves. */
async function groupView(view: Viewing, group: StepGroup): Promise<StepView> {
  const [only] = group.members;
  if (!group.isMap && only !== undefined) return memberView(view, only);
  const shown: StepView[] = [];
  for (const member of group.members.slice(0, view.nested)) shown.push(await memberView(view, member));
  const more = group.members.length - shown.length;
  const name = stepName(planOf(view.run), group.key);
  const hasFailed = (one: StepMember): boolean => isFailed(statusOf(one)) || isSkippedForError(one);
  const failed = group.members.filter(hasFailed);
  const done = group.members.filter((one) => isDone(statusOf(one)) && !hasFailed(one)).length;
  const total = Math.max(view.totals.get(group.key) ?? 0, group.members.length);
  const lasts = group.members.map(lastOf);
  const starts = lasts.flatMap((one) => one.startedAtMs ?? []);
  const ends = lasts.flatMap((one) => one.finishedAtMs ?? []);
  const startedAtMs = starts.length === 0 ? null : starts.reduce((a, b) => Math.min(a, b));
  const isOver = ends.length === lasts.length && done + failed.length === total;
  const [first] = failed;
  const errors = first === undefined ? null : await errorOfMember(view, first);
  const status = together(group.members.map(statusOf), total);
  return {
    stepPath: group.key,
    name,
    status,
    attempts: group.members.reduce((sum, one) => sum + attemptsOf(one), 0),
    functionId: lasts[0]?.functionId ?? '',
    principal: lasts[0]?.principal ?? '',
    startedAtMs,
    durationMs:
      isOver && startedAtMs !== null
        ? ends.reduce((a, b) => Math.max(a, b), startedAtMs) - startedAtMs
        : null,
    approval: null,
    error: errors,
    outputCommitment: null,
    output: view.withData && isOver && more === 0 ? shown.map((one) => one.output) : null,
    ...(view.entries === null
      ? {}
      : { auditEntries: more === 0 ? shown.flatMap((one) => one.auditEntries ?? []) : null }),
    ...(status === 'skipped' ? { reason: failed.length === 0 ? 'condition' : 'error' } : {}),
    items: { done, failed: failed.length, total },
    nested: shown,
    ...(more === 0 ? {} : { more }),
  };
}

/** One step, or one item of a map, and the calls that it has asked for. */
async function memberView(view: Viewing, member: StepMember): Promise<StepView> {
  const { guard, run, approvals, withData } = view;
  const last = lastOf(member);
  const { stepPath, functionId, principal, startedAtMs, finishedAtMs, output } = last;
  const isExhausted = hasExhausted(view, member);
  const status = isExhausted ? 'failed' : statusOf(member);
  const approval = last.approvalId === null ? undefined : approvals.get(last.approvalId);
  const calls: StepView[] = [];
  for (const call of member.calls.slice(0, view.nested)) calls.push(await memberView(view, call));
  const more = member.calls.length - calls.length;
  const iterations = member.attempts.reduce((most, one) => Math.max(most, (one.iteration ?? -1) + 1), 0);
  const converged = member.attempts.find((one) => one.converged !== null)?.converged;
  const isSkipped = status === 'skipped';
  // Of the others it is calls and a transcript, or why it was skipped or failed.
  const isOutput = isExhausted || (status !== 'asked' && !isSkipped && !isFailed(status));
  return {
    stepPath,
    name: stepName(planOf(run), stepPath),
    status,
    attempts: attemptsOf(member),
    functionId,
    principal,
    startedAtMs: isSkipped && attemptsOf(member) === 0 ? null : startedAtMs,
    durationMs: startedAtMs === null || finishedAtMs === null ? null : finishedAtMs - startedAtMs,
    approval:
      approval === undefined
        ? null
        : { id: approval.id, state: approval.state, decidedBy: approval.votes.map((vote) => vote.approver) },
    error: isExhausted ? view.error : await errorOfMember(view, member),
    outputCommitment: isOutput ? output : null,
    output: null,
    ...(withData && isOutput ? await dataOf(guard, output) : {}),
    ...(view.entries === null ? {} : { auditEntries: view.entries.get(stepPath) ?? [] }),
    ...(isSkipped ? { reason: isSkippedForError(member) ? 'error' : 'condition' } : {}),
    ...(iterations === 0 ? {} : { iterations, converged: converged ?? null }),
    ...(calls.length === 0 ? {} : { nested: calls }),
    ...(more === 0 ? {} : { more }),
  };
}

/** A loop whose `until` was never true and that may not go on so: its last iteration succeeded, and the step failed. */
function hasExhausted({ run, error }: Viewing, member: StepMember): boolean {
  if (error?.code !== 'STEP_LOOP_EXHAUSTED' || lastOf(member).converged !== false) return false;
  return stepNode(planOf(run), lastOf(member).stepPath)?.loop?.onExhausted === 'fail';
}

/**
 * What went wrong. The attempt's row names the code and what may be known to everybody; what the function said of it, or
 * why a step was skipped, is data: it is shown from its payload, and gone with it.
 */
async function errorOfMember(
  { guard, error: runError }: Viewing,
  member: StepMember,
): Promise<StepView['error']> {
  const { error, status, output } = lastOf(member);
  // It ended the run before its first attempt: what is said of it is kept once, as the run's.
  if (error !== null && status === 'failed' && attemptsOf(member) === 0 && runError?.code === error.code)
    return runError;
  if (error !== null && output !== null && isFailed(status)) {
    const payload = await guard.store.payload(output);
    const said = openJson(payload);
    const message = isObject(said) ? said['message'] : undefined;
    const hint = isObject(said) ? said['hint'] : undefined;
    return {
      ...error,
      message: typeof message === 'string' ? message : erasedText(payload),
      ...(typeof hint === 'string' ? { hint } : {}),
    };
  }
  const why = member.attempts.find((one) => one.status === 'skipped')?.output ?? null;
  if (why === null || !isSkippedForError(member)) return error;
  const payload = await guard.store.payload(why);
  const detail = openJson(payload);
  const code = isObject(detail) ? detail['code'] : undefined;
  const told = isObject(detail) ? detail['message'] : undefined;
  if (typeof code !== 'string' || typeof told !== 'string')
    return error === null ? null : { ...error, message: erasedText(payload) };
  const hint = isObject(detail) ? detail['hint'] : undefined;
  const name = isErrorCode(code) ? errorName(code) : (error?.name ?? '');
  return { code, name, message: told, ...(typeof hint === 'string' ? { hint } : {}) };
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

/** The run's error with the hint of the step that it came from, unless it has one of its own. */
function hinted(error: RunView['error'], steps: readonly StepView[]): RunView['error'] {
  if (error === null || error.hint !== undefined) return error;
  const hint = steps.find((one) => one.error?.code === error.code && one.error.hint !== undefined)?.error
    ?.hint;
  return hint === undefined ? error : { ...error, hint };
}

async function errorOf(guard: Guard, run: RunRecord): Promise<RunView['error']> {
  const error = finishedState(run)?.error;
  if (error == null) return null;
  const payload = await guard.store.payload(error.detail);
  const detail = openJson(payload);
  const { message, hint } = isObject(detail) ? detail : {};
  return {
    code: error.code,
    name: error.name !== '' || !isErrorCode(error.code) ? error.name : errorName(error.code),
    message: typeof message === 'string' ? message : erasedText(payload),
    ...(typeof hint === 'string' ? { hint } : {}),
  };
}

export async function approvalView(guard: Guard, id: string): Promise<ApprovalView> {
  const record = await guard.store.approval(id);
  if (record === null) throw notFound('approval', id);
  const payload = await guard.store.payload(record.subject);
  // What is shown is what the digest names, or it is not shown.
  if (payload?.bytes != null && digestOfSubjectBytes(payload.bytes) !== record.subjectDigest) {
    throw new WritError('APPROVAL_DIGEST_MISMATCH', `the stored subject of ${id} was changed`, {
      hint: 'do not decide it; find out who changed the store: writ audit verify --payloads',
    });
  }
  const subject = openJson(payload);
  const display = payload?.bytes == null ? [erasedText(payload)] : displaySubject(subject);
  const run = await guard.store.run(record.run);
  const step = run === null ? {} : { step: stepLabel(stepNames(planOf(run)), record.stepPath) };
  return { record, subject, ...step, display, why: whyOf(guard, record) };
}

/** A ceiling is named with its file while the policy is the one that asked. */
function whyOf(guard: Guard, { demandedBy, policyHash }: ApprovalRecord): readonly string[] {
  const policy = guard.policy();
  if (policy.policyHash !== policyHash) return demandedBy;
  return demandedBy.map((text) => {
    const ceiling = policy.ceilings.find(({ name, layer }) => text.startsWith(`ceiling ${name} (${layer})`));
    if (ceiling === undefined) return text;
    const line = ceiling.lineOfDemand(text);
    return `${text} [${ceiling.file}${line === null ? '' : `:${line}`}]`;
  });
}

/** What stands where data was: gone by an entry of the log, or gone with none. */
function erasedText(payload: StoredPayload | null): string {
  const entry = payload?.erasedBy ?? null;
  return entry === null ? '(missing)' : `(erased, entry ${entry})`;
}
