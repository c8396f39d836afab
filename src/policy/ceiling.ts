// A ceiling in normal form, and the meet of ceilings. Every field is always present, lists are sorted and free of
// duplicates, so two ceilings that permit the same thing by the same words are the same JSON and the same hash.
// `allow` stays a conjunction of OR-groups: glob intersections are never computed, so the meet is exact.
// Ceilings never grant; a layer can only narrow.
import { WritError } from '../errors.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { meetBudgets, microUsd, NO_BUDGET, readBudget } from './budget.js';
import type { BudgetCeiling } from './budget.js';
import { compareText } from './diagnostic.js';
import { frozen } from './frozen.js';
import { patternProblem } from './glob.js';
import { promiseProblem, SANDBOX_PROFILE } from './sandbox-promise.js';
import { checkShape } from './shape.js';
import type { ApprovalMode, ApprovalRuleSpec, CeilingSpec, NameSpec, ShapeProblem } from './shape.js';

/** Where a ceiling comes from; the order is that of the decision record. */
export const LAYERS = ['org', 'environment', 'tenant', 'workflow', 'agent', 'parent', 'step'] as const;
export type LayerName = (typeof LAYERS)[number];

/** `local` holds always; `anchored`: witnesses cosign what was logged about a run before its next step runs. */
export type AuditRequirement = 'local' | 'anchored';
export type SandboxKind = 'wasm' | 'docker';
/** From the least to the most secret. */
export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted'] as const;
export type Classification = (typeof CLASSIFICATIONS)[number];
export type NetworkMode = 'none' | 'allowlist' | 'open';
export type CredentialMode = 'none' | 'broker' | 'inherit';
export type MountMode = 'ro' | 'rw';

/** Limits a step's driver and the runner keep in this version; a ceiling with another one is refused. */
export const LIMIT_NAMES = ['timeoutMs', 'memoryMiB', 'outputBytes', 'cpus', 'pids'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];
/** Milliseconds, MiB, bytes; an absent name is not limited. */
export type LimitSet = { readonly [name in LimitName]?: number };

/** A value fits when every group has a match and no `deny` matches. */
export type NameCeiling = {
  readonly allow: readonly (readonly string[])[];
  readonly deny: readonly string[];
};

export type MountGrant = { readonly path: string; readonly mode: MountMode };

/** What must be approved, and how. Applies when every key of `match` holds (policy-and-ceilings section 7). */
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
  /** null = any kind. wasm and docker are not comparable: the meet is the intersection. */
  readonly sandbox: {
    readonly allowed: readonly SandboxKind[] | null;
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
  readonly data: {
    readonly labelsAllowed: readonly string[] | null;
    /** Absent = any. */
    readonly maxClassification?: Classification;
  };
  readonly audit: { readonly required: AuditRequirement };
  readonly validity: { readonly notBeforeMs: number | null; readonly notAfterMs: number | null };
};

const made = new WeakSet<Ceiling>();

function settled(ceiling: Ceiling): Ceiling {
  made.add(frozen(ceiling));
  return ceiling;
}

/** One layer of a decision; `spec: null` records an optional layer that is absent. */
export interface CeilingLayer {
  readonly layer: LayerName;
  readonly name: string;
  readonly spec: Ceiling | null;
}

export const APPROVAL_MODES = ['none', 'async', 'sync', 'two-person'] as const satisfies ApprovalMode[];
const NETWORK_MODES: readonly NetworkMode[] = ['none', 'allowlist', 'open'];
const CREDENTIAL_MODES: readonly CredentialMode[] = ['none', 'broker', 'inherit'];

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

/** Meet of all layers; absent ones change nothing. Order and repetition don't matter. */
export function composeCeilings(layers: readonly { readonly spec: Ceiling | null }[]): Ceiling {
  return layers.reduce((all, { spec }) => (spec === null ? all : meet(all, spec)), NO_CEILING);
}

/**
 * `spec` of a ceiling that comes from a workflow, a package or a step. `where` names the document for the message.
 * Throws `code` with `details.problems` when a field is unknown, wrong, or not enforced by this version.
 */
