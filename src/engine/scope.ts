// What a dialect 1 step can see (agentos-dialect section 5). Precedence: fixed names, then outputVar, then step
// name, then input property; a fixed name can't be taken by anything else.
import { FIXED_NAMES } from '../expression/names.js';
import type { Scope } from '../expression/scope.js';
import { isObject, type Json } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import type { EngineState } from './state.js';

function previousStep(state: EngineState): Json | undefined {
  const outcome = state.previous === null ? undefined : state.outcomes[state.previous];
  if (outcome === undefined) return undefined;
  const own = isObject(outcome.output) ? outcome.output : {};
  return { status: outcome.status, error: outcome.error, durationMs: outcome.durationMs, ...own };
}

/** Names the document itself declares; never names that come with the data, because `known` decides how text is read. */
function declaredInputs(plan: Plan): readonly string[] {
  const schema = plan.inputs;
  const properties = schema === null || !isObject(schema) ? undefined : schema['properties'];
  return isObject(properties) ? Object.keys(properties) : [];
}

/** Names of steps and of their outputs, set or not. */
function planNames(plan: Plan): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [key, node] of Object.entries(plan.nodes)) {
    names.add(key).add(node.name);
    if (node.kind === 'task' && node.output.kind === 'variable' && node.output.name !== null) {
      names.add(node.output.name);
    }
  }
  return names;
}

/** Scope of the next step; `known` holds every name of the plan, set or not. */
export function scopeOf(plan: Plan, state: EngineState): Scope {
  const values = new Map<string, Json>();
  const own = planNames(plan);
  const known = new Set<string>([...FIXED_NAMES, ...declaredInputs(plan), ...own]);
  // An input can't stand in for what a step has not said: `approved: true` for the output of a skipped check.
  for (const [name, value] of Object.entries(isObject(state.input) ? state.input : {})) {
    if (!own.has(name)) values.set(name, value);
  }
  for (const [key, node] of Object.entries(plan.nodes)) {
    const outcome = state.outcomes[key];
    if (outcome?.status === 'success') values.set(key, outcome.output).set(node.name, outcome.output);
  }
  for (const [name, value] of Object.entries(state.variables)) values.set(name, value);
  // Nothing else may pass for a fixed name, also where this step has no value for it.
  for (const name of FIXED_NAMES) values.delete(name);
  values.set('input', state.input);
  values.set('workflow_input', state.input);
  values.set('run', { id: state.run.id, startedAt: new Date(state.run.startedAtMs).toISOString() });
  values.set('workflow', { id: plan.id });
  const completed = Object.values(state.outcomes).some((outcome) => outcome.status === 'success');
  if (completed) values.set('output', state.data);
  const previous = previousStep(state);
  if (previous !== undefined) values.set('previous_step', previous);
  return { values, known, onMissing: plan.onMissing };
}
