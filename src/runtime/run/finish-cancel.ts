// The end of a cancelled run, for whoever asked for it and does not advance the run.
import { WritError } from '../../errors.js';
import type { Guard } from '../guard-parts.js';
import type { Locks } from '../ports.js';
import { load } from './context.js';
import { isFinished } from './state.js';
import type { Runner } from '../runner.js';

/** How long the process that advances a run has for stopping its sandbox and recording that. */
const CANCEL_WAIT_MS = 10_000;
const POLL_MS = 50;

/** Ends the run here when nobody advances it; else waits until whoever does has ended it. */
export async function finishCancel(
  guard: Guard,
  locks: Locks,
  runner: Pick<Runner, 'cancel'>,
  runId: string,
): Promise<void> {
  const never = new AbortController().signal;
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const run = await load(guard, runId);
    if (isFinished(run)) return;
    const lock = locks.tryHold(`run.${runId}`);
    if (lock !== null) {
      try {
        await runner.cancel(runId);
      } finally {
        lock.release();
      }
      return;
    }
    if (waitedMs >= CANCEL_WAIT_MS) {
      throw new WritError('RUN_BUSY', `run ${runId} was asked to stop but its process has not answered yet`, {
        hint: `look again: writ workflow status ${runId}`,
      });
    }
    await guard.clock.sleep(POLL_MS, never);
  }
}
