// What approval rules of a ceiling demand, against roles/ and approvers.yaml: roles that somebody has defined, and a quorum
// that people can reach. One that nobody can reach would block for ever.
import { nearest } from '../../nearest.js';
import type { CeilingSpec } from './shape.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { SourceDocument } from '../file/document.js';
import type { Person } from '../rbac/person.js';
import { ANY_ROLE } from '../rbac/role.js';
import type { RoleGraph } from '../rbac/role.js';

export interface Demands {
  readonly source: SourceDocument;
  readonly approval: CeilingSpec['approval'];
  /** Where the ceiling holds; one of them at least must reach each quorum. */
  readonly domains: readonly string[];
  readonly roles: RoleGraph;
  readonly people: readonly Person[];
}

/** Adds a problem for each unknown role, and each quorum that is out of reach. */
export function checkDemands(demands: Demands, problems: Problems): void {
  const { source, approval, domains, roles } = demands;
  const { minimum = 'none', rules = [] } = approval ?? {};
  const reach = (pointer: string, wanted: readonly string[], needed: number): void => {
    const most = mostOf(demands, wanted);
    if (most >= needed) return;
    const whose = wanted.length === 0 ? 'people' : `people with ${wanted.join(' or ')}`;
    const message = `quorum ${needed} can't be reached: approvers.yaml has ${most} ${whose}`;
    problems.add(source.file, source.place(pointer), message, 'add approvers, or lower the quorum');
  };
  const areKnown = (pointer: string, wanted: readonly string[]): boolean => {
    const unknown = wanted.filter(
      (role) => role !== ANY_ROLE && !domains.some((domain) => roles.isDefined(role, domain)),
    );
    for (const role of unknown) {
      const at = source.place(pointer + pointerSegment(wanted.indexOf(role)));
      const known = (): string[] => domains.flatMap((domain) => roles.rolesIn(domain));
      const hint = () => nearest(role, known()) ?? 'define it in roles/*.yaml';
      problems.add(source.file, at, `unknown role "${role}"`, hint);
    }
    return unknown.length === 0;
  };
  if (minimum !== 'none') reach('/spec/approval/minimum', [], minimum === 'two-person' ? 2 : 1);
  for (const [index, rule] of rules.entries()) {
    const pointer = `/spec/approval/rules${pointerSegment(index)}`;
    const { approverRoles: wanted = [], escalation } = rule;
    for (const [step, lists] of (escalation ?? []).entries()) {
      const inside = `${pointer}/escalation${pointerSegment(step)}`;
      for (const field of ['notifyRoles', 'addRoles'] as const)
        areKnown(`${inside}/${field}`, lists[field] ?? []);
    }
    if (escalation !== undefined && wanted.length === 0) {
      const message = 'escalation adds to approverRoles, and this rule names none';
      problems.add(source.file, source.place(`${pointer}/escalation`), message, 'name them');
    }
    if (areKnown(`${pointer}/approverRoles`, wanted))
      reach(pointer, wanted, Math.max(rule.quorum ?? 1, rule.minimum === 'two-person' ? 2 : 1));
  }
}

/** How many people could fill it in the domain that has the most of them. */
function mostOf({ domains, roles, people }: Demands, wanted: readonly string[]): number {
  const isAnybody = wanted.length === 0 || wanted.includes(ANY_ROLE);
  const holders = (domain: string): readonly Person[] =>
    people.filter(({ id }) => isAnybody || wanted.some((role) => roles.rolesOf(id, domain).has(role)));
  return Math.max(0, ...domains.map((domain) => holders(domain).length));
}
