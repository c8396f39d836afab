// What an emergency vote leaves behind: somebody who took no part has to look at it afterwards and say so. Until then
// it is listed. Closing it changes nothing that has run.
import { isReason, MAX_REASON_CHARACTERS } from '../../approval/decision.js';
import { WritError } from '../../errors.js';
import { checkDeciding } from '../../policy/rbac/package-access.js';
import { draft } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { isConflict } from '../run/live-run.js';
import { notFound } from '../not-found.js';
import { sealJson } from '../log/payload.js';
import type { ApprovalRecord } from '../ports.js';
import { entryContext, load, logTimeMs } from '../run/context.js';
import type { Principal } from '../writ.js';

/** The record with its review closed, durable; the same again changes nothing. Throws APPROVAL_*, POLICY_*, USAGE. */
export async function reviewApproval(
  guard: Guard,
  { id, reason, reviewer }: { readonly id: string; readonly reason: string; readonly reviewer: Principal },
): Promise<ApprovalRecord> {
  if (reason.trim() === '' || !isReason(reason)) {
    const words = `the review of ${id} needs words, ${MAX_REASON_CHARACTERS} characters at most`;
    throw new WritError('APPROVAL_REASON_REQUIRED', words, { hint: 'add --reason TEXT' });
  }
  for (;;) {
    const approval = await guard.store.approval(id);
    if (approval === null) throw notFound('approval', id);
    const { review } = approval;
    if (review === undefined)
      throw new WritError('USAGE', `${id} was not decided in an emergency: there is nothing to review`);
    requireMayReview(guard, approval, reviewer);
    if (review.closedBy !== null) return approval;
    const nowMs = await logTimeMs(guard);
    const payload = sealJson(approval.run, 'reason', { text: reason }, guard);
    const context = entryContext(guard, await load(guard, approval.run), {
      id: reviewer.id,
      via: 'approvals',
    });
    const { subjectDigest } = approval;
    const data = { approvalId: id, subjectDigest, reviewer: reviewer.id, late: nowMs > review.dueAtMs };
    const closed = { ...review, closedBy: reviewer.id, closedAtMs: nowMs };
    try {
      await guard.journal.commit({
        entries: [draft(context, 'approval.reviewed', data, { reason: payload.commitment })],
        approvals: [{ op: 'update', record: { ...approval, review: closed } }],
        payloads: [{ payload, entry: 0 }],
      });
      return { ...approval, review: closed, version: approval.version + 1 };
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}

function requireMayReview(guard: Guard, approval: ApprovalRecord, { id: subject }: Principal): void {
  const { tenant: domain, initiator, requester, redriver, author, votes, editors = [] } = approval;
  const access = checkDeciding(guard.policy(), { subject, domain, action: 'approval.decide' }, approval);
  if (!subject.startsWith('user:') || !access.allowed) {
    throw new WritError('APPROVAL_NOT_ELIGIBLE', `${subject} may not review ${approval.id}`, {
      hint: 'ask a person who may decide such requests',
    });
  }
  const voters = votes.map((vote) => vote.approver);
  if ([initiator, requester, redriver, author, ...editors, ...voters].includes(subject)) {
    throw new WritError('APPROVAL_SEPARATION_OF_DUTIES', `${subject} took part in ${approval.id}`, {
      hint: 'somebody who took no part has to review it',
    });
  }
}
