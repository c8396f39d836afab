// The States Language context object (`$$`, `$states.context`): identity and time of the run and its state, never secrets.
import type { Json, JsonObject } from '../json.js';
import type { Plan, PlanNode } from '../workflow/plan.js';
import { drawHex } from './draws.js';
import type { Frame } from './state.js';
import { stepPathOf } from './step-path.js';
import type { RunTree } from './tree.js';

/** Sections that the run was started with stand instead of ours. */
export function contextOf(plan: Plan, tree: RunTree, frame: Frame): JsonObject {
  const { run, context, redrive } = tree.head;
  if (context?.isWhole === true) return context.given;
  const node = plan.nodes[frame.node];
  const retries = frame.task?.retries ?? frame.fork?.retries ?? [];
  const item = itemOf(tree, frame);
  const token = node?.kind === 'task' ? tokenOf(plan, tree, frame) : null;
  return {
    Execution: {
      Id: run.id,
      Input: tree.input,
      Name: run.id,
      StartTime: new Date(run.startedAtMs).toISOString(),
      RedriveCount: redrive?.count ?? 0,
      ...(redrive === undefined ? {} : { RedriveTime: new Date(redrive.atMs).toISOString() }),
    },
    StateMachine: { Id: plan.id, Name: plan.name },
    State: {
      EnteredTime: new Date(frame.enteredAtMs).toISOString(),
      Name: node?.name ?? '',
      RetryCount: retries.reduce((sum, used) => sum + used, 0),
    },
    ...(item === null ? {} : { Map: { Item: item } }),
    ...(token === null ? {} : { Task: { Token: token } }),
    ...(plan.context === 'aws' ? {} : { Run: { Id: run.id, Initiator: run.initiator }, ...agentOf(node) }),
    ...context?.given,
  };
}

/** The package that a state calls. */
function agentOf(node: PlanNode | undefined): JsonObject {
  if (node?.kind !== 'task' || node.call.kind !== 'agent') return {};
  return { Agent: { Name: node.call.name, Digest: node.call.digest } };
}

/**
 * Stands for the token of the attempt that comes next, of a task that waits for one: the runner puts the real token in
 * its place at the last moment, so that no stored input holds it. Its end comes from the run's seed: no data that was
 * there before can hold it.
 */
export function tokenOf(plan: Plan, tree: RunTree, frame: Frame): string | null {
  const node = plan.nodes[frame.node];
  if (node?.kind !== 'task' || node.call.kind !== 'function' || node.call.waits !== 'token') return null;
  const stepPath = stepPathOf(plan, frame);
  const mark = drawHex(tree.head.seed, `task token ${stepPath}`).slice(0, 16);
  return `writ-task-token:${tree.head.run.id}/${stepPath}#${mark}`;
}

/** The item of the innermost map that the cursor is in. */
function itemOf(tree: RunTree, frame: Frame): JsonObject | null {
  let here: Frame | undefined = frame;
  while (here !== undefined && here.parent !== null) {
    const value: Json = here.value;
    if (here.item !== null && here.call === null) {
      const { item, itemKey } = here;
      return { Index: item, ...(itemKey === null ? {} : { Key: itemKey }), Value: value };
    }
    here = tree.frame(here.parent);
  }
  return null;
}
