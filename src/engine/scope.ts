// What a dialect 1 step can see (AgentOS page). Precedence: fixed names, then outputVar, then step
// name, then input property; a fixed name can't be taken by anything else.
import { FIXED_NAMES } from '../expression/names.js';
import type { Scope } from '../expression/scope.js';
import { structured } from '../expression/value.js';
import { isObject, type Json } from '../json.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import type { Frame, StepOutcome } from './state.js';
import type { RunTree } from './tree.js';

/** What a step's output counts as where its text is wanted: a chat's answer is its content. */
export function valueOf(node: TaskNode, output: Json): Json {
  if (node.call.kind !== 'function' || node.call.functionId !== 'agent::chat') return output;
  return isObject(output) && typeof output['content'] === 'string' ? output['content'] : output;
}

/** Dialect 1 `outputVar`. */
function outputVarOf({ flow }: TaskNode): string | null {
  return flow.language === 'template' ? flow.outputVar : null;
}

/** Each item of a map sees the same one: a long text is read once. */
const previousSteps = new WeakMap<StepOutcome, Json>();

/** Text has the members of the JSON that it may hold; a chat's answer these and its own. */
function previousStep(node: TaskNode, outcome: StepOutcome): Json {
  const before = previousSteps.get(outcome);
  if (before !== undefined) return before;
  const { status, error, durationMs, output } = outcome;
  const told = structured(valueOf(node, output));
  const answer = isObject(output) ? output : {};
  const previous = { status, error, durationMs, ...answer, ...(isObject(told) ? told : {}) };
  previousSteps.set(outcome, previous);
  return previous;
}

/** Names that the document itself declares; never names that come with the data, because `known` decides how text is read. */
interface PlanNames {
  /** Of steps and their outputs, set or not. */
  readonly own: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
}

const namesByPlan = new WeakMap<Plan, PlanNames>();

function namesOf(plan: Plan): PlanNames {
  const before = namesByPlan.get(plan);
  if (before !== undefined) return before;
  const own = new Set<string>();
  for (const [key, node] of Object.entries(plan.nodes)) {
    if (node.kind !== 'task') continue;
    own.add(key).add(node.name);
    const variable = outputVarOf(node);
    if (variable !== null) own.add(variable);
  }
  const schema = plan.inputs;
  const declared = schema === null || !isObject(schema) ? undefined : schema['properties'];
  const inputs = isObject(declared) ? Object.keys(declared) : [];
  const names = { own, known: new Set<string>([...FIXED_NAMES, ...inputs, ...own]) };
  namesByPlan.set(plan, names);
  return names;
}

/** Every name that a text of this plan may ask for, set or not. One set for all of them. */
function planNames(plan: Plan): ReadonlySet<string> {
  return namesOf(plan).known;
}

const SET_FROM_THE_START: ReadonlySet<string> = new Set(['input', 'workflow_input', 'workflow']);

/** Whether what the name means is known only once steps have run: outputs, items, iterations. */
export function isFilledLater(plan: Plan, name: string): boolean {
  return namesOf(plan).own.has(name) || (FIXED_NAMES.has(name) && !SET_FROM_THE_START.has(name));
}

/** What every step of a run sees from its start on; as `scopeOf`, without what is filled later. */
export function scopeOfInput(plan: Plan, input: Json): Scope {
  const values = new Map<string, Json>();
  for (const [name, value] of Object.entries(isObject(input) ? input : {})) {
    if (!isFilledLater(plan, name)) values.set(name, value);
  }
  values.set('input', input).set('workflow_input', input).set('workflow', { id: plan.id });
  return { values, known: planNames(plan), onMissing: plan.onMissing };
}

/** Scope of the step that the cursor stands at; `known` holds every name of the plan, set or not. */
export function scopeOf(plan: Plan, tree: RunTree, frame: Frame): Scope {
  const values = new Map<string, Json>();
  const behind = new Map<string, Json>();
  const { own, known } = namesOf(plan);
  const { input, head } = tree;
  // An input can't stand in for what a step has not said: `approved: true` for the output of a skipped check.
  for (const [name, value] of Object.entries(isObject(input) ? input : {})) {
    if (!own.has(name)) values.set(name, value);
  }
  const outcomes = tree.outcomes('');
  const variables = new Map<string, Json>();
  for (const [key, { status, output }] of outcomes) {
    const node = plan.nodes[key];
    if (node?.kind !== 'task' || status !== 'success') continue;
    const value = valueOf(node, output);
    values.set(key, value).set(node.name, value);
    if (value !== output) behind.set(key, output).set(node.name, output);
    const variable = outputVarOf(node);
    if (variable !== null) variables.set(variable, value);
  }
  for (const [name, value] of variables) {
    values.set(name, value);
    behind.delete(name);
  }
  // Nothing else may pass for a fixed name, also where this step has no value for it.
  for (const name of FIXED_NAMES) {
    values.delete(name);
    behind.delete(name);
  }
  values.set('input', input);
  values.set('workflow_input', input);
  values.set('run', { id: head.run.id, startedAt: new Date(head.run.startedAtMs).toISOString() });
  values.set('workflow', { id: plan.id });
  placeOf(plan, tree, frame, values);
  return { values, behind, known, onMissing: plan.onMissing };
}

/** What `until` sees: as `scopeOf`, and by the loop's own names what this very iteration has given. */
export function scopeAfterIteration(
  plan: Plan,
  tree: RunTree,
  frame: Frame,
  node: TaskNode,
  output: Json,
): Scope {
  const scope = scopeOf(plan, tree, frame);
  const values = new Map(scope.values);
  for (const name of ownNames(frame, node)) values.set(name, output);
  return { ...scope, values };
}

/** Names of the step itself that nothing fixed has taken. */
function ownNames(frame: Frame, node: TaskNode): readonly string[] {
  const variable = outputVarOf(node);
  const names = [frame.node, node.name, ...(variable === null ? [] : [variable])];
  return names.filter((name) => !FIXED_NAMES.has(name));
}

/** What only the cursor's own place gives: the step before, the group, the item, the iteration. */
function placeOf(plan: Plan, tree: RunTree, frame: Frame, values: Map<string, Json>): void {
  // A cursor on the move is ahead of what the tree holds of it.
  const main = frame.id === '' ? frame : (tree.frame('') ?? frame);
  const { previous, fanout } = main;
  const before = previous === null ? undefined : tree.outcomes('').get(previous);
  const hasOutput = [...tree.outcomes('').values()].some(({ status }) => status === 'success');
  if (hasOutput || fanout !== null) values.set('output', main.data);
  const stood = previous === null ? undefined : plan.nodes[previous];
  if (before !== undefined && stood?.kind === 'task')
    values.set('previous_step', previousStep(stood, before));
  if (fanout !== null) values.set('fanout', fanout.results).set('__fanout', fanout.results);
  if (frame.item !== null && frame.call === null) values.set('item', frame.value).set('index', frame.item);
  const node = plan.nodes[frame.node];
  if (node?.kind !== 'task' || node.loop === null) return;
  const { iteration, output, feedback } = frame.loop ?? { iteration: 0, output: null, feedback: null };
  values.set('iteration', iteration).set('maxIterations', node.loop.maxIterations);
  if (iteration === 0) return;
  values.set('output', output).set('feedback', feedback);
  // The step's own names are what the iteration before has given: `Previous feedback: {{review_result}}`.
  for (const name of ownNames(frame, node)) values.set(name, output);
}
