// What a crash leaves: an intent without an outcome. Only the process that holds the run's lock looks here, so such
// an attempt is lost, not running. An idempotent step runs again under the same key; any other waits for a person.
import { WritError } from '../errors.js';
import type { StepError } from '../engine/state.js';
import { stepFinished, type EntryContext } from './entries.js';
import type { Guard } from './judge.js';
import type { AttemptRecord, EntryDraft, RunRecord } from './ports.js';
import { activeState, stored } from './run-state.js';
import { settleEvent } from './settlement.js';

/** The run's current attempt when its outcome was lost (crash) or it was stopped with its process; else null. */
export async function lostAttempt(guard: Guard, run: RunRecord): Promise<AttemptRecord | null> {
  const { engine } = activeState(run);
  if (engine.node === null || engine.task === null || engine.wakeAtMs !== null) return null;
  const { attempt } = engine.task;
  const current = await guard.store.attempt(run.id, engine.node, attempt);
  const lost: readonly AttemptRecord['status'][] = ['intended', 'cancelled', 'indeterminate'];
  return current !== null && lost.includes(current.status) ? current : null;
}

/** Records the loss, then goes on by itself (idempotent) or waits for a person. */
export async function recoverLost(
  guard: Guard,
  run: RunRecord,
  lost: AttemptRecord,
  entry: EntryContext,
): Promise<RunRecord> {
  const { plan, engine } = activeState(run);
  const node = engine.node === null ? undefined : plan.nodes[engine.node];
  const nowMs = guard.clock.nowMs();
  const settled =
    node?.kind === 'task' && node.idempotent
      ? settleEvent({ kind: 'rerun', nowMs }, run, {
          entry,
          nowMs,
          random: guard.random,
          redact: guard.redact,
        })
      : { run: waitForPerson(run, lost, nowMs), entries: [], payloads: [] };
  const record: AttemptRecord = {
    ...lost,
    status: 'indeterminate',
    finishedAtMs: lost.finishedAtMs ?? nowMs,
  };
  // A stopped attempt already has its step.finished entry; a crashed one gets it now.
  const open = lost.status === 'intended' ? [await indeterminateEntry(guard, lost, nowMs, entry)] : [];
  const { run: next } = await guard.journal.commitOutcome(
    {
      entries: [...open, ...settled.entries],
      payloads: settled.payloads.map((one) => ({ ...one, entry: one.entry + open.length })),
      attempts: [{ record }],
    },
    settled.run,
  );
  return next;
}

/** What a person says about a lost attempt: run it again (a gated step asks again), or count it as failed. */
export function decideLost(
  guard: Guard,
  run: RunRecord,
  choice: 'rerun' | 'fail',
  entry: EntryContext,
): ReturnType<typeof settleEvent> {
  const nowMs = guard.clock.nowMs();
  const context = { entry, nowMs, random: guard.random, redact: guard.redact };
  if (choice === 'rerun') return settleEvent({ kind: 'rerun', nowMs }, run, context);
  const error: StepError = {
    name: 'Step.Indeterminate',
    code: 'STEP_INDETERMINATE',
    kind: 'failure',
    message: 'the outcome was lost in a crash and a person counted it as failed',
  };
  // A lost attempt is never retried by itself: the person decided that it failed.
  return settleEvent({ kind: 'failed', error, nowMs, draw: 0 }, withoutRetry(run), context);
}

function withoutRetry(run: RunRecord): RunRecord {
  const { plan, engine } = activeState(run);
  const node = engine.node === null ? undefined : plan.nodes[engine.node];
  if (node?.kind !== 'task' || engine.task === null) return run;
  const retries = node.retry.map((retrier) => retrier.maxAttempts);
  return { ...run, state: stored({ v: 1, engine: { ...engine, task: { ...engine.task, retries } } }) };
}

function waitForPerson(run: RunRecord, lost: AttemptRecord, nowMs: number): RunRecord {
  const { stepPath, attempt } = lost;
  return {
    ...run,
    status: 'indeterminate',
    waitingFor: { kind: 'person', stepPath, attempt },
    wakeAtMs: null,
    exitCode: 1,
    updatedAtMs: nowMs,
  };
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
