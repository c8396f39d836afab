// The run's next record from its execution, after something has happened to it: goes on, waits, or has finished, and
// what the log says beside the attempts. Pure but for sealing payloads: it is computed while the outcome is being
// committed, so state and log can't disagree.
import type { Execution } from '../../engine/execution.js';
import type { Changes, Note, Seen, StepError } from '../../engine/state.js';
import { stepNode } from '../../engine/step-path.js';
import { ERRORS, isErrorCode } from '../../errors.js';
import type { Commitment, Json, JsonObject } from '../../json.js';
import { principalOf } from '../call/callable.js';
import { draft, type EntryContext } from '../log/entries.js';
import { sealJson, type Sealing } from '../log/payload.js';
import type { AttemptRecord, EntryDraft, PartsChange, Payload, RunRecord } from '../ports.js';
import { isCancelRequested } from '../log/journal.js';
import { referenceOf } from '../plan/outline.js';
import { sealRemains } from './remains.js';
import { planOf, stored, type FinishedState } from './state.js';

/** Process exit code of a run that waits for an approval or another answer from outside. */
export const EXIT_WAITING = 10;

export interface SettleContext extends Sealing {
  readonly entry: EntryContext;
  readonly nowMs: number;
}

/** The run's side of a commit: its next record, and what else becomes true with it. */
export interface Settlement {
  readonly run: RunRecord;
  readonly parts: PartsChange;
  readonly entries: readonly EntryDraft[];
  /** `entry` = position in `entries`. */
  readonly payloads: readonly { readonly payload: Payload; readonly entry: number }[];
  /** Steps that were skipped: they show in `status` as such, whether or not they were attempted. */
  readonly attempts: readonly { readonly record: AttemptRecord }[];
}

/** A task that waits for people. */
export interface Wait {
  readonly approvalId: string;
  readonly stepPath: string;
  readonly expiresAtMs: number;
}

/** What the execution itself does not hold. */
export interface Situation {
  /** A lost attempt that only a person may run again. */
  readonly lost: { readonly stepPath: string; readonly attempt: number } | null;
  readonly waits: ReadonlyMap<string, Wait>;
  /** The run has ended but for approvals that are to be withdrawn first: `run.finished` is its last entry. */
  readonly endsLater: boolean;
}

/** What a commit of these changes says of the run. */
export function settle(
  execution: Execution,
  changes: Changes,
  run: RunRecord,
  situation: Situation,
  context: SettleContext,
): Settlement {
  const { head, put, removed } = changes;
  const noted = noteEntries(run, changes.notes, context);
  if (head.status !== 'running' && !situation.endsLater) {
    const remains = head.status === 'failed' ? sealRemains(run.id, execution.remains(), context) : null;
    const { status, output, error } = head;
    const payload =
      error === null
        ? sealJson(run.id, 'output', output, context)
        : sealJson(run.id, 'error', toldOf(error), context);
    const exitCode = exitCodeOf(error);
    const end = { status, exitCode, error, payload, remains, seen: execution.seen };
    const ended = finished(run, end, context);
    const payloads = ended.payloads.map((one) => ({ ...one, entry: one.entry + noted.entries.length }));
    return {
      ...ended,
      entries: [...noted.entries, ...ended.entries],
      payloads: [...noted.payloads, ...payloads],
      attempts: noted.attempts,
    };
  }
  const record: RunRecord = {
    ...run,
    ...standing(execution, run, situation, context.nowMs),
    state: context.redact.json(stored({ v: 3, engine: head })),
    updatedAtMs: context.nowMs,
  };
  return { run: record, parts: { run: run.id, put, removed, ended: false }, ...noted };
}

type Standing = Pick<RunRecord, 'status' | 'waitingFor' | 'wakeAtMs' | 'exitCode'>;

function standing(execution: Execution, run: RunRecord, { lost, waits }: Situation, nowMs: number): Standing {
  // Somebody has asked for the end of the run, and whoever advances it is about to see to that.
  if (isCancelRequested(run)) {
    return { status: run.status, waitingFor: run.waitingFor, wakeAtMs: nowMs, exitCode: null };
  }
  if (lost !== null) {
    const waitingFor = { kind: 'person', ...lost };
    return { status: 'indeterminate', waitingFor, wakeAtMs: null, exitCode: 1 };
  }
  const [first] = waits.values();
  const others = waits.size > 1 ? { others: waits.size - 1 } : {};
  const approval = first === undefined ? null : { kind: 'approval', ...first, ...others };
  const outside = approval ?? taskJson(execution);
  // Whoever advances it may be gone by then: it is written down whether the run waits or goes on. One that is over but for
  // its last word is due.
  const wakeAtMs = execution.head.status === 'running' ? firstEndMs(execution, waits) : nowMs;
  if (!execution.isHeldUp) return { status: 'running', waitingFor: outside, wakeAtMs, exitCode: null };
  const timer = execution.firstTimer();
  if (timer === null && outside === null) {
    return { status: 'running', waitingFor: null, wakeAtMs, exitCode: null };
  }
  return {
    status: 'waiting',
    waitingFor: outside ?? (timer === null ? null : timerJson(execution, timer)),
    wakeAtMs,
    exitCode: outside === null ? null : EXIT_WAITING,
  };
}

/** When the first of its waits and timers ends, or its own time; null = none does by itself. */
function firstEndMs(execution: Execution, waits: Situation['waits']): number | null {
  const ends = [execution.nextTimerMs(), execution.nextWaitEndMs()];
  for (const { expiresAtMs } of waits.values()) ends.push(expiresAtMs);
  return ends.reduce((a, b) => (a === null || b === null ? (a ?? b) : Math.min(a, b)));
}

