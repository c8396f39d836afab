// Roles that approvers.yaml names have to be those of roles/*.yaml: a delegation, an emergency role or a standing approval
// for a role that nobody defined holds for nobody today, and for whoever is given that name tomorrow. A domain that has no
// file here may be another machine's.
import { nearest } from '../../nearest.js';
import type { Problems } from '../file/diagnostic.js';
import { pointerSegment } from '../file/document.js';
import type { ReadFile } from '../file/document.js';
import { ANY_ROLE } from './role.js';
import type { RoleGraph } from './role.js';
import type { ApproversDocument } from '../file/shape.js';

/** Adds a problem for each role that no file of roles/ defines. */
export function checkApproverNames(
  { source, document }: ReadFile<ApproversDocument>,
  roles: RoleGraph,
  problems: Problems,
): void {
  const { delegations = [], breakGlass, grants = [] } = document;
  const domains = [...roles.domains];
  const check = (pointer: string, name: string): void => {
    if (!name.startsWith('role:') || name === ANY_ROLE) return;
    if (domains.some((domain) => roles.isDefined(name, domain))) return;
    const hint = (): string =>
      nearest(
        name,
        domains.flatMap((domain) => roles.rolesIn(domain)),
      ) ?? 'define it in roles/*.yaml';
    problems.add(source.file, source.place(pointer), `unknown role "${name}"`, hint);
  };
  for (const [index, { scope }] of delegations.entries()) {
    scope.roles.forEach((name, at) =>
      check(`/delegations${pointerSegment(index)}/scope/roles${pointerSegment(at)}`, name),
    );
  }
  if (breakGlass !== undefined) check('/breakGlass/role', breakGlass.role);
  for (const [index, { subjects }] of grants.entries()) {
    subjects.forEach((name, at) =>
      check(`/grants${pointerSegment(index)}/subjects${pointerSegment(at)}`, name),
    );
  }
}
