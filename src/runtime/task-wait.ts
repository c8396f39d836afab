// Attempts that wait for an answer from outside, as whoever advances their run sees them: answered, given up with their
// fork, or without a sign of life for too long. Each ends in one commit with its task, so that an answer and the end of
// its time can't both count.
import type { EngineEvent, Task } from '../engine/command.js';
import { silentAtMs } from '../engine/execution.js';
import type { StepError } from '../engine/state.js';
import { ERRORS, errorName, WritError } from '../errors.js';
import { isObject, type Commitment } from '../json.js';
import { stepFinished, type EntryContext, type StepEnd } from './entries.js';
import { drawUnit } from './ids.js';
import type { Guard } from './guard-parts.js';
import { isConflict, type LiveRun } from './live-run.js';
import type { Move } from './run-batch.js';
import { isIntact, openJson } from './payload.js';
import type { AttemptRecord, Change, EntryDraft, TaskRecord } from './ports.js';
import { entryContext } from './run-context.js';
import { answerFault } from './task-proof.js';

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
  await Promise.all(over.slice(0, AT_ONCE).map((task) => settleOne(guard, live, task, nowMs)));
  // What did not fit, or lost against somebody else's answer, is looked at again.
  live.answersLookedAt = -1;
  return true;
}

async function settleOne(guard: Guard, live: LiveRun, task: Task, nowMs: number): Promise<void> {
  const record = await guard.store.task(task.waiting?.taskId ?? '');
  if (record === null || (record.state !== 'open' && record.state !== 'answered'))
    throw new WritError('STORE_IO', `step ${task.stepPath} waits for a task that is not open`);
  try {
    const { aliveAtMs, heartbeatMs } = record;
    if (record.state === 'answered') await goOn(guard, live, task, record, nowMs);
    else if (task.isStopping) await end(guard, live, task, record, stopped(task, nowMs), nowMs);
    else if (nowMs >= record.expiresAtMs || heartbeatMs === null || nowMs >= aliveAtMs + heartbeatMs)
      await end(guard, live, task, record, silent(guard, task, record, nowMs), nowMs);
    else await heard(live, task, aliveAtMs, nowMs);
  } catch (error) {
    // Somebody has answered, or given a sign of life, at this moment.
    if (!isConflict(error)) throw error;
  }
}

