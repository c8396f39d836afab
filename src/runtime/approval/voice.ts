// Whose voice a vote is, and which places of a quorum it may fill: what policy says of the voter, or of the one who
// delegated the vote to them, at the moment it was cast. An escalation adds roles to the factor it was written for, an
// emergency role stands for any role; neither makes a quorum smaller.
import type { HoldsRole } from '../../approval/quorum.js';
import type { AccessAnswer } from '../../policy/rbac/access.js';
import { fillsRole } from '../../policy/ceiling/approval-duty.js';
import { delegationOf } from '../../policy/rbac/delegation.js';
import { fnMatch } from '../../policy/rbac/glob.js';
import { checkDeciding, decidedNames } from '../../policy/rbac/package-access.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { ApprovalRecord, Vote } from '../ports.js';

export type Voice = Pick<Vote, 'approver' | 'atMs' | 'delegation' | 'breakGlass'>;

/** What of a request says what is called, and where. */
type AskedCall = Pick<ApprovalRecord, 'tenant' | 'functionId' | 'requester' | 'repository'>;

/** Under which action a vote is cast. */
export function actionOf({
  breakGlass,
}: Pick<Voice, 'breakGlass'>): 'approval.decide' | 'approval.breakglass' {
  return breakGlass === true ? 'approval.breakglass' : 'approval.decide';
}

/** Whether policy lets whose voice it is decide the request. */
export function accessOf(
  snapshot: PolicySnapshot,
  approval: AskedCall,
  voice: Omit<Voice, 'atMs'>,
): AccessAnswer {
  const who = { subject: voice.delegation ?? voice.approver, domain: approval.tenant };
  return checkDeciding(snapshot, { ...who, action: actionOf(voice) }, approval);
}

/** Who may fill which place, of the people whom `voices` count for; nobody else may fill any. */
export function holdsRoles(
  snapshot: PolicySnapshot,
  approval: AskedCall & Pick<ApprovalRecord, 'quorum' | 'createdAtMs'>,
  voices: readonly Voice[],
): HoldsRole {
  return (person, role) =>
    voices.some((voice) => {
      if ((voice.delegation ?? voice.approver) !== person) return false;
      if (voice.breakGlass === true) return mayBreakGlass(snapshot, approval.tenant, voice.approver);
      const roles = lentRoles(snapshot, approval, voice);
      if (roles === null) return false;
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

/**
 * Roles that a voice brings: the voter's own, or of the delegator's those that the delegation lends. Null = a vote for
 * somebody by a delegation that does not hold, or that does not lend what lets its giver decide: it brings nothing, not
 * even where anybody may fill a place.
 */
function lentRoles(snapshot: PolicySnapshot, approval: AskedCall, voice: Voice): ReadonlySet<string> | null {
  const { approver, delegation: from, atMs } = voice;
  const { tenant: domain } = approval;
  if (from === undefined) return snapshot.rolesOf(approver, domain);
  const found = delegationOf(snapshot.delegations, { from, to: approver, domain, nowMs: atMs });
  const held = snapshot.rolesOf(from, domain);
  const lent = (found?.roles ?? []).filter((role) => held.has(role));
  const reached = new Set(lent.flatMap((role) => [role, ...snapshot.rolesOf(role, domain)]));
  const mayDecide = decidedNames(approval).every((name) =>
    snapshot.rules.some(
      (rule) =>
        rule.effect === 'allow' &&
        reached.has(rule.subject) &&
        (rule.domain === '*' || rule.domain === domain) &&
        (rule.action === '*' || rule.action === 'approval.decide') &&
        fnMatch(name, rule.resource),
    ),
  );
  return mayDecide ? new Set(lent) : null;
}
