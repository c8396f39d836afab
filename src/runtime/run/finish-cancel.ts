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
  const over = new AbortController();
  let isOver = false;
  // The time that looking takes counts as well; a clock that is set meanwhile changes nothing.
  void guard.clock.sleep(CANCEL_WAIT_MS, over.signal).then(() => {
    isOver = true;
  });
  try {
    while (!(await endHere(guard, locks, runner, runId))) {
      if (isOver) {
        throw new WritError(
          'RUN_BUSY',
          `run ${runId} was asked to stop but its process has not answered yet`,
          { hint: `look again: writ workflow status ${runId}` },
        );
      }
      await guard.clock.sleep(POLL_MS, over.signal);
    }
  } finally {
    over.abort();
  }
}

/** False while somebody else advances the run. */
async function endHere(
  guard: Guard,
  locks: Locks,
  runner: Pick<Runner, 'cancel'>,
  runId: string,
): Promise<boolean> {
  if (isFinished(await load(guard, runId))) return true;
  const lock = locks.tryHold(`run.${runId}`);
  if (lock === null) return false;
  try {
    await runner.cancel(runId);
  } finally {
    lock.release();
  }
  return true;
}
