// The interpreter: (state, event) -> state', and the command the state asks for. Pure: no I/O, clock or random.
// Every path ends in a task, a wait or the end of the run, within a bounded number of transitions.
import { errorName, WritError } from '../errors.js';
import { evaluateChoice } from '../expression/choice.js';
import { evaluateCondition, parseCondition } from '../expression/condition.js';
import { parsePath, readPath, writePath } from '../expression/path.js';
import { renderTemplate, renderValue } from '../expression/template.js';
import { timestampMs } from '../expression/timestamp.js';
import { isObject, type Json } from '../json.js';
import type { Catcher, Plan, PlanNode, TaskNode, WaitNode } from '../workflow/plan.js';
import type { Command, EngineEvent } from './command.js';
import { contextOf } from './context.js';
import { MAX_WORK, measure, withinLimits } from './data-limit.js';
import { catcherFor, retrierFor, retryDelayMs } from './retry.js';
import { scopeOf } from './scope.js';
import type { EngineState, StepError } from './state.js';

/** Transitions of one run; AWS stops at 25,000 history events. */
const MAX_TRANSITIONS = 25_000;
/** States Language: the longest Wait AWS accepts. */
const MAX_WAIT_SECONDS = 2 ** 31 - 1;

export interface StartOptions {
  readonly runId: string;
  readonly initiator: string;
  readonly input: Json;
  readonly nowMs: number;
}

/** State of a fresh run, advanced to its first command. */
export function start(plan: Plan, options: StartOptions): EngineState {
  const { runId, initiator, input, nowMs } = options;
  const fresh: EngineState = {
    v: 1,
    run: { id: runId, initiator, startedAtMs: nowMs },
    status: 'running',
    node: plan.start,
    enteredAtMs: nowMs,
    transitions: 0,
    input,
    data: plan.dialect === 'states' ? input : null,
    variables: {},
    outcomes: {},
    previous: null,
    attempts: {},
    task: null,
    wakeAtMs: null,
    deadlineMs: plan.timeoutMs === null ? null : nowMs + plan.timeoutMs,
    pausedAtMs: null,
    output: null,
    error: null,
  };
  return settle(plan, fresh, nowMs);
}

/** The state after an event. An event the state does not wait for changes nothing. */
export function apply(plan: Plan, before: EngineState, event: EngineEvent): EngineState {
  if (before.status !== 'running' || before.node === null) return before;
  const { nowMs } = event;
  // While a timer runs the next attempt is prepared but has not begun: nothing but the timer can end the wait.
  const node = before.wakeAtMs === null ? currentTask(plan, before) : null;
  if (event.kind === 'paused') {
    return node !== null && before.pausedAtMs === null ? { ...before, pausedAtMs: nowMs } : before;
  }
  if (event.kind === 'resumed') return node === null ? before : unpause(before, nowMs);
  const state = unpause(before, nowMs);
  if (state.deadlineMs !== null && nowMs >= state.deadlineMs) {
    return fail(state, failure('RUN_TIMEOUT', 'the run exceeded its own time limit'));
  }
  switch (event.kind) {
    case 'woken':
      if (state.wakeAtMs === null || nowMs < state.wakeAtMs) return before;
      return wake(plan, { ...state, wakeAtMs: null }, nowMs);
    case 'rerun':
      if (node === null || state.task === null) return before;
      return beginAttempt(state, state.task.input, nowMs, state.task);
    case 'succeeded':
      if (node === null) return before;
      return settle(plan, succeed(plan, node, state, event.output, nowMs), nowMs);
    case 'failed':
      if (node === null) return before;
      return settle(plan, recover(node, state, event.error, nowMs, event.draw), nowMs);
  }
}

/** What has to be done now. The same state always gives the same command. */
export function command(plan: Plan, state: EngineState): Command {
  if (state.status !== 'running' || state.node === null) {
    const status = state.status === 'completed' ? 'completed' : 'failed';
    return { kind: 'finish', status, output: state.output, error: state.error };
  }
  if (state.wakeAtMs !== null) {
    // A run whose time ends during the wait ends then, not when the wait is over.
    const untilMs = Math.min(state.wakeAtMs, state.deadlineMs ?? Infinity);
    return { kind: 'wait', stepPath: state.node, untilMs };
  }
  const node = plan.nodes[state.node];
  if (node?.kind !== 'task' || state.task === null) {
    throw new WritError('INTERNAL', `run ${state.run.id} stands at "${state.node}" without a task`);
  }
  const { attempt, input, idempotencyKey } = state.task;
  return { kind: 'execute', stepPath: state.node, node, attempt, input, idempotencyKey };
}

