// Runs go on beside the server: when one was decided or answered, when a request or task of one expires, and at the
// start those that were decided and not carried out. A run that another process advances is left to it.
import { WritError } from '../errors.js';
import { taskEndsAtMs } from '../runtime/task-view.js';
import type { Writ } from '../runtime/writ.js';

const TICK_MS = 1_000;
const AT_ONCE = 4;
/** Looked at in one go. */
const AT_MOST = 500;
const OPEN = ['pending', 'approved'] as const;

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
  writ: Pick<Writ, 'approvalKeys' | 'tasks' | 'changeCounter' | 'drive'>,
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
      if (!isTheirs && !signal.aborted) failed(error, `run ${run}`);
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

  let seen = -1;
  let dueMs: number | null = null;
  let isFirst = true;
  const look = async (): Promise<void> => {
    const counter = writ.changeCounter();
    if (counter === seen && (dueMs === null || nowMs() < dueMs)) return;
    seen = counter;
    dueMs = null;
    for (const { run } of isFirst ? await writ.approvalKeys({ states: ['approved'] }) : []) wake(run);
    isFirst = false;
    // In the order of their ends: what is behind the first that has not come is not due either.
    for (const { run, expiresAtMs } of await writ.approvalKeys({ states: OPEN, limit: AT_MOST })) {
      if (expiresAtMs > nowMs()) {
        dueMs = expiresAtMs;
        break;
      }
      wake(run);
    }
    for (const task of await writ.tasks({ states: ['open', 'answered'] })) {
      const endsAtMs = taskEndsAtMs(task);
      if (task.state === 'answered' || endsAtMs <= nowMs()) wake(task.run);
      else dueMs = Math.min(dueMs ?? endsAtMs, endsAtMs);
    }
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
