// Waiting, which ends early when whoever waits is to stop.
import { setTimeout as wait } from 'node:timers/promises';

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // It rejects for the signal alone, which whoever waits looks at.
  await wait(ms, undefined, { signal }).catch(() => undefined);
}
