import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './clock.js';

const DAY_MS = 86_400_000;

describe('system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Whether a wait until `timeMs` is over, watched from outside. */
  function watch(timeMs: number, signal = new AbortController().signal) {
    const seen = { done: false };
    void systemClock.sleepUntil(timeMs, signal).then(() => {
      seen.done = true;
    });
    return seen;
  }

  it('does not end a wait one millisecond early', async () => {
    const wait = watch(systemClock.nowMs() + 90_001);
    await vi.advanceTimersByTimeAsync(90_000);
    expect(wait.done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(wait.done).toBe(true);
  });

  it('waits longer than a timer can hold', async () => {
    const wait = watch(systemClock.nowMs() + 30 * DAY_MS);
    await vi.advanceTimersByTimeAsync(30 * DAY_MS - 1);
    expect(wait.done).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(wait.done).toBe(true);
  });

  it('follows the wall clock when it is set forward during a wait', async () => {
    const wait = watch(systemClock.nowMs() + DAY_MS);
    vi.setSystemTime(systemClock.nowMs() + DAY_MS);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(wait.done).toBe(true);
  });

  it('waits as long as it is told to, though the wall clock is set back meanwhile, or forward', async () => {
    for (const byMs of [-DAY_MS, DAY_MS]) {
      let isOver = false;
      void systemClock.sleep(90_001, new AbortController().signal).then(() => (isOver = true));
      vi.setSystemTime(systemClock.nowMs() + byMs);
      await vi.advanceTimersByTimeAsync(90_000);
      expect(isOver).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(isOver).toBe(true);
    }
  });

  it.each([0, -1])('does not wait for a time %d ms ahead', async (aheadMs) => {
    const wait = watch(systemClock.nowMs() + aheadMs);
    await vi.advanceTimersByTimeAsync(0);
    expect(wait.done).toBe(true);
  });

  it('ends at once when aborted, before or during the wait, and leaves no timer', async () => {
    const controller = new AbortController();
    const wait = watch(Infinity, controller.signal);
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(wait.done).toBe(false);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(wait.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    const late = watch(Infinity, controller.signal);
    await vi.advanceTimersByTimeAsync(0);
    expect(late.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
