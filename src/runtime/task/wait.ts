// Attempts that wait for an answer from outside, as whoever advances their run sees them: answered, given up with their
// fork, or without a sign of life for too long. Each ends in one commit with its task, so that an answer and the end of
// its time can't both count.
import type { EngineEvent, Task } from '../../engine/command.js';
import { silentAtMs } from '../../engine/agenda.js';
import type { StepError } from '../../engine/state.js';
import { ERRORS, errorName, WritError } from '../../errors.js';
import { isObject, type Commitment } from '../../json.js';
import { stepFinished, type EntryContext, type StepEnd } from '../log/entries.js';
import { drawUnit } from '../ids.js';
import type { Guard } from '../guard-parts.js';
import { isConflict, type LiveRun } from '../run/live-run.js';
import type { Move } from '../run/batch.js';
import { isIntact, openJson } from '../log/payload.js';
import type { AttemptRecord, Change, EntryDraft, TaskAnswer, TaskRecord } from '../ports.js';
import { entryContext } from '../run/context.js';
import { answerFault } from './proof.js';

/** Ended in one go. */
const AT_ONCE = 64;
/** Why an answer whose bytes are other ones does not count. */
const CHANGED = 'the stored answer is not the one that was given';

/** Goes on with what is over. False = nothing was to be done. */
export async function settleWaits(guard: Guard, live: LiveRun): Promise<boolean> {
  const waiting = live.execution.suspended();
  if (waiting.length === 0) return false;
  const nowMs = guard.clock.nowMs();
  const counter = guard.store.changeCounter();
  const answered = new Set<string>();
  if (counter !== live.answersLookedAt) {
    live.answersLookedAt = counter;
    for (const { id } of await guard.store.tasks({ run: live.id, states: ['answered'] })) answered.add(id);
  }
  const over = waiting.filter(({ waiting: wait, isStopping }) => {
    if (isStopping || answered.has(wait?.taskId ?? '')) return true;
    return (silentAtMs(wait) ?? Infinity) <= nowMs;
  });
  if (over.length === 0) return false;
  await Promise.all(over.slice(0, AT_ONCE).map((task) => settleOne({ guard, live, nowMs }, task)));
  // What did not fit, or lost against somebody else's answer, is looked at again.
  live.answersLookedAt = -1;
  return true;
}

/** An attempt that waits, and what is kept of the task it waits for. */
interface Waiting {
  readonly guard: Guard;
  readonly live: LiveRun;
  readonly task: Task;
  readonly record: TaskRecord;
  readonly nowMs: number;
}

async function settleOne(look: Pick<Waiting, 'guard' | 'live' | 'nowMs'>, task: Task): Promise<void> {
  const record = await look.guard.store.task(task.waiting?.taskId ?? '');
  if (record === null || (record.state !== 'open' && record.state !== 'answered'))
    throw new WritError('STORE_IO', `step ${task.stepPath} waits for a task that is not open`);
  const waiting = { ...look, task, record };
  try {
    const ended = await endOf(waiting);
    if (ended === null) await heard(waiting);
    else await end(waiting, ended);
  } catch (error) {
    // Somebody has answered, or given a sign of life, at this moment.
    if (!isConflict(error)) throw error;
  }
}

/** How an attempt ends. */
interface End {
  readonly event: EngineEvent;
  readonly log: StepEnd;
  readonly status: AttemptRecord['status'];
  readonly error: AttemptRecord['error'];
  readonly output: Commitment | null;
  readonly task: 'used' | 'expired' | 'withdrawn';
}

/** Null = it waits on: there was a sign of life. */
async function endOf(waiting: Waiting): Promise<End | null> {
  const { task, record, nowMs } = waiting;
  const { answer, state, aliveAtMs, heartbeatMs, expiresAtMs } = record;
  if (state === 'answered') {
    if (answer === null) throw new WritError('STORE_IO', `task ${record.id} was answered with nothing`);
    return answered(waiting, answer);
  }
  if (task.isStopping) return stopped(waiting);
  const isSilent = nowMs >= expiresAtMs || heartbeatMs === null || nowMs >= aliveAtMs + heartbeatMs;
  return isSilent ? silent(waiting) : null;
}

/** There was a sign of life since the run last heard of one. */
async function heard({ live, task, record, nowMs }: Waiting): Promise<void> {
  const { stepPath, attempt } = task;
  const event: EngineEvent = { kind: 'heartbeat', stepPath, attempt, atMs: record.aliveAtMs, nowMs };
  await live.commit(() => (standsAt(live, task) ? { events: [event] } : null), { nowMs });
}

async function answered(waiting: Waiting, answer: TaskAnswer): Promise<End> {
  const { guard, live, task, record, nowMs } = waiting;
  const { stepPath, attempt } = task;
  const row = await guard.store.attempt(live.id, stepPath, attempt);
  const fault = await answerFault(guard, { run: live.run, task: record, input: row?.input ?? null });
  const payload = await guard.store.payload(answer.payload);
  const doubt = payload !== null && isIntact(payload) ? (fault?.message ?? null) : CHANGED;
  if (doubt !== null) return disbelieved(waiting, doubt);
  const data = openJson(payload);
  if (answer.kind === 'success') {
    const event: EngineEvent = { kind: 'succeeded', output: data, stepPath, attempt, nowMs };
    return {
      ...{ event, log: 'succeeded', status: 'succeeded', error: null },
      ...{ output: answer.payload, task: 'used' },
    };
  }
  const error = failureOf(isObject(data) ? data : {});
  const message = `${answer.by} answered that it failed`;
  return {
    event: failedBy(waiting, error),
    log: 'failed',
    status: error.kind === 'refusal' ? 'refused' : 'failed',
    error: { code: error.code, name: error.name, message },
    output: null,
    task: 'used',
  };
}

