// `writ approvals list | show | approve | deny`. A vote names one request and, to approve, the full digest the person
// saw; what is reported is the recorded transition, never the wish. After it the run goes on in this process.
import { WritError } from '../errors.js';
import { isHex64, type SubjectDigest } from '../json.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { ApprovalView, RunView, Writ } from '../runtime/writ.js';
import { askForDecision } from './approver.js';
import { showErased } from './erase.js';
import { isInteractive, untilSignal, whoActs, withPublishedWrit, withWrit, type Context } from './context.js';
import { asWritError, noteFailure, withPlace } from './failure.js';
import { printable, shortReference } from './output.js';
import { expiryText, renderDecisions } from './render-run.js';
import { showProgress } from './show-progress.js';
import { runJson } from './run-json.js';

export async function listApprovals(context: Context, flags: { readonly all?: boolean }): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const records = await writ.approvals(flags.all === true ? {} : { states: ['pending'] });
    if (output.json) {
      output.value({ approvals: records });
      return 0;
    }
    if (records.length === 0) {
      output.note(flags.all === true ? 'there is no approval request' : 'no approval request is pending');
      return 0;
    }
    const { renderTable } = await import('./table.js');
    const rows = records.map((one) => [
      one.id,
      one.state,
      shortReference(one.functionId),
      one.requester,
      one.state === 'pending' ? expiryText(one.expiresAtMs, context.nowMs()) : '-',
    ]);
    output.line(renderTable(output.colors, ['approval', 'state', 'function', 'asked by', 'expires'], rows));
    return 0;
  });
}

export async function showApproval(context: Context, id: string): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const view = await writ.approval(id);
    if (output.json) {
      output.value(approvalJson(view));
      return 0;
    }
    const { approvalLines } = await import('../tui/approval-view.js');
    output.line(`approval ${printable(view.record.id)}: ${view.record.state}`);
    const { wrapRows } = await import('../tui/rows.js');
    const columns = context.stdout.isTTY ? context.stdout.columns : 80;
    for (const row of wrapRows(approvalLines(view), columns)) output.line(row);
    if (view.record.state === 'pending') {
      output.line();
      output.line(renderDecisions(context, view.record));
    }
    return 0;
  });
}

export interface DecideFlags {
  readonly digest?: string;
  readonly reason?: string;
  /** `--no-continue` makes it false. */
  readonly continue: boolean;
}

export async function approve(context: Context, id: string, flags: DecideFlags): Promise<number> {
  const digest = flags.digest === undefined ? null : readDigest(flags.digest);
  if (digest === null && !isInteractive(context)) {
    throw new WritError('USAGE', 'approve needs --digest with the 64 hex digits of the subject digest', {
      hint: `writ approvals show ${id} shows the action and its digest`,
    });
  }
  const reason = flags.reason ?? null;
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const approver = await whoActs(context, writ);
    if (digest !== null) {
      return recorded(
        context,
        writ,
        await writ.decide(id, { decision: 'approve', digest, reason }, approver),
        flags,
      );
    }
    const signal = new AbortController().signal;
    const asked = await askForDecision(context, writ, id, approver, reason, signal);
    if (asked.outcome === 'recorded') return recorded(context, writ, asked.record, flags);
    context.output.note('nothing was decided');
    return asked.outcome === 'interrupted' ? 130 : 10;
  });
}

export async function deny(context: Context, id: string, flags: DecideFlags): Promise<number> {
  const digest = flags.digest === undefined ? null : readDigest(flags.digest);
  const reason = flags.reason ?? null;
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const approver = await whoActs(context, writ);
    const record = await writ.decide(id, { decision: 'deny', digest, reason }, approver);
    return recorded(context, writ, record, flags);
  });
}

/** Exit 0: the decision is recorded, whatever the run does then. */
async function recorded(
  context: Context,
  writ: Writ,
  record: ApprovalRecord,
  flags: DecideFlags,
): Promise<number> {
  const { output } = context;
  output.line(recordedText(record));
  const interrupted = flags.continue ? await goOn(context, writ, record) : null;
  const run = await writ.results(record.run);
  if (output.json) output.value({ approval: record, run: runJson(run) });
  else output.line(runText(run));
  showErased(output, run);
  return interrupted ?? 0;
}

/** `approval apr_… approved; vote 1 by user:alice recorded` */
function recordedText(record: ApprovalRecord): string {
  const vote = record.votes.at(-1);
  const by = vote === undefined ? '' : `; ${vote.decision} by ${printable(vote.approver)} is recorded`;
  const given = record.votes.filter((one) => one.decision === 'approve').length;
  const needed = record.quorum.reduce((sum, factor) => sum + factor.n, 0);
  const missing = record.state === 'pending' ? `, ${given} of ${needed} approvals` : '';
  return `approval ${printable(record.id)} is ${record.state}${missing}${by}`;
}

function runText(run: RunView): string {
  return `run ${printable(run.id)} is ${run.status}${run.error === null ? '' : ` (${printable(run.error.code)})`}`;
}

/** Advances the run here. Another process that does it already is fine; any other failure is told, not returned. */
async function goOn(context: Context, writ: Writ, record: ApprovalRecord): Promise<number | null> {
  const { output } = context;
  const stop = showProgress(context, writ, record.run);
  try {
    return await untilSignal(async (signal) => {
      await writ.drive(record.run, { stopAt: 'waiting', signal });
    });
  } catch (thrown) {
    const error = asWritError(withPlace(context, record.run, thrown));
    if (error.code === 'RUN_BUSY') output.note('another process advances this run');
    else noteFailure(output, error, 'warning');
    return null;
  } finally {
    stop();
  }
}

function readDigest(text: string): SubjectDigest {
  if (isHex64(text)) return text;
  throw new WritError('USAGE', `--digest needs 64 lower-case hex digits, got ${text.length} characters`, {
    hint: 'copy the whole subject digest from writ approvals show',
  });
}

/** `subject` is the subject itself, so that anyone can recompute `subjectDigest` (approvals.md section 2). */
function approvalJson(view: ApprovalView): unknown {
  const { record, subject, display } = view;
  return { ...record, subject, subjectCommitment: record.subject, display };
}
