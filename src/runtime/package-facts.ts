// What the verified bytes of a package and its signatures say of it, as ceilings are asked about it.
import type { Facts } from '../policy/facts.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { AgentPackage } from './ports.js';

/** Nothing when no package is called. A signature counts by the key that `policy` has for its signer, and by no other. */
export function packageFacts(
  { packageSigners }: Pick<PolicySnapshot, 'packageSigners'>,
  agent: Pick<AgentPackage, 'name' | 'isSignedBy'> | null,
): Pick<Facts, 'agentOwnName' | 'agentSigners'> {
  if (agent === null) return {};
  const signed = packageSigners.filter(({ key }) => agent.isSignedBy(key));
  return { agentOwnName: agent.name, agentSigners: signed.map(({ name }) => name) };
}
