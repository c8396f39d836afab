// A request whose input a person has changed: the attempt's row names it, while the run still knows the one before.
// What the input is then stands in the stored subject and nowhere else, and only while its bytes have the digest. Whoever
// changed it stays barred from deciding about it, in every retry.
import { digestOfSubjectBytes } from '../../approval/subject.js';
import { canonicalJson } from '../../canonical-json.js';
import { isObject, type Json } from '../../json.js';
import type { Attempt } from '../attempt/attempt.js';
import { editorsOf } from './origin.js';
import type { Guard } from '../guard-parts.js';
import { recordedAttempt } from '../attempt/judge.js';
import { openJson } from '../log/payload.js';
import type { ApprovalRecord, AttemptRecord } from '../ports.js';

export interface EditedRequest {
  readonly approval: ApprovalRecord;
  readonly row: AttemptRecord;
  readonly input: Json;
}

/** The request that the run has yet to hear of; null = it knows the newest, or that one was not made by an edit. */
export async function editedRequest(guard: Guard, attempt: Attempt): Promise<EditedRequest | null> {
  const row = await recordedAttempt(guard, attempt);
  if (row?.approvalId == null || row.approvalId === attempt.approvalId) return null;
  const approval = await guard.store.approval(row.approvalId);
  if (approval?.editors === undefined || !isOf(approval, attempt)) return null;
  const payload = await guard.store.payload(approval.subject);
  if (payload?.bytes == null || digestOfSubjectBytes(payload.bytes) !== approval.subjectDigest) return null;
  const subject = openJson(payload);
  const input = isObject(subject) ? subject['input'] : undefined;
  return input === undefined ? null : { approval, row, input };
}

function isOf(approval: ApprovalRecord, { run, stepPath, attempt }: Attempt): boolean {
  return approval.run === run.id && approval.stepPath === stepPath && approval.attempt === attempt;
}

/** A retry is given the input of the attempt before it: those who changed that are barred from this one too. */
export async function editorsOfRetried(
  { store }: Pick<Guard, 'store'>,
  { run, stepPath, attempt, input }: Attempt,
): Promise<readonly string[]> {
  for (let before = attempt - 1; before > 0; before -= 1) {
    const row = await store.attempt(run.id, stepPath, before);
    if (row === null) return [];
    // Policy may have asked for none of that attempt, which had the input of the one before it.
    if (row.approvalId === null) continue;
    const approval = await store.approval(row.approvalId);
    const editors = approval === null ? [] : await editorsOf(store, approval);
    if (approval === null || editors.length === 0) return [];
    const payload = await store.payload(approval.subject);
    // What nobody can compare any more counts as the same.
    const approved = payload?.bytes == null ? { input } : openJson(payload);
    const given = isObject(approved) ? (approved['input'] ?? null) : null;
    return canonicalJson(given) === canonicalJson(input) ? editors : [];
  }
  return [];
}
