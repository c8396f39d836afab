// Who may look at the log, take it away or change its key. Asked before anything is read; allow and deny both leave
// `authz.decided` in the log's own chain, so that the log also says who has read it.
import type { Action } from '../../policy/rbac/action.js';
import { authorize } from '../authorize.js';
import type { EntryContext } from './entries.js';
import type { Guard } from '../guard-parts.js';
import type { Principal } from '../writ.js';

/** The rights of the audit room. */
export type AuditRight = Extract<Action, `audit.${string}`>;

/** What is asked for when it is about the whole log and not about one run. */
export const WHOLE_LOG = '*';

/** The entry context of what a person does with the log itself. */
export function auditContext(
  guard: Pick<Guard, 'tenant' | 'policy' | 'via'>,
  principal: Principal,
): EntryContext {
  return {
    tenant: guard.tenant,
    run: null,
    workflow: null,
    policy: guard.policy().policyHash,
    actor: { id: principal.id, via: guard.via },
  };
}

/**
 * Resolves when `principal` holds `right` on `resource` (a run id, or WHOLE_LOG), once the decision is durable.
 * Otherwise throws what policy answers (POLICY_*, kind refusal, exit 3), with the denial durable in the log.
 */
export async function requireAuditRight(
  guard: Guard,
  principal: Principal,
  right: AuditRight,
  resource: string = WHOLE_LOG,
): Promise<void> {
  const asked = { subject: principal.id, action: right, resource };
  await authorize(guard, auditContext(guard, principal), asked);
}

/**
 * As `requireAuditRight` for reading one entry: `audit.read` on the run it is of; on the whole log for entries about
 * the log, and for one beyond the end.
 */
export async function requireEntryRight(guard: Guard, principal: Principal, index: bigint): Promise<void> {
  const [row] = await guard.store.entries(index, index + 1n, 1);
  const run = row?.run ?? '';
  await requireAuditRight(guard, principal, 'audit.read', run === '' ? WHOLE_LOG : run);
}
