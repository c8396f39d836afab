// Rules of rbac/*.yaml. Each is checked so that it can match something: a rule with an unknown action, domain or
// role, or with an impossible resource, would look like protection and be none.
import { nearest } from '../nearest.js';
import type { Action } from './action.js';
import { ACTIONS, isAction, unmatchable } from './action.js';
import { compareText } from './diagnostic.js';
import { FILE_START, type Place, type Problems } from './diagnostic.js';
import type { SourceDocument } from './document.js';
import { patternProblem } from './glob.js';
import type { RoleGraph } from './role.js';
import { ANY_ROLE } from './role.js';
import { escaped, lookAlikeProblem } from './text.js';
import type { RulesDocument } from './shape.js';

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
  sources: readonly { readonly source: SourceDocument; readonly document: RulesDocument }[],
  roles: RoleGraph,
  problems: Problems,
  pause?: () => Promise<void>,
): Promise<ReadonlyMap<string, Rule>> {
  const byId = new Map<string, Rule>();
  let isTold = false;
  for (const { source, document } of sources) {
    const rowPlace = source.itemPlaces('/rules');
    for (const [index, row] of document.rules.entries()) {
      if (index % SLICE === SLICE - 1) await pause?.();
      if (row === null) continue;
      const at = (field: string): Place => source.place(`/rules/${index}/${field}`);
      const earlier = byId.get(row.id);
      if (earlier !== undefined) {
        problems.add(
          source.file,
          at('id'),
          `duplicate rule id ${row.id}, first in ${earlier.file}:${earlier.line}`,
        );
        continue;
      }
      const action = row.action === '*' || isAction(row.action) ? row.action : null;
      if (action === null) {
        const hint = () => nearest(row.action, ACTIONS) ?? `actions are ${ACTIONS.join(', ')} and *`;
        problems.add(source.file, at('action'), `unknown action "${row.action}"`, hint);
      }
      const resource = patternProblem(row.resource) ?? unmatchable(action ?? '*', row.resource);
      if (resource !== null) problems.add(source.file, at('resource'), `rule ${row.id} ${resource}`);
      const alike = lookAlikeProblem(row.subject);
      if (alike !== null)
        problems.add(source.file, at('subject'), `subject ${escaped(row.subject)} ${alike}`);
      if (row.domain !== '*' && !roles.domains.has(row.domain)) {
        const hint = (): string =>
          nearest(row.domain, roles.domains) ?? `domains of roles/*.yaml: ${[...roles.domains].join(', ')}`;
        // Without any domain each rule would say so: who has lost roles/ is told by the first.
        if (roles.domains.size > 0)
          problems.add(source.file, at('domain'), `unknown domain "${row.domain}"`, hint);
        else if (!isTold)
          problems.add(
            'roles',
            FILE_START,
            `no domains: there is no *.yaml file in roles/`,
            'add roles/NAME.yaml',
          );
        isTold = true;
      } else if (!subjectIsKnown(row.subject, row.domain, roles)) {
        const where = row.domain === '*' ? 'any domain' : `domain ${row.domain}`;
        const hint = (): string =>
          nearest(row.subject, rolesOf(row.domain, roles)) ??
          'define the role under members or inherits in roles/*.yaml';
        problems.add(source.file, at('subject'), `unknown role "${row.subject}" in ${where}`, hint);
      }
      if (action === null) continue;
      const { id, effect, subject, domain } = row;
      const rule: Rule = {
        id,
        effect,
        subject,
        domain,
        action,
        resource: row.resource,
        reason: row.reason ?? null,
        file: source.file,
        line: rowPlace(index).line,
      };
      byId.set(id, Object.freeze(rule));
    }
  }
  return byId;
}

/** By id: the order of files and rows changes nothing. */
export function sortedRules(byId: ReadonlyMap<string, Rule>): readonly Rule[] {
  return Object.freeze([...byId.values()].toSorted((a, b) => compareText(a.id, b.id)));
}

function subjectIsKnown(subject: string, domain: string, roles: RoleGraph): boolean {
  if (!subject.startsWith('role:') || subject === ANY_ROLE) return true;
  return domainsOf(domain, roles).some((name) => roles.isDefined(subject, name));
}

function rolesOf(domain: string, roles: RoleGraph): readonly string[] {
  return [ANY_ROLE, ...domainsOf(domain, roles).flatMap((name) => roles.rolesIn(name))];
}

function domainsOf(domain: string, roles: RoleGraph): readonly string[] {
  return domain === '*' ? [...roles.domains] : [domain];
}
