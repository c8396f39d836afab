// What is allowed in a policy directory and yet is likely a mistake: rules that never decide, roles nobody uses, quorums
// nobody can reach. A finding changes no verdict. `error` = something a step needs can never happen.
import type { CeilingLayer } from '../ceiling/ceiling.js';
import { composeCeilings } from '../ceiling/meet.js';
import { compareText } from '../file/diagnostic.js';
import { patternCovers } from '../rbac/glob-cover.js';
import { emptyFields } from '../ceiling/permits.js';
import type { LintFinding } from './finding.js';
import { quorumFindings } from './quorum.js';
import { isAboutPackages } from '../rbac/package-access.js';
import { ANY_ROLE, MAX_ROLE_DEPTH } from '../rbac/role.js';
import type { Rule } from '../rbac/rule.js';
import type { PolicySnapshot } from '../snapshot.js';

/** More rules than this are compared with their neighbours only through the index of actions: it stays quick. */
const MAX_COMPARED = 2000;
/** Casbin follows ten edges; from here on a directory is hard to read. */
const DEEP = Math.floor(MAX_ROLE_DEPTH / 2);

/** Sorted by file and line. `uncovered`: ids of rules that no test decides; null = there are no tests. */
export function lintPolicies(
  snapshot: PolicySnapshot,
  { nowMs, uncovered }: { readonly nowMs: number; readonly uncovered: readonly string[] | null },
): readonly LintFinding[] {
  const found = [
    ...ruleFindings(snapshot),
    ...(uncovered ?? []).flatMap((id) => untested(snapshot, id)),
    ...roleFindings(snapshot),
    ...peopleFindings(snapshot),
    ...ceilingFindings(snapshot, nowMs),
  ];
  return found.toSorted(
    (a, b) =>
      compareText(a.file ?? '', b.file ?? '') ||
      (a.line ?? 0) - (b.line ?? 0) ||
      compareText(a.code, b.code) ||
      compareText(a.about, b.about),
  );
}

// --- rules --------------------------------------------------------------------------------------------------------

function ruleFindings(snapshot: PolicySnapshot): readonly LintFinding[] {
  const found: LintFinding[] = [];
  const add = (rule: Rule, code: LintFinding['code'], message: string, hint: string) => {
    found.push({ code, severity: 'warning', ...at(rule), about: rule.id, message, hint });
  };
  const { rules } = snapshot;
  const held = heldRoles(snapshot);
  for (const rule of rules) {
    if (
      rule.effect === 'allow' &&
      rule.resource === '*' &&
      (rule.action === '*' || rule.subject === ANY_ROLE)
    ) {
      const what = rule.action === '*' ? 'everything' : `${rule.action} on everything`;
      add(rule, 'allow-everything', `rule ${rule.id} allows ${rule.subject} ${what}`, 'name what is needed');
    }
    if (isRoleNobodyHolds(rule, held)) {
      const message = `rule ${rule.id} decides nothing: nobody holds ${rule.subject}`;
      add(rule, 'rule-unused', message, 'give the role members in roles/*.yaml, or remove the rule');
    }
    const neighbours = rules.length > MAX_COMPARED ? sameAction(snapshot, rule) : rules;
    const by = neighbours.find((other) => other !== rule && hides(snapshot, other, rule));
    if (by !== undefined) {
      const where = `${by.id} (${by.file}:${by.line})`;
      if (by.effect === 'deny' && rule.effect === 'allow') {
        const message = `rule ${rule.id} never allows anything: rule ${where} denies all of it`;
        add(rule, 'rule-shadowed', message, 'remove one of the two');
      } else {
        const isPin = rule.effect === 'allow' && pinOf(rule) !== null && !by.resource.includes('@sha256:');
        const message = isPin
          ? `rule ${rule.id} pins a digest, and rule ${where} allows every other digest too`
          : `rule ${rule.id} adds nothing to rule ${where}`;
        const hint = isPin
          ? `narrow ${by.id} if only this digest is meant, else remove ${rule.id}`
          : 'remove one of the two';
        add(rule, 'rule-redundant', message, hint);
      }
    } else if (rule.effect === 'deny' && !neighbours.some((other) => overlaps(other, rule))) {
      const message = `rule ${rule.id} denies what no rule allows`;
      add(rule, 'deny-without-effect', message, 'keep it as a guard for rules to come, or remove it');
    }
  }
  return found;
}

const byAction = new WeakMap<PolicySnapshot, ReadonlyMap<string, readonly Rule[]>>();

