// A step as people are shown it: the items of a map as one, the calls of a conversation below the step that asked.
import { stepName, stepNode } from '../../engine/step-path.js';
import { errorName, isErrorCode } from '../../errors.js';
import { isObject } from '../../json.js';
import type { Guard } from '../guard-parts.js';
import { openJson } from '../log/payload.js';
import type { ApprovalRecord, RunRecord } from '../ports.js';
import { planOf } from '../run/state.js';
import type { RunView, StepView } from '../writ.js';
import { dataOf, erasedText } from './payload-view.js';
import {
  attemptsOf,
  isDone,
  isFailed,
  isSkippedForError,
  lastOf,
  statusOf,
  together,
  type StepGroup,
  type StepMember,
} from './step-groups.js';

/** What the steps of one run are shown with. */
export interface Viewing {
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

/** A step; of a map all of its items as one, the first of them by themselves. */
export async function groupView(view: Viewing, group: StepGroup): Promise<StepView> {
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
