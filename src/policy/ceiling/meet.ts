// The meet of ceilings: what all of them permit, and nothing else. Idempotent, commutative, associative; the empty ceiling
// is neutral. `allow` is concatenated as a conjunction of groups, so it is exact for every request.
import { meetBudgets } from './budget.js';
import { APPROVAL_MODES, CLASSIFICATIONS, CREDENTIAL_MODES, LIMIT_NAMES, NETWORK_MODES } from './ceiling.js';
import { NO_CEILING, placesOf, settled } from './ceiling.js';
import type { Ceiling, Classification, LimitSet, NameCeiling } from './ceiling.js';
import type { ApprovalMode } from './shape.js';
import { classified, limitSet, metered, required, signers, sorted, unique } from './normal-form.js';

/** Meet of all layers; absent ones change nothing. Order and repetition don't matter. */
export function composeCeilings(layers: readonly { readonly spec: Ceiling | null }[]): Ceiling {
  return layers.reduce((all, { spec }) => (spec === null ? all : meet(all, spec)), NO_CEILING);
}

/** The exact meet: permits what both permit. Idempotent, commutative, associative. */
function meet(a: Ceiling, b: Ceiling): Ceiling {
  return settled({
    functions: meetNames(a.functions, b.functions),
    tools: meetNames(a.tools, b.tools),
    skills: meetNames(a.skills, b.skills),
    mcp: meetNames(a.mcp, b.mcp),
    memory: meetNames(a.memory, b.memory),
    agents: {
      ...meetNames(a.agents, b.agents),
      requireDigest: a.agents.requireDigest || b.agents.requireDigest,
      ...signers([...(a.agents.requireSigners ?? []), ...(b.agents.requireSigners ?? [])]),
    },
    delegation: {
      ...meetNames(a.delegation, b.delegation),
      maxDepth: least(a.delegation.maxDepth, b.delegation.maxDepth),
      maxAgents: least(a.delegation.maxAgents, b.delegation.maxAgents),
    },
    network: {
      ...meetNames(a.network, b.network),
      mode: lower(NETWORK_MODES, a.network.mode, b.network.mode),
    },
    mounts: unique([...a.mounts, ...b.mounts]),
    credentials: {
      ...meetNames(a.credentials, b.credentials),
      mode: lower(CREDENTIAL_MODES, a.credentials.mode, b.credentials.mode),
    },
    sandbox: {
      allowed: meetPlaces(a.sandbox, b.sandbox),
      ...required([...(a.sandbox.require ?? []), ...(b.sandbox.require ?? [])]),
    },
    approval: {
      minimum: strictestMode(a.approval.minimum, b.approval.minimum),
      rules: unique([...a.approval.rules, ...b.approval.rules]),
    },
    limits: meetLimits(a.limits, b.limits),
    clampedLimits: meetLimits(a.clampedLimits, b.clampedLimits),
    budget: meetBudgets(a.budget, b.budget),
    ...metered(unique([...(a.rates ?? []), ...(b.rates ?? [])])),
    data: {
      labelsAllowed: intersection(a.data.labelsAllowed, b.data.labelsAllowed),
      ...classified(lowerClass(a.data.maxClassification, b.data.maxClassification)),
    },
    audit: { required: a.audit.required === 'anchored' ? 'anchored' : b.audit.required },
    validity: {
      notBeforeMs: greatest(a.validity.notBeforeMs, b.validity.notBeforeMs),
      notAfterMs: least(a.validity.notAfterMs, b.validity.notAfterMs),
    },
  });
}

function lowerClass(
  a: Classification | undefined,
  b: Classification | undefined,
): Classification | undefined {
  return a === undefined ? b : b === undefined ? a : lower(CLASSIFICATIONS, a, b);
}

/** Where neither names a place, what either requires says it still. */
function meetPlaces(a: Ceiling['sandbox'], b: Ceiling['sandbox']): Ceiling['sandbox']['allowed'] {
  return a.allowed === null && b.allowed === null ? null : intersection(placesOf(a), placesOf(b));
}

function meetNames(a: NameCeiling, b: NameCeiling): NameCeiling {
  // Most layers say nothing of most kinds: both are in normal form, and what one adds nothing to stays as it is.
  if (saysNothing(b)) return { allow: a.allow, deny: a.deny };
  if (saysNothing(a)) return { allow: b.allow, deny: b.deny };
  return { allow: unique([...a.allow, ...b.allow]), deny: sorted([...a.deny, ...b.deny]) };
}

function saysNothing({ allow, deny }: NameCeiling): boolean {
  return allow.length === 0 && deny.length === 0;
}

function meetLimits(a: LimitSet, b: LimitSet): LimitSet {
  if (Object.keys(b).length === 0) return a;
  if (Object.keys(a).length === 0) return b;
  return limitSet(
    LIMIT_NAMES.flatMap((name) => {
      const value = least(a[name] ?? null, b[name] ?? null);
      return value === null ? [] : [[name, value] as const];
    }),
  );
}

/** The stricter of two modes: none < async < sync < two-person. */
export function strictestMode(a: ApprovalMode, b: ApprovalMode): ApprovalMode {
  return APPROVAL_MODES.indexOf(a) >= APPROVAL_MODES.indexOf(b) ? a : b;
}

/** The smaller of two bounds; null = no bound. */
export function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

function greatest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

function lower<T>(chain: readonly T[], a: T, b: T): T {
  return chain.indexOf(a) <= chain.indexOf(b) ? a : b;
}

function intersection<T extends string>(a: readonly T[] | null, b: readonly T[] | null): readonly T[] | null {
  return a === null || a === b ? b : b === null ? a : a.filter((value) => b.includes(value));
}