/** The first task that waits for an answer from outside; null when none does. */
function taskJson(execution: Execution): Json {
  const [first, ...others] = execution.suspended().filter(({ isStopping }) => !isStopping);
  if (first?.waiting == null) return null;
  const { stepPath, waiting } = first;
  const { taskId, by, untilMs } = waiting;
  const more = others.length === 0 ? {} : { others: others.length };
  return { kind: 'task', taskId, by, stepPath, expiresAtMs: untilMs, ...more };
}

/** A run whose time ends during the wait ends then, not when the wait is over. */
function timerJson(
  execution: Execution,
  timer: { readonly stepPath: string; readonly untilMs: number },
): Json {
  const untilMs = Math.min(timer.untilMs, execution.nextTimerMs() ?? timer.untilMs);
  return { kind: 'timer', stepPath: timer.stepPath, untilMs };
}

function noteEntries(
  run: RunRecord,
  notes: readonly Note[],
  context: SettleContext,
): Pick<Settlement, 'entries' | 'payloads' | 'attempts'> {
  const entries: EntryDraft[] = [];
  const attempts: { record: AttemptRecord }[] = [];
  const payloads: { payload: Payload; entry: number }[] = [];
  for (const note of notes) {
    switch (note.kind) {
      case 'skipped': {
        const { stepPath, reason } = note;
        const payload = sealJson(run.id, 'detail', note.detail, context);
        payloads.push({ payload, entry: entries.length });
        const commit = { detail: payload.commitment };
        entries.push(draft(context.entry, 'step.skipped', { stepPath, reason }, commit));
        // What is said of the error is data, and sealed with the detail.
        const error = note.error === undefined ? null : { ...note.error, message: 'it was skipped' };
        const told = { status: 'skipped', output: payload.commitment, error } as const;
        attempts.push({ record: noRunRow(run, { stepPath, ...told }, context.nowMs) });
        break;
      }
      case 'unstarted': {
        // Its text stands in the error of the run, sealed.
        const error = { ...note.error, message: 'it failed before its first attempt' };
        const told = { stepPath: note.stepPath, status: 'failed', error } as const;
        attempts.push({ record: noRunRow(run, told, context.nowMs) });
        break;
      }
      case 'loop-ended': {
        const { stepPath, iterations, converged } = note;
        entries.push(draft(context.entry, 'loop.ended', { stepPath, iterations, converged }));
        break;
      }
      case 'retried': {
        const { stepPath, attempt, delayMs } = note;
        entries.push(draft(context.entry, 'step.retried', { stepPath, attempt, delayMs }));
        break;
      }
      case 'approval-dropped':
        // Withdrawn by itself, in a commit that can lose against a vote: see withdrawal.ts.
        break;
    }
  }
  return { entries, payloads, attempts };
}

/** Attempt 0: there is none of that number, and none has to have been. The output of one that was skipped is why. */
function noRunRow(
  run: RunRecord,
  told: Pick<AttemptRecord, 'stepPath' | 'status'> & Partial<Pick<AttemptRecord, 'output' | 'error'>>,
  nowMs: number,
): AttemptRecord {
  const { stepPath } = told;
  const plan = planOf(run);
  const node = stepNode(plan, stepPath);
  return {
    run: run.id,
    attempt: 0,
    functionId: node === null ? '' : referenceOf(node.call),
    principal: node === null ? run.initiator : principalOf(plan, run, node),
    idempotencyKey: '',
    input: null,
    output: null,
    approvalId: null,
    error: null,
    startedAtMs: nowMs,
    finishedAtMs: nowMs,
    intentIndex: null,
    iteration: null,
    item: null,
    turn: null,
    converged: null,
    ...told,
  };
}

/** What is kept with the run's data, and gone with it. */
function toldOf({ message, hint }: StepError): JsonObject {
  return { message, ...(hint === undefined ? {} : { hint }) };
}

/** How a run has ended, and what is left of it. */
export interface RunEnd {
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly exitCode: number;
  /** Null of one that did not fail. */
  readonly error: StepError | null;
  /** Its output, or what is told of its error. */
  readonly payload: Payload | null;
  /** What a redrive would go on with, of one that did not complete. */
  readonly remains: Payload | null;
  readonly seen: ReadonlyMap<string, Seen>;
}

/** A finished run keeps commitments and the nodes it came to; its engine state, and with it all data, is dropped. */
export function finished(
  run: RunRecord,
  { status, exitCode, error, payload, remains, seen }: RunEnd,
  context: SettleContext,
): Settlement {
  const payloads = [payload, remains].flatMap((one) => (one === null ? [] : [{ payload: one, entry: 0 }]));
  const commit: Record<string, Commitment> = Object.fromEntries(
    payloads.map((one) => [one.payload.label, one.payload.commitment]),
  );
  const entry = draft(
    context.entry,
    'run.finished',
    { status, exitCode, reason: error?.code ?? null },
    commit,
  );
  const state: FinishedState = {
    v: 1,
    output: error === null && payload !== null ? payload.commitment : null,
    error:
      error === null || payload === null
        ? null
        : { code: error.code, name: error.name, detail: payload.commitment },
    seen: Object.fromEntries(seen),
    ...(remains === null ? {} : { remains: remains.commitment }),
  };
  const record: RunRecord = {
    ...run,
    status,
    state: stored(state),
    waitingFor: null,
    wakeAtMs: null,
    exitCode,
    updatedAtMs: context.nowMs,
  };
  return {
    run: record,
    parts: { run: run.id, put: new Map(), removed: [], ended: true, mayGoOn: remains !== null },
    entries: [entry],
    payloads,
    attempts: [],
  };
}

function exitCodeOf(error: StepError | null): number {
  if (error === null) return 0;
  return isErrorCode(error.code) ? ERRORS[error.code].exit : 1;
}
