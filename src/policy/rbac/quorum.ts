// Can the people of approvers.yaml reach a quorum at all? Asked before a request is made: a quorum larger than
// those who may decide would block for ever.
import { fillsRole } from '../ceiling/approval-duty.js';
import type { EffectiveApproval } from '../ceiling/approval-duty.js';
import { checkDeciding } from './package-access.js';
import type { PolicySnapshot } from '../snapshot.js';

/**
 * People who may vote: RBAC lets them `approval.decide` on the function in this domain, and they are not barred by
 * a separation of duties. Sorted by id. Whether a factor needs a role is asked per factor (`fillsRole`).
 */
export function eligibleApprovers(
  snapshot: PolicySnapshot,
  question: {
    readonly domain: string;
    readonly functionId: string;
    /** As in `DecidedCall`; absent = not known. */
    readonly requester?: string | null;
    readonly repository?: string;
    readonly separationOfDuties: boolean;
    /** Run initiator and whoever else acted. */
    readonly involved: readonly string[];
    /** Barred whatever else holds: who wrote the workflow, where that counts. Absent = nobody. */
    readonly author?: string;
  },
): readonly string[] {
  const { functionId, requester = null, repository } = question;
  const call = { functionId, requester, ...(repository === undefined ? {} : { repository }) };
  return snapshot.people
    .map((person) => person.id)
    .filter((id) => id !== question.author)
    .filter((id) => !(question.separationOfDuties && question.involved.includes(id)))
    .filter(
      (subject) =>
        checkDeciding(snapshot, { subject, domain: question.domain, action: 'approval.decide' }, call)
          .allowed,
    );
}

/** Whether distinct people out of `eligible` can fill every place of every factor. */
export function isReachable(
  snapshot: PolicySnapshot,
  domain: string,
  quorum: EffectiveApproval['quorum'],
  eligible: readonly string[],
): boolean {
  const places = quorum.flatMap(({ role, n }) => Array.from({ length: n }, () => role));
  if (places.length > eligible.length) return false;
  const rolesOf = new Map(eligible.map((id) => [id, snapshot.rolesOf(id, domain)]));
  const placeOf = new Map<string, number>();
  // Bipartite matching by augmenting paths; a quorum has at most a few dozen places.
  const seat = (place: number, tried: Set<string>): boolean =>
    eligible.some((id) => {
      if (tried.has(id) || !fillsRole(rolesOf.get(id) ?? new Set(), places[place] ?? '')) return false;
      tried.add(id);
      const other = placeOf.get(id);
      if (other !== undefined && !seat(other, tried)) return false;
      placeOf.set(id, place);
      return true;
    });
  return places.every((_, place) => seat(place, new Set()));
}