/** There was a sign of life since the run last heard of one. */
async function heard(live: LiveRun, { stepPath, attempt }: Task, atMs: number, nowMs: number): Promise<void> {
  const event: EngineEvent = { kind: 'heartbeat', stepPath, attempt, atMs, nowMs };
  await live.commit(() => (standsAt(live, stepPath, attempt) ? { events: [event] } : null), { nowMs });
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

async function goOn(
  guard: Guard,
  live: LiveRun,
  task: Task,
  record: TaskRecord,
  nowMs: number,
): Promise<void> {
  const { answer } = record;
  if (answer === null) throw new WritError('STORE_IO', `task ${record.id} was answered with nothing`);
  const { stepPath, attempt } = task;
  const row = await guard.store.attempt(live.id, stepPath, attempt);
  const fault = await answerFault(guard, { run: live.run, task: record, input: row?.input ?? null });
  const payload = await guard.store.payload(answer.payload);
  const doubt = payload !== null && isIntact(payload) ? (fault?.message ?? null) : CHANGED;
  if (doubt !== null) return end(guard, live, task, record, disbelieved(guard, task, doubt, nowMs), nowMs);
  const about = { stepPath, attempt, nowMs };
  const data = openJson(payload);
  if (answer.kind === 'success') {
    const event: EngineEvent = { kind: 'succeeded', output: data, ...about };
    const ended = { event, log: 'succeeded', status: 'succeeded', error: null, task: 'used' } as const;
    return end(guard, live, task, record, { ...ended, output: answer.payload }, nowMs);
  }
  const error = failureOf(isObject(data) ? data : {});
  const event: EngineEvent = { kind: 'failed', error, draw: drawUnit(guard.random), ...about };
  const message = `${answer.by} answered that it failed`;
  await end(
    guard,
    live,
    task,
    record,
    {
      event,
      log: 'failed',
      status: error.kind === 'refusal' ? 'refused' : 'failed',
      error: { code: error.code, name: error.name, message },
      output: null,
      task: 'used',
    },
    nowMs,
  );
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
function disbelieved(guard: Guard, { stepPath, attempt }: Task, message: string, nowMs: number): End {
  const code = 'TASK_SIGNATURE_INVALID';
  const name = errorName(code);
  const error: StepError = { name, code, kind: ERRORS[code].kind, message };
  return {
    event: { kind: 'failed', error, draw: drawUnit(guard.random), stepPath, attempt, nowMs },
    log: 'failed',
    status: 'refused',
    error: { code, name, message },
    output: null,
    task: 'withdrawn',
  };
}

function stopped({ stepPath, attempt }: Task, nowMs: number): End {
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

function silent(guard: Guard, task: Task, record: TaskRecord, nowMs: number): End {
  const { stepPath, attempt, timeoutMs } = task;
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
  const error: StepError = { name, code, kind: ERRORS[code].kind, message };
  return {
    event: { kind: 'failed', error, draw: drawUnit(guard.random), stepPath, attempt, nowMs },
    log: hasExpired ? 'failed' : 'timed-out',
    status: hasExpired ? 'refused' : 'timed-out',
    error: { code, name, message },
    output: null,
    task: 'expired',
  };
}

/** The outcome, the run's next record and the end of the task: one commit, in which an answer that came first wins. */
async function end(
  guard: Guard,
  live: LiveRun,
  { stepPath, attempt }: Task,
  record: TaskRecord,
  ended: End,
  nowMs: number,
): Promise<void> {
  const row = await guard.store.attempt(live.id, stepPath, attempt);
  if (row === null) throw new WritError('STORE_IO', `attempt ${attempt} of ${stepPath} is missing`);
  const { log: status, error, output } = ended;
  const finished = await waitFinished(guard, live, row, { status, code: error?.code ?? null, output }, nowMs);
  const change: Pick<Change, 'entries' | 'attempts' | 'tasks'> = {
    entries: [finished],
    attempts: [{ record: { ...row, status: ended.status, output, error, finishedAtMs: nowMs } }],
    tasks: [{ op: 'update', record: { ...record, state: ended.task } }],
  };
  const move = (): Move | null =>
    standsAt(live, stepPath, attempt) ? { events: [ended.event], change } : null;
  await live.commit(move, { nowMs });
}

function standsAt(live: LiveRun, stepPath: string, attempt: number): boolean {
  const task = live.execution.task(stepPath);
  return task?.attempt === attempt && task.phase === 'callback';
}

/** `step.finished` of an attempt that has waited for an answer. */
export async function waitFinished(
  guard: Guard,
  live: Pick<LiveRun, 'run'>,
  row: AttemptRecord,
  ended: { readonly status: StepEnd; readonly code: string | null; readonly output: Commitment | null },
  nowMs: number,
  context: EntryContext = entryContext(guard, live.run),
): Promise<EntryDraft> {
  const { intentIndex, startedAtMs, stepPath } = row;
  if (intentIndex === null) throw new WritError('STORE_IO', `attempt of ${stepPath} has no intent entry`);
  const [entry] = await guard.store.entries(intentIndex, intentIndex + 1n, 1);
  if (entry === undefined) throw new WritError('STORE_IO', `log entry ${intentIndex} is missing`);
  const intent = Buffer.from(entry.leafHash).toString('hex');
  const { status, code, output } = ended;
  const durationMs = Math.max(0, nowMs - (startedAtMs ?? nowMs));
  const commit = output === null ? {} : { output };
  return stepFinished(context, row, { status, intent, code, durationMs }, commit);
}
