// Runs that this process drives without anybody waiting for them. One that waits for an answer from outside is let go
// until its approval is decided or its form or token answered, here or by another process, or the time for it is over;
// then it is driven on. The process stays alive while a run goes on or somebody waits for its end, never for a person:
// what runs here is durable, another may go on with it.
import { WritError } from '../errors.js';
import type { RunRecord } from '../runtime/ports.js';
import { taskEndsAtMs } from '../runtime/task/view.js';
import type { Writ } from '../runtime/writ.js';

/** How often it is looked at whether anything was committed, while a run waits for a person or `close` for a run. */
const POLL_MS = 100;
/** How often a run that another process drives is tried: that process may have died. */
const BUSY_MS = 1_000;
/** The longest interval there is. */
const FOR_EVER_MS = 2 ** 31 - 1;

export interface BackgroundRuns {
  /** Goes on with the run in the background; nothing when that is so already. */
  drive(runId: string): void;
  /**
   * Resolves when the run has ended, or needs a person's word on a lost attempt; rejects with what stopped its drive,
   * and with the reason of `signal`, which gives up the waiting and not the run. Keeps the process alive until then.
   */
  ended(runId: string, signal: AbortSignal): Promise<void>;
  /**
   * Nothing is driven here any more when it resolves. A run that waits is let go; one that goes on is waited for until
   * it ends or waits, at most `stopAfterMs`: then its steps are stopped.
   */
  close(stopAfterMs: number | null): Promise<void>;
}

interface Driven {
  readonly runId: string;
  readonly stop: AbortController;
  /** Rejects with what stopped the drive. */
  over: Promise<void>;
  /** Who waits for the end. */
  waiters: number;
  /** Not driven at the moment. */
  rests: boolean;
}

/** `failed` is told what stopped a drive whose end nobody waits for. */
export function openBackgroundRuns(
  writ: Writ,
  failed: (error: unknown, runId: string) => void,
): BackgroundRuns {
  const all = new Map<string, Driven>();
  let isClosing = false;

  const start = (runId: string): Driven => {
    const known = all.get(runId);
    if (known !== undefined) return known;
    const stop = new AbortController();
    const one: Driven = { runId, stop, over: Promise.resolve(), waiters: 0, rests: false };
    all.set(runId, one);
    one.over = goOn(writ, one, () => isClosing).finally(() => all.delete(runId));
    one.over.catch((error: unknown) => {
      if (one.waiters === 0) failed(error, runId);
    });
    return one;
  };

  return {
    drive(runId) {
      if (!isClosing) start(runId);
    },
    async ended(runId, signal) {
      signal.throwIfAborted();
      if (isClosing) throw closed(runId);
      const one = start(runId);
      one.waiters += 1;
      const hold = setInterval(() => undefined, FOR_EVER_MS);
      try {
        await Promise.race([one.over, rejection(signal)]);
        if (isClosing && one.stop.signal.aborted) throw closed(runId);
      } finally {
        clearInterval(hold);
        one.waiters -= 1;
      }
    },
    async close(stopAfterMs) {
      isClosing = true;
      const giveUpAtMs = stopAfterMs === null ? Infinity : performance.now() + stopAfterMs;
      await Promise.all(
        [...all.values()].map(async (one) => {
          let hasEnded = false;
          // What it rejects with is told to `failed`, or to those who wait.
          const over = one.over.catch(() => undefined).then(() => (hasEnded = true));
          while (!hasEnded && performance.now() < giveUpAtMs && !(await canBeLetGo(writ, one))) {
            await Promise.race([over, pause(POLL_MS, one.stop.signal, 'held')]);
          }
          if (!hasEnded) one.stop.abort();
          await over;
        }),
      );
    },
  };
}

/** Until the run is over, or stopped. */
async function goOn(writ: Writ, one: Driven, isClosing: () => boolean): Promise<void> {
  const { runId, stop } = one;
  let seen: string | null = null;
  for (;;) {
    const run = await driveOnce(writ, one);
    if (stop.signal.aborted || (run !== null && isOver(run)) || isClosing()) return;
    one.rests = true;
    if (run === null) await pause(BUSY_MS, stop.signal, 'unheld');
    else {
      const now = await standingOf(writ, runId);
      // The same as before the drive: then it has seen every decision there was, and any other one changes the text.
      if (now.text === seen) await untilChange(writ, run, now, stop.signal);
      seen = (await standingOf(writ, runId)).text;
    }
    one.rests = false;
    if (stop.signal.aborted) return;
  }
}

/** Null while another process drives it. */
async function driveOnce(writ: Writ, { runId, stop }: Driven): Promise<RunRecord | null> {
  try {
    return await writ.drive(runId, { stopAt: 'waiting', signal: stop.signal });
  } catch (error) {
    if (error instanceof WritError && error.code === 'RUN_BUSY') return null;
    throw error;
  }
}

interface Standing {
  /** Says of each one whether it is decided: one that was asked for and decided during a drive shows, too. */
  readonly text: string;
  /** When the first that is open is over, as things stand: a sign of life of a task moves it. */
  readonly endsAtMs: number;
}

/** All but `consumed`. */
const UNUSED = ['pending', 'approved', 'denied', 'expired', 'withdrawn', 'revoked'] as const;

/** Approvals, forms and tokens that the run has not gone on with yet. */
async function standingOf(writ: Writ, run: string): Promise<Standing> {
  const approvals = await writ.approvals({ run, states: UNUSED });
  const tasks = await writ.tasks({ run, states: ['open', 'answered'] });
  const pending = approvals.filter(({ state }) => state === 'pending').map((one) => one.expiresAtMs);
  const open = tasks.filter(({ state }) => state === 'open').map(taskEndsAtMs);
  return {
    text: [...approvals, ...tasks].map(({ id, state }) => `${id} ${state}`).join(' '),
    endsAtMs: Math.min(...pending, ...open),
  };
}

/** Resolves when something has been decided or asked for, or the time of something open, or of the run, is over. */
async function untilChange(
  writ: Writ,
  { id: runId, wakeAtMs }: RunRecord,
  before: Standing,
  signal: AbortSignal,
): Promise<void> {
  let { endsAtMs } = before;
  let seen: number | null = null;
  do {
    await pause(POLL_MS, signal, 'unheld');
    const counter = writ.changeCounter();
    if (counter === seen) continue;
    seen = counter;
    const now = await standingOf(writ, runId);
    if (now.text !== before.text) return;
    endsAtMs = now.endsAtMs;
  } while (!signal.aborted && Date.now() < Math.min(endsAtMs, wakeAtMs ?? Infinity));
}

function isOver({ status }: RunRecord): boolean {
  return ['completed', 'failed', 'cancelled', 'indeterminate'].includes(status);
}

/** Stopping it now interrupts no step. */
async function canBeLetGo(writ: Writ, { runId, rests }: Driven): Promise<boolean> {
  return rests || (await writ.status(runId, { nested: 0 })).status === 'waiting';
}

/** `unheld`: the process may end meanwhile. */
function pause(ms: number, signal: AbortSignal, hold: 'held' | 'unheld'): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (hold === 'unheld') timer.unref();
    signal.addEventListener('abort', end, { once: true });
  });
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function closed(runId: string): WritError {
  return new WritError('RUN_UNFINISHED', `writ was closed before run ${runId} had ended`, {
    hint: `the run is kept; go on with it: writ workflow resume ${runId}`,
  });
}
