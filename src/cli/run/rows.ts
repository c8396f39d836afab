// A run as rows of a terminal while it goes on: its steps with what each is at, who is waited for and until when, and
// what a step says just now. One row per step, never one per item; what does not fit is counted. Words, never colour
// alone; text of documents and models is made printable.
import type { OutlineStep } from '../../runtime/plan/outline.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import { stepLabel } from '../../engine/step-path.js';
import { stepStatus, type StepStatus } from '../../runtime/view/step-status.js';
import type { RunView, StepView } from '../../runtime/writ.js';
import { printable, type Colors } from '../output.js';
import { iterationsText } from './progress.js';
import { expiryText, statusWord } from './render.js';
import { durationText } from '../time-text.js';

export interface RunScene {
  readonly run: RunView;
  /** The steps of its plan. */
  readonly outline: readonly OutlineStep[];
  /** Requests that wait for people, oldest first. */
  readonly pending: readonly ApprovalRecord[];
  /** What a step of this process says just now; attacker-controlled. */
  readonly said: { readonly stepPath: string; readonly text: string } | null;
  /** The last row: what a key does. */
  readonly foot: string;
}

interface Place {
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly colors: Colors;
}

const APPROVALS_SHOWN = 2;
const SAID_SHOWN = 4;
const STATUS_WIDTH = 13;
const NAME_MOST = 32;

/** At most `rows` rows of about `columns`; longer ones are for the caller to cut. */
export function runRows(scene: RunScene, place: Place): readonly string[] {
  const { run } = scene;
  const { colors, nowMs, rows } = place;
  const took = durationText((isOver(run) ? run.updatedAtMs : nowMs) - run.createdAtMs);
  const head = [
    `run ${printable(run.id)}  ${printable(run.workflow.id)} version ${run.workflow.version}`,
    `${statusWord(run.status, colors)}, ${took}${waitText(scene)}`,
    '',
  ];
  const below = [...approvalRows(scene, place), ...saidRows(scene, place), '', scene.foot];
  const room = Math.max(1, rows - head.length - below.length);
  return [...head, ...stepRows(scene, place, room), ...below].slice(0, rows);
}

function isOver({ status }: RunView): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled';
}

function waitText({ run: { waitingFor } }: RunScene): string {
  if (waitingFor?.kind === 'timer')
    return `, until ${new Date(waitingFor.untilMs).toISOString().slice(11, 19)}Z`;
  if (waitingFor?.kind === 'person') return ', for a person: an outcome was lost';
  if (waitingFor?.kind === 'cancel') return ', it is being cancelled';
  return '';
}

/** A step of the plan, and what has become of it. */
interface Row {
  readonly name: string;
  readonly isMember: boolean;
  readonly step: OutlineStep | null;
  readonly view: StepView | null;
  /** `not run`: the run ended before it. */
  readonly status: StepStatus | 'not run';
}

function stepRows(scene: RunScene, place: Place, room: number): string[] {
  const all = rowsOf(scene);
  const nameWidth = Math.min(NAME_MOST, Math.max(4, ...all.map((row) => labelOf(row).length)));
  const { from, to } = windowOf(all, room);
  const lines = all.slice(from, to).map((row) => rowText(row, nameWidth, place));
  return [
    ...(from > 0 ? [`  ${from} ${from === 1 ? 'step' : 'steps'} before`] : []),
    ...lines,
    ...(to < all.length ? [`  ${all.length - to} more ${all.length - to === 1 ? 'step' : 'steps'}`] : []),
  ];
}

function rowsOf({ run, outline }: RunScene): readonly Row[] {
  const isEnded = isOver(run);
  const left = new Map(run.steps.map((view) => [view.stepPath, view]));
  const rows = outline
    .filter((step) => step.kind === 'task')
    .map((step): Row => {
      const found = left.get(step.key) ?? [...left.values()].find((one) => one.name === step.name) ?? null;
      if (found !== null) left.delete(found.stepPath);
      const view = found?.status === 'pending' ? null : found;
      const status = view === null ? (isEnded ? 'not run' : 'pending') : stepStatus(view.status);
      const isMember = step.group !== null && outline.some((one) => one !== step && one.group === step.group);
      return { name: step.name, isMember, step, view, status };
    });
  const others = [...left.values()].map((view): Row => {
    return { name: view.name, isMember: false, step: null, view, status: stepStatus(view.status) };
  });
  return [...rows, ...others];
}

/** The rows around the first one that is not done. */
function windowOf(all: readonly Row[], room: number): { readonly from: number; readonly to: number } {
  if (all.length <= room) return { from: 0, to: all.length };
  const fits = Math.max(1, room - 2);
  const active = all.findIndex(({ status }) => status !== 'completed' && status !== 'skipped');
  const at = active < 0 ? all.length - 1 : active;
  const from = Math.min(Math.max(0, at - Math.floor(fits / 3)), all.length - fits);
  return { from, to: from + fits };
}

