// The lines an approver reads: who asks for what and why, then the exact action. Everything is in the scrolled part,
// so that nothing a document names can push the action off the screen unseen.
import { differenceLines } from '../approval/difference.js';
import { revealHidden } from '../approval/display.js';
import type { ApprovalRecord } from '../runtime/ports.js';
import type { PreviousSubject } from '../runtime/approval/previous-subject.js';
import type { ApprovalView } from '../runtime/writ.js';

/**
 * One line per element, hidden characters written out. The digest is among them, in full, and what is different from
 * the request before.
 */
export function approvalLines(
  view: ApprovalView,
  previous: PreviousSubject | null = null,
): readonly string[] {
  const { record, display } = view;
  return [
    ...(view.isOvertaken === true ? [overtakenText(record.run)] : []),
    `function: ${revealHidden(record.functionId)}`,
    `step: ${stepText(view)}, attempt ${record.attempt}, run ${revealHidden(record.run)}`,
    `asked by: ${revealHidden(record.requester)}; run started by: ${revealHidden(record.initiator)}`,
    ...packageLines(record),
    ...(record.redriver === undefined ? [] : [`run or step redriven by: ${revealHidden(record.redriver)}`]),
    ...(record.editors ?? []).map((editor) => `input changed by: ${revealHidden(editor)}`),
    ...(view.why ?? record.demandedBy).map((reason) => `why: ${revealHidden(reason)}`),
    `needs: ${neededText(record)}`,
    ...escalationLines(record),
    ...record.votes.map(
      (vote) =>
        `earlier vote: ${vote.decision} by ${revealHidden(vote.approver)}${howCast(vote)} (${vote.assurance})`,
    ),
    `expires: ${new Date(record.expiresAtMs).toISOString()}`,
    `digest: ${record.subjectDigest}`,
    ...(previous === null ? [] : changeLines(view, previous)),
    '',
    display.length === 0 ? 'the exact action was erased and cannot be shown' : 'exactly this will run, once:',
    ...display,
  ];
}

/** Of a request whose policies have changed since. */
export function overtakenText(run: string): string {
  return `the policies have changed since this was asked: an approval of it starts nothing, its step asks again under them (at once: writ workflow resume ${revealHidden(run)})`;
}

/** What the verified bytes of a package say of themselves: whoever decides needs the right under that name, too. */
function packageLines({ functionId, repository }: ApprovalRecord): readonly string[] {
  if (repository === undefined) return [];
  const called = functionId.replace(/@sha256:[0-9a-f]{64}$/, '');
  const other = called === repository ? '' : `, and not ${revealHidden(called)} as the workflow calls it`;
  return [`package: in its own bytes ${revealHidden(repository)}${other}`];
}

/** As its author has named it, and as every other place has it. */
function stepText({ step, record: { stepPath } }: ApprovalView): string {
  const path = revealHidden(stepPath);
  return step === undefined || step === stepPath ? path : `${revealHidden(step)} (${path})`;
}

function changeLines({ subject }: ApprovalView, { record, subject: before }: PreviousSubject): string[] {
  const { stepPath, attempt, state } = record;
  const head = `changed since the request before (${revealHidden(stepPath)}, attempt ${attempt}, ${state}):`;
  return ['', head, ...differenceLines(before, subject)];
}

function howCast({ delegation, breakGlass }: ApprovalRecord['votes'][number]): string {
  const lent = delegation === undefined ? '' : ` for ${revealHidden(delegation)}`;
  return breakGlass === true ? `${lent} in an emergency` : lent;
}

function neededText(record: ApprovalRecord): string {
  const factors = record.quorum.map(({ role, n }) => `${n} x ${revealHidden(role)}`).join(' and ');
  const reason = record.reasonRequired ? ', with a reason' : '';
  const duties = record.separationOfDuties ? ', not who asked or started the run' : '';
  const author =
    record.author === undefined ? '' : `, not ${revealHidden(record.author)} who wrote the workflow`;
  return `${factors}${reason}${duties}${author}`;
}

/** Who else may fill a place, and from when on. */
function escalationLines({ quorum, createdAtMs }: ApprovalRecord): readonly string[] {
  return quorum.flatMap(({ role, escalation = [] }) =>
    escalation
      .filter(({ addRoles }) => addRoles.length > 0)
      .map(({ afterSeconds, addRoles }) => {
        const from = new Date(createdAtMs + afterSeconds * 1000).toISOString();
        return `escalation: from ${from} on ${addRoles.map(revealHidden).join(', ')} for ${revealHidden(role)} too`;
      }),
  );
}

/** `denied by user:bob`; null while the request can still be decided. */
export function closedText(record: ApprovalRecord): string | null {
  if (record.state === 'pending') return null;
  const last = record.votes.at(-1);
  const by = last === undefined ? '' : `, last vote by ${revealHidden(last.approver)}`;
  return `this request is ${record.state} now${by}`;
}
