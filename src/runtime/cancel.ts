// Cancelling a run: no new step starts, running sandboxes are aborted, open approvals are withdrawn. It works while
// the run waits, and from a process other than the one that advances it.
import { WritError } from '../errors.js';
import { isObject } from '../json.js';
import { approvalEnded } from './entries.js';
import { isCancelRequested } from './journal.js';
import type { Guard } from './judge.js';
import type { AttemptRecord, RunRecord } from './ports.js';
import { indeterminateEntry } from './recovery.js';
import { isFinished } from './run-state.js';
import { entryContext, load } from './run-context.js';
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

/** Ends the run as cancelled, unless it has ended. The caller holds the run's lock: no attempt of it is running. */
export async function cancelNow(guard: Guard, runId: string): Promise<void> {
  for (;;) {
    const run = await load(guard, runId);
    if (isFinished(run)) return;
    try {
      await end(guard, run);
      return;
    } catch (error) {
      // Somebody voted, or asked for the same, at this moment.
      if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    }
  }
}

async function end(guard: Guard, run: RunRecord): Promise<void> {
  // Who asked for the end stands in the log, not who started the run.
  const by = isObject(run.waitingFor) ? run.waitingFor['by'] : undefined;
  const actor = { id: typeof by === 'string' ? by : run.initiator, via: 'runner' };
  const entry = entryContext(guard, run, actor);
  const nowMs = guard.clock.nowMs();
  const open = await guard.store.approvals({ run: run.id, states: ['pending', 'approved'] });
  const entries = open.map((approval) =>
    approvalEnded(entry, 'approval.withdrawn', approval, 'run cancelled'),
  );
  const attempts: { record: AttemptRecord }[] = [];
  for (const attempt of await guard.store.attempts(run.id)) {
    const finishedAtMs = nowMs;
    if (attempt.status === 'waiting')
      attempts.push({ record: { ...attempt, status: 'cancelled', finishedAtMs } });
    if (attempt.status !== 'intended') continue;
    entries.push(await indeterminateEntry(guard, attempt, nowMs, entry));
    attempts.push({ record: { ...attempt, status: 'indeterminate', finishedAtMs } });
  }
  const settled = finished(run, 'cancelled', 1, null, null, {
    entry,
    nowMs,
    random: guard.random,
    redact: guard.redact,
  });
  await guard.journal.commitRun(
    {
      entries: [...entries, ...settled.entries],
      attempts,
      approvals: open.map((approval) => ({ op: 'update', record: { ...approval, state: 'withdrawn' } })),
    },
    settled.run,
  );
}
