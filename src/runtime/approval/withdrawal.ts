// Approvals that nothing waits for any more: their step's fork, or its run, has failed. They are withdrawn before the
// run goes on, so that nobody decides what can't happen and the run's end stays its last entry.
import { approvalEnded } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { isConflict, type LiveRun } from '../run/live-run.js';
import type { AttemptRecord } from '../ports.js';
import { entryContext } from '../run/context.js';

/** Also of a run that a crash interrupted between the failure and this. */
export async function withdrawDropped(guard: Guard, live: LiveRun): Promise<void> {
  for (const id of [...live.dropped]) await withdraw(guard, live, id);
}

async function withdraw(guard: Guard, live: LiveRun, id: string): Promise<void> {
  for (;;) {
    const approval = await guard.store.approval(id);
    const attempt =
      approval === null ? null : await guard.store.attempt(live.id, approval.stepPath, approval.attempt);
    // The row and its request were written together: one that no waiting attempt names was not asked for by this runner.
    if (approval === null || attempt?.status !== 'waiting' || attempt.approvalId !== id) break;
    const isStillOpen = approval.state === 'pending' || approval.state === 'approved';
    const cause = 'its step is not run any more';
    const entry = approvalEnded(entryContext(guard, live.run), 'approval.withdrawn', approval, cause);
    try {
      await guard.journal.commit({
        entries: isStillOpen ? [entry] : [],
        approvals: isStillOpen ? [{ op: 'update', record: { ...approval, state: 'withdrawn' } }] : [],
        attempts: [{ record: notRun(attempt, guard.clock.nowMs()) }],
      });
      break;
    } catch (error) {
      // Somebody voted at this moment.
      if (!isConflict(error)) throw error;
    }
  }
  live.dropped.delete(id);
}

function notRun(attempt: AttemptRecord, nowMs: number): AttemptRecord {
  return { ...attempt, status: 'cancelled', finishedAtMs: nowMs };
}
