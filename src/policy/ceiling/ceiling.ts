// A ceiling in normal form. Every field is always present, lists are sorted and free of duplicates, so two ceilings that
// permit the same thing by the same words are the same JSON and the same hash. `allow` stays a conjunction of OR-groups:
// glob intersections are never computed, so the meet (meet.ts) is exact. Ceilings never grant; a layer can only narrow.
import { NO_BUDGET } from './budget.js';
import type { BudgetCeiling } from './budget.js';
import type { ApprovalMode, ApprovalRuleSpec } from './shape.js';
import { frozen } from '../frozen.js';

/** Where a ceiling comes from; the order is that of the decision record. */
export const LAYERS = ['org', 'environment', 'tenant', 'workflow', 'agent', 'parent', 'step'] as const;
export type LayerName = (typeof LAYERS)[number];

/** `local` holds always; `anchored`: witnesses cosign what was logged about a run before its next step runs. */
export type AuditRequirement = 'local' | 'anchored';
export type SandboxKind = 'wasm' | 'docker';
/** Where something runs; `none` = outside every sandbox: in the runner, or where its provider has it run. */
export type RunPlace = SandboxKind | 'none';
/** From the least to the most secret. */
export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted'] as const;
export type Classification = (typeof CLASSIFICATIONS)[number];
export type NetworkMode = 'none' | 'allowlist' | 'open';
export type CredentialMode = 'none' | 'broker' | 'inherit';
export type MountMode = 'ro' | 'rw';

/** What a driver or the runner measures: ms, MiB, bytes, cores, processes; what passes through a way out. */
export const MEASURED_NAMES = [
  'timeoutMs',
  'memoryMiB',
  'outputBytes',
  'cpus',
  'pids',
  'egressBytes',
  'egressRequests',
] as const;
/** How large a workflow may make a step: how wide and deep it lies, how often it comes round, is tried again. */
export const EXTENT_NAMES = ['fanoutWidth', 'loopIterations', 'retries', 'depth'] as const;
/** What a ceiling may limit. */
export const LIMIT_NAMES = [...MEASURED_NAMES, ...EXTENT_NAMES] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];
/** Milliseconds, MiB, bytes, numbers; an absent name is not limited. */
export type LimitSet = { readonly [name in LimitName]?: number };

/** A value fits when every group has a match and no `deny` matches. */
export type NameCeiling = {
  readonly allow: readonly (readonly string[])[];
  readonly deny: readonly string[];
};

export type MountGrant = { readonly path: string; readonly mode: MountMode };

/** What must be approved, and how. Applies when every key of `match` holds. */
export type ApprovalRule = {
  readonly match: Omit<ApprovalRuleSpec['match'], 'costUsdAbove'> & {
    /** Millionths of a dollar; a call whose cost is not known is above it. */
    readonly costMicroUsdAbove?: number;
  };
  readonly minimum: Exclude<ApprovalMode, 'none'>;
  /** Alternatives; empty = not said. */
  readonly approverRoles: readonly string[];
  readonly quorum: number;
  readonly separationOfDuties: boolean;
  /** Who wrote the workflow may not approve; absent = they may. */
  readonly author?: true;
  readonly expiresSeconds: number | null;
  readonly reasonRequired: boolean;
  /** Absent = none. */
  readonly escalation?: readonly Escalation[];
};

/** So long after a request was made, people with `addRoles` may fill the rule's places too. Never fewer places. */
export type Escalation = {
  readonly afterSeconds: number;
  /** Whom channels tell. */
  readonly notifyRoles: readonly string[];
  readonly addRoles: readonly string[];
};

/** Counts what `match` (glob.ts) names: a function id, a package's repository, or that with its digest. */
export type Rate = {
  readonly match: string;
  /** 0 = none at all. */
  readonly count: number;
  readonly perSeconds: number;
};

