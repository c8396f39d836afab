// Does a request fit under a ceiling? Every field is asked, and every violation named with the limit and what
// was asked. A field that the request doesn't touch can't be violated; an unknown fact counts as the worst one.
import type { Action } from '../rbac/action.js';
import { isStepAct } from '../rbac/action.js';
import { budgetViolations, limitViolations, rateViolations } from './amounts.js';
import { CLASSIFICATIONS } from './ceiling.js';
import type { Ceiling } from './ceiling.js';
import type { CeilingRequest, UnapprovedRequest } from './facts.js';
import { approvalViolations } from './obtained-approval.js';
import {
  agentViolations,
  credentialViolations,
  delegationViolations,
  mountViolations,
  networkViolations,
  sandboxViolations,
} from './reach.js';
import { nameViolations, NONE, type ListedField, type Violation } from './violation.js';

const FUNCTIONS: ListedField = { field: 'functions', code: 'CEILING_FUNCTIONS' };
const TOOLS: ListedField = { field: 'tools', code: 'CEILING_TOOLS' };
const SKILLS: ListedField = { field: 'skills', code: 'CEILING_TOOLS' };
const MCP: ListedField = { field: 'mcp', code: 'CEILING_TOOLS' };
const MEMORY: ListedField = { field: 'memory', code: 'CEILING_TOOLS' };

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
export function boundViolations(ceiling: Ceiling, request: UnapprovedRequest): readonly Violation[] {
  const { action, resource, facts } = request;
  const found: Violation[] = [];
  const add = (violations: readonly Violation[]): void => {
    for (const violation of violations) found.push(violation);
  };
  /** What the act names by its resource, after what its facts name. */
  const asked = (named: readonly string[], ...actions: readonly Action[]): readonly string[] =>
    actions.includes(action) ? [...named, resource] : named;
  if (action === 'function.invoke') {
    add(nameViolations(FUNCTIONS, ceiling.functions, [facts.functionId]));
  }
  const tools = asked(facts.tools ?? NONE, 'tool.invoke');
  add(nameViolations(TOOLS, ceiling.tools, tools));
  add(nameViolations(SKILLS, ceiling.skills, asked(NONE, 'skill.invoke')));
  add(nameViolations(MCP, ceiling.mcp, asked(NONE, 'mcp.request')));
  const memories = asked(NONE, 'memory.read', 'memory.write');
  add(nameViolations(MEMORY, ceiling.memory, memories));
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

function labelViolations(ceiling: Ceiling, { facts }: UnapprovedRequest): readonly Violation[] {
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

function classificationViolations({ data }: Ceiling, { facts }: UnapprovedRequest): readonly Violation[] {
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