export function parseCeilingSpec(
  value: Json,
  where: string,
  code: 'DOC_BAD_VALUE' | 'POLICY_INVALID' = 'DOC_BAD_VALUE',
): Ceiling {
  const result = checkCeilingSpec(value);
  if (result.ok) return result.ceiling;
  const problems = result.problems;
  const first = problems[0];
  throw new WritError(code, `${where}: ceiling ${first?.pointer ?? ''}: ${first?.message ?? 'is invalid'}`, {
    hint: first?.hint ?? 'the fields of a ceiling are listed in policies/README.md',
    details: { problems },
  });
}

/** As `parseCeilingSpec`, with every problem instead of an error. */
export function checkCeilingSpec(
  value: Json,
):
  | { readonly ok: true; readonly ceiling: Ceiling }
  | { readonly ok: false; readonly problems: ShapeProblem[] } {
  const shape = checkShape('CeilingSpec', value);
  if (!shape.ok) return shape;
  const problems = [...unenforced(shape.document), ...contradictions(shape.document)];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, ceiling: normalize(shape.document) };
}

// --- what this version doesn't enforce is refused, never ignored ------------------------------------------------

function unenforced(spec: CeilingSpec): ShapeProblem[] {
  const found: ShapeProblem[] = [];
  const refuse = (pointer: string, why: string) =>
    found.push({
      pointer,
      key: true,
      message: `not enforced by this version: ${why}`,
      hint: 'remove the field',
    });
  if (spec.rates !== undefined) refuse('/rates', 'no rate is measured');
  for (const [kind, profile] of Object.entries(profilesOf(spec.sandbox?.profile))) {
    if (profile !== SANDBOX_PROFILE)
      refuse(`/sandbox/profile/${kind}`, `every sandbox has the profile ${SANDBOX_PROFILE}`);
  }
  for (const [index, name] of (spec.sandbox?.require ?? []).entries()) {
    const problem = promiseProblem(name);
    if (problem !== null) refuse(`/sandbox/require/${index}`, problem);
  }
  for (const name of Object.keys(spec.limits ?? {})) {
    if (!isLimitName(name)) refuse(`/limits/${name}`, `limits that are: ${LIMIT_NAMES.join(', ')}`);
  }
  return found;
}

/** The shape has been checked: kinds to names. */
function profilesOf(profile: Json | undefined): JsonObject {
  return isObject(profile) ? profile : {};
}

function contradictions(spec: CeilingSpec): ShapeProblem[] {
  const found: ShapeProblem[] = [];
  const refuse = (pointer: string, message: string, hint?: string) =>
    found.push({ pointer, key: false, message, ...(hint === undefined ? {} : { hint }) });
  if (spec.network?.mode === 'allowlist' && spec.network.allow === undefined) {
    refuse('/network', 'mode allowlist needs allow', 'list the hosts, or use mode none');
  }
  for (const [index, name] of (spec.clamp ?? []).entries()) {
    if (spec.limits === undefined || !Object.hasOwn(spec.limits, name)) {
      refuse(`/clamp/${index}`, `clamps ${name}, which has no value in limits`);
    }
  }
  for (const [pointer, usd] of [
    ['/budget/usd', spec.budget?.usd],
    ['/budget/perDay/usd', spec.budget?.perDay?.usd],
    ...(spec.approval?.rules ?? []).map(({ match }, rule) => {
      return [`/approval/rules/${rule}/match/costUsdAbove`, match.costUsdAbove] as const;
    }),
  ] as const) {
    if (usd !== undefined && !Number.isSafeInteger(microUsd(usd)))
      refuse(pointer, `${usd} is too much to count`);
  }
  const { notBefore, notAfter } = spec.validity ?? {};
  for (const [key, moment] of Object.entries({ notBefore, notAfter })) {
    if (moment !== undefined && momentMs(moment) === null)
      refuse(`/validity/${key}`, `${moment} does not exist`);
  }
  const patterns: [string, readonly string[] | undefined][] = [
    ...(
      ['functions', 'tools', 'skills', 'mcp', 'memory', 'agents', 'delegation', 'credentials'] as const
    ).flatMap((field): [string, readonly string[] | undefined][] => [
      [`/${field}/allow`, spec[field]?.allow],
      [`/${field}/deny`, spec[field]?.deny],
    ]),
    ...(spec.approval?.rules ?? []).flatMap(({ match }, rule) =>
      (['functions', 'agents', 'credentials'] as const).map(
        (key): [string, readonly string[] | undefined] => [
          `/approval/rules/${rule}/match/${key}`,
          match[key],
        ],
      ),
    ),
  ];
  for (const [pointer, list] of patterns) {
    for (const [index, pattern] of (list ?? []).entries()) {
      const problem = patternProblem(pattern);
      if (problem !== null) refuse(`${pointer}/${index}`, problem);
    }
  }
  return found;
}

