// All of approvers.yaml: people, who votes for whom, who in an emergency, and what is approved beforehand.
import type { ReadFile } from '../file/document.js';
import type { Problems } from '../file/diagnostic.js';
import type { ApproversDocument } from '../file/shape.js';
import { checkApproverNames } from './approver-names.js';
import { collectDelegations, type BreakGlass, type Delegation } from './delegation.js';
import { collectGrants, type Grant } from './grant.js';
import { collectPeople, type Person } from './person.js';
import type { RoleGraph } from './role.js';

export interface Approvers {
  /** Sorted by id. */
  readonly people: readonly Person[];
  /** Who may vote for whom. */
  readonly delegations: readonly Delegation[];
  /** Who may approve in an emergency; null = nobody. */
  readonly breakGlass: BreakGlass | null;
  /** Standing approvals. Sorted by id. */
  readonly grants: readonly Grant[];
}

/** Nobody, where there is no such file. */
export function collectApprovers(
  file: ReadFile<ApproversDocument> | null,
  roles: RoleGraph,
  problems: Problems,
): Approvers {
  if (file === null) return { people: [], delegations: [], breakGlass: null, grants: [] };
  const people = collectPeople(file, problems);
  const delegations = collectDelegations(file, people, problems);
  const grants = collectGrants(file, problems);
  checkApproverNames(file, roles, problems);
  return { people, delegations, breakGlass: file.document.breakGlass ?? null, grants };
}
