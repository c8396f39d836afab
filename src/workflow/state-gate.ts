// A state that calls nothing may ask for an approval too: of entering it, with the input that it gets. To policy, to people
// and in the log that is a task like any other, of a function that does nothing.
import type { ForkNode, PassNode, PlanNode, TaskNode } from './plan.js';

/** What policy is asked about. No document can call it. */
export const STATE_GATE = 'human::gate';

/** The task that people, policy and the log meet at this node: its own, or the gate before it; null when there is none. */
export function taskAt(node: PlanNode | undefined): TaskNode | null {
  if (node?.kind === 'task') return node;
  return node?.kind === 'pass' || node?.kind === 'fork' ? gateOf(node) : null;
}

/** The same node, entered without asking anybody. */
export function withoutGate(node: PlanNode): PlanNode {
  if (node.kind !== 'pass' && node.kind !== 'fork') return node;
  const { approval: _, ...open } = node;
  return open;
}

/** Null when entering the state asks for nothing. A refusal goes to the state's own catchers; nothing here is retried. */
function gateOf(node: PassNode | ForkNode): TaskNode | null {
  const { name, line, column, flow, approval } = node;
  if (flow === null || approval === undefined) return null;
  return {
    ...{ name, line, column, flow, approval },
    kind: 'task',
    call: { kind: 'function', functionId: STATE_GATE, agent: null, fallback: null },
    when: null,
    loop: null,
    collects: false,
    timeoutMs: null,
    retry: [],
    catch: node.kind === 'fork' ? node.catch : [],
    onFailure: 'fail',
    sandbox: null,
    idempotent: true,
    next: node.next,
  };
}