/** Time spent waiting for people does not count against the run's own limit. */
function unpause(state: EngineState, nowMs: number): EngineState {
  if (state.pausedAtMs === null) return state;
  const deadlineMs =
    state.deadlineMs === null ? null : state.deadlineMs + Math.max(0, nowMs - state.pausedAtMs);
  return { ...state, pausedAtMs: null, deadlineMs };
}

function currentTask(plan: Plan, state: EngineState): TaskNode | null {
  const node = state.node === null || state.task === null ? undefined : plan.nodes[state.node];
  return node?.kind === 'task' ? node : null;
}

/** Enters nodes until one needs the outside world. */
function settle(plan: Plan, entered: EngineState, nowMs: number): EngineState {
  let state = entered;
  let work = 0;
  while (
    state.status === 'running' &&
    state.task === null &&
    state.wakeAtMs === null &&
    state.node !== null
  ) {
    if (state.transitions >= MAX_TRANSITIONS) {
      return fail(state, failure('RUN_FAILED', `more than ${MAX_TRANSITIONS} transitions`));
    }
    work += measure(state.data);
    if (work > MAX_WORK) {
      return fail(
        state,
        failure('STEP_DATA_LIMIT', `worked through more than ${MAX_WORK} characters without a task`),
      );
    }
    const node = plan.nodes[state.node];
    if (node === undefined) throw new WritError('INTERNAL', `plan ${plan.id} has no node "${state.node}"`);
    const here = { ...state, transitions: state.transitions + 1, enteredAtMs: nowMs };
    state = attempted(node, here, nowMs, () => enter(plan, node, here, nowMs));
  }
  return state;
}

/** A fault of the document that shows only at run time is a failure of its state, never of the engine. */
function attempted(node: PlanNode, state: EngineState, nowMs: number, move: () => EngineState): EngineState {
  try {
    return move();
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    return recoverEntry(node, state, stepError(error), nowMs);
  }
}

function enter(plan: Plan, node: PlanNode, state: EngineState, nowMs: number): EngineState {
  switch (node.kind) {
    case 'task':
      return enterTask(plan, node, state, nowMs);
    case 'choice': {
      const context = contextOf(plan, state);
      const input = select(node.inputPath, state.data, context);
      const chosen = node.choices.find((choice) => evaluateChoice(choice.rule, input, context));
      const next = chosen?.next ?? node.default;
      if (next === null)
        throw new WritError('STEP_NO_CHOICE', `no rule of "${node.name}" is true and it has no default`);
      return go({ ...state, data: select(node.outputPath, input, context) }, next);
    }
    case 'pass': {
      const context = contextOf(plan, state);
      const input = select(node.inputPath, state.data, context);
      const merged = place(node.resultPath, state.data, node.result === undefined ? input : node.result);
      return go({ ...state, data: select(node.outputPath, merged, context) }, node.next);
    }
    case 'wait': {
      const untilMs = waitUntilMs(plan, node, state, nowMs);
      return untilMs > nowMs ? { ...state, wakeAtMs: untilMs } : leaveWait(plan, node, state);
    }
    case 'succeed': {
      const context = contextOf(plan, state);
      const input = select(node.inputPath, state.data, context);
      return go({ ...state, data: select(node.outputPath, input, context) }, null);
    }
    case 'fail': {
      const message = node.cause ?? '';
      return fail(state, { name: node.error ?? '', code: 'STEP_FAILED', kind: 'failure', message });
    }
  }
}

function enterTask(plan: Plan, node: TaskNode, state: EngineState, nowMs: number): EngineState {
  if (node.when !== null) {
    const scope = scopeOf(plan, state);
    if (!evaluateCondition(parseCondition(node.when, scope.known), scope).value)
      return skip(node, state, null, nowMs);
  }
  return beginAttempt(state, withinLimits(renderInput(plan, node, state)), nowMs, null);
}

