// What status and results show of a run: read from the store, nothing computed twice, no data unless asked for.
import { stepNode } from '../../engine/step-path.js';
import { errorName, isErrorCode } from '../../errors.js';
import { isObject } from '../../json.js';
import { principalOf } from '../call/callable.js';
import type { Guard } from '../guard-parts.js';
import { openJson } from '../log/payload.js';
import { outline, referenceOf } from '../plan/outline.js';
import type { RunRecord } from '../ports.js';
import { load } from '../run/context.js';
import { EXIT_WAITING } from '../run/settlement.js';
import { finishedState, isFinished, planOf } from '../run/state.js';
import type { RunView, StepView, Waiting } from '../writ.js';
import { dataOf, erasedText } from './payload-view.js';
import { stepEntries } from './step-entries.js';
import { groupSteps, lastOf, type StepGroup, type StepMember } from './step-groups.js';
import { groupView, type Viewing } from './step-view.js';

/** How many items of a map, or calls of a conversation, are told one by one. */
const NESTED_SHOWN = 20;

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
    entries: withData ? await stepEntries(guard.store, runId, shownPaths(groups, nested)) : null,
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

/** All but the items of maps that are counted and not told one by one. */
function shownPaths(groups: readonly StepGroup[], nested: number): readonly string[] {
  const pathsOf = (member: StepMember): string[] => [
    lastOf(member).stepPath,
    ...member.calls.flatMap(pathsOf),
  ];
  return groups.flatMap(({ isMap, members }) =>
    (isMap ? members.slice(0, nested) : members).flatMap(pathsOf),
  );
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

function waitingOf(run: RunRecord): Waiting | null {
  // Written by this runtime (see Waiting), read back from our own store.
  return isObject(run.waitingFor) ? (run.waitingFor as unknown as Waiting) : null;
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
