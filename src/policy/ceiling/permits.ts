// Does a request fit under a ceiling? One function per field, every violation named with the limit and what was
// asked. A field that the request doesn't touch can't be violated; an unknown fact counts as the worst one.
import type { ErrorCode } from '../../errors.js';
import { isStepAct } from '../rbac/action.js';
import type { Action } from '../rbac/action.js';
import { amountText, budgetField, budgetUses, isOver, requestText } from './budget.js';
import type { BudgetUse } from './budget.js';
import { APPROVAL_MODES, CLASSIFICATIONS, LIMIT_NAMES, placesOf } from './ceiling.js';
import type { Ceiling, LimitSet, MountMode, NameCeiling } from './ceiling.js';
import { matchingRules } from './approval-duty.js';
import type { CeilingRequest, Facts } from './facts.js';
import { everyPackageName, isRunnersOwn, packageNames } from './facts.js';
import { fnMatch } from '../rbac/glob.js';
import { ratesOf, rateText } from './rate.js';
import { hostMatches, pathContains } from './host.js';

/** One field of a ceiling that refuses the request; `limit` and `requested` are words for people. */
export interface Violation {
  readonly field: string;
  readonly code: Extract<ErrorCode, `CEILING_${string}`>;
  readonly limit: string;
  readonly requested: string;
}

/**
 * Exact with respect to the meet: `permits(composeCeilings([a, b]), r).ok` is `permits(a, r).ok && permits(b, r).ok`.
 * Compares the approval actually obtained; the request must have passed `decide`'s validation.
 */
export function permits(
  ceiling: Ceiling,
  request: CeilingRequest,
): { readonly ok: boolean; readonly violations: readonly Violation[] } {
  const violations = [...boundViolations(ceiling, request), ...approvalViolations(ceiling, request)];
  return { ok: violations.length === 0, violations };
}

/** Everything but approval: bounds refuse, a missing approval is a duty that `decide` raises. */
export function boundViolations(
  ceiling: Ceiling,
  request: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
  const { action, resource, facts } = request;
  const found: Violation[] = [];
  const add = (violations: readonly Violation[]): void => {
    for (const violation of violations) found.push(violation);
  };
  /** What the act names by its resource, after what its facts name. */
  const asked = (named: readonly string[], ...actions: readonly Action[]): readonly string[] =>
    actions.includes(action) ? [...named, resource] : named;
  if (action === 'function.invoke') {
    add(nameViolations('functions', 'CEILING_FUNCTIONS', ceiling.functions, [facts.functionId]));
  }
  const tools = asked(facts.tools ?? NONE, 'tool.invoke');
  add(nameViolations('tools', 'CEILING_TOOLS', ceiling.tools, tools));
  add(nameViolations('skills', 'CEILING_TOOLS', ceiling.skills, asked(NONE, 'skill.invoke')));
  add(nameViolations('mcp', 'CEILING_TOOLS', ceiling.mcp, asked(NONE, 'mcp.request')));
  const memories = asked(NONE, 'memory.read', 'memory.write');
  add(nameViolations('memory', 'CEILING_TOOLS', ceiling.memory, memories));
  add(agentViolations(ceiling, request));
  add(delegationViolations(ceiling, asked(NONE, 'agent.delegate'), facts));
  add(networkViolations(ceiling, asked(facts.network, 'network.egress')));
  const mode = action === 'filesystem.write' ? 'rw' : action === 'filesystem.read' ? 'ro' : null;
  add(mountViolations(ceiling, mode === null ? facts.mounts : [...facts.mounts, { path: resource, mode }]));
  add(credentialViolations(ceiling, asked(facts.credentials, 'secret.use')));
  add(limitViolations(ceiling, facts.limits));
  if (isStepAct(action)) {
    add(sandboxViolations(ceiling, request));
    add(budgetViolations(ceiling, request));
    add(rateViolations(ceiling, request));
    add(labelViolations(ceiling, request));
    add(classificationViolations(ceiling, request));
  }
  add(validityViolations(ceiling, request.nowMs));
  return found;
}

/** The limits a step gets: its own where they fit, lowered where a layer clamps, else the ceiling's. */
export function effectiveLimits(
  ceiling: Ceiling,
  asked: LimitSet,
): { readonly limits: LimitSet; readonly narrowed: readonly string[] } {
  const limits: { [name: string]: number } = {};
  const narrowed: string[] = [];
  for (const name of LIMIT_NAMES) {
    const values = [asked[name], ceiling.limits[name], ceiling.clampedLimits[name]].filter(
      (value) => value !== undefined,
    );
    if (values.length === 0) continue;
    const value = Math.min(...values);
    limits[name] = value;
    if (asked[name] !== undefined && value < asked[name]) narrowed.push(name);
  }
  return { limits, narrowed };
}

