// Runs go on beside the server, as soon as they are woken or due (due-runs.ts). A run that another process advances is
// left to it; one that could not go on is tried again, for nobody else may come to wake it.
import { WritError } from '../errors.js';
import type { Clock } from '../runtime/ports.js';
import type { Writ } from '../runtime/writ.js';
import { DueRuns, type WaitingRuns } from './due-runs.js';
import { openRunQueue } from './run-queue.js';

/** How often it is looked at whether other processes have changed anything. */
const LOOK_MS = 1_000;
/** Between two looks, however many times come one after the other. */
const LEAST_MS = 50;
/** After the first time that a run could not go on; twice as long after each that follows, up to `most`. */
const AGAIN = { firstMs: 30_000, mostMs: 3_600_000 };
/** The same where another process has the run: it may be done at any time, or die. */
const THEIRS = { firstMs: 1_000, mostMs: 30_000 };

export interface RunDriver {
  /** Begins to look for runs that may go on. */
  start(): void;
  /** The run may go on. */
  wake(run: string): void;
  /** Stops what is under way; resolves when nothing is. */
  stop(): Promise<void>;
}

interface DriverParts {
  readonly failed: (error: unknown, what: string) => void;
  readonly clock: Clock;
}

export function openRunDriver(
  writ: WaitingRuns & Pick<Writ, 'drive'>,
  { failed, clock }: DriverParts,
): RunDriver {
  const ending = new AbortController();
  const { signal } = ending;
  const due = new DueRuns(writ);
  /** How long those pause that could not go on. */
  const pauses = new Map<string, number>();
  const putBack = (run: string, { firstMs, mostMs }: typeof AGAIN): void => {
    const pauseMs = Math.min(Math.max((pauses.get(run) ?? 0) * 2, firstMs), mostMs);
    pauses.set(run, pauseMs);
    due.put(run, clock.nowMs() + pauseMs, clock.nowMs());
  };

  const queue = openRunQueue(async (run) => {
    try {
      const startMs = clock.nowMs();
      // Many runs may rest for days, and few are driven at once.
      const { wakeAtMs } = await writ.drive(run, { stopAt: 'resting', signal });
      // Its time had come, and it stands where it stood.
      if (wakeAtMs !== null && wakeAtMs <= startMs) putBack(run, AGAIN);
      else pauses.delete(run);
    } catch (error) {
      if (signal.aborted) return;
      const isTheirs = error instanceof WritError && error.code === 'RUN_BUSY';
      if (!isTheirs) failed(ofRun(run, error), 'run');
      putBack(run, isTheirs ? THEIRS : AGAIN);
    }
  });
  /** In how many milliseconds to look again. */
  const look = async (): Promise<number> => {
    const nowMs = clock.nowMs();
    try {
      for (const run of await due.take(nowMs, (one) => queue.has(one))) queue.wake(run);
      return Math.max(LEAST_MS, Math.min(LOOK_MS, due.nextMs - clock.nowMs()));
    } catch (error) {
      if (!signal.aborted) failed(error, 'approvals');
      return LOOK_MS;
    }
  };
  const keepLooking = async (): Promise<void> => {
    while (!signal.aborted) await clock.sleep(await look(), signal);
  };
  let looking: Promise<void> = Promise.resolve();
  return {
    start() {
      looking = keepLooking();
    },
    wake: (run) => {
      queue.wake(run);
    },
    async stop() {
      ending.abort();
      // Before those that are driven let go of their place: none of those that wait for one begins any more.
      const driven = queue.stop();
      await looking;
      await driven;
    },
  };
}

/** Which run it was stands in the message: faults are counted by where they happen, and runs are many. */
function ofRun(run: string, error: unknown): unknown {
  if (!(error instanceof WritError)) return error;
  return new WritError(error.code, `run ${run}: ${error.message}`, { cause: error });
}
