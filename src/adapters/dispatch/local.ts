// The embedded dispatcher: drives a run in this process under an operating-system lock, many steps at once, woken by
// their ends, by timers and by commits of other processes. Nothing is kept in memory that a crash could lose.
import { WritError } from '../../errors.js';
import type {
  Clock,
  Dispatcher,
  DriveOptions,
  Locks,
  Next,
  RunRecord,
  RunSteps,
  Store,
} from '../../runtime/ports.js';

/** How often the store's change counter is looked at while a run waits or a step runs. */
const POLL_MS = 50;
/** A timer that is due sooner is waited for in any case: to read a run again costs more than to keep it. */
const REST_MS = 5_000;

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
  const alarm = new Alarm(local);
  const running = new Running(local.steps, runId, alarm);
  const stopAll = (): void => {
    running.stopAll();
    alarm.ring();
  };
  drive.signal.addEventListener('abort', stopAll);
  try {
    return await driveRun(local, runId, drive, running, alarm);
  } finally {
    drive.signal.removeEventListener('abort', stopAll);
    running.stopAll();
    await running.over();
    alarm.close();
    local.steps.leave(runId);
    lock.release();
  }
}

async function driveRun(
  { steps, clock }: LocalDispatcherOptions,
  runId: string,
  drive: DriveOptions,
  running: Running,
  alarm: Alarm,
): Promise<RunRecord> {
  for (;;) {
    alarm.reset();
    // One that could not be carried out ends the drive; what else runs comes to its own end first.
    if (running.failure !== null) await running.over();
    running.throwFailure();
    if (drive.signal.aborted) await running.over();
    const next = await steps.advance(runId).catch((error: unknown) => {
      // Nothing is lost by waiting on for the store, and what runs comes to its end meanwhile.
      if (error instanceof WritError && error.code === 'STORE_BUSY' && !drive.signal.aborted) return null;
      throw error;
    });
    if (next === null) continue;
    if (next.kind === 'finished' || next.kind === 'person') return next.run;
    if (drive.signal.aborted && running.size === 0) return next.run;
    if (next.kind === 'approval' && next.start.length === 0 && drive.stopAt !== 'finished') return next.run;
    if (drive.stopAt === 'resting' && running.size === 0 && rests(next, clock.nowMs())) return next.run;
    for (const stepPath of next.stop) running.stop(stepPath);
    if (!drive.signal.aborted) for (const stepPath of next.start) running.start(stepPath);
    await alarm.wait(next.untilMs);
  }
}

/** Nothing is to be done before a time that is some way off. */
function rests({ run, start }: Extract<Next, { kind: 'work' | 'approval' }>, nowMs: number): boolean {
  return start.length === 0 && run.status === 'waiting' && (run.wakeAtMs ?? nowMs) - nowMs >= REST_MS;
}

/** The attempts that are being carried out, by step path. */
class Running {
  readonly #steps: RunSteps;
  readonly #runId: string;
  readonly #alarm: Alarm;
  readonly #attempts = new Map<string, { readonly stop: AbortController; readonly over: Promise<void> }>();
  #failure: { readonly error: unknown } | null = null;

  constructor(steps: RunSteps, runId: string, alarm: Alarm) {
    this.#steps = steps;
    this.#runId = runId;
    this.#alarm = alarm;
  }

  get size(): number {
    return this.#attempts.size;
  }

  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  start(stepPath: string): void {
    if (this.#attempts.has(stepPath)) return;
    const stop = new AbortController();
    const over = this.#steps
      .execute(this.#runId, stepPath, stop, () => this.#alarm.ring())
      .catch((error: unknown) => {
        this.#failure ??= { error };
        // Nothing can be recorded any more: nothing may go on.
        if (error instanceof WritError && error.kind === 'fatal') this.stopAll();
      })
      .then(() => {
        this.#attempts.delete(stepPath);
        this.#alarm.ring();
      });
    this.#attempts.set(stepPath, { stop, over });
  }

  stop(stepPath: string): void {
    this.#attempts.get(stepPath)?.stop.abort();
  }

  stopAll(): void {
    for (const { stop } of this.#attempts.values()) stop.abort();
  }

  /** Resolves when none is left. */
  async over(): Promise<void> {
    while (this.#attempts.size > 0) await Promise.all(Array.from(this.#attempts.values(), (one) => one.over));
  }
}

/** Rings when an attempt has moved its run on, or has ended, at a given time, or when the store has changed. */
class Alarm {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  #rang = false;
  #wake: (() => void) | null = null;
  #isPolling = false;
  #counter: number;

  constructor({ store, clock }: LocalDispatcherOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#counter = store.changeCounter();
  }

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  /** What rings from now on is not known yet to whoever looks now. */
  reset(): void {
    this.#rang = false;
  }

  /** Resolves when it has rung since `reset`, at `untilMs` at the latest. */
  async wait(untilMs: number | null): Promise<void> {
    if (this.#rang) return;
    const rung = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    void this.#poll();
    if (untilMs === null) {
      await rung;
    } else {
      const given = new AbortController();
      await Promise.race([rung, this.#clock.sleepUntil(untilMs, given.signal)]);
      given.abort();
    }
    this.#wake = null;
  }

  close(): void {
    this.#closed.abort();
  }

  /** Goes on until it is closed; a changed counter rings, whoever has changed it. */
  async #poll(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    while (!this.#closed.signal.aborted) {
      await this.#clock.sleep(POLL_MS, this.#closed.signal);
      if (this.#closed.signal.aborted) return;
      if (this.#hasChanged()) this.ring();
    }
  }

  #hasChanged(): boolean {
    const before = this.#counter;
    try {
      this.#counter = this.#store.changeCounter();
    } catch {
      // Whoever looks now is told what is wrong with the store.
      return true;
    }
    return this.#counter !== before;
  }
}
