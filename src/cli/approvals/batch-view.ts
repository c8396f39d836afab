// Several requests of one step as one view: every item in full, one behind the other, under a digest that names all of
// them. It changes when one of them does, and can be decided no more when one of them can't.
import { batchDigest } from '../../approval/batch.js';
import { WritError } from '../../errors.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { ApprovalView } from '../../runtime/writ.js';
import { batchKey } from '../../tui/queue-row.js';

export interface BatchView {
  /** Of no stored request: for the eye only. */
  readonly view: ApprovalView;
  readonly records: readonly ApprovalRecord[];
}

/** Throws USAGE for requests that do not belong to one step of one run, for fewer than 2 and for more than 50. */
export function batchView(views: readonly ApprovalView[]): BatchView {
  const records = views.map((one) => one.record);
  const digest = batchDigest(records.map((one) => one.subjectDigest));
  const [first] = records;
  if (first === undefined || records.some((one) => batchKey(one) !== batchKey(first))) {
    throw new WritError('USAGE', 'a batch is made of items of one step of one run', {
      hint: 'decide the others by themselves',
    });
  }
  const display = views.flatMap(({ record, display: lines }, at) => [
    `--- item ${at + 1} of ${records.length}: ${record.id}, digest ${record.subjectDigest}`,
    ...lines,
  ]);
  const votes = records.flatMap((one) => one.votes).map((vote, seq) => ({ ...vote, seq }));
  const record: ApprovalRecord = {
    ...first,
    id: `batch of ${records.length}`,
    stepPath: records.map((one) => one.stepPath).join(', '),
    subjectDigest: digest,
    reasonRequired: records.some((one) => one.reasonRequired),
    demandedBy: [...new Set(records.flatMap((one) => one.demandedBy))],
    editors: [...new Set(records.flatMap((one) => one.editors ?? []))],
    expiresAtMs: Math.min(...records.map((one) => one.expiresAtMs)),
    state: records.find((one) => one.state !== 'pending')?.state ?? 'pending',
    version: records.reduce((sum, one) => sum + one.version, 0),
    votes,
  };
  const overtaken = views.some(({ isOvertaken }) => isOvertaken) ? ({ isOvertaken: true } as const) : {};
  return { view: { record, subject: null, display, ...overtaken }, records };
}
