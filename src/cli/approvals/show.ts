// `writ approvals show`: exactly what would run, and the digest that approves it.
import { displayHash } from '../../approval/display.js';
import type { ApprovalView, Writ } from '../../runtime/writ.js';
import { commandLine } from '../command-line.js';
import { withWrit, type Context } from '../context.js';
import { printable } from '../output.js';
import { renderDecisions } from '../run/render.js';

/** One request; or several of one step, with the digest that approves them together. */
export async function showApprovals(context: Context, ids: readonly string[]): Promise<number> {
  const { output } = context;
  const [only] = ids;
  if (only !== undefined && ids.length === 1) return showApproval(context, only);
  return withWrit(context, async (writ) => {
    const { batchView } = await import('./batch-view.js');
    const views = await Promise.all(ids.map((id) => writ.approval(id)));
    const { view } = batchView(views);
    if (output.json) {
      output.value({ approvals: views.map(approvalJson), batchDigest: view.record.subjectDigest });
      return 0;
    }
    for (const one of views) await showLines(context, writ, one);
    output.line();
    output.line(`together   ${view.record.subjectDigest}`);
    output.line(
      `approve    ${commandLine(context, 'approvals', 'approve', ...ids, '--digest', view.record.subjectDigest)}`,
    );
    return 0;
  });
}

async function showApproval(context: Context, id: string): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const view = await writ.approval(id);
    if (output.json) {
      output.value(approvalJson(view));
      return 0;
    }
    await showLines(context, writ, view);
    if (view.record.state === 'pending') {
      output.line();
      output.line(renderDecisions(context, view.record));
    }
    return 0;
  });
}

async function showLines(context: Context, writ: Writ, view: ApprovalView): Promise<void> {
  const { output } = context;
  const { approvalLines } = await import('../../tui/approval-view.js');
  const { wrapRows } = await import('../../tui/rows.js');
  output.line(`approval ${printable(view.record.id)}: ${view.record.state}`);
  const columns = context.stdout.isTTY ? context.stdout.columns : 80;
  const lines = approvalLines(view, await writ.previousSubject(view.record));
  for (const row of wrapRows(lines, columns)) output.line(row);
}

/** `subject` is the subject itself, so that anyone can recompute `subjectDigest`. */
function approvalJson(view: ApprovalView): unknown {
  const { record, subject, display, isOvertaken = false } = view;
  return {
    ...record,
    isOvertaken,
    subject,
    subjectCommitment: record.subject,
    display,
    displayHash: displayHash(display),
  };
}
