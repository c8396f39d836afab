// An approval as people are shown it: exactly what its digest names, or nothing.
import { displaySubject } from '../../approval/display.js';
import { digestOfSubjectBytes } from '../../approval/subject.js';
import { stepLabel, stepNames } from '../../engine/step-path.js';
import { WritError } from '../../errors.js';
import type { Guard } from '../guard-parts.js';
import { openJson } from '../log/payload.js';
import { notFound } from '../not-found.js';
import type { ApprovalRecord } from '../ports.js';
import { planOf } from '../run/state.js';
import type { ApprovalView } from '../writ.js';
import { erasedText } from './payload-view.js';

export async function approvalView(guard: Guard, id: string): Promise<ApprovalView> {
  const record = await guard.store.approval(id);
  if (record === null) throw notFound('approval', id);
  const payload = await guard.store.payload(record.subject);
  // What is shown is what the digest names, or it is not shown.
  if (payload?.bytes != null && digestOfSubjectBytes(payload.bytes) !== record.subjectDigest) {
    throw new WritError('APPROVAL_DIGEST_MISMATCH', `the stored subject of ${id} was changed`, {
      hint: 'do not decide it; find out who changed the store: writ audit verify --payloads',
    });
  }
  const subject = openJson(payload);
  const display = payload?.bytes == null ? [erasedText(payload)] : displaySubject(subject);
  const run = await guard.store.run(record.run);
  const step = run === null ? {} : { step: stepLabel(stepNames(planOf(run)), record.stepPath) };
  const isOvertaken = record.state === 'pending' && record.policyHash !== guard.policy().policyHash;
  return {
    ...{ record, subject, ...step, display, why: whyOf(guard, record) },
    ...(isOvertaken ? { isOvertaken } : {}),
  };
}

/** A ceiling is named with its file while the policy is the one that asked. */
function whyOf(guard: Guard, { demandedBy, policyHash }: ApprovalRecord): readonly string[] {
  const policy = guard.policy();
  if (policy.policyHash !== policyHash) return demandedBy;
  return demandedBy.map((text) => {
    const ceiling = policy.ceilings.find(({ name, layer }) => text.startsWith(`ceiling ${name} (${layer})`));
    if (ceiling === undefined) return text;
    const line = ceiling.lineOfDemand(text);
    return `${text} [${ceiling.file}${line === null ? '' : `:${line}`}]`;
  });
}
