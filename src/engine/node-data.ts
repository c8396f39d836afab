// What a node makes of its data when a cursor comes to it: rendered requests, items, waits. Pure functions of the
// document and the run; a fault of the document that shows only now is a WritError of the node.
import { WritError } from '../errors.js';
import { renderTemplate, renderValue } from '../expression/template/template.js';
import { timestampMs } from '../expression/timestamp.js';
import { structured } from '../expression/value.js';
import { isList, isObject, type Json } from '../json.js';
import { takesNoResults } from '../workflow/functions.js';
import type { Each, Lane, Plan, StepFlow, TaskNode, WaitNode } from '../workflow/plan.js';
import { amountIn, unexpected, type Values } from './amount.js';
import { withinLimits } from './data-limit.js';
import { scopeOf } from './scope.js';
import type { Frame } from './state.js';
import type { RunTree } from './tree.js';

/** States Language: the longest Wait AWS accepts. */
const MAX_WAIT_SECONDS = 2 ** 31 - 1;

/** Dialect 1: the one place where a step's input comes into being; nothing is rendered again later. */
export function renderInput(plan: Plan, tree: RunTree, frame: Frame, node: TaskNode, flow: StepFlow): Json {
  const scope = scopeOf(plan, tree, frame);
  const config = flow.config === null ? {} : renderValue(flow.config, scope);
  const request = isObject(config) ? config : { config };
  const { prompt } = flow;
  const told = prompt === null ? request : { ...request, message: renderTemplate(prompt, scope) };
  const { call } = node;
  if (!node.collects || (call.kind === 'function' && takesNoResults(call.functionId)))
    return withinLimits(told);
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

/** Dialect 1: items of a lane of a group; null for one that runs once. Throws STEP_FANOUT_NO_ITEMS. */
export function itemsOf(
  plan: Plan,
  tree: RunTree,
  frame: Frame,
  { each, start }: Lane,
): readonly Json[] | null {
  if (each === null) return null;
  const items = itemsIn(plan, tree, frame, each);
  if (items !== undefined && isList(items)) return items;
  const name = plan.nodes[start]?.name ?? start;
  const isGiven = each.items.kind === 'template';
  const found = isGiven ? `: its items are ${kindOf(items ?? null)}` : '';
  throw new WritError('STEP_FANOUT_NO_ITEMS', `"${name}" has no list to go through${found}`, {
    hint: isGiven
      ? 'name a list in `items`; text is one where it is the JSON of a list'
      : 'give the step `items`, or have the step before it answer with a list',
  });
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? 'text' : `a ${typeof value}`;
}

function itemsIn(plan: Plan, tree: RunTree, frame: Frame, each: Each): Json | undefined {
  const { items } = each;
  switch (items.kind) {
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
    // Of dialect 2.
    case 'path':
    case 'value':
    case 'reader':
      return undefined;
  }
}

/** When a Wait state ends. */
export function waitUntilMs(node: WaitNode, values: Values, nowMs: number): number {
  const { until } = node;
  if ('seconds' in until) {
    const seconds = amountIn(until.seconds, 'Seconds', values);
    if (seconds === null) throw new WritError('INTERNAL', `"${node.name}" waits for nothing`);
    return withinLongestWait(nowMs, nowMs + seconds * 1000);
  }
  const { timestamp } = until;
  const value = 'text' in timestamp ? timestamp.text : (values['Timestamp'] ?? null);
  const ms = typeof value === 'string' ? timestampMs(value) : null;
  if (ms !== null) return withinLongestWait(nowMs, ms);
  if ('query' in timestamp) throw unexpected(timestamp.query, 'Timestamp', 'timestamp', value);
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  const path = 'path' in timestamp ? timestamp.path : '$';
  throw new WritError(
    'STEP_PATH_UNRESOLVED',
    'The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: ' +
      `${path} == ${shown.slice(0, 200)}`,
  );
}

function withinLongestWait(nowMs: number, untilMs: number): number {
  if (untilMs - nowMs > MAX_WAIT_SECONDS * 1000) {
    throw new WritError('STEP_PATH_UNRESOLVED', 'Wait state delay is too long.');
  }
  return untilMs;
}
