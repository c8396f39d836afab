// The steps of a workflow in the order in which a run comes to them, with how they belong together: for people who look
// at a workflow before it runs, or while it does. Read from the compiled plan; nothing of a run is in it.
import type { Call, Each, Loop, Plan, PlanNode } from '../../workflow/plan.js';
import { taskAt } from '../../workflow/state-gate.js';

/** `task`: a step of dialect 2, which has no modes. */
export type StepMode = 'sequential' | 'fanout' | 'collect' | 'conditional' | 'loop' | 'task';

export interface OutlineStep {
  /** Key of its node: the step path, but for the place among items or in a branch. */
  readonly key: string;
  /** As the document spells it. */
  readonly name: string;
  readonly kind: PlanNode['kind'];
  /** Null for what is no task: a choice, a wait, a fork. */
  readonly mode: StepMode | null;
  /** What it calls: a function id, or a package with its digest; null for what is no task and needs no approval. */
  readonly calls: string | null;
  /** Key of the fork that it is in: its fanout group, or Parallel and Map states; null = none. */
  readonly group: string | null;
  /** Once per item; null = once. */
  readonly map: { readonly items: Each['items']; readonly concurrency: number } | null;
  readonly loop: Loop | null;
  /** Source text; false skips the step. */
  readonly condition: string | null;
}

/** Every node that a run may come to, each once: along `next`, into a fork's lanes first, the ways of a choice in their order. */
export function outline(plan: Plan): readonly OutlineStep[] {
  const steps: OutlineStep[] = [];
  const seen = new Set<string>();
  const ahead: Place[] = [{ key: plan.start, group: null, each: null }];
  for (let place = ahead.pop(); place !== undefined; place = ahead.pop()) {
    const { key, group } = place;
    const node = Object.hasOwn(plan.nodes, key) ? plan.nodes[key] : undefined;
    if (node === undefined || seen.has(key)) continue;
    seen.add(key);
    // A fanout group is told by its members.
    if (node.kind !== 'fork' || node.form !== 'group') steps.push(stepOf(plan, node, place));
    const lanes =
      node.kind === 'fork' ? node.lanes.map(({ start, each }) => ({ key: start, group: key, each })) : [];
    const after = nextOf(node).map((next) => ({ key: next, group, each: null }));
    ahead.push(...[...lanes, ...after].reverse());
  }
  return steps;
}

interface Place {
  readonly key: string;
  readonly group: string | null;
  readonly each: Each | null;
}

function stepOf(plan: Plan, node: PlanNode, { key, group, each }: Place): OutlineStep {
  const { name, kind } = node;
  const task = taskAt(node);
  return {
    key,
    name,
    kind,
    mode: task === null || kind !== 'task' ? null : plan.dialect === 'states' ? 'task' : modeOf(task, group),
    calls: task === null ? null : referenceOf(task.call),
    group,
    map:
      each === null
        ? null
        : { items: each.items, concurrency: typeof each.concurrency === 'number' ? each.concurrency : 0 },
    loop: task?.loop ?? null,
    condition: task?.when ?? null,
  };
}

function modeOf(
  { loop, collects, when }: Extract<PlanNode, { kind: 'task' }>,
  group: string | null,
): Exclude<StepMode, 'task'> {
  if (group !== null) return 'fanout';
  if (loop !== null) return 'loop';
  if (collects) return 'collect';
  return when === null ? 'sequential' : 'conditional';
}

/** A function's id, or a package with its digest: what policy is asked about. */
export function referenceOf(call: Call): string {
  return call.kind === 'agent' ? `${call.name}@${call.digest}` : call.functionId;
}

/** Keys of the nodes that a run may come to from this one, beside the lanes of a fork. */
export function nextOf(node: PlanNode): readonly string[] {
  const next = 'next' in node && node.next !== null ? [node.next] : [];
  switch (node.kind) {
    case 'choice':
      return [...node.choices.map((one) => one.next), ...(node.default === null ? [] : [node.default])];
    case 'task':
    case 'fork':
      return [...next, ...node.catch.map((one) => one.next)];
    case 'pass':
    case 'wait':
    case 'succeed':
    case 'fail':
      return next;
  }
}
