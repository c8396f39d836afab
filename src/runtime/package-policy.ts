// Asks the policy text that an agent package carries, once everything else has said yes: about everything that the call
// reaches. A package without such text is not narrowed; one with text and nobody to evaluate it is refused.
import { sha256 } from '../audit/sha256.js';
import type { Hex } from '../json.js';
import type { Decision } from '../policy/decide.js';
import { underPackage, type PackageAnswer } from '../policy/packaged.js';
import type { AgentPackage, FunctionReach, PackageAct, PackagePolicies } from './ports.js';

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
  return underPackage(decision, { name, hash, answer: await answerOf(policies, name, policy, reach) });
}

async function answerOf(
  policies: PackagePolicies | null,
  agent: string,
  text: string,
  { network, credentials, tools }: FunctionReach,
): Promise<PackageAnswer | null> {
  if (policies === null)
    return { kind: 'error', asked: null, reason: 'nothing here evaluates its policy text' };
  const acts: PackageAct[] = [
    ...network.map((resource) => ({ action: 'network.egress' as const, resource })),
    ...credentials.map((resource) => ({ action: 'secret.use' as const, resource })),
    ...tools.map((resource) => ({ action: 'tool.invoke' as const, resource })),
  ];
  const refusal = await policies.refusal(text, { agent, acts });
  if (refusal === null) return null;
  const { kind, act, reason } = refusal;
  return { kind, asked: act === null ? null : `${act.action} on ${act.resource}`, reason };
}
