// Does a request fit under a ceiling? One function per field, every violation named with the limit and what was
// asked. A field that the request doesn't touch can't be violated; an unknown fact counts as the worst one.
import type { ErrorCode } from '../errors.js';
import { APPROVAL_MODES, LIMIT_NAMES } from './ceiling.js';
import type { Ceiling, LimitSet, MountMode, NameCeiling } from './ceiling.js';
import { matchingRules } from './approval-duty.js';
import type { CeilingRequest } from './facts.js';
import { isRunnersOwn, packageNames } from './facts.js';
import { fnMatch } from './glob.js';
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
  const asked = (...actions: readonly string[]) => (actions.includes(action) ? [resource] : []);
  return [
    ...(action === 'function.invoke'
      ? nameViolations('functions', 'CEILING_FUNCTIONS', ceiling.functions, [[facts.functionId]])
      : []),
    ...nameViolations('tools', 'CEILING_TOOLS', ceiling.tools, single(asked('tool.invoke'))),
    ...nameViolations('skills', 'CEILING_TOOLS', ceiling.skills, single(asked('skill.invoke'))),
    ...nameViolations('mcp', 'CEILING_TOOLS', ceiling.mcp, single(asked('mcp.request'))),
    ...nameViolations(
      'memory',
      'CEILING_TOOLS',
      ceiling.memory,
      single(asked('memory.read', 'memory.write')),
    ),
    ...agentViolations(ceiling, request),
    ...delegationViolations(ceiling, asked('agent.delegate')),
    ...networkViolations(ceiling, [...facts.network, ...asked('network.egress')]),
    ...mountViolations(ceiling, [
      ...facts.mounts,
      ...asked('filesystem.read').map((path) => ({ path, mode: 'ro' as const })),
      ...asked('filesystem.write').map((path) => ({ path, mode: 'rw' as const })),
    ]),
    ...credentialViolations(ceiling, [...facts.credentials, ...asked('secret.use')]),
    ...sandboxViolations(ceiling, request),
    ...limitViolations(ceiling, facts.limits),
    ...labelViolations(ceiling, request),
    ...validityViolations(ceiling, request.nowMs),
  ];
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

const single = (values: readonly string[]) => values.map((value) => [value]);

/** `values`: for each thing asked, every form by which a list may name it. */
function nameViolations(
  field: string,
  code: Code,
  ceiling: NameCeiling,
  values: readonly (readonly string[])[],
  match: Matches = fnMatch,
): Violation[] {
  return values.flatMap((forms) => {
    const requested = forms.at(-1) ?? '';
    const inList = (list: readonly string[]) =>
      list.find((pattern) => forms.some((form) => match(form, pattern))) ?? null;
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
    const denied = inList(ceiling.deny);
    if (denied !== null) found.push({ field: `${field}.deny`, code, limit: denied, requested });
    return found;
  });
}

function agentViolations(ceiling: Ceiling, { facts }: Omit<CeilingRequest, 'approval'>): Violation[] {
  const forms = packageNames(facts);
  if (forms.length === 0) return [];
  const found = nameViolations('agents', 'CEILING_AGENTS', ceiling.agents, [forms]);
  if (ceiling.agents.requireDigest && facts.agentDigest === null) {
    const requested = forms.at(-1) ?? '';
    found.push({ field: 'agents.requireDigest', code: 'CEILING_AGENTS', limit: 'a digest', requested });
  }
  return found;
}

/** Delegations are not counted in this version, so a ceiling that bounds their number refuses each of them. */
function delegationViolations(ceiling: Ceiling, hosts: readonly string[]): Violation[] {
  const found = nameViolations('delegation', 'CEILING_DELEGATION', ceiling.delegation, single(hosts));
  for (const field of ['maxDepth', 'maxAgents'] as const) {
    const limit = ceiling.delegation[field];
    if (limit === null || hosts.length === 0) continue;
    found.push({
      field: `delegation.${field}`,
      code: 'CEILING_DELEGATION',
      limit: String(limit),
      requested: 'a number this version does not count',
    });
  }
  return found;
}

function networkViolations({ network }: Ceiling, hosts: readonly string[]): Violation[] {
  if (hosts.length === 0) return [];
  const found = nameViolations('network', 'CEILING_NETWORK', network, single(hosts), hostMatches);
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
): Violation[] {
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

function credentialViolations({ credentials }: Ceiling, asked: readonly string[]): Violation[] {
  if (asked.length === 0) return [];
  const found = nameViolations('credentials', 'CEILING_CREDENTIALS', credentials, single(asked));
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

function sandboxViolations(ceiling: Ceiling, { facts }: Omit<CeilingRequest, 'approval'>): Violation[] {
  const allowed = ceiling.sandbox.allowed;
  // What the runner does itself is no foreign code that a sandbox could hold.
  if (isRunnersOwn(facts.functionId)) return [];
  if (allowed === null || (facts.sandbox !== null && allowed.includes(facts.sandbox))) return [];
  return [
    {
      field: 'sandbox.allowed',
      code: allowed.length === 0 ? 'CEILING_EMPTY' : 'CEILING_SANDBOX',
      limit: allowed.join(', ') || 'nothing',
      requested: facts.sandbox ?? 'no sandbox',
    },
  ];
}

function limitViolations(ceiling: Ceiling, asked: LimitSet): Violation[] {
  return LIMIT_NAMES.flatMap((name) => {
    const limit = ceiling.limits[name];
    const requested = asked[name];
    // Written so that a value that compares with nothing (NaN) is a violation.
    if (limit === undefined || requested === undefined || requested <= limit) return [];
    return [
      {
        field: `limits.${name}`,
        code: 'CEILING_LIMITS' as const,
        limit: String(limit),
        requested: String(requested),
      },
    ];
  });
}

function labelViolations(ceiling: Ceiling, { facts }: Omit<CeilingRequest, 'approval'>): Violation[] {
  const allowed = ceiling.data.labelsAllowed;
  if (allowed === null) return [];
  const above = facts.labels?.filter((label) => !allowed.includes(label)) ?? ['labels that are not known'];
  if (above.length === 0) return [];
  return [
    {
      field: 'data.labelsAllowed',
      code: 'CEILING_DATA',
      limit: allowed.join(', ') || 'nothing',
      requested: above.join(', '),
    },
  ];
}

/** Inside from notBefore, included, to notAfter, excluded. */
function validityViolations({ validity }: Ceiling, nowMs: number): Violation[] {
  const { notBeforeMs, notAfterMs } = validity;
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

function approvalViolations(ceiling: Ceiling, { facts, approval }: CeilingRequest): Violation[] {
  const found: Violation[] = [];
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
    if (rule.reasonRequired && !approval.reasonGiven) refuse('rules.reasonRequired', 'true', 'no reason');
    if (rule.expiresSeconds !== null && approval.expiresSeconds > rule.expiresSeconds) {
      refuse('rules.expiresSeconds', String(rule.expiresSeconds), String(approval.expiresSeconds));
    }
  }
  return found;
}
