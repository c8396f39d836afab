// Who acts in the steps of dialect 1, as far as the document says: policy is asked about that agent before every call.
// Warnings, for whoever starts the run may name an agent, and map a role to an instance.
import { nearest } from '../../nearest.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import { NO_AGENT_HINT } from '../call/callable.js';
import type { ParsedWorkflow } from '../../workflow/parse.js';
import type { Diagnostic } from '../writ.js';
import { at, isMisread, type NodeFinding } from './node-finding.js';

/** That steps have nobody who acts, told once: at the first of them. Nothing is said where `told` has who acts as a fault. */
export function agentless(
  plan: Plan,
  told: readonly Diagnostic[],
  partAt: ParsedWorkflow['partAt'],
): readonly NodeFinding[] {
  if (isMisread('agents', told) || told.some(({ path }) => path.startsWith('agents['))) return [];
  const without = callsOf(plan).filter(
    (node) =>
      (node.call.agent ?? node.call.fallback) === null && !isMisread(partAt(node, [])?.path ?? '', told),
  );
  const [first] = without;
  if (first === undefined) return [];
  const more = without.length > 1 ? ` (nor in ${without.length - 1} more)` : '';
  const message = `no agent acts in "${first.name}"${more}: it is denied, unless the start of a run names one`;
  return [{ ...at(first, 'DOC_MISSING_FIELD', message, NO_AGENT_HINT, []), severity: 'warning' }];
}

/**
 * Agents that neither the workflow nor a file of the policies names, and that are all but spelled like one that is
 * named, each told once: at the first step of it. Policy would deny them; to give them the right, as its hint says, is
 * the wrong cure for a slip.
 */
export function strangers(
  { principals }: Pick<PolicySnapshot, 'principals'>,
  plan: Plan,
): readonly NodeFinding[] {
  const named = [...plan.agents, ...principals.filter((one) => one.startsWith(KIND))].map(bareName);
  const known = new Set(named);
  const acting = new Map<string, FunctionNode[]>();
  for (const node of callsOf(plan)) {
    const agent = node.call.agent === null ? null : bareName(node.call.agent);
    if (agent === null || known.has(agent)) continue;
    const nodes = acting.get(agent);
    if (nodes === undefined) acting.set(agent, [node]);
    else nodes.push(node);
  }
  return [...acting].slice(0, MOST_STRANGERS).flatMap(([agent, nodes]) => {
    const hint = nearest(agent, known);
    const [first] = nodes;
    if (first === undefined || hint === undefined) return [];
    const more = nodes.length > 1 ? ` (and in ${nodes.length - 1} more)` : '';
    const message = `"${first.name}"${more}: neither the workflow nor a policy file knows the agent ${JSON.stringify(agent)}`;
    return [{ ...at(first, 'DOC_UNKNOWN_NAME', message, hint, [['agent']]), severity: 'warning' as const }];
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
/** Names compared with all that are known: a document decides how many there are of both. */
const MOST_STRANGERS = 20;

function bareName(agent: string): string {
  return agent.startsWith(KIND) ? agent.slice(KIND.length) : agent;
}
