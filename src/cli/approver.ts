// Asking the person at this terminal about one request, and recording what they said. The vote is bound to the
// digest of what was on the screen, and every check that counts is made by `writ.decide`, not here.
import { WritError } from '../errors.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { Principal, Writ } from '../runtime/writ.js';
import type { Context } from './context.js';
import { noteFailure } from './failure.js';
import { wantsColor } from './output.js';

/**
 * `left`: nobody decided, or the vote was refused for good. `changed`: the request is no longer what it was; look again.
 * `interrupted`: Ctrl+C.
 */
export type Asked =
  | { readonly outcome: 'recorded'; readonly record: ApprovalRecord }
  | { readonly outcome: 'left' | 'changed' | 'interrupted' };

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
    view,
    approver: approver.id,
    reason,
    refresh: async () => (await writ.approval(approvalId)).record,
    stdin: context.stdin,
    stdout: context.stdout,
    color: wantsColor(context.stdout, context.env),
    screenReader: context.env['INK_SCREEN_READER'] === 'true',
    nowMs: () => context.nowMs(),
    signal,
  });
  if (answer.decision === 'none') return { outcome: answer.why };
  const vote = {
    decision: answer.decision,
    digest: view.record.subjectDigest,
    reason: answer.reason,
  };
  return { outcome: 'recorded', record: await writ.decide(approvalId, vote, approver) };
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
    if (!(error instanceof WritError) || !error.code.startsWith('APPROVAL_')) throw error;
    noteFailure(context.output, error);
    return CHANGED.includes(error.code) ? 'changed' : 'left';
  }
}
