// Asking the person at this terminal about one request, or about several of one step, and recording what they said. The
// vote is bound to the digest of what was on the screen, and every check that counts is made by `writ.decide`, not here.
import { whyBarred } from '../../approval/ballot.js';
import { WritError } from '../../errors.js';
import { isObject, type Json } from '../../json.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { ApprovalView, Principal, VoteRequest, Writ } from '../../runtime/writ.js';
import { batchView } from './batch-view.js';
import type { Context } from '../context.js';
import { editInEditor } from './edit-input.js';
import { asWritError, noteFailure } from '../failure.js';
import { printable, wantsColor } from '../output.js';

/**
 * `left`: nobody decided, or the vote was refused for good. `changed`: the request is no longer what it was; look again,
 * at `made` where this person has changed it.
 * `interrupted`: Ctrl+C.
 */
export type Asked =
  | { readonly outcome: 'recorded'; readonly record: ApprovalRecord }
  | { readonly outcome: 'left' | 'changed' | 'interrupted'; readonly made?: ApprovalRecord };

/** In whose name, or under which role, a vote is cast; empty = the person's own. */
export type VotesAs = Pick<VoteRequest, 'delegation' | 'breakGlass'>;

/** A person who decides at this terminal, and is asked until `signal` aborts; it must be interactive (`isInteractive`). */
export interface Session {
  readonly context: Context;
  readonly writ: Writ;
  readonly approver: Principal;
  readonly signal: AbortSignal;
}

/** What every screen of a session has in common. */
export function screenOf({ context, signal }: Pick<Session, 'context' | 'signal'>) {
  return {
    stdin: context.stdin,
    stdout: context.stdout,
    color: wantsColor(context.stdout, context.env),
    screenReader: context.env['INK_SCREEN_READER'] === 'true',
    nowMs: () => context.nowMs(),
    signal,
  };
}

/** What is asked. */
export interface Asking {
  readonly approvalId: string;
  /** Said already; null = the prompt asks for one where it is needed. */
  readonly reason: string | null;
  readonly votesAs?: VotesAs;
}

/** Shows the prompt for a request. */
export async function askForDecision(
  session: Session,
  { approvalId, reason, votesAs = {} }: Asking,
): Promise<Asked> {
  const { context, writ, approver } = session;
  const { promptForApproval } = await import('../../tui/open-prompt.js');
  // An emergency vote needs a reason whatever the request says.
  const look = async () => {
    const { record, ...rest } = await writ.approval(approvalId);
    const reasonRequired = record.reasonRequired || votesAs.breakGlass === true;
    return { ...rest, record: { ...record, reasonRequired } };
  };
  const barred = whyBarred((await look()).record, approver.id);
  for (let message = barred === null ? null : `you ${barred}: another person has to decide`; ;) {
    const view = await look();
    const answer = await promptForApproval({
      ...screenOf(session),
      view,
      previous: await writ.previousSubject(view.record),
      canEdit: true,
      approver: `${approver.id}${votesAsText(votesAs)}`,
      reason,
      message,
      refresh: async () => (await look()).record,
    });
    const digest = view.record.subjectDigest;
    if (answer.decision !== 'none') {
      const vote = { decision: answer.decision, digest, reason: answer.reason, ...votesAs };
      return { outcome: 'recorded', record: await writ.decide(approvalId, vote, approver) };
    }
    if (answer.why !== 'edit') return { outcome: answer.why };
    try {
      const changed = await editInEditor(inputOf(view), context);
      if (changed !== null) {
        const made = await writ.editApproval(approvalId, { digest, input: changed }, approver);
        context.output.note(`changed: ${printable(made.id)} asks for it now, digest ${made.subjectDigest}`);
        return { outcome: 'changed', made };
      }
      message = 'nothing was changed';
    } catch (error) {
      // What is wrong with the editor, or with what it left, is said where they look: they are asked again.
      if (!(error instanceof WritError) || error.code !== 'USAGE') throw error;
      message = `not changed: ${error.message}${error.hint === undefined ? '' : `; ${error.hint}`}`;
    }
  }
}

function inputOf({ subject }: ApprovalView): Json {
  return isObject(subject) ? (subject['input'] ?? null) : null;
}

/** ` for user:alice`, ` in an emergency`; empty for somebody's own vote. */
export function votesAsText({ delegation, breakGlass }: VotesAs): string {
  const lent = delegation === undefined ? '' : ` for ${delegation}`;
  return breakGlass === true ? `${lent} in an emergency` : lent;
}

/** As `askForDecision`, for several requests of one step on one screen; each gets its own vote. */
export async function askForBatch(
  session: Session,
  ids: readonly string[],
): Promise<{ readonly outcome: Asked['outcome']; readonly records: readonly ApprovalRecord[] }> {
  const { context, writ, approver } = session;
  const { promptForApproval } = await import('../../tui/open-prompt.js');
  const look = async () => batchView(await Promise.all(ids.map((id) => writ.approval(id))));
  const shown = await look();
  const answer = await promptForApproval({
    ...screenOf(session),
    view: shown.view,
    previous: null,
    canEdit: false,
    approver: approver.id,
    reason: null,
    message: null,
    refresh: async () => (await look()).view.record,
  });
  if (answer.decision === 'none')
    return { outcome: answer.why === 'edit' ? 'left' : answer.why, records: [] };
  const { decision, reason } = answer;
  const { records, failures } = await voteOnEach(session, shown.records, { decision, reason });
  const [first] = failures;
  if (records.length === 0 && first !== undefined) throw first;
  for (const error of failures) noteFailure(context.output, error);
  return { outcome: 'recorded', records };
}

/**
 * One vote for each. What is recorded stays, and its run is to go on, whatever becomes of the others: a refusal ends
 * nothing, and what is broken ends it here, as the last of `failures`. Never rejects.
 */
export async function voteOnEach(
  { writ, approver }: Pick<Session, 'writ' | 'approver'>,
  requests: readonly ApprovalRecord[],
  vote: Omit<VoteRequest, 'digest'>,
): Promise<{ readonly records: readonly ApprovalRecord[]; readonly failures: readonly WritError[] }> {
  const records: ApprovalRecord[] = [];
  const failures: WritError[] = [];
  for (const { id, subjectDigest: digest } of requests) {
    try {
      records.push(await writ.decide(id, { ...vote, digest }, approver));
    } catch (error) {
      failures.push(asWritError(error));
      if (!isRefusedVote(error)) break;
    }
  }
  return { records, failures };
}

const CHANGED: readonly string[] = [
  'APPROVAL_EXPIRED',
  'APPROVAL_WITHDRAWN',
  'APPROVAL_DENIED',
  'APPROVAL_ALREADY_DECIDED',
  'APPROVAL_CONSUMED',
];

/** As `askForDecision`, for a run in progress: a refused vote is told and leaves the run waiting. */
export async function askDuringRun(session: Session, approvalId: string): Promise<Asked['outcome']> {
  try {
    return (await askForDecision(session, { approvalId, reason: null })).outcome;
  } catch (error) {
    if (!isRefusedVote(error)) throw error;
    noteFailure(session.context.output, error);
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
