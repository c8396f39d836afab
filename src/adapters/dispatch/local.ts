// The embedded dispatcher: drives a run in this process under an operating-system lock, woken by timers and by
// commits of other processes. Nothing is kept in memory that a crash could lose.
import { WritError } from '../../errors.js';
import type {
  Clock,
  Dispatcher,
  DriveOptions,
  Locks,
  RunRecord,
  RunSteps,
  Store,
} from '../../runtime/ports.js';

/** How often the store's change counter is looked at while a run waits or a step runs. */
const POLL_MS = 50;

export interface LocalDispatcherOptions {
  readonly steps: RunSteps;
  readonly store: Store;
  readonly locks: Locks;
  readonly clock: Clock;
}

export function openLocalDispatcher(options: LocalDispatcherOptions): Dispatcher {
  return { drive: (runId, drive) => driveLocked(options, runId, drive) };
}

async function driveLocked(
  local: LocalDispatcherOptions,
  runId: string,
  drive: DriveOptions,
): Promise<RunRecord> {
  const lock = local.locks.tryHold(`run.${runId}`);
  if (lock === null) {
    throw new WritError('RUN_BUSY', `run ${runId} is being advanced by another process`, {
      hint: `follow it: writ workflow status ${runId}`,
    });
  }
  try {
    return await driveRun(local, runId, drive);
  } finally {
    lock.release();
  }
}

async function driveRun(
  local: LocalDispatcherOptions,
  runId: string,
  drive: DriveOptions,
): Promise<RunRecord> {
  const { steps, clock } = local;
  for (;;) {
    const next = await steps.advance(runId);
    if (next.kind === 'finished' || next.kind === 'person' || drive.signal.aborted) return next.run;
    switch (next.kind) {
      case 'execute':
        await executeWatched(local, runId, drive.signal);
        break;
      case 'timer':
        await untilChange(local, next.untilMs, drive.signal);
        break;
      case 'approval':
        if (drive.stopAt === 'waiting') return next.run;
        await untilChange(local, Math.max(next.expiresAtMs, clock.nowMs()), drive.signal);
        break;
    }
  }
}

/** Runs the step and stops it when somebody asks for the run to be cancelled. */
async function executeWatched(
  local: LocalDispatcherOptions,
  runId: string,
  signal: AbortSignal,
): Promise<void> {
  const { steps, store, clock } = local;
  const stop = new AbortController();
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    let seen = store.changeCounter();
    while (!over.signal.aborted) {
      await clock.sleepUntil(clock.nowMs() + POLL_MS, over.signal);
      const counter = store.changeCounter();
      if (counter === seen) continue;
      seen = counter;
      if (cancelAsked(await store.run(runId))) stop.abort();
    }
  };
  const watching = watch();
  try {
    await steps.execute(runId, AbortSignal.any([signal, stop.signal]));
  } catch (error) {
    // Somebody changed the run before the intent was written: nothing ran; advance looks at it again.
    if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
  } finally {
    over.abort();
    await watching;
  }
}

function cancelAsked(run: RunRecord | null): boolean {
  const waiting = run?.waitingFor;
  return typeof waiting === 'object' && waiting !== null && 'kind' in waiting && waiting.kind === 'cancel';
}

async function untilChange(
  local: LocalDispatcherOptions,
  untilMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { store, clock } = local;
  const seen = store.changeCounter();
  while (!signal.aborted && clock.nowMs() < untilMs && store.changeCounter() === seen) {
    await clock.sleepUntil(Math.min(untilMs, clock.nowMs() + POLL_MS), signal);
  }
}