// --- normal form ------------------------------------------------------------------------------------------------

function normalize(spec: CeilingSpec): Ceiling {
  const limits = Object.entries(spec.limits ?? {}).filter((entry): entry is [LimitName, number] =>
    isLimitName(entry[0]),
  );
  const clamped = (name: string) => spec.clamp?.includes(name) === true;
  return settled({
    functions: names(spec.functions),
    tools: names(spec.tools),
    skills: names(spec.skills),
    mcp: names(spec.mcp),
    memory: names(spec.memory),
    agents: {
      ...names(spec.agents),
      requireDigest: spec.agents?.requireDigest ?? false,
      ...signers(spec.agents?.requireSigners ?? []),
    },
    delegation: {
      ...names(spec.delegation),
      maxDepth: spec.delegation?.maxDepth ?? null,
      maxAgents: spec.delegation?.maxAgents ?? null,
    },
    network: { ...names(spec.network), mode: spec.network?.mode ?? 'open' },
    mounts:
      spec.mounts === undefined ? [] : [unique(spec.mounts.allow.map(({ path, mode }) => ({ path, mode })))],
    credentials: { ...names(spec.credentials), mode: spec.credentials?.mode ?? 'inherit' },
    sandbox: {
      allowed: spec.sandbox?.allowed === undefined ? null : sorted(spec.sandbox.allowed),
      ...required(spec.sandbox?.require ?? []),
    },
    approval: {
      minimum: spec.approval?.minimum ?? 'none',
      rules: unique((spec.approval?.rules ?? []).map(normalizeRule)),
    },
    limits: limitSet(limits.filter(([name]) => !clamped(name))),
    clampedLimits: limitSet(limits.filter(([name]) => clamped(name))),
    budget: readBudget(spec.budget),
    data: {
      labelsAllowed: spec.data?.labelsAllowed === undefined ? null : sorted(spec.data.labelsAllowed),
      ...classified(CLASSIFICATIONS.find((one) => one === spec.data?.maxClassification)),
    },
    // `none` asks for less than every run gets.
    audit: { required: spec.audit?.required === 'anchored' ? 'anchored' : 'local' },
    validity: {
      notBeforeMs: spec.validity?.notBefore === undefined ? null : momentMs(spec.validity.notBefore),
      notAfterMs: spec.validity?.notAfter === undefined ? null : momentMs(spec.validity.notAfter),
    },
  });
}

function normalizeRule(rule: ApprovalRuleSpec): ApprovalRule {
  const { functions, agents, labels, sandbox, credentials, network, costUsdAbove } = rule.match;
  const twoPerson = rule.minimum === 'two-person';
  return {
    match: {
      ...(functions === undefined ? {} : { functions: sorted(functions) }),
      ...(agents === undefined ? {} : { agents: sorted(agents) }),
      ...(labels === undefined ? {} : { labels: sorted(labels) }),
      ...(sandbox === undefined ? {} : { sandbox: sorted(sandbox) }),
      ...(credentials === undefined ? {} : { credentials: sorted(credentials) }),
      ...(network === undefined ? {} : { network: sorted(network) }),
      ...(costUsdAbove === undefined ? {} : { costMicroUsdAbove: microUsd(costUsdAbove) }),
    },
    minimum: rule.minimum,
    approverRoles: sorted(rule.approverRoles ?? []),
    quorum: Math.max(rule.quorum ?? 1, twoPerson ? 2 : 1),
    // Only a rule that says so in words lets people decide what they started.
    separationOfDuties: twoPerson || rule.separationOfDuties !== false,
    expiresSeconds: rule.expiresSeconds ?? null,
    reasonRequired: rule.reasonRequired ?? false,
    ...(rule.escalation === undefined || rule.escalation.length === 0
      ? {}
      : { escalation: rule.escalation.map(normalizeEscalation).toSorted(bySeconds) }),
  };
}