function failedBy({ guard, task, nowMs }: Waiting, error: StepError): EngineEvent {
  const { stepPath, attempt } = task;
  return { kind: 'failed', error, draw: drawUnit(guard.random), stepPath, attempt, nowMs };
}

/** As whoever answered named it; a person may refuse, and that is a refusal. */
function failureOf({ error, cause }: { readonly error?: unknown; readonly cause?: unknown }): StepError {
  const name = typeof error === 'string' ? error : 'States.TaskFailed';
  const message = typeof cause === 'string' ? cause : '';
  return name === errorName('APPROVAL_DENIED')
    ? { name, code: 'APPROVAL_DENIED', kind: ERRORS.APPROVAL_DENIED.kind, message }
    : { name, code: 'FUNCTION_FAILED', kind: 'failure', message };
}

/** What the store holds is no answer of somebody who may: nothing goes on with it. */
function disbelieved(waiting: Waiting, message: string): End {
  const code = 'TASK_SIGNATURE_INVALID';
  const name = errorName(code);
  return {
    event: failedBy(waiting, { name, code, kind: ERRORS[code].kind, message }),
    log: 'failed',
    status: 'refused',
    error: { code, name, message },
    output: null,
    task: 'withdrawn',
  };
}

function stopped({ task: { stepPath, attempt }, nowMs }: Waiting): End {
  const message = 'nothing waits for its answer any more';
  return {
    event: { kind: 'stopped', stepPath, attempt, nowMs },
    log: 'cancelled',
    status: 'cancelled',
    error: { code: 'STEP_CANCELLED', name: errorName('STEP_CANCELLED'), message },
    output: null,
    task: 'withdrawn',
  };
}

function silent(waiting: Waiting): End {
  const { task, record, nowMs } = waiting;
  const { timeoutMs } = task;
  const isTooLong = nowMs >= record.expiresAtMs;
  // Of a person's two limits, the one of the form is a refusal, the one of the state a timeout.
  const hasExpired =
    record.kind === 'person' && (timeoutMs === null || record.createdAtMs + timeoutMs > record.expiresAtMs);
  const code = hasExpired ? 'APPROVAL_EXPIRED' : 'STEP_TIMEOUT';
  const name = hasExpired ? errorName(code) : isTooLong ? 'States.Timeout' : 'States.HeartbeatTimeout';
  const message = hasExpired
    ? 'nobody filled in the form in time'
    : isTooLong
      ? 'no answer came in time'
      : 'no sign of life came in time';
  return {
    event: failedBy(waiting, { name, code, kind: ERRORS[code].kind, message }),
    log: hasExpired ? 'failed' : 'timed-out',
    status: hasExpired ? 'refused' : 'timed-out',
    error: { code, name, message },
    output: null,
    task: 'expired',
  };
}

/** The outcome, the run's next record and the end of the task: one commit, in which an answer that came first wins. */
async function end({ guard, live, task, record, nowMs }: Waiting, ended: End): Promise<void> {
  const { stepPath, attempt } = task;
  const row = await guard.store.attempt(live.id, stepPath, attempt);
  if (row === null) throw new WritError('STORE_IO', `attempt ${attempt} of ${stepPath} is missing`);
  const { log: status, error, output } = ended;
  const context = entryContext(guard, live.run);
  const finished = await waitFinished(guard, row, {
    ...{ status, code: error?.code ?? null, output, nowMs, context },
  });
  const change: Pick<Change, 'entries' | 'attempts' | 'tasks'> = {
    entries: [finished],
    attempts: [{ record: { ...row, status: ended.status, output, error, finishedAtMs: nowMs } }],
    tasks: [{ op: 'update', record: { ...record, state: ended.task } }],
  };
  const move = (): Move | null => (standsAt(live, task) ? { events: [ended.event], change } : null);
  await live.commit(move, { nowMs });
}

/** Whether the run still waits there for the answer to just this attempt. */
function standsAt(live: LiveRun, { stepPath, attempt }: Task): boolean {
  const task = live.execution.task(stepPath);
  return task?.attempt === attempt && task.phase === 'callback';
}

/** What is logged of an attempt that has waited. */
export interface WaitEnd {
  readonly status: StepEnd;
  readonly code: string | null;
  readonly output: Commitment | null;
  readonly nowMs: number;
  readonly context: EntryContext;
}

/** `step.finished` of an attempt that has waited for an answer. */
export async function waitFinished(
  { store }: Pick<Guard, 'store'>,
  row: AttemptRecord,
  { status, code, output, nowMs, context }: WaitEnd,
): Promise<EntryDraft> {
  const { intentIndex, startedAtMs, stepPath } = row;
  if (intentIndex === null) throw new WritError('STORE_IO', `attempt of ${stepPath} has no intent entry`);
  const [entry] = await store.entries(intentIndex, intentIndex + 1n, 1);
  if (entry === undefined) throw new WritError('STORE_IO', `log entry ${intentIndex} is missing`);
  const intent = Buffer.from(entry.leafHash).toString('hex');
  const durationMs = Math.max(0, nowMs - (startedAtMs ?? nowMs));
  const commit = output === null ? {} : { output };
  return stepFinished(context, row, { status, intent, code, durationMs }, commit);
}
