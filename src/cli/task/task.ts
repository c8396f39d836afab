// `writ task list | show | complete | fail | heartbeat`: what waits for an answer from outside. An answer is checked before
// it counts; what is reported is what was recorded. After it the run goes on in this process.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { MAX_LISTED, pageOf } from '../../runtime/view/list-cursor.js';
import type { TaskAnswer, TaskRecord } from '../../runtime/ports.js';
import type { TaskReference, TaskReply, TaskView } from '../../runtime/writ.js';
import { readNamed } from '../bounded-read.js';
import { commandLine } from '../command-line.js';
import { isInteractive, whoActs, widthOf, withPublishedWrit, withWrit, type Context } from '../context.js';
import { goOnAndTell } from '../go-on.js';
import { afterOf, type ListFlags } from '../list-flags.js';
import { printable, shortReference } from '../output.js';
import { expiryText } from '../run/render.js';
import { readRunInput } from '../run/input.js';
import type { Answering } from './fill.js';
import { formLines } from './form.js';
import { timeText } from '../time-text.js';

export async function listTasks(context: Context, flags: ListFlags): Promise<number> {
  const { output } = context;
  const after = afterOf(flags.cursor, 'tsk');
  return withWrit(context, async (writ) => {
    // NOT_FOUND for a run that there is none of: it is not one without tasks.
    if (flags.run !== undefined) await writ.status(flags.run);
    const filter = {
      ...(flags.run === undefined ? {} : { run: flags.run }),
      ...(flags.all === true ? {} : { states: ['open'] as const }),
    };
    const read = (part: object) => writ.tasks({ ...filter, ...part });
    const { page: records, cursor } = await pageOf(after, read, { most: flags.limit ?? MAX_LISTED });
    if (output.json) {
      output.value({ tasks: records.map(taskJson), cursor });
      return 0;
    }
    if (records.length === 0) {
      output.note(flags.all === true ? 'there is no task' : 'no task waits for an answer');
      return 0;
    }
    const { renderFitting } = await import('../table.js');
    const rows = records.map((one) => [
      one.id,
      one.state,
      one.kind === 'person' ? 'form' : 'token',
      one.stepPath,
      shortReference(one.functionId),
      one.state === 'open' ? expiryText(one.expiresAtMs, context.nowMs()) : '-',
    ]);
    const head = ['task', 'state', 'by', 'step', 'function', 'expires'];
    // Where all are listed, their states tell them apart.
    const lessImportant = ['function', 'by', ...(flags.all === true ? [] : ['state'])];
    output.line(renderFitting(output.colors, head, rows, { columns: widthOf(context), lessImportant }));
    if (cursor !== null) output.note(`there are more: add --cursor ${cursor}`);
    return 0;
  });
}

export async function showTask(context: Context, id: string): Promise<number> {
  const { output } = context;
  return withWrit(context, async (writ) => {
    const view = await writ.task(id);
    if (output.json) {
      const { record, step, workflow, input, form, question } = view;
      output.value({ ...taskJson(record), step, workflow, input, form, question });
      return 0;
    }
    for (const line of linesOf(context, view)) output.line(line);
    return 0;
  });
}

/** What is asked, of whom and until when. */
function askedLines({ record, step, workflow, input }: TaskView): readonly string[] {
  const { id, run, state, kind, roles, expiresAtMs, heartbeatMs, separationOfDuties, redriver, answer } =
    record;
  const whom = roles.length === 0 ? 'whom policy lets answer' : roles.join(' or ');
  const isForm = kind === 'person';
  const redrove = redriver === undefined ? '' : `, nor by ${printable(redriver)}, who redrove it`;
  const others = separationOfDuties ? `, not by who started the run${redrove}` : '';
  const lines = [
    `task ${printable(id)}: ${state}`,
    `workflow   ${printable(workflow)}, run ${printable(run)}`,
    `step       ${printable(step)}${step === record.stepPath ? '' : ` (${printable(record.stepPath)})`}`,
    `function   ${printable(record.functionId)}`,
    `answered   ${isForm ? `by ${printable(whom)}${others}` : 'with its token, by whom policy lets answer'}`,
    `until      ${timeText(expiresAtMs)}${heartbeatMs === null ? '' : `, with a sign of life every ${heartbeatMs / 1000} s`}`,
  ];
  if (answer !== null)
    lines.push(`answer     ${answer.kind}, by ${printable(answer.by)} (${proofText(answer)})`);
  return [...lines, '', 'input', ...jsonLines(input)];
}

function proofText({ assurance, keyId }: TaskAnswer): string {
  return keyId === null ? `assurance ${assurance}, not signed` : `signed with ${printable(keyId)}`;
}

