// The States Language context object (`$$`): identity and time of the run and its state, never secrets.
import type { JsonObject } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import type { EngineState } from './state.js';

export function contextOf(plan: Plan, state: EngineState): JsonObject {
  const retryCount = state.task?.retries.reduce((sum, used) => sum + used, 0) ?? 0;
  return {
    Execution: {
      Id: state.run.id,
      Input: state.input,
      Name: state.run.id,
      StartTime: new Date(state.run.startedAtMs).toISOString(),
    },
    StateMachine: { Id: plan.id, Name: plan.name },
    State: {
      EnteredTime: new Date(state.enteredAtMs).toISOString(),
      Name: state.node === null ? '' : (plan.nodes[state.node]?.name ?? ''),
      RetryCount: retryCount,
    },
    Run: { Id: state.run.id, Initiator: state.run.initiator },
  };
}