/** Rules of the same action and those of all actions; bounded, the first ones of a very large set. */
function sameAction(snapshot: PolicySnapshot, rule: Rule): readonly Rule[] {
  const known = byAction.get(snapshot) ?? rulesByAction(snapshot.rules);
  byAction.set(snapshot, known);
  const own = known.get(rule.action) ?? [];
  return [...(known.get('*') ?? []), ...own].slice(0, MAX_COMPARED);
}

function rulesByAction(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const groups = new Map<string, Rule[]>();
  for (const rule of rules) {
    const group = groups.get(rule.action);
    if (group === undefined) groups.set(rule.action, [rule]);
    else group.push(rule);
  }
  return groups;
}

/** Whether everything that `rule` is about is decided by `other` anyway; of two that are alike, the later one is. */
function hides(snapshot: PolicySnapshot, other: Rule, rule: Rule): boolean {
  if (other.effect === 'allow' && rule.effect === 'deny') return false;
  const covered =
    (other.domain === '*' || other.domain === rule.domain) &&
    (other.action === '*' || other.action === rule.action) &&
    patternCovers(other.resource, rule.resource) &&
    subjectCovers(snapshot, other.subject, rule);
  if (!covered || other.effect !== rule.effect) return covered;
  const back =
    other.domain === rule.domain &&
    other.action === rule.action &&
    other.subject === rule.subject &&
    patternCovers(rule.resource, other.resource);
  return !back || compareText(other.id, rule.id) < 0;
}

/** Whoever `rule` is about is also somebody `wide` is about. */
function subjectCovers(snapshot: PolicySnapshot, wide: string, rule: Rule): boolean {
  if (wide === rule.subject || wide === ANY_ROLE) return true;
  const domains = rule.domain === '*' ? [...snapshot.domains] : [rule.domain];
  return (
    domains.length > 0 && domains.every((domain) => snapshot.rolePath(rule.subject, wide, domain) !== null)
  );
}

/** Whether an allow could be about something that the deny is about. Careful: in doubt it could. */
function overlaps(allow: Rule, deny: Rule): boolean {
  if (allow.effect !== 'allow') return false;
  if (allow.domain !== '*' && deny.domain !== '*' && allow.domain !== deny.domain) return false;
  if (allow.action !== '*' && deny.action !== '*' && allow.action !== deny.action) return false;
  // A deny holds for a package by its own names too, whatever a document calls it: only two digests keep them apart.
  if (isAboutPackages(deny))
    return [pinOf(deny), pinOf(allow)].includes(null) || pinOf(deny) === pinOf(allow);
  const [a, b] = [literal(allow.resource), literal(deny.resource)];
  return a.startsWith(b) || b.startsWith(a);
}

/** The one digest that a rule is about; null = it is about any. */
function pinOf({ resource }: Rule): string | null {
  return /@(sha256:[0-9a-f]{64})$/.exec(resource)?.[1] ?? null;
}

function literal(pattern: string): string {
  return pattern.split(/[*?]/)[0] ?? '';
}

/** Roles that some principal reaches, per domain, as `domain role`. */
function heldRoles(snapshot: PolicySnapshot): ReadonlySet<string> {
  const held = new Set<string>();
  const members = new Set(
    snapshot.roleEdges.map(({ member }) => member).filter((one) => !one.startsWith('role:')),
  );
  for (const domain of snapshot.domains) {
    for (const member of members) {
      for (const role of snapshot.rolesOf(member, domain)) held.add(`${domain} ${role}`);
    }
  }
  return held;
}

function isRoleNobodyHolds({ subject, domain }: Rule, held: ReadonlySet<string>): boolean {
  if (!subject.startsWith('role:') || subject === ANY_ROLE) return false;
  if (domain !== '*') return !held.has(`${domain} ${subject}`);
  return ![...held].some((one) => one.endsWith(` ${subject}`));
}

function untested(snapshot: PolicySnapshot, id: string): readonly LintFinding[] {
  const rule = snapshot.ruleById(id);
  if (rule === null) return [];
  const message = `rule ${id} decides no case of tests/`;
  const hint = 'add a case with `by` to tests/*.yaml';
  return [{ code: 'rule-untested', severity: 'warning', ...at(rule), about: id, message, hint }];
}

function at({ file, line }: Rule): Pick<LintFinding, 'file' | 'line'> {
  return { file, line };
}

// --- roles and people ---------------------------------------------------------------------------------------------