function linesOf(context: Context, view: TaskView): readonly string[] {
  const { id, kind, state } = view.record;
  const isForm = kind === 'person';
  const lines = [...askedLines(view)];
  if (view.form !== null) lines.push('', 'form', ...formLines(view.form));
  if (state !== 'open') return lines;
  const which = isForm ? [id] : ['--token', 'TOKEN'];
  lines.push(
    '',
    `answer     ${commandLine(context, 'task', 'complete', ...which, '--output', '@answer.json')}`,
  );
  lines.push(
    `${isForm ? 'refuse    ' : 'fail      '} ${commandLine(context, 'task', 'fail', ...which, '--cause', 'TEXT')}`,
  );
  return lines;
}

/** Indented; every character that could hide or control is written out. */
function jsonLines(value: Json): readonly string[] {
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => `  ${printable(line)}`);
}

export interface AnswerFlags {
  readonly token?: string;
  readonly output?: string;
  readonly error?: string;
  readonly cause?: string;
  /** `--no-continue` makes it false. */
  readonly continue: boolean;
}

export async function completeTask(
  context: Context,
  id: string | undefined,
  flags: AnswerFlags,
): Promise<number> {
  if (flags.output === undefined) {
    if (id !== undefined && flags.token === undefined && isInteractive(context))
      return fillIn(context, id, flags);
    throw new WritError('USAGE', 'complete needs --output with the result: JSON, @FILE or @-', {
      hint: id === undefined ? 'writ task list shows what waits' : `writ task show ${id} shows what is asked`,
    });
  }
  requireOneStdin(flags);
  const which = await referenceOf(context, id, flags);
  const output = await readRunInput(flags.output, context.stdin, '--output');
  return answer(context, { which, reply: { kind: 'success', output } }, flags);
}

/** Asks the person at this terminal for each field. */
async function fillIn(context: Context, id: string, flags: AnswerFlags): Promise<number> {
  const { output } = context;
  const { askForForm } = await import('./fill.js');
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) => {
    const by = await whoActs(context, writ);
    const filled = await askForForm({ context, writ, by }, id, (view) => {
      for (const line of askedLines(view)) output.line(line);
    });
    if (typeof filled === 'number') return filled;
    const reply: TaskReply = { kind: 'success', output: filled.output };
    return record({ context, writ, by }, { which: { id }, reply }, flags);
  });
}

export async function failTask(
  context: Context,
  id: string | undefined,
  flags: AnswerFlags,
): Promise<number> {
  const { error = null, cause = null } = flags;
  const which = await referenceOf(context, id, flags);
  return answer(context, { which, reply: { kind: 'failure', error, cause } }, flags);
}

export async function heartbeatTask(context: Context, flags: AnswerFlags): Promise<number> {
  if (flags.token === undefined) {
    throw new WritError('USAGE', 'heartbeat needs --token', {
      hint: 'give the token that the step was called with: --token @FILE, or @- for stdin',
    });
  }
  const which = await referenceOf(context, undefined, flags);
  return answer(context, { which, reply: { kind: 'heartbeat' } }, { ...flags, continue: false });
}

/** Which task, and what is answered. */
interface Answer {
  readonly which: TaskReference;
  readonly reply: TaskReply;
}

async function answer(context: Context, given: Answer, flags: AnswerFlags): Promise<number> {
  return withPublishedWrit(context, { drives: flags.continue }, async (writ) =>
    record({ context, writ, by: await whoActs(context, writ) }, given, flags),
  );
}

async function record(
  { context, writ, by }: Answering,
  { which, reply }: Answer,
  flags: AnswerFlags,
): Promise<number> {
  const answered = await writ.answerTask(which, reply, by);
  context.output.line(answeredText(answered, reply));
  const told = { task: taskJson(answered) };
  return goOnAndTell(context, writ, { run: answered.run, continue: flags.continue, told });
}

function answeredText({ id, state, answer }: TaskRecord, reply: TaskReply): string {
  if (reply.kind === 'heartbeat') return `task ${printable(id)}: the sign of life is recorded`;
  return `task ${printable(id)} is ${state}; ${reply.kind} by ${printable(answer?.by ?? '')} is recorded`;
}

async function referenceOf(
  context: Context,
  id: string | undefined,
  { token }: AnswerFlags,
): Promise<TaskReference> {
  if (id !== undefined && token === undefined) return { id };
  if (id === undefined && token !== undefined) return { token: await tokenOf(context, token) };
  throw new WritError('USAGE', 'name one task: a form by its id, everything else with --token', {
    hint: 'list them: writ task list',
  });
}

/** A token given as @FILE or @- is in no list of processes. */
async function tokenOf({ stdin }: Context, given: string): Promise<string> {
  if (!given.startsWith('@')) return given;
  const { text } = await readNamed(given, stdin, { option: '--token', fault: 'USAGE' });
  return text.trim();
}

function requireOneStdin({ token, output }: AnswerFlags): void {
  if (token !== '@-' || output !== '@-') return;
  throw new WritError('USAGE', 'stdin is read once: --token and --output can not both be @-', {
    hint: 'give one of them as @FILE',
  });
}

/** Everything but the hash of its token, which says nothing to anybody. */
function taskJson({ tokenHash: _hash, ...record }: TaskRecord): object {
  return record;
}
