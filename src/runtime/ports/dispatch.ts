// Who drives a run: the moves it has, and what calls them.
import type { RunRecord } from './run-record.js';

/** What has to be done for a run now. */
export type Next =
  | { readonly kind: 'finished'; readonly run: RunRecord }
  /** A lost attempt that must not run again by itself; nothing of the run is running. */
  | { readonly kind: 'person'; readonly run: RunRecord }
  /** `approval`: nothing runs and nothing may start, people hold the run up. */
  | {
      readonly kind: 'work' | 'approval';
      readonly run: RunRecord;
      /** Step paths to `execute` now; none that is being executed. */
      readonly start: readonly string[];
      /** Step paths that are being executed and have to be stopped. */
      readonly stop: readonly string[];
      /** When to look again though nothing has happened: a timer, an expiry. Null = none. */
      readonly untilMs: number | null;
    };

/**
 * The moves of a run; all idempotent, all safe to repeat after a crash. The caller holds the run's lock from the first
 * of them to `leave`: in between the run is kept in memory.
 */
export interface RunSteps {
  /**
   * To be called when something may have happened: an `execute` has ended, a time has come, the store's change counter
   * has moved. One call at a time. STORE_BUSY: another process holds the store; it is to be called again.
   */
  advance(runId: string): Promise<Next>;
  /**
   * Carries out a step; resolves when its outcome is durable, or when there is nothing to do. Stops it when `stop` is
   * aborted; a call that is over is stopped by this too, so `stop` is one of its own.
   * `moved`: an item of a map has come to its outcome, and others may begin. That becomes durable with the outcome or
   * after it, never before.
   */
  execute(runId: string, stepPath: string, stop: AbortController, moved?: () => void): Promise<void>;
  /** Nothing of the run is being executed, and the lock is about to be released. */
  leave(runId: string): void;
}

/** At least once, one `advance` per run at a time, durable timers (from the store), survives kill -9. */
export interface Dispatcher {
  /** Drives the run until it has finished, or until `stopAt` says so. Throws RUN_BUSY when another process does. */
  drive(runId: string, options: DriveOptions): Promise<RunRecord>;
}

/**
 * `waiting`: return as soon as the run waits for a person; `resting`: also when only a timer, some seconds away, is to be
 * waited for: the run says when in `wakeAtMs`; `finished`: wait for the decision too.
 */
export type StopAt = 'waiting' | 'resting' | 'finished';

export interface DriveOptions {
  /** Aborted: what runs is stopped and `drive` returns the run as it stands. */
  readonly signal: AbortSignal;
  readonly stopAt: StopAt;
}
