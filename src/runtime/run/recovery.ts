// What a crash leaves: intents without an outcome. Only the process that holds the run's lock looks here, and only when
// it opens the run, so such an attempt is lost, not running. An idempotent step runs again under the same key; any
// other waits for a person.
import type { EngineEvent, Task } from '../../engine/command.js';
import type { StepError, TaskWaiting } from '../../engine/state.js';
import { WritError } from '../../errors.js';
import { stepFinished, type EntryContext } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { LiveRun } from './live-run.js';
import type { AttemptRecord, Change, EntryDraft } from '../ports.js';
import { entryContext } from './context.js';

/** Losses that are recorded in one commit. */
const AT_ONCE = 100;

/** Records every loss, then lets go on by itself what may (idempotent, or being stopped); the rest waits for a person. */
export async function recoverLost(guard: Guard, live: LiveRun): Promise<void> {
  if (!live.isFinished && live.execution.head.status === 'running') {
    const tasks = live.execution
      .tasks()
      .filter(({ phase, node }) => phase === 'running' || (phase === 'lost' && node.idempotent));
    for (let at = 0; at < tasks.length; at += AT_ONCE) {
      await recover(guard, live, tasks.slice(at, at + AT_ONCE));
    }
  }
  live.isRecovered = true;
}

async function recover(guard: Guard, live: LiveRun, tasks: readonly Task[]): Promise<void> {
  const nowMs = guard.clock.nowMs();
  const context = entryContext(guard, live.run);
  const entries: EntryDraft[] = [];
  const attempts: { readonly record: AttemptRecord }[] = [];
  const events: EngineEvent[] = [];
  const tasksLost: NonNullable<Change['tasks']>[number][] = [];
  for (const task of tasks) {
    const { stepPath, attempt, node, isStopping } = task;
    const row = await guard.store.attempt(live.id, stepPath, attempt);
    const handed = isStopping ? null : await handedOver(guard, live.id, task);
    if (row !== null && handed !== null) {
      attempts.push({ record: { ...row, status: 'suspended' } });
      events.push({ kind: 'handed', waiting: handed, stepPath, attempt, nowMs });
      continue;
    }
    const waited = await guard.store.taskOfAttempt(live.id, stepPath, attempt);
    if (waited !== null) tasksLost.push({ op: 'close', id: waited.id, state: 'withdrawn' });
    // A stopped attempt already has its step.finished entry; a crashed one gets it now.
    if (row?.status === 'intended') entries.push(await indeterminateEntry(guard, row, nowMs, context));
    if (row !== null) {
      const record = { ...row, status: 'indeterminate', finishedAtMs: row.finishedAtMs ?? nowMs } as const;
      attempts.push({ record });
    }
    events.push({ kind: node.idempotent && !isStopping ? 'rerun' : 'lost', stepPath, attempt, nowMs });
  }
  await live.commitAnew(() => ({ events, change: { entries, attempts, tasks: tasksLost } }), { nowMs });
}

/**
 * The wait of a task that nothing of is lost: nothing was to be called, or it was answered, so that the call was made.
 * Null for every other one.
 */
async function handedOver(guard: Guard, run: string, task: Task): Promise<TaskWaiting | null> {
  const record = await guard.store.taskOfAttempt(run, task.stepPath, task.attempt);
  if (record === null || (record.kind === 'token' && record.state !== 'answered')) return null;
  const { id: taskId, kind: by, expiresAtMs: untilMs, heartbeatMs, aliveAtMs } = record;
  return { taskId, by, untilMs, silentUntilMs: heartbeatMs === null ? null : aliveAtMs + heartbeatMs };
}

/**
 * What a person says of every lost attempt: count it as failed, after which it is not tried again, or run it again. A gated
 * step asks again then, and whoever had it run again is one who asks.
 */
export async function decideLost(
  guard: Guard,
  live: LiveRun,
  choice: 'rerun' | 'fail',
  actor: EntryContext['actor'],
): Promise<boolean> {
  const nowMs = guard.clock.nowMs();
  const error: StepError = {
    name: 'Step.Indeterminate',
    code: 'STEP_INDETERMINATE',
    kind: 'failure',
    message: 'the outcome was lost in a crash and a person counted it as failed',
  };
  const committed = await live.commitAnew(
    () => {
      const lost = live.execution.lost();
      if (lost.length === 0) return null;
      const events = lost.map(({ stepPath, attempt }): EngineEvent => {
        const about = { stepPath, attempt, nowMs };
        return choice === 'rerun'
          ? { kind: 'rerun', by: actor.id, ...about }
          : { kind: 'failed', error, draw: 0, ...about };
      });
      return { events };
    },
    { actor, nowMs },
  );
  return committed !== null;
}

/** `step.finished` of an attempt whose outcome nobody knows. */
export async function indeterminateEntry(
  guard: Guard,
  lost: AttemptRecord,
  nowMs: number,
  entry: EntryContext,
): Promise<EntryDraft> {
  if (lost.intentIndex === null)
    throw new WritError('STORE_IO', `attempt of ${lost.stepPath} has no intent entry`);
  const [row] = await guard.store.entries(lost.intentIndex, lost.intentIndex + 1n, 1);
  if (row === undefined) throw new WritError('STORE_IO', `log entry ${lost.intentIndex} is missing`);
  const intent = Buffer.from(row.leafHash).toString('hex');
  const durationMs = Math.max(0, nowMs - (lost.startedAtMs ?? nowMs));
  return stepFinished(
    entry,
    lost,
    { status: 'indeterminate', intent, code: 'STEP_INDETERMINATE', durationMs },
    {},
  );
}