/** The one place where a step's input comes into being; nothing is rendered again later. */
function renderInput(plan: Plan, node: TaskNode, state: EngineState): Json {
  if (node.input.kind === 'path') return select(node.input.inputPath, state.data, contextOf(plan, state));
  const scope = scopeOf(plan, state);
  const config = node.input.config === null ? {} : renderValue(node.input.config, scope);
  const request = isObject(config) ? config : { config };
  return node.input.prompt === null
    ? request
    : { ...request, message: renderTemplate(node.input.prompt, scope) };
}

function beginAttempt(
  state: EngineState,
  input: Json,
  nowMs: number,
  again: EngineState['task'],
  retries: readonly number[] = again?.retries ?? [],
): EngineState {
  const stepPath = state.node ?? '';
  // A state may be called `toString`: only own keys count.
  const begun = Object.hasOwn(state.attempts, stepPath) ? (state.attempts[stepPath] ?? 0) : 0;
  const attempt = begun + 1;
  const idempotencyKey = again?.idempotencyKey ?? `${state.run.id}/${stepPath}/${attempt}`;
  return {
    ...state,
    // A retry is work of the run like any other: no document has more of it than MAX_TRANSITIONS.
    transitions: state.transitions + 1,
    attempts: { ...state.attempts, [stepPath]: attempt },
    task: { attempt, input, idempotencyKey, retries, startedAtMs: again?.startedAtMs ?? nowMs },
  };
}

function succeed(plan: Plan, node: TaskNode, state: EngineState, result: Json, nowMs: number): EngineState {
  if (node.output.kind === 'path') {
    const { resultPath, outputPath } = node.output;
    return attempted(node, state, nowMs, () => {
      const merged = place(resultPath, state.data, result);
      return go({ ...state, data: select(outputPath, merged, contextOf(plan, state)) }, node.next);
    });
  }
  const name = node.output.name;
  const variables = name === null ? state.variables : { ...state.variables, [name]: result };
  return go(
    { ...record(node, state, 'success', result, null, nowMs), data: result, variables, task: null },
    node.next,
  );
}

/** Retry, then catch, then skip, then fail: in that order (states-dialect section 10, agentos-dialect section 3). */
function recover(
  node: TaskNode,
  state: EngineState,
  error: StepError,
  nowMs: number,
  draw: number,
): EngineState {
  const task = state.task;
  if (task === null) return state;
  const spent = state.transitions >= MAX_TRANSITIONS;
  const found = spent ? null : retrierFor(node.retry, task.retries, error);
  if (found === null) return recoverEntry(node, state, error, nowMs);
  const retries = node.retry.map((_, index) => (task.retries[index] ?? 0) + (index === found.index ? 1 : 0));
  const delayMs = retryDelayMs(found.retrier, task.retries[found.index] ?? 0, draw);
  const begun = beginAttempt(state, task.input, nowMs, task, retries);
  return delayMs > 0 ? { ...begun, wakeAtMs: nowMs + delayMs } : begun;
}

/** What follows an error that is not retried. */
function recoverEntry(node: PlanNode, state: EngineState, error: StepError, nowMs: number): EngineState {
  if (node.kind !== 'task') return fail(state, error);
  const catcher = catcherFor(node.catch, error);
  if (catcher !== null) {
    return handOver(catcher, state, error);
  }
  if (node.onFailure === 'skip' && (error.kind === 'failure' || error.kind === 'document')) {
    return skip(node, state, error, nowMs);
  }
  return fail(record(node, state, 'failed', null, error, nowMs), error);
}

/** A catcher that can't place its error output fails the state: there is no second catcher for that. */
function handOver(catcher: Catcher, state: EngineState, error: StepError): EngineState {
  try {
    const caught = { Error: error.name, Cause: error.message };
    return go({ ...state, data: place(catcher.resultPath, state.data, caught) }, catcher.next);
  } catch (unplaced) {
    if (!(unplaced instanceof WritError)) throw unplaced;
    return fail(state, stepError(unplaced));
  }
}

function skip(node: TaskNode, state: EngineState, error: StepError | null, nowMs: number): EngineState {
  return go({ ...record(node, state, 'skipped', null, error, nowMs), task: null }, node.next);
}

