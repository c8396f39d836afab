// Cancelling a run: no new step starts, running sandboxes are aborted, open approvals are withdrawn. It works while
// the run waits, and from a process other than the one that advances it.
import { WritError } from '../errors.js';
import { approvalEnded, stepFinished } from './entries.js';
import { isCancelRequested } from './journal.js';
import type { Guard } from './judge.js';
import type { AttemptRecord, RunRecord } from './ports.js';
import { isFinished } from './run-state.js';
import { entryContext } from './run-context.js';
import { finished } from './settlement.js';

/** Asks whoever advances the run to stop it; durable when it resolves. */
export async function requestCancel(guard: Guard, runId: string, by: string): Promise<void> {
  for (;;) {
    const run = await guard.store.run(runId);
    if (run === null || isFinished(run) || isCancelRequested(run)) return;
    try {
      await guard.journal.commitRun({ entries: [] }, { ...run, waitingFor: { kind: 'cancel', by } });
      return;
    } catch (error) {
      // The run moved on between reading and writing; ask again.
      if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    }
  }
}

/** Ends the run as cancelled. The caller holds the run's lock, so no attempt of it is running. */
export async function cancelNow(guard: Guard, run: RunRecord): Promise<void> {
  const entry = entryContext(guard, run);
  const nowMs = guard.clock.nowMs();
  const open = await guard.store.approvals({ run: run.id, states: ['pending', 'approved'] });
  const entries = open.map((approval) =>
    approvalEnded(entry, 'approval.withdrawn', approval, 'run cancelled'),
  );
  const attempts: { record: AttemptRecord }[] = [];
  for (const attempt of await guard.store.attempts(run.id)) {
    if (attempt.status === 'waiting')
      attempts.push({ record: { ...attempt, status: 'cancelled', finishedAtMs: nowMs } });
    if (attempt.status !== 'intended' || attempt.intentIndex === null) continue;
    const [row] = await guard.store.entries(attempt.intentIndex, attempt.intentIndex + 1n, 1);
    const intent = Buffer.from(row?.leafHash ?? []).toString('hex');
    const code = 'STEP_INDETERMINATE';
    const durationMs = Math.max(0, nowMs - (attempt.startedAtMs ?? nowMs));
    entries.push(stepFinished(entry, attempt, { status: 'indeterminate', intent, code, durationMs }, {}));
    attempts.push({ record: { ...attempt, status: 'indeterminate', finishedAtMs: nowMs } });
  }
  const settled = finished(run, 'cancelled', 1, null, null, { entry, nowMs, random: guard.random });
  await guard.journal.commitRun(
    {
      entries: [...entries, ...settled.entries],
      attempts,
      approvals: open.map((approval) => ({ op: 'update', record: { ...approval, state: 'withdrawn' } })),
    },
    settled.run,
  );
}
