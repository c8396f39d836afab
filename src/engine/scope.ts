// What a dialect 1 step can see (agentos-dialect section 5). Precedence: fixed names, then outputVar, then step
// name, then input property; a fixed name can't be taken by anything else.
import type { Scope } from '../expression/scope.js';
import { isObject, type Json } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import type { EngineState } from './state.js';

/** The value templates and conditions see for an output: `content` of a chat answer, else the output itself. */
function visible(output: Json): Json {
  return isObject(output) && typeof output['content'] === 'string' ? output['content'] : output;
}

function previousStep(state: EngineState): Json | undefined {
  const outcome = state.previous === null ? undefined : state.outcomes[state.previous];
  if (outcome === undefined) return undefined;
  const own = isObject(outcome.output) ? outcome.output : {};
  return { status: outcome.status, error: outcome.error, durationMs: outcome.durationMs, ...own };
}

/** Scope of the next step; `known` holds every name of the plan, set or not. */
export function scopeOf(plan: Plan, state: EngineState): Scope {
  const values = new Map<string, Json>();
  const known = new Set<string>(['input', 'workflow_input', 'output', 'previous_step', 'run', 'workflow']);
  if (isObject(state.input)) for (const [name, value] of Object.entries(state.input)) values.set(name, value);
  for (const [key, node] of Object.entries(plan.nodes)) {
    known.add(key).add(node.name);
    const outcome = state.outcomes[key];
    if (outcome?.status === 'success') {
      values.set(key, visible(outcome.output));
      values.set(node.name, visible(outcome.output));
    }
    if (node.kind === 'task' && node.output.kind === 'variable' && node.output.name !== null) {
      known.add(node.output.name);
    }
  }
  for (const [name, value] of Object.entries(state.variables)) values.set(name, visible(value));
  values.set('input', state.input);
  values.set('workflow_input', state.input);
  values.set('run', { id: state.run.id, startedAt: new Date(state.run.startedAtMs).toISOString() });
  values.set('workflow', { id: plan.id });
  values.delete('output');
  values.delete('previous_step');
  const completed = Object.values(state.outcomes).some((outcome) => outcome.status === 'success');
  if (completed) values.set('output', visible(state.data));
  const previous = previousStep(state);
  if (previous !== undefined) values.set('previous_step', previous);
  return { values, known, onMissing: plan.onMissing };
}
