// Asks the policy text that an agent package carries, once everything else has said yes: about everything that the call
// reaches, and about the call itself, so that a text that forbids all, or fails, is a no to a call that reaches nothing as
// well. A package without such text is not narrowed; one with text and nobody to evaluate it is refused.
import { sha256 } from '../../audit/sha256.js';
import type { Hex } from '../../json.js';
import type { Decision } from '../../policy/decision/decision.js';
import { underPackage, type PackageAnswer } from '../../policy/packaged.js';
import { unseenIn } from '../../policy/file/text.js';
import type { AgentPackage, FunctionReach, PackageAct, PackagePolicies, PackageRefusal } from '../ports.js';

/** The decision, narrowed by the package; the same one where it has no policy text. */
export async function narrowedByPackage(
  policies: PackagePolicies | null,
  decision: Decision,
  agent: AgentPackage | null,
  reach: FunctionReach,
): Promise<Decision> {
  if (agent?.policy === undefined) return decision;
  const { name, policy } = agent;
  const hash = Buffer.from(sha256(new TextEncoder().encode(policy))).toString('hex') as Hex;
  const refusal = await packageRefusal(policies, agent, actsOf(agent, reach));
  return underPackage(decision, { name, hash, answer: refusal === null ? null : inWords(refusal) });
}

function actsOf(
  { name, digest }: AgentPackage,
  { network, credentials, tools }: FunctionReach,
): readonly PackageAct[] {
  return [
    ...network.map((resource) => ({ action: 'network.egress' as const, resource })),
    ...credentials.map((resource) => ({ action: 'secret.use' as const, resource })),
    ...tools.map((resource) => ({ action: 'tool.invoke' as const, resource })),
    { action: 'agent.invoke', resource: `${name}@${digest}` },
  ];
}

/** What the package's own text says against these acts; null = nothing, or it has no text. */
export async function packageRefusal(
  policies: PackagePolicies | null,
  { name, policy }: Pick<AgentPackage, 'name' | 'policy'>,
  acts: readonly PackageAct[],
): Promise<PackageRefusal | null> {
  if (policy === undefined) return null;
  const unread = (reason: string): PackageRefusal => ({ kind: 'error', act: null, reason });
  if (policies === null) return unread('nothing here evaluates its policy text');
  // Whoever reviewed the package saw what is evaluated: nothing in it is hidden, or shown in another order than it is read.
  const unseen = unseenIn(policy.replace(/\r\n|[\t\n]/g, ' '));
  if (unseen !== null) return unread(`it holds a control or invisible character, ${unseen}`);
  return policies.refusal(policy, { agent: name, acts });
}

function inWords({ kind, act, reason }: PackageRefusal): PackageAnswer {
  return { kind, asked: act === null ? null : `${act.action} on ${act.resource}`, reason };
}
