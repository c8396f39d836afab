// Who acts in the steps of dialect 1, as far as the document says: policy is asked about that agent before every call.
// Warnings, for whoever starts the run may name an agent, and map a role to an instance.
import { nearest } from '../../nearest.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { NO_AGENT_HINT } from '../call/callable.js';
import { at, type NodeFinding } from './node-finding.js';

/** That steps have nobody who acts, told once: at the first of them. */
export function agentless(plan: Plan): readonly NodeFinding[] {
  const without = callsOf(plan).filter(({ call }) => (call.agent ?? call.fallback) === null);
  const [first] = without;
  if (first === undefined) return [];
  const more = without.length > 1 ? ` (nor in ${without.length - 1} more)` : '';
  const message = `no agent acts in "${first.name}"${more}: it is denied, unless the start of a run names one`;
  return [{ ...at(first, 'DOC_MISSING_FIELD', message, NO_AGENT_HINT, []), severity: 'warning' }];
}

/**
 * Agents that neither the workflow nor a file of the policies names, and that are all but spelled like one that is
 * named. Policy would deny them; to give them the right, as its hint says, is the wrong cure for a slip.
 */
export function strangers(
  { principals }: Pick<PolicySnapshot, 'principals'>,
  plan: Plan,
): readonly NodeFinding[] {
  const named = [...plan.agents, ...principals.filter((one) => one.startsWith(KIND))].map(bareName);
  const known = new Set(named);
  return callsOf(plan).flatMap((node) => {
    const agent = node.call.agent === null ? null : bareName(node.call.agent);
    const hint = agent === null || known.has(agent) ? undefined : nearest(agent, known);
    if (agent === null || hint === undefined) return [];
    const message = `"${node.name}": neither the workflow nor a policy file knows the agent ${JSON.stringify(agent)}`;
    return [{ ...at(node, 'DOC_UNKNOWN_NAME', message, hint, [['agent']]), severity: 'warning' as const }];
  });
}

type FunctionNode = TaskNode & { readonly call: Extract<TaskNode['call'], { kind: 'function' }> };

function callsOf(plan: Plan): readonly FunctionNode[] {
  if (plan.dialect !== 'steps') return [];
  return Object.values(plan.nodes).filter(
    (node): node is FunctionNode => node.kind === 'task' && node.call.kind === 'function',
  );
}

const KIND = 'agent:';

function bareName(agent: string): string {
  return agent.startsWith(KIND) ? agent.slice(KIND.length) : agent;
}
