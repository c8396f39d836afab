// The States Language context object (`$$`): identity and time of the run and its state, never secrets.
import type { Json, JsonObject } from '../json.js';
import type { Plan } from '../workflow/plan.js';
import type { Frame } from './state.js';
import type { RunTree } from './tree.js';

export function contextOf(plan: Plan, tree: RunTree, frame: Frame): JsonObject {
  const { run } = tree.head;
  const retryCount = frame.task?.retries.reduce((sum, used) => sum + used, 0) ?? 0;
  const item = itemOf(tree, frame);
  return {
    Execution: {
      Id: run.id,
      Input: tree.input,
      Name: run.id,
      StartTime: new Date(run.startedAtMs).toISOString(),
    },
    StateMachine: { Id: plan.id, Name: plan.name },
    State: {
      EnteredTime: new Date(frame.enteredAtMs).toISOString(),
      Name: plan.nodes[frame.node]?.name ?? '',
      RetryCount: retryCount,
    },
    ...(item === null ? {} : { Map: { Item: item } }),
    Run: { Id: run.id, Initiator: run.initiator },
  };
}

/** The item of the innermost map that the cursor is in. */
function itemOf(tree: RunTree, frame: Frame): JsonObject | null {
  let here: Frame | undefined = frame;
  while (here !== undefined && here.parent !== null) {
    const value: Json = here.value;
    if (here.item !== null && here.call === null) return { Index: here.item, Value: value };
    here = tree.frame(here.parent);
  }
  return null;
}
