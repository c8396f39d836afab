// Children that are booted before they are needed. Each serves one run and is killed; nothing of a run reaches the
// next. An idle pool empties itself, never keeps the runner alive, and is empty after close.
import type { WasmChild } from './child-process.js';

/** How long a child may wait for work. */
const IDLE_MS = 60_000;

export interface Pool {
  /** The oldest child that is warm or booting, or a new one. Rejects with SANDBOX_UNAVAILABLE. */
  take(): Promise<WasmChild>;
  /** Returns a child that has run nothing. */
  putBack(child: WasmChild): void;
  /** Boots until `size` children wait. Failures show at the next `take`. */
  fill(): void;
  /** Kills what waits and resolves when it is gone. */
  close(): Promise<void>;
}

export function openPool(size: number, boot: (signal: AbortSignal) => Promise<WasmChild>): Pool {
  const waiting: Promise<WasmChild>[] = [];
  const closing = new AbortController();
  let idle: NodeJS.Timeout | null = null;

  const start = (): Promise<WasmChild> => {
    const child = boot(closing.signal);
    child.catch(() => undefined); // told to whoever takes it
    return child;
  };
  const empty = async (): Promise<void> => {
    const children = await Promise.allSettled(waiting.splice(0));
    for (const child of children) {
      if (child.status === 'rejected') continue;
      child.value.kill();
      await child.value.gone;
    }
  };
  const rest = (): void => {
    if (idle !== null) clearTimeout(idle);
    idle = setTimeout(() => void empty(), IDLE_MS);
    idle.unref();
  };

  return {
    async take() {
      rest();
      for (let child = waiting.shift(); child !== undefined; child = waiting.shift()) {
        const booted = await child;
        if (!booted.isGone()) return booted;
      }
      return start();
    },
    putBack(child) {
      if (closing.signal.aborted) child.kill();
      else waiting.unshift(Promise.resolve(child));
    },
    fill() {
      if (closing.signal.aborted) return;
      rest();
      while (waiting.length < size) waiting.push(start());
    },
    async close() {
      closing.abort();
      if (idle !== null) clearTimeout(idle);
      await empty();
    },
  };
}
