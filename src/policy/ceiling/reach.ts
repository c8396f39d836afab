// What a request may reach: packages, agents it hands work to, hosts, folders, credentials, and the sandbox it runs in. An
// unknown fact counts as the worst one.
import { placesOf } from './ceiling.js';
import type { Ceiling, MountMode } from './ceiling.js';
import type { Facts, UnapprovedRequest } from './facts.js';
import { everyPackageName, isRunnersOwn, packageNames } from './facts.js';
import { hostMatches, pathContains } from './host.js';
import { formViolations, nameViolations, NONE, type ListedField, type Violation } from './violation.js';

const AGENTS: ListedField = { field: 'agents', code: 'CEILING_AGENTS' };
const DELEGATION: ListedField = { field: 'delegation', code: 'CEILING_DELEGATION' };
const NETWORK: ListedField = { field: 'network', code: 'CEILING_NETWORK', match: hostMatches };
const CREDENTIALS: ListedField = { field: 'credentials', code: 'CEILING_CREDENTIALS' };

export function agentViolations(ceiling: Ceiling, { facts }: UnapprovedRequest): readonly Violation[] {
  if (facts.agentName === null) return NONE;
  const forms = packageNames(facts);
  const denials = everyPackageName(facts);
  const found = formViolations(AGENTS, ceiling.agents, forms, denials);
  if (ceiling.agents.requireDigest && facts.agentDigest === null) {
    const requested = forms.at(-1) ?? '';
    found.push({ field: 'agents.requireDigest', code: 'CEILING_AGENTS', limit: 'a digest', requested });
  }
  const { agentSigners = [] } = facts;
  for (const limit of ceiling.agents.requireSigners ?? []) {
    if (agentSigners.includes(limit)) continue;
    const requested = `${forms.at(-1) ?? ''} signed by ${agentSigners.join(', ') || 'nobody who was verified'}`;
    found.push({ field: 'agents.requireSigners', code: 'CEILING_AGENTS', limit, requested });
  }
  return found;
}

/** What nobody has counted fits under no bound. */
export function delegationViolations(
  ceiling: Ceiling,
  hosts: readonly string[],
  { delegation }: Facts,
): readonly Violation[] {
  if (hosts.length === 0) return NONE;
  const found = [...nameViolations(DELEGATION, ceiling.delegation, hosts)];
  for (const [field, asked] of [
    ['maxDepth', delegation?.depth],
    ['maxAgents', delegation?.agents],
  ] as const) {
    const limit = ceiling.delegation[field];
    // Written so that a value that compares with nothing (NaN) is a violation.
    if (limit === null || (asked !== undefined && asked <= limit)) continue;
    const requested = asked === undefined ? 'a number that is not known' : String(asked);
    found.push({ field: `delegation.${field}`, code: 'CEILING_DELEGATION', limit: String(limit), requested });
  }
  return found;
}

export function networkViolations({ network }: Ceiling, hosts: readonly string[]): readonly Violation[] {
  if (hosts.length === 0) return NONE;
  const found = [...nameViolations(NETWORK, network, hosts)];
  if (network.mode === 'none') {
    found.unshift({
      field: 'network.mode',
      code: 'CEILING_NETWORK',
      limit: 'none',
      requested: hosts.join(', '),
    });
  }
  return found;
}

export function mountViolations(
  ceiling: Ceiling,
  mounts: readonly { readonly path: string; readonly mode: MountMode }[],
): readonly Violation[] {
  if (mounts.length === 0 || ceiling.mounts.length === 0) return NONE;
  return mounts.flatMap(({ path, mode }) =>
    ceiling.mounts
      .filter(
        (group) =>
          !group.some((grant) => pathContains(grant.path, path) && (mode === 'ro' || grant.mode === 'rw')),
      )
      .map((group): Violation => ({
        field: 'mounts.allow',
        code: group.length === 0 ? 'CEILING_EMPTY' : 'CEILING_MOUNTS',
        limit: group.map((grant) => `${grant.path} ${grant.mode}`).join(', ') || 'nothing',
        requested: `${path} ${mode}`,
      })),
  );
}

export function credentialViolations(
  { credentials }: Ceiling,
  asked: readonly string[],
): readonly Violation[] {
  if (asked.length === 0) return NONE;
  const found = [...nameViolations(CREDENTIALS, credentials, asked)];
  if (credentials.mode === 'none') {
    found.unshift({
      field: 'credentials.mode',
      code: 'CEILING_CREDENTIALS',
      limit: 'none',
      requested: asked.join(', '),
    });
  }
  return found;
}

export function sandboxViolations(ceiling: Ceiling, { facts }: UnapprovedRequest): readonly Violation[] {
  const allowed = placesOf(ceiling.sandbox);
  if (allowed === null || allowed.includes(facts.sandbox ?? 'none')) return NONE;
  // What the runner does itself is no foreign code that a sandbox could hold.
  if (isRunnersOwn(facts.functionId)) return NONE;
  return [
    {
      field: 'sandbox.allowed',
      code: allowed.length === 0 ? 'CEILING_EMPTY' : 'CEILING_SANDBOX',
      limit: allowed.join(', ') || 'nothing',
      requested: facts.sandbox ?? 'no sandbox',
    },
  ];
}
