// Other processes see that a server sees to the runs (adapters/store/serving.ts), from its start to its end. One that could
// not say so at its start, because the disk was full or the lock was long in use, says so as soon as it can.
import type { Clock, Lock } from '../runtime/ports.js';

const AGAIN_MS = 10_000;

export interface Presence {
  /** Nobody takes it for present any more when this resolves. */
  end(): Promise<void>;
}

/** Resolves after the first try; `failed` is told of each that fails. */
export async function showPresence(
  hold: () => Promise<Lock | null>,
  { failed, clock }: { readonly failed: (error: unknown) => void; readonly clock: Clock },
): Promise<Presence> {
  const ending = new AbortController();
  const { signal } = ending;
  let lock: Lock | null = null;
  const tryOnce = async (): Promise<void> => {
    try {
      lock = await hold();
    } catch (error) {
      failed(error);
    }
  };
  await tryOnce();
  const keepTrying = async (): Promise<void> => {
    while (lock === null && !signal.aborted) {
      await clock.sleep(AGAIN_MS, signal);
      if (!signal.aborted) await tryOnce();
    }
  };
  const trying = keepTrying();
  return {
    async end() {
      ending.abort();
      await trying;
      lock?.release();
    },
  };
}
