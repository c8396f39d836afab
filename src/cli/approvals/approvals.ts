// `writ approvals approve | deny | revoke | edit | review`. A vote names one request and, to approve, the full digest the
// person saw; what is reported is the recorded transition, never the wish. After it the run goes on in this process.
import { alreadyDecided } from '../../approval/ballot.js';
import { WritError } from '../../errors.js';
import { isHex64, type SubjectDigest } from '../../json.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { VoteRequest, Writ } from '../../runtime/writ.js';
import { askForDecision, voteOnEach, votesAsText, type Asked, type VotesAs } from './approver.js';
import { isInteractive, untilSignal, whoActs, withPublishedWrit, type Context } from '../context.js';
import { noteFailure } from '../failure.js';
import { goOn, goOnAndTell } from '../go-on.js';
import { printable } from '../output.js';

export interface DecideFlags {
  readonly digest?: string;
  readonly reason?: string;
  /** `--no-continue` makes it false. */
  readonly continue: boolean;
  /** `--for user:alice`: on whose behalf. */
  readonly for?: string;
  /** Under the emergency role. */
  readonly breakGlass?: boolean;
}

/** How the vote is cast, of the flags. */
function howOf(flags: DecideFlags): VotesAs {
  return {
    ...(flags.for === undefined ? {} : { delegation: flags.for }),
    ...(flags.breakGlass === true ? { breakGlass: true } : {}),
  };
}

export async function approve(context: Context, id: string, flags: DecideFlags): Promise<number> {
  if (flags.digest !== undefined) return vote(context, id, { decision: 'approve', ...flags });
  if (!isInteractive(context)) {
    throw new WritError('USAGE', 'approve needs --digest with the 64 hex digits of the subject digest', {
      hint: `writ approvals show ${id} shows the action and its digest`,
    });
  }
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const approver = await whoActs(context, writ);
    requireOpen((await writ.approval(id)).record);
    const last: { asked: Asked } = { asked: { outcome: 'interrupted' } };
    const interrupted = await untilSignal(async (signal) => {
      const asking = { approvalId: id, reason: flags.reason ?? null, votesAs: howOf(flags) };
      last.asked = await askForDecision({ context, writ, approver, signal }, asking);
    });
    const { asked } = last;
    if (asked.outcome === 'recorded') return recorded(context, writ, { ...flags, record: asked.record });
    context.output.note('nothing was decided');
    if (interrupted !== null || asked.outcome === 'interrupted') return interrupted ?? 130;
    if (asked.made === undefined) requireOpen((await writ.approval(id)).record);
    return 10;
  });
}

export async function deny(context: Context, id: string, flags: DecideFlags): Promise<number> {
  return vote(context, id, { decision: 'deny', ...flags });
}

/** Takes an approval back that its step has not used yet. */
export async function revoke(context: Context, id: string, flags: DecideFlags): Promise<number> {
  return vote(context, id, { decision: 'revoke', ...flags });
}

async function vote(
  context: Context,
  id: string,
  { decision, ...flags }: DecideFlags & Pick<VoteRequest, 'decision'>,
): Promise<number> {
  const digest = flags.digest === undefined ? null : readDigest(flags.digest);
  const reason = flags.reason ?? null;
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const approver = await whoActs(context, writ);
    if (decision === 'approve') await noteOvertaken(context, writ, id);
    const record = await writ.decide(id, { decision, digest, reason, ...howOf(flags) }, approver);
    return recorded(context, writ, { ...flags, record });
  });
}

/** Whoever approves what starts nothing any more is told before they do. */
async function noteOvertaken({ output }: Context, writ: Writ, id: string): Promise<void> {
  const record = await writ.approvalRecord(id);
  if (record?.state !== 'pending' || record.policyHash === writ.policyHash) return;
  const { overtakenText } = await import('../../tui/approval-view.js');
  output.note(`writ: warning: ${overtakenText(record.run)}`);
}

/** What is over waits for nobody: throws what a vote on it would come to. */
function requireOpen(record: ApprovalRecord): void {
  if (record.state === 'expired') throw new WritError('APPROVAL_EXPIRED', `${record.id} has expired`);
  if (record.state !== 'pending') throw alreadyDecided(record);
}

