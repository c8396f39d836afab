// One question, one answer, with the rule that gave it and the chain of roles that leads to it. Everything that
// isn't a clear allow is a deny: a malformed question, an unknown domain, an error.
import type { ErrorCode } from '../../errors.js';
import { nearest } from '../../nearest.js';
import { actionsHint, isAction, resourceProblem } from './action.js';
import { fnMatch } from './glob.js';
import { Memo } from '../memo.js';
import { ANY_ROLE } from './role.js';
import type { Rule } from './rule.js';
import type { PolicySnapshot } from '../snapshot.js';
import { isDomain, isPrincipal, isVisible, MAX_TEXT_LENGTH, principalProblem, quoted } from '../file/text.js';

export interface AccessQuestion {
  /** `user:`, `agent:` or `service:`; never a role. */
  readonly subject: string;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  readonly effect: 'allow' | 'deny' | 'none';
  readonly ruleId: string | null;
  /** null when allowed. */
  readonly code: Extract<ErrorCode, `POLICY_${string}`> | null;
  /** One sentence for people. */
  readonly message: string;
  /** What would change the answer; null when allowed. Never applied by itself. */
  readonly hint: string | null;
  /** Subject, roles, the rule's subject; empty when no rule applied. */
  readonly rolePath: readonly string[];
}

/** Asks RBAC one question (`workflow.run`, `run.cancel`, `approval.decide`, …). Never throws. */
export function checkAccess(snapshot: PolicySnapshot, question: AccessQuestion): AccessAnswer {
  try {
    const { subject, domain, action, resource } = question;
    const memo = isKept(question) ? memoOf(snapshot) : null;
    if (memo === null) return answered(snapshot, question);
    // What changes most comes last: a new question adds one leaf.
    const known = memo.get(domain, action, subject, resource);
    if (known !== undefined) return known;
    const answer = answered(snapshot, question);
    Object.freeze(answer.rolePath);
    Object.freeze(answer);
    memo.set(answer, domain, action, subject, resource);
    return answer;
  } catch (error) {
    return refused('POLICY_ERROR', `policy could not decide: ${words(error)}`);
  }
}

function answered(snapshot: PolicySnapshot, question: AccessQuestion): AccessAnswer {
  const problem = questionProblem(snapshot, question);
  if (problem === null) return judged(snapshot, question);
  const { domain, action } = question;
  const known = isAction(action)
    ? isDomain(domain) && !snapshot.domains.has(domain)
      ? { hint: domainsHint(snapshot, domain) }
      : {}
    : { hint: actionsHint(action) };
  return { ...refused('POLICY_REQUEST_INVALID', problem), ...known };
}

function domainsHint({ domains }: PolicySnapshot, domain: string): string {
  return nearest(domain, domains) ?? `domains of roles/*.yaml: ${[...domains].join(', ') || 'none'}`;
}

/**
 * Answers that were given before. The same four strings have the same answer for as long as a snapshot lives: its rules
 * and roles are immutable, the matcher is frozen, and neither time nor anything else enters. An error is never kept.
 * A new snapshot begins with nothing.
 */
const given = new WeakMap<PolicySnapshot, Memo<AccessAnswer>>();
const MAX_GIVEN = 512;
/** Null for a snapshot that somebody could change. */
function memoOf(snapshot: PolicySnapshot): Memo<AccessAnswer> | null {
  const memo = given.get(snapshot);
  if (memo !== undefined) return memo;
  if (!Object.isFrozen(snapshot)) return null;
  const made = new Memo<AccessAnswer>(MAX_GIVEN);
  given.set(snapshot, made);
  return made;
}

/** Longer questions are answered anew each time: what is kept stays small. */
const MAX_KEPT_LENGTH = 1024;

/** Four plain strings: nothing that only compares equal to one of them finds its answer (trap 5). */
function isKept(question: AccessQuestion): boolean {
  const { subject, domain, action, resource }: Readonly<Record<keyof AccessQuestion, unknown>> = question;
  return (
    typeof subject === 'string' &&
    typeof domain === 'string' &&
    typeof action === 'string' &&
    typeof resource === 'string' &&
    subject.length + domain.length + action.length + resource.length <= MAX_KEPT_LENGTH
  );
}