function normalizeEscalation({
  afterSeconds,
  notifyRoles,
  addRoles,
}: NonNullable<ApprovalRuleSpec['escalation']>[number]): Escalation {
  return { afterSeconds, notifyRoles: sorted(notifyRoles ?? []), addRoles: sorted(addRoles ?? []) };
}

function bySeconds(a: Escalation, b: Escalation): number {
  return a.afterSeconds - b.afterSeconds;
}

/** Absent where nothing is required: such a ceiling is the same as before there was the word. */
function required(promises: readonly string[]): { readonly require?: readonly string[] } {
  return promises.length === 0 ? {} : { require: sorted(promises) };
}

function names(spec: NameSpec | undefined): NameCeiling {
  return {
    allow: spec?.allow === undefined ? [] : [sorted(spec.allow)],
    deny: sorted(spec?.deny ?? []),
  };
}

function limitSet(entries: readonly (readonly [LimitName, number])[]): LimitSet {
  return Object.fromEntries(entries.toSorted(([a], [b]) => compareText(a, b)));
}

// --- meet -------------------------------------------------------------------------------------------------------

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
      allowed: intersection(a.sandbox.allowed, b.sandbox.allowed),
      ...required([...(a.sandbox.require ?? []), ...(b.sandbox.require ?? [])]),
    },
    approval: {
      minimum: strictestMode(a.approval.minimum, b.approval.minimum),
      rules: unique([...a.approval.rules, ...b.approval.rules]),
    },
    limits: meetLimits(a.limits, b.limits),
    clampedLimits: meetLimits(a.clampedLimits, b.clampedLimits),
    budget: meetBudgets(a.budget, b.budget),
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

/** Absent where nobody is required: such a ceiling is the same as before there was the word. */
function signers(names: readonly string[]): { readonly requireSigners?: readonly string[] } {
  return names.length === 0 ? {} : { requireSigners: sorted(names) };
}

function classified(most: Classification | undefined): { readonly maxClassification?: Classification } {
  return most === undefined ? {} : { maxClassification: most };
}

function lowerClass(
  a: Classification | undefined,
  b: Classification | undefined,
): Classification | undefined {
  return a === undefined ? b : b === undefined ? a : lower(CLASSIFICATIONS, a, b);
}

function meetNames(a: NameCeiling, b: NameCeiling): NameCeiling {
  return { allow: unique([...a.allow, ...b.allow]), deny: sorted([...a.deny, ...b.deny]) };
}

function meetLimits(a: LimitSet, b: LimitSet): LimitSet {
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
  return a === null ? b : b === null ? a : a.filter((value) => b.includes(value));
}

function sorted<T extends string>(values: readonly T[]): readonly T[] {
  return [...new Set(values)].toSorted(compareText);
}

/** Sorted and free of duplicates; values are built with a fixed key order, so their JSON is their identity. */
function unique<T>(values: readonly T[]): readonly T[] {
  const byText = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...byText].toSorted(([a], [b]) => compareText(a, b)).map(([, value]) => value);
}

function isLimitName(name: string): name is LimitName {
  return (LIMIT_NAMES as readonly string[]).includes(name);
}

/** Milliseconds of a time that exists (the schema has checked its form), or null (such as February 30). */
export function momentMs(text: string): number | null {
  const ms = Date.parse(text);
  return Number.isFinite(ms) && new Date(ms).toISOString() === text.replace('Z', '.000Z') ? ms : null;
}
