// Who may see a request from outside. Reading is no decision and leaves nothing in the log; what may not be read is as
// if it were not there.
import { checkAccess } from '../policy/access.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { ApprovalRecord } from './ports.js';

/** Who started the run or asked; who may decide the request; who may read its run's log. */
export function mayReadApproval(
  snapshot: PolicySnapshot,
  record: ApprovalRecord,
  { id }: { readonly id: string },
): boolean {
  if (id === record.initiator || id === record.requester) return true;
  const asked = { subject: id, domain: record.tenant };
  return (
    checkAccess(snapshot, { ...asked, action: 'approval.decide', resource: record.functionId }).allowed ||
    checkAccess(snapshot, { ...asked, action: 'audit.read', resource: record.run }).allowed
  );
}
