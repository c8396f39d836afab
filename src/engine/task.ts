// The task that a cursor stands at, as the runner sees it: what is to be called with what, and where in the run that is.
import type { Plan, TaskNode } from '../workflow/plan.js';
import type { Task } from './command.js';
import { entered } from './frame.js';
import type { Frame } from './state.js';
import { stepPathOf } from './step-path.js';
import type { RunTree } from './tree.js';

/** null = it stands at none, or not yet: it waits for a time or an answer before. */
export function taskOf(plan: Plan, tree: RunTree, node: TaskNode | null, frame: Frame): Task | null {
  const { task } = frame;
  if (task === null || node === null || frame.wakeAtMs !== null || frame.ask !== null) return null;
  const { attempt, input, idempotencyKey, phase, approval, conversation, timeoutMs, heartbeatMs } = task;
  const { waiting = null } = task;
  return {
    stepPath: stepPathOf(plan, frame),
    key: frame.node,
    node,
    attempt,
    input,
    idempotencyKey,
    phase,
    approval,
    waiting,
    conversation,
    timeoutMs,
    heartbeatMs,
    rerunBy: task.rerunBy ?? null,
    token: task.token ?? null,
    iteration: node.loop === null ? null : (frame.loop?.iteration ?? 0),
    item: frame.call === null ? itemOf(tree, frame) : null,
    entries: frame.call === null ? entered(plan, frame) : 1,
    ...aroundOf(plan, tree, frame),
    isStopping: frame.isStopping,
  };
}

/** Of the forks that the cursor is in: the most lanes and items, and the most entries; 0 = it is in none. */
function aroundOf(plan: Plan, tree: RunTree, frame: Frame): Pick<Task, 'width' | 'rounds'> {
  let [width, rounds] = [0, 0];
  let here: Frame | undefined = frame;
  while (here !== undefined && here.parent !== null) {
    const { parent, call }: Frame = here;
    here = tree.frame(parent);
    if (call !== null || here === undefined) continue;
    width = Math.max(
      width,
      tree.lanes(parent).reduce((sum, { items }) => sum + (items?.length ?? 1), 0),
    );
    const node = plan.nodes[here.node];
    const retries = node?.kind === 'fork' ? node.retry.reduce((sum, one) => sum + one.maxAttempts, 0) : 0;
    // An entry is also made for each retry: so many entries are so many rounds at least.
    rounds = Math.max(rounds, Math.ceil((here.fork?.entry ?? 0) / (1 + retries)));
  }
  return { width, rounds };
}

/** Of the innermost map that the cursor is in. */
function itemOf(tree: RunTree, frame: Frame): number | null {
  let here: Frame | undefined = frame;
  while (here !== undefined && here.item === null && here.parent !== null) here = tree.frame(here.parent);
  return here?.item ?? null;
}
