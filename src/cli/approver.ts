// Asking the person at this terminal about one request, or about several of one step, and recording what they said. The
// vote is bound to the digest of what was on the screen, and every check that counts is made by `writ.decide`, not here.
import { WritError } from '../errors.js';
import { isObject } from '../json.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import { batchView } from './batch-view.js';
import type { Context } from './context.js';
import { editInEditor } from './edit-input.js';
import { noteFailure } from './failure.js';
import { printable, wantsColor } from './output.js';

/**
 * `left`: nobody decided, or the vote was refused for good. `changed`: the request is no longer what it was; look again.
 * `interrupted`: Ctrl+C.
 */
export type Asked =
  | { readonly outcome: 'recorded'; readonly record: ApprovalRecord }
  | { readonly outcome: 'left' | 'changed' | 'interrupted' };

/** What every screen of a person at this terminal has in common. */
export function screenOf(context: Context, signal: AbortSignal) {
  return {
    stdin: context.stdin,
    stdout: context.stdout,
    color: wantsColor(context.stdout, context.env),
    screenReader: context.env['INK_SCREEN_READER'] === 'true',
    nowMs: () => context.nowMs(),
    signal,
  };
}

/** Shows the prompt for `approvalId`; the terminal must be interactive (`isInteractive`). */
export async function askForDecision(
  context: Context,
  writ: Writ,
  approvalId: string,
  approver: Principal,
  reason: string | null,
  signal: AbortSignal,
): Promise<Asked> {
  const { promptForApproval } = await import('../tui/open-prompt.js');
  const view = await writ.approval(approvalId);
  const answer = await promptForApproval({
    ...screenOf(context, signal),
    view,
    previous: await writ.previousSubject(view.record),
    canEdit: true,
    approver: approver.id,
    reason,
    refresh: async () => (await writ.approval(approvalId)).record,
  });
  if (answer.decision === 'none') {
    if (answer.why !== 'edit') return { outcome: answer.why };
    const input = isObject(view.subject) ? (view.subject['input'] ?? null) : null;
    const changed = editInEditor(input, context.env);
    if (changed === null) {
      context.output.note('nothing was changed');
      return { outcome: 'changed' };
    }
    const edit = { digest: view.record.subjectDigest, input: changed };
    const edited = await writ.editApproval(approvalId, edit, approver);
    context.output.note(`changed: ${printable(edited.id)} asks for it now, digest ${edited.subjectDigest}`);
    return { outcome: 'changed' };
  }
  const vote = {
    decision: answer.decision,
    digest: view.record.subjectDigest,
    reason: answer.reason,
  };
  return { outcome: 'recorded', record: await writ.decide(approvalId, vote, approver) };
}

/** As `askForDecision`, for several requests of one step on one screen; each gets its own vote. */
export async function askForBatch(
  context: Context,
  writ: Writ,
  ids: readonly string[],
  approver: Principal,
  signal: AbortSignal,
): Promise<{ readonly outcome: Asked['outcome']; readonly records: readonly ApprovalRecord[] }> {
  const { promptForApproval } = await import('../tui/open-prompt.js');
  const look = async () => batchView(await Promise.all(ids.map((id) => writ.approval(id))));
  const shown = await look();
  const answer = await promptForApproval({
    ...screenOf(context, signal),
    view: shown.view,
    previous: null,
    canEdit: false,
    approver: approver.id,
    reason: null,
    refresh: async () => (await look()).view.record,
  });
  if (answer.decision === 'none')
    return { outcome: answer.why === 'edit' ? 'left' : answer.why, records: [] };
  const records: ApprovalRecord[] = [];
  for (const { id, subjectDigest: digest } of shown.records) {
    try {
      const vote = { decision: answer.decision, digest, reason: answer.reason };
      records.push(await writ.decide(id, vote, approver));
    } catch (error) {
      // What is recorded stays, and its run goes on; the others are told of.
      if (records.length === 0 || !isRefusedVote(error)) throw error;
      noteFailure(context.output, error);
    }
  }
  return { outcome: 'recorded', records };
}

const CHANGED: readonly string[] = [
  'APPROVAL_EXPIRED',
  'APPROVAL_WITHDRAWN',
  'APPROVAL_DENIED',
  'APPROVAL_ALREADY_DECIDED',
  'APPROVAL_CONSUMED',
];

/** As `askForDecision`, for a run in progress: a refused vote is told and leaves the run waiting. */
export async function askDuringRun(
  context: Context,
  writ: Writ,
  approvalId: string,
  approver: Principal,
  signal: AbortSignal,
): Promise<Asked['outcome']> {
  try {
    return (await askForDecision(context, writ, approvalId, approver, null, signal)).outcome;
  } catch (error) {
    if (!isRefusedVote(error)) throw error;
    noteFailure(context.output, error);
    return CHANGED.includes(error.code) ? 'changed' : 'left';
  }
}

/** What a vote or an edit came to that was not allowed; the person is told, and nothing else has happened. */
export function isRefusedVote(error: unknown): error is WritError {
  return (
    error instanceof WritError &&
    (error.code === 'USAGE' || /^(?:APPROVAL|POLICY|CEILING)_/u.test(error.code))
  );
}