/** Several requests of one step, under the digest that names all of them; each gets its own vote. */
export async function approveBatch(
  context: Context,
  ids: readonly string[],
  flags: DecideFlags,
): Promise<number> {
  const { output } = context;
  const digest = flags.digest === undefined ? null : readDigest(flags.digest);
  if (digest === null) {
    throw new WritError(
      'USAGE',
      'several requests are approved with --digest and the digest of all of them',
      {
        hint: `writ approvals show ${ids.join(' ')} shows them and their digest`,
      },
    );
  }
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const approver = await whoActs(context, writ);
    const { batchView } = await import('./batch-view.js');
    const { view, records } = batchView(await Promise.all(ids.map((id) => writ.approval(id))));
    if (view.record.subjectDigest !== digest) {
      throw new WritError(
        'APPROVAL_DIGEST_MISMATCH',
        'the digest given is not that of these requests together',
        {
          hint: `look at them again: writ approvals show ${ids.join(' ')}`,
        },
      );
    }
    const vote = { decision: 'approve', reason: flags.reason ?? null, ...howOf(flags) } as const;
    const { records: decided, failures } = await voteOnEach({ writ, approver }, records, vote);
    for (const record of decided) output.line(recordedText(record));
    const [first] = decided;
    const interrupted = flags.continue && first !== undefined ? await goOn(context, writ, first.run) : null;
    const [failure, ...others] = failures;
    if (failure !== undefined) {
      for (const other of others) noteFailure(output, other);
      throw besides(failure, decided);
    }
    if (output.json) output.value({ approvals: decided });
    return interrupted ?? 0;
  });
}

/** The failure of one vote, with the requests whose votes are recorded all the same. */
function besides(failure: WritError, decided: readonly ApprovalRecord[]): WritError {
  const { code, message, hint, details } = failure;
  const recorded = decided.map(({ id, state }) => ({ id, state }));
  return new WritError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, recorded },
    cause: failure,
  });
}

/** Changes the input that a request asks for; another request, of another digest, takes its place. */
export async function editRequest(
  context: Context,
  id: string,
  flags: { readonly digest?: string; readonly input?: string; readonly continue: boolean },
): Promise<number> {
  const { output } = context;
  const digest = flags.digest === undefined ? null : readDigest(flags.digest);
  if (digest === null || flags.input === undefined) {
    throw new WritError('USAGE', 'edit needs --digest of what you saw and --input with what it is to be', {
      hint: `writ approvals show ${id} shows the action and its digest`,
    });
  }
  const { readRunInput } = await import('../run/input.js');
  const input = await readRunInput(flags.input, context.stdin);
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const editor = await whoActs(context, writ);
    const record = await writ.editApproval(id, { digest, input }, editor);
    output.line(`approval ${printable(id)} is withdrawn; ${printable(record.id)} asks for the changed input`);
    output.line(`digest ${record.subjectDigest}`);
    const interrupted = flags.continue ? await goOn(context, writ, record.run) : null;
    if (output.json) output.value({ approval: record, supersedes: id });
    return interrupted ?? 0;
  });
}

/** Closes the review that an emergency vote has opened. */
export async function review(
  context: Context,
  id: string,
  flags: { readonly reason?: string },
): Promise<number> {
  const { output } = context;
  return withPublishedWrit(context, { drives: false }, async (writ) => {
    const record = await writ.reviewApproval(id, flags.reason ?? '', await whoActs(context, writ));
    output.line(`approval ${printable(id)} is reviewed by ${printable(record.review?.closedBy ?? '')}`);
    if (output.json) output.value({ approval: record });
    return 0;
  });
}

async function recorded(
  context: Context,
  writ: Writ,
  { record, ...flags }: Pick<DecideFlags, 'continue'> & { readonly record: ApprovalRecord },
): Promise<number> {
  context.output.line(recordedText(record));
  const told = { approval: record };
  return goOnAndTell(context, writ, { run: record.run, continue: flags.continue, told });
}

/** `approval apr_… approved; vote 1 by user:alice recorded` */
export function recordedText(record: ApprovalRecord): string {
  const vote = record.votes.at(-1);
  const by =
    vote === undefined
      ? ''
      : `; ${vote.decision} by ${printable(vote.approver)}${printable(votesAsText(vote))} is recorded`;
  const given = record.votes.filter((one) => one.decision === 'approve').length;
  const needed = record.quorum.reduce((sum, factor) => sum + factor.n, 0);
  const missing = record.state === 'pending' ? `, ${given} of ${needed} approvals` : '';
  return `approval ${printable(record.id)} is ${record.state}${missing}${by}`;
}

function readDigest(text: string): SubjectDigest {
  if (isHex64(text)) return text;
  throw new WritError('USAGE', `--digest needs 64 lower-case hex digits, got ${text.length} characters`, {
    hint: 'copy the whole subject digest from writ approvals show',
  });
}
