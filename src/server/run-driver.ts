// Runs go on beside the server: when one was decided or answered, here or by another process that does not go on with it,
// when a request or task of one expires, and at the start those that were decided and not carried out. A run that another
// process advances is left to it.
import { WritError } from '../errors.js';
import type { Writ } from '../runtime/writ.js';

const TICK_MS = 1_000;
const AT_ONCE = 4;
/** Looked at in one go. */
const AT_MOST = 500;
const OPEN = ['pending', 'approved'] as const;
/** Whoever decides at a terminal goes on with the run there, at once: it is theirs for so long. */
const THEIRS_MS = 3_000;
/** Entries of the log that are read in one go. */
const BATCH = 500;

export interface RunDriver {
  /** The run may go on. */
  wake(run: string): void;
  /** Stops what is under way; resolves when nothing is. */
  stop(): Promise<void>;
}

interface DriverParts {
  readonly failed: (error: unknown, what: string) => void;
  readonly nowMs: () => number;
}

export function openRunDriver(
  writ: Pick<Writ, 'approvalKeys' | 'dueTasks' | 'decidedRuns' | 'outbox' | 'changeCounter' | 'drive'>,
  { failed, nowMs }: DriverParts,
): RunDriver {
  const ending = new AbortController();
  const { signal } = ending;
  const waiting = new Set<string>();
  const driving = new Map<string, Promise<void>>();

  const drive = async (run: string): Promise<void> => {
    try {
      await writ.drive(run, { stopAt: 'waiting', signal });
    } catch (error) {
      const isTheirs = error instanceof WritError && error.code === 'RUN_BUSY';
      if (!isTheirs && !signal.aborted) failed(ofRun(run, error), 'run');
    } finally {
      driving.delete(run);
      next();
    }
  };
  const next = (): void => {
    for (const run of waiting) {
      if (signal.aborted || driving.size >= AT_ONCE) return;
      // Decided again while it is driven: once more when that has ended.
      if (driving.has(run)) continue;
      waiting.delete(run);
      driving.set(run, drive(run));
    }
  };
  const wake = (run: string): void => {
    waiting.add(run);
    next();
  };

  /** Decided, and to be looked at from this time on. */
  const decided = new Map<string, number>();
  let place: bigint | null = null;
  const collectDecided = async (): Promise<void> => {
    if (place === null) {
      const end = await writ.outbox.end();
      for (const run of await writ.decidedRuns()) decided.set(run, nowMs());
      place = end;
    }
    for (let isEnd = false; !isEnd && !signal.aborted;) {
      const { events, next, end } = await writ.outbox.read(place, BATCH);
      for (const { type, record, timeMs } of events) {
        const isOver =
          type === 'approval.expired' || (type === 'approval.decided' && record.state !== 'pending');
        if (isOver && record.state !== 'consumed')
          decided.set(record.run, Math.min(timeMs, nowMs()) + THEIRS_MS);
      }
      [place, isEnd] = [next, end];
    }
  };

  let seen = -1;
  let dueMs = Infinity;
  const look = async (): Promise<void> => {
    const counter = writ.changeCounter();
    if (counter === seen && nowMs() < dueMs) return;
    let nextMs = Infinity;
    await collectDecided();
    for (const [run, fromMs] of decided) {
      if (fromMs <= nowMs()) {
        decided.delete(run);
        wake(run);
      } else nextMs = Math.min(nextMs, fromMs);
    }
    // In the order of their ends: what is behind the first that has not come is not due either.
    for (const { run, expiresAtMs } of await writ.approvalKeys({ states: OPEN, limit: AT_MOST })) {
      if (expiresAtMs > nowMs()) {
        nextMs = Math.min(nextMs, expiresAtMs);
        break;
      }
      wake(run);
    }
    for (const { run, dueMs } of await writ.dueTasks(AT_MOST)) {
      if (dueMs > nowMs()) {
        nextMs = Math.min(nextMs, dueMs);
        break;
      }
      wake(run);
    }
    // Only now: a look that failed on its way has to be made again.
    [seen, dueMs] = [counter, nextMs];
  };
  let looking: Promise<void> = Promise.resolve();
  const tick = (): void => {
    looking = looking.then(look).catch((error: unknown) => {
      if (!signal.aborted) failed(error, 'approvals');
    });
  };
  const timer = setInterval(tick, TICK_MS);
  tick();
  return {
    wake,
    async stop() {
      clearInterval(timer);
      ending.abort();
      waiting.clear();
      await looking;
      await Promise.all(driving.values());
    },
  };
}

/** Which run it was stands in the message: faults are counted by where they happen, and runs are many. */
function ofRun(run: string, error: unknown): unknown {
  if (!(error instanceof WritError)) return error;
  return new WritError(error.code, `run ${run}: ${error.message}`, { cause: error });
}
