// After a decision or an answer its run goes on in this process. What is recorded stays so, whatever the run does then.
import { openLocks } from '../adapters/store/locks.js';
import { isServed } from '../adapters/store/serving.js';
import { pathsOf } from '../data-directory.js';
import type { RunView, Writ } from '../runtime/writ.js';
import { untilSignal, type Context } from './context.js';
import { showErased } from './audit/erase.js';
import { asWritError, noteFailure, withPlace } from './failure.js';
import { printable } from './output.js';
import { runJson } from './run/json.js';
import { showProgress } from './run/show-progress.js';

/** What a vote or an answer leaves to do. */
export interface Recorded {
  readonly run: string;
  /** False: `--no-continue`. */
  readonly continue: boolean;
  /** What --json gives beside the run. */
  readonly told: object;
}

/** Goes on with the run, and tells how it stands. Exit 0: it is recorded. */
export async function goOnAndTell(
  context: Context,
  writ: Writ,
  { run: runId, continue: goesOn, told }: Recorded,
): Promise<number> {
  const { output } = context;
  const interrupted = goesOn ? await goOn(context, writ, runId) : null;
  const run = await writ.results(runId);
  if (output.json) output.value({ ...told, run: runJson(run) });
  else output.line(runText(run));
  showErased(output, run);
  return interrupted ?? 0;
}

/** `run run_… is completed` */
function runText(run: RunView): string {
  return `run ${printable(run.id)} is ${run.status}${run.error === null ? '' : ` (${printable(run.error.code)})`}`;
}

/**
 * Advances the run here, and beside a server only up to its next timer. Another process that does it already is fine; any
 * other failure is told, not returned.
 */
export async function goOn(context: Context, writ: Writ, runId: string): Promise<number | null> {
  const { output } = context;
  const stop = await showProgress(context, writ, runId);
  try {
    const stopAt = (await isServed(openLocks(pathsOf(context.data).locks))) ? 'resting' : 'waiting';
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(runId, { stopAt, signal });
    });
    if (stopAt === 'resting' && (await writ.status(runId, { nested: 0 })).waitingFor?.kind === 'timer')
      output.note('writ serve goes on with this run when its time has come');
    return interrupted;
  } catch (thrown) {
    const error = asWritError(withPlace(context, runId, thrown));
    if (error.code === 'RUN_BUSY') output.note('another process advances this run');
    else noteFailure(output, error, 'warning');
    return null;
  } finally {
    stop();
  }
}
