// The real clock. Waits compare against the wall clock again after every piece, so they end at the right time
// although a timer holds at most 2^31-1 ms, stands still while a machine sleeps, and the clock may be set.
import type { Clock } from '../runtime/ports.js';

/** How late a wait may notice that the wall clock has moved. */
const PIECE_MS = 60_000;

/** Milliseconds of the system clock; `sleepUntil` never resolves early, leaves no timer behind when aborted. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleepUntil(timeMs, signal) {
    for (;;) {
      const leftMs = timeMs - Date.now();
      if (leftMs <= 0 || signal.aborted) return;
      await pieceOf(Math.min(leftMs, PIECE_MS), signal);
    }
  },
};

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
