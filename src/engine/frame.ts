// A cursor: how it begins, and what can be said of it alone.
import type { Plan } from '../workflow/plan.js';
import type { CurrentTask, ForkState, Frame, StepError, StepOutcome } from './state.js';

/** A cursor at its first node. */
export function newFrame(id: string, parent: Frame | null, node: string, nowMs: number): Frame {
  return {
    id,
    parent: parent === null ? null : parent.id,
    lane: 0,
    item: null,
    node,
    enteredAtMs: nowMs,
    data: null,
    value: null,
    itemKey: null,
    variables: {},
    seesOuter: parent === null ? true : parent.seesOuter,
    enteredEvent: 0,
    ask: null,
    selects: false,
    attempts: {},
    previous: null,
    fanout: null,
    task: null,
    loop: null,
    fork: null,
    call: null,
    wakeAtMs: null,
    isStopping: false,
  };
}

/** The task has its result, and its state has yet to be left: it neither runs nor waits. */
export function landed({ waiting: _over, ...task }: CurrentTask): CurrentTask {
  return { ...task, phase: 'ready' };
}

export function isRunnable({ task, fork, ask, wakeAtMs, isStopping }: Frame): boolean {
  return task === null && fork === null && ask === null && wakeAtMs === null && !isStopping;
}

/** Attempts begun so far. A state may be called `toString`: only own keys count. */
export function begun({ attempts }: Frame, key: string): number {
  return Object.hasOwn(attempts, key) ? (attempts[key] ?? 0) : 0;
}

/** No name of a state holds them. */
const AGAIN = '\0again';
const GATE = '\0gate';

/** What attempts at this node are counted under: those at the gate before a state are not entries into it. */
export function attemptKey(plan: Plan, frame: Frame): string {
  if (frame.call !== null) return '';
  return isGate(plan, frame) ? frame.node + GATE : frame.node;
}

/** One more attempt of `key` that follows another one, with the same input. */
export function madeAgain(frame: Frame, key: string): Readonly<Record<string, number>> {
  return { [key + AGAIN]: begun(frame, key + AGAIN) + 1 };
}

/** How often the cursor has entered the state it is in: attempts that were made again are none of their own. */
export function entered(plan: Plan, frame: Frame): number {
  const key = attemptKey(plan, frame);
  return begun(frame, key) - begun(frame, key + AGAIN);
}

export function publicPart(error: StepError | null): StepOutcome['error'] {
  return error === null ? null : { code: error.code, message: error.message };
}

/** The task of this cursor is the gate before a state that calls nothing (workflow/state-gate.ts). */
export function isGate(plan: Plan, { node, call }: Frame): boolean {
  return call === null && plan.nodes[node]?.kind !== 'task';
}

/** AWS writes one event more for a task that is handed over and waited for. */
export function isSubmitted(plan: Plan, { node }: Frame): boolean {
  const here = plan.nodes[node];
  return here?.kind === 'task' && here.call.kind === 'function' && here.call.waits !== undefined;
}

/** A fork that has failed before its lanes began: what it keeps is how often it was tried. */
export function unopened(frame: Frame): ForkState {
  return { entry: begun(frame, frame.node), retries: [], input: null, failing: null, map: null };
}
