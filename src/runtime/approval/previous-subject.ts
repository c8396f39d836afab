// What a request is compared with: the request before it for the same step, of this attempt (its input was edited, or
// policy changed), of an earlier attempt or iteration, or of the item before.
import { digestOfSubjectBytes } from '../../approval/subject.js';
import type { Json } from '../../json.js';
import { openJson } from '../log/payload.js';
import type { ApprovalRecord, Store } from '../ports.js';

export interface PreviousSubject {
  readonly record: ApprovalRecord;
  readonly subject: Json;
}

export async function previousSubject(
  store: Pick<Store, 'approvals' | 'payload'>,
  record: ApprovalRecord,
): Promise<PreviousSubject | null> {
  const node = nodePath(record.stepPath);
  const isBefore = inOrder();
  let previous: ApprovalRecord | undefined;
  // One pass: a run may have asked thousands of times.
  for (const one of await store.approvals({ run: record.run })) {
    const isEarlier = one.id !== record.id && nodePath(one.stepPath) === node && isBefore(one, record);
    if (isEarlier && (previous === undefined || !isBefore(one, previous))) previous = one;
  }
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
function inOrder(): (a: ApprovalRecord, b: ApprovalRecord) => boolean {
  // Made where it is used: one that is made with the module can't be part of a start-up snapshot.
  const paths = new Intl.Collator('en', { numeric: true });
  return (a, b) => {
    if (a.stepPath !== b.stepPath) return paths.compare(a.stepPath, b.stepPath) < 0;
    return a.attempt !== b.attempt ? a.attempt < b.attempt : a.createdAtMs < b.createdAtMs;
  };
}
