// What a node makes of its data when a cursor comes to it: paths, rendered requests, items, waits. Pure functions of
// the document and the run; a fault of the document that shows only now is a WritError of the node.
import { errorName, WritError } from '../errors.js';
import { parsePath, readPath, writePath } from '../expression/path.js';
import { renderTemplate, renderValue } from '../expression/template.js';
import { timestampMs } from '../expression/timestamp.js';
import { isList, structured } from '../expression/value.js';
import { isObject, type Json } from '../json.js';
import type { Each, ForkNode, Plan, TaskNode, WaitNode } from '../workflow/plan.js';
import { contextOf } from './context.js';
import { withinLimits } from './data-limit.js';
import { scopeOf } from './scope.js';
import type { Frame, StepError } from './state.js';
import type { RunTree } from './tree.js';

/** States Language: the longest Wait AWS accepts. */
const MAX_WAIT_SECONDS = 2 ** 31 - 1;

/** inputPath and outputPath: null gives `{}` (ASL). */
export function select(path: string | null, value: Json, context: () => Json): Json {
  if (path === '$') return value;
  // Making the context costs more than the rest of a Pass state, and few paths look at it.
  return path === null ? {} : readPath(parsePath(path), value, path.includes('$$') ? context() : {});
}

/** resultPath: null discards the result (ASL). */
export function place(path: string | null, document: Json, result: Json): Json {
  return path === null ? document : withinLimits(writePath(parsePath(path), document, result));
}

/** The one place where a step's input comes into being; nothing is rendered again later. */
export function renderInput(plan: Plan, tree: RunTree, frame: Frame, node: TaskNode): Json {
  if (node.input.kind === 'path') {
    return withinLimits(select(node.input.inputPath, frame.data, () => contextOf(plan, tree, frame)));
  }
  const scope = scopeOf(plan, tree, frame);
  const config = node.input.config === null ? {} : renderValue(node.input.config, scope);
  const request = isObject(config) ? config : { config };
  const { prompt } = node.input;
  const told = prompt === null ? request : { ...request, message: renderTemplate(prompt, scope) };
  if (!node.collects) return withinLimits(told);
  const { results, errors } = (frame.id === '' ? frame : tree.frame(''))?.fanout ?? {
    results: null,
    errors: [],
  };
  return withinLimits({
    ...told,
    fanoutResults: results,
    fanoutErrors: errors.map((error) => ({ ...error })),
  });
}

/** Items of each lane of a fork that is entered with `input`; null for a lane that runs once. */
export function itemsOf(
  plan: Plan,
  tree: RunTree,
  frame: Frame,
  node: ForkNode,
  input: Json,
): (readonly Json[] | null)[] {
  return node.lanes.map(({ each, start }) => {
    if (each === null) return null;
    const items = itemsIn(plan, tree, frame, each, input);
    if (items !== undefined && isList(items)) return items;
    const name = node.form === 'map' ? node.name : (plan.nodes[start]?.name ?? node.name);
    if (node.form === 'map')
      throw new WritError('STEP_PATH_UNRESOLVED', `the items of "${name}" are no list`);
    throw new WritError('STEP_FANOUT_NO_ITEMS', `"${name}" has no list to go through`, {
      hint: 'give the step `items`, or have the step before it answer with a list',
    });
  });
}

function itemsIn(plan: Plan, tree: RunTree, frame: Frame, each: Each, input: Json): Json | undefined {
  const { items } = each;
  switch (items.kind) {
    case 'path':
      return select(items.path, input, () => contextOf(plan, tree, frame));
    case 'list':
      return renderValue([...items.list], scopeOf(plan, tree, frame));
    case 'template':
      return structured(renderValue(items.template, scopeOf(plan, tree, frame)));
    case 'implied': {
      const { values } = scopeOf(plan, tree, frame);
      const run = tree.input;
      const candidates = [values.get('output'), run, isObject(run) ? run['items'] : undefined];
      return candidates.map((one) => structured(one ?? null)).find(isList);
    }
  }
}

/** When a Wait state ends. */
export function waitUntilMs(plan: Plan, tree: RunTree, frame: Frame, node: WaitNode, nowMs: number): number {
  const input = select(node.inputPath, frame.data, () => contextOf(plan, tree, frame));
  const { until } = node;
  if ('seconds' in until) return afterSeconds(node, nowMs, until.seconds);
  if ('timestamp' in until) return atTimestamp(node, nowMs, until.timestamp);
  if ('secondsPath' in until) {
    return afterSeconds(
      node,
      nowMs,
      select(until.secondsPath, input, () => contextOf(plan, tree, frame)),
    );
  }
  return atTimestamp(
    node,
    nowMs,
    select(until.timestampPath, input, () => contextOf(plan, tree, frame)),
  );
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

/** What the workflow sees of an error of ours. */
export function stepError(error: WritError): StepError {
  return { name: errorName(error.code), code: error.code, kind: error.kind, message: error.message };
}
