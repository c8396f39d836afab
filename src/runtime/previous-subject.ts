// What a request is compared with: the request before it for the same step, of this attempt (its input was edited, or
// policy changed), of an earlier attempt or iteration, or of the item before.
import { digestOfSubjectBytes } from '../approval/subject.js';
import type { Json } from '../json.js';
import { openJson } from './payload.js';
import type { ApprovalRecord, Store } from './ports.js';

export interface PreviousSubject {
  readonly record: ApprovalRecord;
  readonly subject: Json;
}

export async function previousSubject(
  store: Pick<Store, 'approvals' | 'payload'>,
  record: ApprovalRecord,
): Promise<PreviousSubject | null> {
  const before = (await store.approvals({ run: record.run })).filter(
    (one) =>
      one.id !== record.id && nodePath(one.stepPath) === nodePath(record.stepPath) && isBefore(one, record),
  );
  const previous = before.toSorted((a, b) => (isBefore(a, b) ? -1 : 1)).at(-1);
  const payload = previous === undefined ? null : await store.payload(previous.subject);
  if (previous === undefined || payload?.bytes == null) return null;
  // Changed bytes are compared with nothing.
  if (digestOfSubjectBytes(payload.bytes) !== previous.subjectDigest) return null;
  return { record: previous, subject: openJson(payload) };
}

/** `M[3]/Pay` and `M[4]/Pay` are one node. */
function nodePath(stepPath: string): string {
  return stepPath.replace(/\[\d+\]/gu, '[]');
}

/** By the order in which their steps come; at the same step by attempt, then by time. */
function isBefore(a: ApprovalRecord, b: ApprovalRecord): boolean {
  if (a.stepPath !== b.stepPath) {
    return a.stepPath.localeCompare(b.stepPath, 'en', { numeric: true }) < 0;
  }
  return a.attempt !== b.attempt ? a.attempt < b.attempt : a.createdAtMs < b.createdAtMs;
}