function roleFindings(snapshot: PolicySnapshot): readonly LintFinding[] {
  const found: LintFinding[] = [];
  const named = new Set([
    ...snapshot.rules.map(({ subject }) => subject),
    ...snapshot.ceilings.flatMap(({ spec }) =>
      spec.approval.rules.flatMap(({ approverRoles, escalation = [] }) => [
        ...approverRoles,
        ...escalation.flatMap(({ addRoles, notifyRoles }) => [...addRoles, ...notifyRoles]),
      ]),
    ),
    ...snapshot.delegations.flatMap(({ roles }) => roles),
    ...snapshot.grants.flatMap(({ subjects }) => subjects),
    ...(snapshot.breakGlass === null ? [] : [snapshot.breakGlass.role]),
  ]);
  for (const domain of snapshot.domains) {
    for (const role of snapshot.rolesIn(domain)) {
      const above = [...snapshot.rolesOf(role, domain)];
      const about = { severity: 'warning' as const, file: null, line: null, about: role };
      if (!named.has(role) && !above.some((one) => named.has(one))) {
        const message = `${role} of ${domain} gives no right: no rule and no approval names it`;
        found.push({ code: 'role-unused', ...about, message, hint: 'add a rule for it, or remove it' });
      }
      const depth = Math.max(
        0,
        ...above.map((one) => (snapshot.rolePath(role, one, domain)?.length ?? 1) - 1),
      );
      if (depth >= DEEP) {
        const message = `${role} of ${domain} inherits through ${depth} roles; ${MAX_ROLE_DEPTH} edges are the most`;
        found.push({ code: 'role-deep', ...about, message, hint: 'inherit from the role that is meant' });
      }
    }
  }
  return found;
}

function peopleFindings({ people, breakGlass, rules }: PolicySnapshot): readonly LintFinding[] {
  const about = (who: string) =>
    ({ severity: 'warning', file: 'approvers.yaml', line: null, about: who }) as const;
  const mute = people.filter(
    ({ keys, assurance }) => keys.length === 0 && assurance.every((one) => one === 'key'),
  );
  const mayBreakGlass = rules.some(
    ({ effect, action }) => effect === 'allow' && (action === '*' || action === 'approval.breakglass'),
  );
  return [
    ...mute.map(({ id }) => ({
      ...{ code: 'approver-without-key' as const, ...about(id) },
      message: `${id} is an approver and can't vote: no key is enrolled`,
      hint: 'make one with writ keys create NAME, and put its public half into approvers.yaml',
    })),
    ...(breakGlass === null || mayBreakGlass
      ? []
      : [
          {
            ...{ code: 'break-glass-unused' as const, ...about(breakGlass.role) },
            message: `nobody can decide in an emergency: no rule allows ${breakGlass.role} approval.breakglass`,
            hint: 'add such a rule to rbac/*.yaml, or take breakGlass out',
          },
        ]),
  ];
}

// --- ceilings -----------------------------------------------------------------------------------------------------

function ceilingFindings(snapshot: PolicySnapshot, nowMs: number): readonly LintFinding[] {
  const found: LintFinding[] = [];
  for (const { name, file, spec } of snapshot.ceilings) {
    const { notAfterMs } = spec.validity;
    for (const signer of spec.agents.requireSigners ?? []) {
      if (snapshot.packageSigners.some((one) => one.name === signer)) continue;
      found.push({
        ...{ code: 'signer-unknown', severity: 'error', file, line: null, about: name },
        message: `ceiling ${name} requires packages signed by ${signer}, who has no key: every call of one is refused`,
        hint: 'add the key to package-signers.yaml, or correct the name in agents.requireSigners',
      });
    }
    if (notAfterMs === null || nowMs < notAfterMs) continue;
    found.push({
      ...{ code: 'ceiling-expired', severity: 'error', file, line: null, about: name },
      message: `ceiling ${name} is past its notAfter, so no step fits under it`,
      hint: 'renew its validity',
    });
  }
  for (const domain of snapshot.domains) {
    const layers = snapshot.layers.own(domain);
    found.push(...emptyFindings(domain, layers), ...quorumFindings(snapshot, domain, nowMs));
  }
  return unique(found);
}

function emptyFindings(domain: string, layers: readonly CeilingLayer[]): readonly LintFinding[] {
  return emptyFields(composeCeilings(layers)).map((field) => ({
    ...{ code: 'ceiling-empty' as const, severity: 'error' as const, file: null, line: null, about: field },
    message: `nothing fits under ${field} in ${domain}: the ceilings have nothing in common`,
    hint: 'give their lists something in common',
  }));
}

function unique(findings: readonly LintFinding[]): readonly LintFinding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}