/** Fields under which nothing fits at all (CEILING_EMPTY, told at `validate`). */
export function emptyFields(ceiling: Ceiling): readonly string[] {
  const fields = Object.entries(ceiling).flatMap(([field, value]) =>
    'allow' in value && value.allow.some((group) => group.length === 0) ? [field] : [],
  );
  if (ceiling.mounts.some((group) => group.length === 0)) fields.push('mounts');
  if (ceiling.sandbox.allowed?.length === 0) fields.push('sandbox');
  const { notBeforeMs, notAfterMs } = ceiling.validity;
  if (notBeforeMs !== null && notAfterMs !== null && notBeforeMs >= notAfterMs) fields.push('validity');
  return fields;
}

// --- one function per field ---------------------------------------------------------------------------------------

type Code = Violation['code'];
type Matches = (value: string, pattern: string) => boolean;

const NONE: readonly never[] = [];

function nameViolations(
  field: string,
  code: Code,
  ceiling: NameCeiling,
  values: readonly string[],
  match: Matches = fnMatch,
): readonly Violation[] {
  if (values.length === 0 || (ceiling.allow.length === 0 && ceiling.deny.length === 0)) return NONE;
  return values.flatMap((value) => formViolations(field, code, ceiling, [value], match));
}

/** `forms`: every form by which a list may name the one thing that is asked for; `deniedForms`: those of a deny. */
function formViolations(
  field: string,
  code: Code,
  ceiling: NameCeiling,
  forms: readonly string[],
  match: Matches = fnMatch,
  deniedForms: readonly string[] = forms,
): Violation[] {
  const requested = forms.at(-1) ?? '';
  const inList = (list: readonly string[], names = forms) =>
    list.find((pattern) => names.some((form) => match(form, pattern))) ?? null;
  const found: Violation[] = [];
  for (const group of ceiling.allow) {
    if (inList(group) !== null) continue;
    const empty = group.length === 0;
    found.push({
      field: `${field}.allow`,
      code: empty ? 'CEILING_EMPTY' : code,
      limit: empty ? 'nothing' : group.join(', '),
      requested,
    });
  }
  const denied = inList(ceiling.deny, deniedForms);
  if (denied !== null) found.push({ field: `${field}.deny`, code, limit: denied, requested });
  return found;
}