function labelOf({ name, isMember }: Row): string {
  return `${isMember ? '| ' : ''}${printable(name)}`;
}

function rowText(row: Row, nameWidth: number, place: Place): string {
  const { colors } = place;
  const label = labelOf(row);
  const name = label.length > nameWidth ? `${label.slice(0, nameWidth - 1)}…` : label.padEnd(nameWidth);
  const word = row.status.padEnd(STATUS_WIDTH);
  return `  ${coloured(row.status, word, colors)}${name}  ${detailOf(row, place)}`.trimEnd();
}

function coloured(status: Row['status'], word: string, colors: Colors): string {
  if (status === 'completed') return colors.green(word);
  if (status === 'waiting') return colors.yellow(word);
  if (status === 'running') return colors.cyan(word);
  if (status === 'failed' || status === 'cancelled' || status === 'indeterminate') return colors.red(word);
  return colors.dim(word);
}

function detailOf({ step, view, status }: Row, { nowMs }: Place): string {
  if (view === null)
    return step?.map == null && step?.loop != null ? `at most ${step.loop.maxIterations} iterations` : '';
  const parts: string[] = [];
  const { items, iterations, attempts, converged, durationMs, startedAtMs, error, reason } = view;
  if (items !== undefined) {
    const failed = items.failed === 0 ? '' : `, ${items.failed} failed`;
    parts.push(`${countText(items.done)} of ${countText(items.total)} items${failed}`);
  } else if (iterations !== undefined) {
    const most = step?.loop?.maxIterations;
    parts.push(
      status === 'running' && most !== undefined
        ? `iteration ${iterations} of ${most}`
        : iterationsText(iterations),
    );
    if (converged === false) parts.push('until was never true');
  } else if (attempts > 1) {
    parts.push(status === 'running' ? `attempt ${attempts}` : `${attempts} attempts`);
  }
  const calls = items === undefined ? (view.nested?.length ?? 0) + (view.more ?? 0) : 0;
  if (calls > 0) parts.push(`${calls} calls`);
  if (reason !== undefined) parts.push(reason);
  if (error !== null) parts.push(printable(error.code));
  if (durationMs !== null && status !== 'running') parts.push(durationText(durationMs));
  else if (status === 'running' && startedAtMs !== null) parts.push(durationText(nowMs - startedAtMs));
  return parts.join(', ');
}

/** A step path with the name that the document gives the step. */
function labelOfPath({ outline }: RunScene, stepPath: string): string {
  const isNamed = ({ mode }: OutlineStep): boolean => mode !== null && mode !== 'task';
  const nameOf = (key: string): string | null =>
    outline.find((one) => one.key === key && isNamed(one))?.name ?? null;
  return printable(stepLabel(nameOf, stepPath));
}

function approvalRows(scene: RunScene, { nowMs, colors }: Place): string[] {
  const { pending } = scene;
  if (pending.length === 0) return [];
  const rows = pending.slice(0, APPROVALS_SHOWN).flatMap(({ id, stepPath, quorum, votes, expiresAtMs }) => {
    const given = votes.filter((vote) => vote.decision === 'approve').length;
    const needed = quorum.map(({ role, n }) => `${n} x ${printable(role)}`).join(' and ');
    return [
      colors.yellow(
        `waits for approval of ${labelOfPath(scene, stepPath)}: ${needed}, ${given} given, expires ${expiryText(expiresAtMs, nowMs)}`,
      ),
      `  writ approvals show ${printable(id)}`,
    ];
  });
  const more = pending.length - APPROVALS_SHOWN;
  return ['', ...rows, ...(more > 0 ? [`  and ${more} more: writ approvals list`] : [])];
}

/** The end of what is being said, in rows. */
function saidRows(scene: RunScene, { columns, colors }: Place): string[] {
  const { said } = scene;
  if (said === null || said.text === '') return [];
  const width = Math.max(20, columns - 4);
  // Only the end is shown: no more of it is looked at.
  const tail = said.text.slice(-2 * SAID_SHOWN * width);
  const lines = tail.split(/\r?\n/u).flatMap((line) => chunks(printable(line), width));
  return [
    '',
    `${labelOfPath(scene, said.stepPath)} says:`,
    ...lines.slice(-SAID_SHOWN).map((line) => colors.dim(`  ${line}`)),
  ];
}

function chunks(line: string, width: number): string[] {
  const characters = Array.from(line);
  const found: string[] = [];
  for (let at = 0; at < characters.length; at += width) found.push(characters.slice(at, at + width).join(''));
  return found.length === 0 ? [''] : found;
}

/** `10,000` */
function countText(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/gu, ',');
}
