// Whose voice a vote is, and which places of a quorum it may fill: what policy says of the voter, or of the one who
// delegated the vote to them, at the moment it was cast. An escalation adds roles to the factor it was written for, an
// emergency role stands for any role; neither makes a quorum smaller.
import type { HoldsRole } from '../approval/quorum.js';
import { fillsRole } from '../policy/approval-duty.js';
import { delegationOf } from '../policy/delegation.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { ApprovalRecord, Vote } from './ports.js';

export type Voice = Pick<Vote, 'approver' | 'atMs' | 'delegation' | 'breakGlass'>;

/** Who may fill which place, of the people whom `voices` count for; nobody else may fill any. */
export function holdsRoles(
  snapshot: PolicySnapshot,
  approval: Pick<ApprovalRecord, 'tenant' | 'quorum' | 'createdAtMs'>,
  voices: readonly Voice[],
): HoldsRole {
  return (person, role) =>
    voices.some((voice) => {
      if ((voice.delegation ?? voice.approver) !== person) return false;
      if (voice.breakGlass === true) return mayBreakGlass(snapshot, approval.tenant, voice.approver);
      const roles = lentRoles(snapshot, approval.tenant, voice);
      if (fillsRole(roles, role)) return true;
      const factor = approval.quorum.find((one) => one.role === role);
      return (factor?.escalation ?? []).some(
        ({ afterSeconds, addRoles }) =>
          voice.atMs >= approval.createdAtMs + afterSeconds * 1000 && addRoles.some((one) => roles.has(one)),
      );
    });
}

function mayBreakGlass(snapshot: PolicySnapshot, tenant: string, person: string): boolean {
  const { breakGlass } = snapshot;
  return breakGlass !== null && snapshot.rolesOf(person, tenant).has(breakGlass.role);
}

/** Roles that a voice brings: the voter's own, or of the delegator's those that the delegation lends. */
function lentRoles(snapshot: PolicySnapshot, domain: string, voice: Voice): ReadonlySet<string> {
  const { approver, delegation: from, atMs } = voice;
  if (from === undefined) return snapshot.rolesOf(approver, domain);
  const found = delegationOf(snapshot.delegations, { from, to: approver, domain, nowMs: atMs });
  const held = snapshot.rolesOf(from, domain);
  return new Set((found?.roles ?? []).filter((role) => held.has(role)));
}