function agentViolations(
  ceiling: Ceiling,
  { facts }: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
  if (facts.agentName === null) return NONE;
  const forms = packageNames(facts);
  const denials = everyPackageName(facts);
  const found = formViolations('agents', 'CEILING_AGENTS', ceiling.agents, forms, fnMatch, denials);
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
function delegationViolations(
  ceiling: Ceiling,
  hosts: readonly string[],
  { delegation }: Facts,
): readonly Violation[] {
  if (hosts.length === 0) return NONE;
  const found = [...nameViolations('delegation', 'CEILING_DELEGATION', ceiling.delegation, hosts)];
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

function networkViolations({ network }: Ceiling, hosts: readonly string[]): readonly Violation[] {
  if (hosts.length === 0) return NONE;
  const found = [...nameViolations('network', 'CEILING_NETWORK', network, hosts, hostMatches)];
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

function mountViolations(
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

function credentialViolations({ credentials }: Ceiling, asked: readonly string[]): readonly Violation[] {
  if (asked.length === 0) return NONE;
  const found = [...nameViolations('credentials', 'CEILING_CREDENTIALS', credentials, asked)];
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

function sandboxViolations(
  ceiling: Ceiling,
  { facts }: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
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

function limitViolations(ceiling: Ceiling, asked: LimitSet): readonly Violation[] {
  const found: Violation[] = [];
  for (const name of LIMIT_NAMES) {
    const limit = ceiling.limits[name];
    const requested = asked[name];
    // Written so that a value that compares with nothing (NaN) is a violation.
    if (limit === undefined || requested === undefined || requested <= limit) continue;
    const field = `limits.${name}`;
    found.push({ field, code: 'CEILING_LIMITS', limit: String(limit), requested: String(requested) });
  }
  return found;
}

/** Exact with respect to the meet where both sides are judged with the same amounts used. */
function budgetViolations(
  { budget }: Ceiling,
  { facts, used }: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
  return budgetUses(budget, facts.estimate).flatMap((use) => {
    const spent = used?.[use.period]?.[use.budget] ?? 0;
    return isOver(use, spent) ? [budgetViolation(use, spent)] : [];
  });
}

export function budgetViolation(use: BudgetUse, used: number): Violation {
  const { limit, budget } = use;
  return {
    field: budgetField(use),
    code: 'CEILING_BUDGET',
    limit: amountText(budget, limit),
    requested: requestText(use, used),
  };
}

/** What is in the buckets is not known here (`underRates`): only one that holds nothing refuses by itself. */
function rateViolations(ceiling: Ceiling, { facts }: Omit<CeilingRequest, 'approval'>): readonly Violation[] {
  if (ceiling.rates === undefined) return NONE;
  return ratesOf(ceiling.rates, facts)
    .filter(({ count }) => count === 0)
    .map((rate) => ({ field: 'rates', code: 'CEILING_RATES', limit: rateText(rate), requested: 'one more' }));
}

function labelViolations(
  ceiling: Ceiling,
  { facts }: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
  const allowed = ceiling.data.labelsAllowed;
  if (allowed === null) return NONE;
  const above = facts.labels?.filter((label) => !allowed.includes(label)) ?? ['labels that are not known'];
  if (above.length === 0) return NONE;
  return [
    {
      field: 'data.labelsAllowed',
      code: 'CEILING_DATA',
      limit: allowed.join(', ') || 'nothing',
      requested: above.join(', '),
    },
  ];
}

function classificationViolations(
  { data }: Ceiling,
  { facts }: Omit<CeilingRequest, 'approval'>,
): readonly Violation[] {
  const { maxClassification: limit } = data;
  if (limit === undefined) return NONE;
  const { classification } = facts;
  const isBelow =
    classification !== undefined && CLASSIFICATIONS.indexOf(classification) <= CLASSIFICATIONS.indexOf(limit);
  if (isBelow) return NONE;
  const requested = classification ?? 'a classification that is not known';
  return [{ field: 'data.maxClassification', code: 'CEILING_DATA', limit, requested }];
}

/** Inside from notBefore, included, to notAfter, excluded. */
function validityViolations({ validity }: Ceiling, nowMs: number): readonly Violation[] {
  const { notBeforeMs, notAfterMs } = validity;
  if (notBeforeMs === null && notAfterMs === null) return NONE;
  const iso = (ms: number) => new Date(ms).toISOString();
  const found: Violation[] = [];
  const code = 'CEILING_VALIDITY' as const;
  if (notBeforeMs !== null && !(nowMs >= notBeforeMs)) {
    found.push({ field: 'validity.notBefore', code, limit: iso(notBeforeMs), requested: iso(nowMs) });
  }
  if (notAfterMs !== null && !(nowMs < notAfterMs)) {
    found.push({ field: 'validity.notAfter', code, limit: iso(notAfterMs), requested: iso(nowMs) });
  }
  return found;
}

function approvalViolations(ceiling: Ceiling, { action, facts, approval }: CeilingRequest): Violation[] {
  const found: Violation[] = [];
  if (!isStepAct(action)) return found;
  const refuse = (field: string, limit: string, requested: string) =>
    found.push({ field: `approval.${field}`, code: 'CEILING_APPROVAL', limit, requested });
  const mode = approval?.mode ?? 'none';
  const below = (minimum: (typeof APPROVAL_MODES)[number]) =>
    APPROVAL_MODES.indexOf(mode) < APPROVAL_MODES.indexOf(minimum);
  const { minimum } = ceiling.approval;
  if (below(minimum)) refuse('minimum', minimum, mode);
  if (minimum === 'two-person' && approval !== null) {
    if (approval.votes < 2) refuse('quorum', '2', String(approval.votes));
    if (!approval.separationOfDuties) refuse('separationOfDuties', 'true', 'false');
  }
  for (const rule of matchingRules(ceiling, facts)) {
    if (approval === null || below(rule.minimum)) {
      refuse('rules.minimum', rule.minimum, mode);
      continue;
    }
    if (approval.votes < rule.quorum) refuse('rules.quorum', String(rule.quorum), String(approval.votes));
    if (
      rule.approverRoles.length > 0 &&
      !rule.approverRoles.some((role) => role === 'role:any' || approval.approverRoles.includes(role))
    ) {
      refuse(
        'rules.approverRoles',
        rule.approverRoles.join(' or '),
        approval.approverRoles.join(', ') || 'none',
      );
    }
    if (rule.separationOfDuties && !approval.separationOfDuties) {
      refuse('rules.separationOfDuties', 'true', 'false');
    }
    if (rule.author === true && approval.author !== true) refuse('rules.author', 'true', 'false');
    if (rule.reasonRequired && !approval.reasonGiven) refuse('rules.reasonRequired', 'true', 'no reason');
    if (rule.expiresSeconds !== null && approval.expiresSeconds > rule.expiresSeconds) {
      refuse('rules.expiresSeconds', String(rule.expiresSeconds), String(approval.expiresSeconds));
    }
  }
  return found;
}
