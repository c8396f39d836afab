// Registering a workflow: nobody's document gets an id that others may run under without the right to it. Who may run a
// workflow may also register it, unless a rule about `workflow.create` says otherwise; what policy answers is in the log.
import { WritError } from '../../errors.js';
import { checkAccess, type AccessAnswer } from '../../policy/rbac/access.js';
import { recordAnswer } from '../authorize.js';
import { logContext } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { Prepared } from './register.js';
import type { Principal } from '../writ.js';

/** Ids of Writ's own workflows: a document under one of them would be taken for it in lists, approvals and the log. */
export const OWN_WORKFLOWS = { erase: 'writ-audit-erase', sandboxExec: 'writ-sandbox-exec' } as const;

/** Whose they are: nobody's who could be asked to approve one. */
export const OWN_AUTHOR = 'service:writ';

/** Throws USAGE for an id of Writ's own. */
export function refuseOwnId(id: string, own: readonly string[] = Object.values(OWN_WORKFLOWS)): void {
  if (!own.includes(id)) return;
  throw new WritError('USAGE', `${id} is the id of a workflow of Writ's own`, {
    hint: 'give the document another id',
  });
}

/**
 * Asks `workflow.create` of the id; where no rule speaks of it, `workflow.run`. Leaves `authz.decided` with the
 * document's hash in the log's own chain, then throws POLICY_* on a deny.
 */
export async function authorizeCreation(
  guard: Guard,
  prepared: Prepared,
  principal: Principal,
): Promise<void> {
  const creation = { prepared, principal };
  const own = ask(guard, creation, 'workflow.create');
  const byRun = own.code === 'POLICY_NO_MATCH' ? ask(guard, creation, 'workflow.run') : own;
  await record(guard, creation, byRun.allowed ? byRun : own);
}

/** A run registers what it runs: for somebody who may run it, only a rule that denies `workflow.create` stands against it. */
export async function refuseDeniedCreation(
  guard: Guard,
  prepared: Prepared,
  principal: Principal,
): Promise<void> {
  if (prepared.isKnown) return;
  const creation = { prepared, principal };
  const answer = ask(guard, creation, 'workflow.create');
  if (answer.effect === 'deny') await record(guard, creation, answer);
}

interface Creation {
  readonly prepared: Prepared;
  readonly principal: Principal;
}

function ask(
  guard: Guard,
  { prepared, principal }: Creation,
  action: 'workflow.create' | 'workflow.run',
): AccessAnswer {
  const resource = prepared.record.id;
  return checkAccess(guard.policy(), { subject: principal.id, domain: guard.tenant, action, resource });
}

function record(guard: Guard, { prepared, principal }: Creation, answer: AccessAnswer): Promise<void> {
  const { id, hash } = prepared.record;
  const context = {
    ...logContext(guard.tenant),
    workflow: { id, hash },
    policy: guard.policy().policyHash,
    actor: { id: principal.id, via: guard.via },
  };
  const asked = { subject: principal.id, action: 'workflow.create', resource: id };
  return recordAnswer(guard, context, { ...asked, answer });
}
