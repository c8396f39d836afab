// Rules of rbac/*.yaml. Each is checked so that it can match something: a rule with an unknown action, domain or
// role, or with an impossible resource, would look like protection and be none.
import { nearest } from '../../nearest.js';
import type { Action } from './action.js';
import { ACTIONS, isAction, unmatchable } from './action.js';
import { compareText } from '../file/diagnostic.js';
import { FILE_START, type Problems } from '../file/diagnostic.js';
import type { ReadFile } from '../file/document.js';
import { patternProblem } from './glob.js';
import type { RoleGraph } from './role.js';
import { ANY_ROLE } from './role.js';
import { escaped, lookAlikeProblem } from '../file/text.js';
import type { RuleRow, RulesDocument } from '../file/shape.js';

export interface Rule {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  /** `role:…` or a principal. */
  readonly subject: string;
  readonly domain: string;
  readonly action: Action | '*';
  /** A glob (glob.ts). */
  readonly resource: string;
  readonly reason: string | null;
  readonly file: string;
  readonly line: number;
}

/** What of a rule decides. */
export type RowRule = Pick<Rule, 'id' | 'effect' | 'subject' | 'domain' | 'action' | 'resource'>;

/** Column order of `policy_definition` (model.ts), and of the policy hash: sub, dom, obj, act, eft, id. */
export type Row = readonly [string, string, string, string, string, string];

export function rowOf({ id, effect, subject, domain, action, resource }: RowRule): Row {
  return [subject, domain, resource, action, effect, id];
}

/** Rules that are read between two pauses. */
const SLICE = 500;

/** Rules of all files by id. `pause` as of PolicySource. */
export async function collectRules(
  files: readonly ReadFile<RulesDocument>[],
  roles: RoleGraph,
  problems: Problems,
  pause?: () => Promise<void>,
): Promise<ReadonlyMap<string, Rule>> {
  const byId = new Map<string, Rule>();
  // Without any domain each rule would say so: who has lost roles/ is told once.
  if (roles.domains.size === 0 && files.some(({ document }) => document.rules.some(namesDomain))) {
    problems.add('roles', FILE_START, 'no domains: there is no *.yaml file in roles/', 'add roles/NAME.yaml');
  }
  for (const { source, document } of files) {
    const lineOf = source.itemLines('/rules');
    for (let index = 0; index < document.rules.length; index += 1) {
      if (index % SLICE === SLICE - 1) await pause?.();
      const row = document.rules[index];
      if (row === null || row === undefined) continue;
      const tell: Tell = (field, message, hint) => {
        problems.add(source.file, source.place(`/rules/${index}/${field}`), message, hint);
      };
      const earlier = byId.get(row.id);
      if (earlier !== undefined) {
        tell('id', `duplicate rule id ${row.id}, first in ${earlier.file}:${earlier.line}`);
      } else {
        const action = checkedAction(row, roles, tell);
        if (action === null) continue;
        const { id, effect, subject, domain, resource, reason = null } = row;
        const line = lineOf(index);
        const rule: Rule = { id, effect, subject, domain, action, resource, reason, file: source.file, line };
        byId.set(id, Object.freeze(rule));
      }
    }
  }
  return byId;
}

/** Adds a problem with a field of a row. */
type Tell = (field: keyof RuleRow, message: string, hint?: () => string) => void;

/** The action of a row, and a problem for each field that could match nothing; null = there is no such action. */
function checkedAction(
  { id, subject, domain, action: text, resource }: RuleRow,
  roles: RoleGraph,
  tell: Tell,
): Rule['action'] | null {
  const action = text === '*' || isAction(text) ? text : null;
  if (action === null) {
    tell('action', `unknown action "${text}"`, () => {
      return nearest(text, ACTIONS) ?? `actions are ${ACTIONS.join(', ')} and *`;
    });
  }
  const unfit = patternProblem(resource) ?? unmatchable(action ?? '*', resource);
  if (unfit !== null) tell('resource', `rule ${id} ${unfit}`);
  const alike = lookAlikeProblem(subject);
  if (alike !== null) tell('subject', `subject ${escaped(subject)} ${alike}`);
  if (domain !== '*' && !roles.domains.has(domain)) {
    if (roles.domains.size > 0) {
      tell('domain', `unknown domain "${domain}"`, () => {
        return nearest(domain, roles.domains) ?? `domains of roles/*.yaml: ${[...roles.domains].join(', ')}`;
      });
    }
  } else if (!subjectIsKnown(subject, domain, roles)) {
    const where = domain === '*' ? 'any domain' : `domain ${domain}`;
    tell('subject', `unknown role "${subject}" in ${where}`, () => {
      return (
        nearest(subject, rolesOf(domain, roles)) ??
        'define the role under members or inherits in roles/*.yaml'
      );
    });
  }
  return action;
}

function namesDomain(row: RuleRow | null): boolean {
  return row !== null && row.domain !== '*';
}

/** By id: the order of files and rows changes nothing. */
export function sortedRules(byId: ReadonlyMap<string, Rule>): readonly Rule[] {
  return Object.freeze([...byId.values()].toSorted((a, b) => compareText(a.id, b.id)));
}

function subjectIsKnown(subject: string, domain: string, roles: RoleGraph): boolean {
  if (!subject.startsWith('role:') || subject === ANY_ROLE) return true;
  if (domain !== '*') return roles.isDefined(subject, domain);
  return domainsOf(domain, roles).some((name) => roles.isDefined(subject, name));
}

function rolesOf(domain: string, roles: RoleGraph): readonly string[] {
  return [ANY_ROLE, ...domainsOf(domain, roles).flatMap((name) => roles.rolesIn(name))];
}

function domainsOf(domain: string, roles: RoleGraph): readonly string[] {
  return domain === '*' ? [...roles.domains] : [domain];
}