/** Dialect 1 keeps each step's outcome for later templates; dialect 2 carries its data in the document. */
function record(
  node: TaskNode,
  state: EngineState,
  status: 'success' | 'failed' | 'skipped',
  output: Json,
  error: StepError | null,
  nowMs: number,
): EngineState {
  if (node.output.kind !== 'variable' || state.node === null) return state;
  const durationMs = nowMs - (state.task?.startedAtMs ?? nowMs);
  const outcome = {
    status,
    output,
    durationMs,
    error: error === null ? null : { code: error.code, message: error.message },
  };
  return { ...state, outcomes: { ...state.outcomes, [state.node]: outcome }, previous: state.node };
}

function go(state: EngineState, next: string | null): EngineState {
  if (next !== null) return { ...state, node: next, task: null };
  return { ...state, status: 'completed', node: null, task: null, output: state.data };
}

function fail(state: EngineState, error: StepError): EngineState {
  return { ...state, status: 'failed', node: null, task: null, wakeAtMs: null, output: null, error };
}

/** A due timer is a retry delay (the task is already prepared) or a Wait state. */
function wake(plan: Plan, state: EngineState, nowMs: number): EngineState {
  if (state.task !== null || state.node === null) return state;
  const node = plan.nodes[state.node];
  if (node?.kind !== 'wait') return state;
  return settle(
    plan,
    attempted(node, state, nowMs, () => leaveWait(plan, node, state)),
    nowMs,
  );
}

function leaveWait(plan: Plan, node: WaitNode, state: EngineState): EngineState {
  const context = contextOf(plan, state);
  const input = select(node.inputPath, state.data, context);
  return go({ ...state, data: select(node.outputPath, input, context) }, node.next);
}

function waitUntilMs(plan: Plan, node: WaitNode, state: EngineState, nowMs: number): number {
  const context = contextOf(plan, state);
  const input = select(node.inputPath, state.data, context);
  if ('seconds' in node.until) return afterSeconds(node, nowMs, node.until.seconds);
  if ('timestamp' in node.until) return atTimestamp(node, nowMs, node.until.timestamp);
  if ('secondsPath' in node.until) {
    return afterSeconds(node, nowMs, readPath(parsePath(node.until.secondsPath), input, context));
  }
  return atTimestamp(node, nowMs, readPath(parsePath(node.until.timestampPath), input, context));
}

function afterSeconds(node: WaitNode, nowMs: number, seconds: Json): number {
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0) {
    throw new WritError(
      'STEP_PATH_UNRESOLVED',
      `"${node.name}" needs a whole number of seconds, not ${typeof seconds}`,
    );
  }
  return withinLongestWait(nowMs, nowMs + seconds * 1000);
}

function atTimestamp(node: WaitNode, nowMs: number, timestamp: Json): number {
  const ms = typeof timestamp === 'string' ? timestampMs(timestamp) : null;
  if (ms === null) {
    throw new WritError(
      'STEP_PATH_UNRESOLVED',
      `"${node.name}" needs an RFC 3339 timestamp with T and offset`,
    );
  }
  return withinLongestWait(nowMs, ms);
}

function withinLongestWait(nowMs: number, untilMs: number): number {
  if (untilMs - nowMs > MAX_WAIT_SECONDS * 1000) {
    throw new WritError('STEP_PATH_UNRESOLVED', 'Wait state delay is too long.');
  }
  return untilMs;
}

/** inputPath and outputPath: null gives `{}` (ASL). */
function select(path: string | null, value: Json, context: Json): Json {
  return path === null ? {} : readPath(parsePath(path), value, context);
}

/** resultPath: null discards the result (ASL). */
function place(path: string | null, document: Json, result: Json): Json {
  return path === null ? document : withinLimits(writePath(parsePath(path), document, result));
}

function stepError(error: WritError): StepError {
  return { name: errorName(error.code), code: error.code, kind: error.kind, message: error.message };
}

function failure(code: 'RUN_TIMEOUT' | 'RUN_FAILED' | 'STEP_DATA_LIMIT', message: string): StepError {
  const name = code === 'RUN_FAILED' ? 'States.Runtime' : errorName(code);
  return { name, code, kind: 'failure', message };
}
