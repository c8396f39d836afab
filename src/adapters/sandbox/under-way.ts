// What a driver is carrying out. Closing stops it and waits for it, so that a closed driver leaves nothing running.
import type { SandboxResult } from '../../runtime/ports.js';

export class UnderWay {
  readonly #acts = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #onResult: ((result: SandboxResult) => void) | undefined;

  /** `onResult` is told each result before the caller is. */
  constructor(onResult: ((result: SandboxResult) => void) | undefined) {
    this.#onResult = onResult;
  }

  /** `act` is stopped by `signal` and by closing. */
  async carryOut(
    signal: AbortSignal,
    act: (signal: AbortSignal) => Promise<SandboxResult>,
  ): Promise<SandboxResult> {
    const work = act(AbortSignal.any([signal, this.#closing.signal]));
    this.#acts.add(work);
    try {
      const result = await work;
      this.#onResult?.(result);
      return result;
    } finally {
      this.#acts.delete(work);
    }
  }

  get isStopped(): boolean {
    return this.#closing.signal.aborted;
  }

  /** From now on everything is stopped. */
  stop(): void {
    this.#closing.abort();
  }

  /** Resolves when nothing runs any more. */
  async over(): Promise<void> {
    await Promise.allSettled(this.#acts);
  }
}
