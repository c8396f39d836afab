// Who may see a request from outside. Reading is no decision and leaves nothing in the log; what may not be read is as
// if it were not there.
import { checkAccess } from '../../policy/rbac/access.js';
import { checkDeciding } from '../../policy/rbac/package-access.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { ApprovalRecord } from '../ports.js';
import { holdsRoles } from './voice.js';

/**
 * Who started or redrove the run, or asked; who may decide the request, for somebody else or in an emergency too; who may read its
 * run's log.
 */
export function mayReadApproval(
  snapshot: PolicySnapshot,
  record: ApprovalRecord,
  { id }: { readonly id: string },
  nowMs: number,
): boolean {
  if ([record.initiator, record.requester, record.redriver].includes(id)) return true;
  const { tenant: domain } = record;
  const may = (subject: string, action: 'approval.decide' | 'approval.breakglass'): boolean =>
    checkDeciding(snapshot, { subject, domain, action }, record).allowed;
  if (may(id, 'approval.decide') || may(id, 'approval.breakglass')) return true;
  if (checkAccess(snapshot, { subject: id, domain, action: 'audit.read', resource: record.run }).allowed)
    return true;
  const lenders = snapshot.delegations.filter(({ to }) => to === id).map(({ from }) => from);
  return lenders.some((from) => {
    const brings = holdsRoles(snapshot, record, [{ approver: id, delegation: from, atMs: nowMs }]);
    return may(from, 'approval.decide') && record.quorum.some(({ role }) => brings(from, role));
  });
}
