// A run for people: its state in words (never by colour alone), its steps, what it waits for and what to do next.
import { stepLabel } from '../../engine/step-path.js';
import { ERRORS, isErrorCode } from '../../errors.js';
import { NO_AGENT_HINT } from '../../runtime/call/callable.js';
import { isErasure } from '../../runtime/erasure/workflow.js';
import type { ApprovalRecord, RunStatus } from '../../runtime/ports.js';
import { stepStatus, type StepStatus } from '../../runtime/view/step-status.js';
import type { RunView, StepView, Waiting } from '../../runtime/writ.js';
import { commandLine } from '../command-line.js';
import type { Context } from '../context.js';
import { printable, shortReference, type Colors } from '../output.js';
import { iterationsText } from './progress.js';
import { renderFitting } from '../table.js';
import { durationText, timeText } from '../time-text.js';

type Place = Pick<Context, 'data' | 'policies' | 'env'>;

/** `columns`: how wide a table may be; without it, as wide as it is. What to do next stands at its end. */
export function renderRun(place: Place, run: RunView, colors: Colors, columns = Infinity): string {
  const next = nextCommands(place, run);
  return [renderState(run, colors, columns), ...(next.length > 0 ? ['', ...next] : [])].join('\n');
}

/** As `renderRun`, where the outputs follow: the command that shows them is not told. */
export function renderResults(place: Place, run: RunView, colors: Colors, columns = Infinity): string {
  return run.status === 'completed'
    ? renderState(run, colors, columns)
    : renderRun(place, run, colors, columns);
}

/** As `renderRun`, where what to do next follows, as it does with each request that is open. */
export function renderState(run: RunView, colors: Colors, columns = Infinity): string {
  const { workflow } = run;
  const lines = [
    `run        ${printable(run.id)}`,
    `workflow   ${printable(workflow.id)} version ${workflow.version} (${workflow.hash.slice(0, 12)})`,
    `status     ${statusWord(run.status, colors)}`,
    `initiator  ${printable(run.initiator)}`,
    `started    ${timeText(run.createdAtMs)}, last change ${timeText(run.updatedAtMs)}`,
  ];
  if (run.error !== null) lines.push(`error      ${errorText(run.error)}`);
  if (run.waitingFor !== null) lines.push(`waits for  ${waitingText(run, run.waitingFor)}`);
  if (run.steps.length > 0) lines.push('', renderSteps(run, colors, columns));
  const errors = run.steps.flatMap(({ name, error }) =>
    error === null ? [] : [`${printable(name)}: ${errorText(error)}`, ...hintText(error)],
  );
  if (errors.length > 0) lines.push('', ...errors);
  return lines.join('\n');
}

/** What a person has to know to decide, and the exact command; also printed where nobody can be asked. */
export function renderPending(place: Place, approval: ApprovalRecord, nowMs: number): string {
  const { id, subjectDigest, functionId, stepPath, demandedBy, expiresAtMs, quorum, votes } = approval;
  const needed = quorum.map(({ role, n }) => `${n} x ${printable(role)}`).join(' and ');
  return [
    `approval   ${printable(id)}`,
    `step       ${printable(stepPath)}, ${printable(functionId)}`,
    ...(demandedBy.length > 0 ? [`why        ${demandedBy.map(printable).join('; ')}`] : []),
    `needs      ${needed}, ${votes.filter((vote) => vote.decision === 'approve').length} given`,
    `digest     ${subjectDigest}`,
    `expires    ${timeText(expiresAtMs)} (${expiryText(expiresAtMs, nowMs)})`,
    `look       ${commandLine(place, 'approvals', 'show', id)}`,
    renderDecisions(place, approval),
  ].join('\n');
}

/** The exact commands that decide one request. */
export function renderDecisions(place: Place, { id, subjectDigest }: ApprovalRecord): string {
  return [
    `approve    ${commandLine(place, 'approvals', 'approve', id, '--digest', subjectDigest)}`,
    `deny       ${commandLine(place, 'approvals', 'deny', id)}`,
  ].join('\n');
}

export function expiryText(expiresAtMs: number, nowMs: number): string {
  return nowMs >= expiresAtMs ? 'expired' : `in ${durationText(expiresAtMs - nowMs)}`;
}

export function statusWord(status: RunStatus, colors: Colors): string {
  switch (status) {
    case 'completed':
      return colors.green(status);
    case 'failed':
    case 'cancelled':
    case 'indeterminate':
      return colors.red(status);
    case 'waiting':
      return colors.yellow(status);
    case 'pending':
    case 'running':
      return status;
  }
}

/** `not run`: the run ended before it. */
type StepWord = StepStatus | 'not run';

function stepWord(status: StepWord, colors: Colors): string {
  if (status === 'not run') return colors.dim(status);
  return status === 'skipped' ? status : statusWord(status, colors);
}

/** Columns that are left out, one after the other, where they don't fit. */
const LESS_IMPORTANT: readonly string[] = ['function', 'as', 'attempts'];

