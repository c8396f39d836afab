// What the verified bytes of a package and its signatures say of it, as ceilings are asked about it.
import type { CeilingLayer } from '../../policy/ceiling/ceiling.js';
import type { Facts } from '../../policy/ceiling/facts.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { AgentPackage } from '../ports.js';

/**
 * Nothing when no package is called. A signature counts by the key that `policy` has for its signer, and by no other; only
 * signers whom one of `layers` requires are asked about, for each of them costs a verification.
 */
export function packageFacts(
  { packageSigners }: Pick<PolicySnapshot, 'packageSigners'>,
  agent: Pick<AgentPackage, 'name' | 'repository' | 'isSignedBy'> | null,
  layers: () => readonly CeilingLayer[],
): Pick<Facts, 'agentOwnName' | 'agentRepository' | 'agentSigners'> {
  if (agent === null) return {};
  const required = new Set(layers().flatMap(({ spec }) => spec?.agents.requireSigners ?? []));
  const signed = packageSigners.filter(({ name, key }) => required.has(name) && agent.isSignedBy(key));
  const agentSigners = signed.map(({ name }) => name);
  return { agentOwnName: agent.name, agentRepository: agent.repository, agentSigners };
}