export type Ceiling = {
  readonly functions: NameCeiling;
  readonly tools: NameCeiling;
  readonly skills: NameCeiling;
  readonly mcp: NameCeiling;
  readonly memory: NameCeiling;
  readonly agents: NameCeiling & {
    readonly requireDigest: boolean;
    /** Who must have signed the package, every one of them; absent = nobody. */
    readonly requireSigners?: readonly string[];
  };
  readonly delegation: NameCeiling & { readonly maxDepth: number | null; readonly maxAgents: number | null };
  readonly network: NameCeiling & { readonly mode: NetworkMode };
  /** Every group needs a subtree that holds the path with at least that mode. */
  readonly mounts: readonly (readonly MountGrant[])[];
  readonly credentials: NameCeiling & { readonly mode: CredentialMode };
  /** null = anywhere. wasm and docker are not comparable: the meet is the intersection. */
  readonly sandbox: {
    readonly allowed: readonly RunPlace[] | null;
    /** What the driver has to keep (sandbox-promise.ts); absent = nothing is required. */
    readonly require?: readonly string[];
  };
  readonly approval: { readonly minimum: ApprovalMode; readonly rules: readonly ApprovalRule[] };
  /** Above is refused. */
  readonly limits: LimitSet;
  /** Above is lowered to this (the layer said `clamp`). */
  readonly clampedLimits: LimitSet;
  /** What may be used; every layer's own meters are charged (budget.ts). */
  readonly budget: BudgetCeiling;
  /** Buckets that every call takes from (rate.ts), each layer its own; absent = none. */
  readonly rates?: readonly Rate[];
  readonly data: {
    readonly labelsAllowed: readonly string[] | null;
    /** Absent = any. */
    readonly maxClassification?: Classification;
  };
  readonly audit: { readonly required: AuditRequirement };
  readonly validity: { readonly notBeforeMs: number | null; readonly notAfterMs: number | null };
};

const SANDBOXES: readonly RunPlace[] = ['docker', 'wasm'];

/**
 * Where something may run; null = anywhere. What is required of a sandbox is kept by nothing outside one: that place has to be
 * named. Not written into the normal form: the hash of a policy directory that a lock names stays what it was.
 */
export function placesOf({ allowed, require = [] }: Ceiling['sandbox']): readonly RunPlace[] | null {
  return allowed ?? (require.length === 0 ? null : SANDBOXES);
}

const made = new WeakSet<Ceiling>();

/** Freezes what the policy room has made: nobody outside it calls this. */
export function settled(ceiling: Ceiling): Ceiling {
  made.add(frozen(ceiling));
  return ceiling;
}

/** One layer of a decision; `spec: null` records an optional layer that is absent. */
export interface CeilingLayer {
  readonly layer: LayerName;
  readonly name: string;
  readonly spec: Ceiling | null;
}

/** As messages and `demandedBy` name it. */
export function labelOf(layer: Pick<CeilingLayer, 'layer' | 'name'>): string {
  return `ceiling ${layer.name} (${layer.layer})`;
}

export const APPROVAL_MODES = ['none', 'async', 'sync', 'two-person'] as const satisfies ApprovalMode[];
export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'allowlist', 'open'];
export const CREDENTIAL_MODES: readonly CredentialMode[] = ['none', 'broker', 'inherit'];

const ANY_NAME: NameCeiling = { allow: [], deny: [] };

/** The neutral element of the meet: permits everything. */
export const NO_CEILING: Ceiling = settled({
  functions: ANY_NAME,
  tools: ANY_NAME,
  skills: ANY_NAME,
  mcp: ANY_NAME,
  memory: ANY_NAME,
  agents: { ...ANY_NAME, requireDigest: false },
  delegation: { ...ANY_NAME, maxDepth: null, maxAgents: null },
  network: { ...ANY_NAME, mode: 'open' },
  mounts: [],
  credentials: { ...ANY_NAME, mode: 'inherit' },
  sandbox: { allowed: null },
  approval: { minimum: 'none', rules: [] },
  limits: {},
  clampedLimits: {},
  budget: NO_BUDGET,
  data: { labelsAllowed: null },
  audit: { required: 'local' },
  validity: { notBeforeMs: null, notAfterMs: null },
});

/**
 * Whether the ceiling was made here and is frozen all the way down: nobody can change it any more, and what was found
 * out about it stays true. A caller's own object is none.
 */
export function isSettled(ceiling: Ceiling): boolean {
  return made.has(ceiling);
}