function renderSteps({ steps, status }: RunView, colors: Colors, columns: number): string {
  const isOver = status === 'completed' || status === 'failed' || status === 'cancelled';
  const wordOf = (step: StepView): StepWord =>
    isOver && step.status === 'pending' ? 'not run' : stepStatus(step.status);
  const head = ['step', 'status', 'attempts', 'function', 'as', 'took', 'approval'];
  const rows = steps.map((step) => [
    step.name + progressOf(step),
    { styled: stepWord(wordOf(step), colors) },
    String(step.attempts),
    shortReference(step.functionId),
    step.principal,
    step.durationMs === null ? '-' : durationText(step.durationMs),
    approvalText(step),
  ]);
  return renderFitting(colors, head, rows, { columns, lessImportant: LESS_IMPORTANT });
}

/** How far a map or a loop is. */
function progressOf({ items, iterations, converged }: StepView): string {
  if (items !== undefined) {
    const failed = items.failed === 0 ? '' : `, ${items.failed} failed`;
    return ` (${items.done} of ${items.total}${failed})`;
  }
  if (iterations === undefined) return '';
  return ` (${iterationsText(iterations)}${converged === false ? ', until was never true' : ''})`;
}

function approvalText({ approval }: StepView): string {
  if (approval === null) return '-';
  const by = approval.decidedBy.length === 0 ? '' : ` by ${approval.decidedBy.join(', ')}`;
  return `${approval.state}${by}`;
}

/** Whoever fails a task need not say why. */
function errorText({ code, name, message }: NonNullable<RunView['error']>): string {
  return `${printable(code)} (${printable(name)})${message === '' ? '' : `: ${printable(message)}`}`;
}

function hintText({ hint }: NonNullable<RunView['error']>): string[] {
  return hint === undefined ? [] : [`  hint: ${printable(hint)}`];
}

function waitingText({ steps }: RunView, waiting: Waiting): string {
  const nameOf = (key: string): string | null => steps.find((one) => one.stepPath === key)?.name ?? null;
  const label = (stepPath: string): string => printable(stepLabel(nameOf, stepPath));
  switch (waiting.kind) {
    case 'approval':
      return `approval ${printable(waiting.approvalId)} of step ${label(waiting.stepPath)}, until ${timeText(waiting.expiresAtMs)}${othersText(waiting.others)}`;
    case 'task': {
      const whom = waiting.by === 'person' ? 'a person, by the form of' : 'an answer with the token of';
      const until = waiting.expiresAtMs === null ? '' : `, until ${timeText(waiting.expiresAtMs)}`;
      return `${whom} step ${label(waiting.stepPath)}: task ${printable(waiting.taskId)}${until}${othersText(waiting.others)}`;
    }
    case 'timer':
      return `step ${label(waiting.stepPath)}, a timer until ${timeText(waiting.untilMs)}`;
    case 'person':
      return `a person: step ${label(waiting.stepPath)} attempt ${waiting.attempt} started, and its outcome is not known`;
    case 'cancel':
      return `its cancellation by ${printable(waiting.by)}`;
  }
}

function othersText(others = 0): string {
  return others === 0 ? '' : `, and ${others} more`;
}

function nextCommands(place: Place, run: RunView): string[] {
  const { waitingFor, id, status } = run;
  if (waitingFor?.kind === 'person') {
    return [
      'find out whether the lost attempt had its effect, then choose:',
      `  ${commandLine(place, 'workflow', 'resume', id, '--rerun-lost')}   run it again`,
      `  ${commandLine(place, 'workflow', 'resume', id, '--fail-lost')}    count it as failed`,
    ];
  }
  if (waitingFor?.kind === 'approval')
    return [`look:   ${commandLine(place, 'approvals', 'show', waitingFor.approvalId)}`];
  if (waitingFor?.kind === 'task')
    return [`look:   ${commandLine(place, 'task', 'show', waitingFor.taskId)}`];
  if (status === 'completed') return [`output: ${commandLine(place, 'workflow', 'results', id)}`];
  const { id: workflowId, hash: workflowHash } = run.workflow;
  if ((status !== 'failed' && status !== 'cancelled') || isErasure({ workflowId, workflowHash })) return [];
  return isOfDocument(run)
    ? ['again:  correct the document or the input, and start a new run: a redrive asks the same again']
    : [`again:  ${commandLine(place, 'workflow', 'redrive', id)}`];
}

/** Faults of documents that are put right outside of them: a function or a package that this machine lacks. */
const LACKING: ReadonlySet<string> = new Set(['FUNCTION_NOT_FOUND', 'DOC_AGENT_UNRESOLVED']);

/** The document, the input and who acts are those of the run, whenever it goes on. */
function isOfDocument({ error }: RunView): boolean {
  const code = error?.code ?? '';
  if (error?.hint === NO_AGENT_HINT) return true;
  return isErrorCode(code) && ERRORS[code].kind === 'document' && !LACKING.has(code);
}
