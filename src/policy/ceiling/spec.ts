// `spec` of a ceiling document, read into the normal form. What is unknown, contradicts itself or is not enforced by this
// version is a problem with its place; nothing is ever ignored.
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { microUsd, readBudget } from './budget.js';
import { CLASSIFICATIONS, LIMIT_NAMES, settled } from './ceiling.js';
import type { ApprovalRule, Ceiling, Escalation, LimitName, NameCeiling } from './ceiling.js';
import type { ApprovalRuleSpec, CeilingSpec, NameSpec } from './shape.js';
import { contradictions } from './contradiction.js';
import { momentMs } from './moment.js';
import { classified, limitSet, metered, required, signers, sorted, unique } from './normal-form.js';
import { rateList } from './rate.js';
import { promiseProblem, SANDBOX_PROFILE } from './sandbox-promise.js';
import { checkShape } from '../file/shape.js';
import type { ShapeProblem, ShapeProblems } from '../file/shape.js';

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
  const { problems } = result;
  const [first] = problems;
  throw new WritError(code, `${where}: ceiling ${first.pointer}: ${first.message}`, {
    hint: first.hint ?? 'the fields of a ceiling are listed in policies/README.md',
    details: { problems },
  });
}

/** As `parseCeilingSpec`, with every problem instead of an error. */
export function checkCeilingSpec(
  value: Json,
):
  | { readonly ok: true; readonly ceiling: Ceiling }
  | { readonly ok: false; readonly problems: ShapeProblems } {
  const shape = checkShape('CeilingSpec', value);
  if (!shape.ok)
    return { ok: false, problems: [...shape.problems, ...problemsBesides(value, shape.problems)] };
  const [first, ...more] = [...unenforced(shape.document), ...contradictions(shape.document)];
  return first === undefined
    ? { ok: true, ceiling: normalize(shape.document) }
    : { ok: false, problems: [first, ...more] };
}

/** What is wrong besides, in the fields of `spec` that have the right shape: who corrects the others is told at once. */
export function problemsBesides(value: Json, found: readonly ShapeProblem[]): readonly ShapeProblem[] {
  if (!isObject(value)) return [];
  const wrong = new Set(found.map(({ pointer }) => pointer.split('/')[1] ?? ''));
  // What is clamped is compared with limits.
  if (wrong.has('limits')) wrong.add('clamp');
  const rest = checkShape(
    'CeilingSpec',
    Object.fromEntries(Object.entries(value).filter(([field]) => !wrong.has(field))),
  );
  return rest.ok ? [...unenforced(rest.document), ...contradictions(rest.document)] : [];
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
  for (const [kind, profile] of Object.entries(profilesOf(spec.sandbox?.profile))) {
    if (profile !== SANDBOX_PROFILE)
      refuse(`/sandbox/profile/${kind}`, `every sandbox has the profile ${SANDBOX_PROFILE}`);
  }
  for (const [index, name] of (spec.sandbox?.require ?? []).entries()) {
    const problem = promiseProblem(name);
    if (problem !== null) refuse(`/sandbox/require/${index}`, problem);
  }
  return found;
}

/** The shape has been checked: kinds to names. */
function profilesOf(profile: Json | undefined): JsonObject {
  return isObject(profile) ? profile : {};
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
    ...metered(rateList(spec.rates ?? [])),
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

/** A rule in normal form. */
export function normalizeRule(rule: ApprovalRuleSpec): ApprovalRule {
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
    ...(rule.author === true ? { author: true } : {}),
    expiresSeconds: rule.expiresSeconds ?? null,
    reasonRequired: rule.reasonRequired ?? false,
    ...(rule.escalation === undefined || rule.escalation.length === 0
      ? {}
      : { escalation: unique(rule.escalation.map(normalizeEscalation)).toSorted(bySeconds) }),
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

function names(spec: NameSpec | undefined): NameCeiling {
  return {
    allow: spec?.allow === undefined ? [] : [sorted(spec.allow)],
    deny: sorted(spec?.deny ?? []),
  };
}

function isLimitName(name: string): name is LimitName {
  return (LIMIT_NAMES as readonly string[]).includes(name);
}
