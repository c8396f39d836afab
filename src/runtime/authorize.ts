// One question to policy outside a step. What it answers stands in the log, an allow and a deny alike.
import { WritError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { checkAccess, type AccessAnswer, type AccessQuestion } from '../policy/rbac/access.js';
import { draft, type EntryContext } from './log/entries.js';
import type { Guard } from './guard-parts.js';

export interface Asked extends Omit<AccessQuestion, 'domain'> {
  /** What else its entry says. */
  readonly about?: JsonObject;
}

/** Leaves `authz.decided`. Throws POLICY_* on a deny. */
export async function authorize(guard: Guard, context: EntryContext, asked: Asked): Promise<void> {
  const { subject, action, resource } = asked;
  const answer = checkAccess(guard.policy(), { subject, domain: guard.tenant, action, resource });
  await recordAnswer(guard, context, { ...asked, answer });
}

/** As `authorize`, of what policy has answered already. */
export async function recordAnswer(
  guard: Guard,
  context: EntryContext,
  { subject, action, resource, answer, about = {} }: Asked & { readonly answer: AccessAnswer },
): Promise<void> {
  const entry = draft(context, 'authz.decided', {
    stepPath: null,
    attempt: null,
    subject,
    agent: null,
    domain: guard.tenant,
    action,
    resource,
    verdict: answer.allowed ? 'allow' : 'deny',
    ruleId: answer.ruleId,
    code: answer.code,
    ...about,
  });
  await guard.journal.commit({ entries: [entry] });
  if (!answer.allowed) throw policyRefusal(answer);
}

/** A no of policy, as an error. */
export function policyRefusal({
  code,
  message,
  hint,
}: Pick<AccessAnswer, 'code' | 'message' | 'hint'>): WritError {
  return new WritError(code ?? 'POLICY_ERROR', message, hint === null ? {} : { hint });
}
