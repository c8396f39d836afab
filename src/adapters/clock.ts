// The real clock. Waits compare against the wall clock again after every piece, so they end at the right time
// although a timer holds at most 2^31-1 ms, stands still while a machine sleeps, and the clock may be set. How long
// something takes is no matter of the wall clock: whoever sets it back makes nobody wait until it is there again.
import type { Clock } from '../runtime/ports.js';

/** How late a wait may notice that the wall clock has moved. */
const PIECE_MS = 60_000;

/** Milliseconds of the system clock; no wait resolves early, or leaves a timer behind when aborted. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleepUntil: (timeMs, signal) => sleep(() => timeMs - Date.now(), signal),
  sleep(durationMs, signal) {
    const endMs = performance.now() + durationMs;
    return sleep(() => endMs - performance.now(), signal);
  },
};

async function sleep(left: () => number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const leftMs = left();
    if (leftMs <= 0 || signal.aborted) return;
    await pieceOf(Math.min(leftMs, PIECE_MS), signal);
  }
}

function pieceOf(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.ceil(durationMs));
    signal.addEventListener('abort', end, { once: true });
  });
}