/** Why a question can't be asked, or null. Also keeps unknown domains away from Casbin, which remembers each. */
function questionProblem(snapshot: PolicySnapshot, question: AccessQuestion): string | null {
  const { subject, domain, action, resource } = question;
  if (!isPrincipal(subject)) return `subject ${principalProblem(subject)}`;
  if (!isDomain(domain)) return `domain ${quoted(domain)} is no tenant id`;
  if (!snapshot.domains.has(domain)) return `domain ${quoted(domain)} is not in roles/*.yaml`;
  if (!isAction(action)) return `action ${quoted(action)} is unknown`;
  if (typeof resource === 'string' && resource.length > MAX_TEXT_LENGTH) {
    return `resource has ${resource.length} characters`;
  }
  if (typeof resource !== 'string' || resource === '' || !isVisible(resource)) {
    return `resource ${quoted(resource)} is not a visible, non-empty string`;
  }
  return resourceProblem(action, resource);
}

function judged(snapshot: PolicySnapshot, question: AccessQuestion): AccessAnswer {
  const { subject, domain, action, resource } = question;
  const { allowed, ruleId } = snapshot.judge(subject, domain, action, resource);
  const asked = `${subject} ${action} ${resource} in ${domain}`;
  const rule = ruleId === null ? null : snapshot.ruleById(ruleId);
  if (rule === null) {
    if (allowed) throw new Error('casbin allowed without a rule');
    const hint = howToAllow(snapshot, question);
    return { ...refused('POLICY_NO_MATCH', `no rule allows ${asked}`), hint };
  }
  const rolePath = snapshot.rolePath(subject, rule.subject, domain) ?? [];
  const where = `rule ${rule.id} (${rule.file}:${rule.line})`;
  const because = rule.reason === null ? '' : `: ${rule.reason}`;
  if (allowed) {
    // Each property by itself: an object that others are spread into takes four times as long to make and freeze.
    return {
      allowed,
      effect: 'allow',
      ruleId: rule.id,
      code: null,
      message: `${where} allows ${asked}${because}`,
      hint: null,
      rolePath,
    };
  }
  return {
    ...{ allowed, effect: 'deny', ruleId: rule.id, code: 'POLICY_DENY_RULE', rolePath },
    message: `${where} denies ${asked}${because}`,
    hint: `a deny is final; change ${where} if it should not apply`,
  };
}

/**
 * The smallest change that would allow it: a role that may, or a rule to write. For an agent or service a role that others
 * of its kind hold: one of people would give it what people may.
 */
function howToAllow(snapshot: PolicySnapshot, { subject, domain, action, resource }: AccessQuestion): string {
  const kind = subject.slice(0, subject.indexOf(':') + 1);
  const isOfKind = (role: string): boolean =>
    kind === 'user:' || kindsOf(snapshot).has(JSON.stringify([kind, role, domain]));
  const mayBe = (candidate: Rule): boolean =>
    candidate.effect === 'allow' &&
    candidate.subject.startsWith('role:') &&
    (candidate.domain === '*' || candidate.domain === domain) &&
    (candidate.action === '*' || candidate.action === action) &&
    fnMatch(resource, candidate.resource);
  let rule: Rule | undefined;
  for (const candidate of snapshot.rules) {
    if (!mayBe(candidate)) continue;
    rule ??= candidate;
    if (!isOfKind(candidate.subject)) continue;
    rule = candidate;
    break;
  }
  if (rule?.subject === ANY_ROLE)
    return `give ${subject} any role in domain ${domain}: rule ${rule.id} is for everybody whom a file names`;
  return rule === undefined
    ? `no role may ${action} ${resource}; add a rule to rbac/*.yaml`
    : `add ${subject} to ${rule.subject} in roles of domain ${domain} (rule ${rule.id})`;
}

const kinds = new WeakMap<PolicySnapshot, ReadonlySet<string>>();

/** Which kinds of principals hold which role in which domain. */
function kindsOf(snapshot: PolicySnapshot): ReadonlySet<string> {
  const known = kinds.get(snapshot);
  if (known !== undefined) return known;
  const made = new Set(
    snapshot.roleEdges.map(({ member, role, domain }) =>
      JSON.stringify([member.slice(0, member.indexOf(':') + 1), role, domain]),
    ),
  );
  kinds.set(snapshot, made);
  return made;
}

function refused(code: Extract<ErrorCode, `POLICY_${string}`>, message: string): AccessAnswer {
  const hint =
    code === 'POLICY_ERROR' ? 'nothing runs until policy can decide' : 'ask with known, well-formed names';
  return { allowed: false, effect: 'none', ruleId: null, code, message, hint, rolePath: [] };
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown error';
}
