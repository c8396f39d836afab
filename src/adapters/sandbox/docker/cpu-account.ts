// The CPU time of a program, as last seen: asked for now and then, and never twice at once.
import type { Program } from './program.js';

export interface CpuAccount {
  /** Asks, unless an answer is awaited. */
  readonly look: () => void;
  readonly used: () => number | null;
  /** Resolves with no answer on its way. */
  readonly settled: () => Promise<void>;
}

/** `over` is called with each answer. */
export function cpuOf(program: Program, over: (usedMs: number) => void): CpuAccount {
  let used: number | null = null;
  let asking: Promise<void> | null = null;
  const ask = async (): Promise<void> => {
    const now = await program.cpuMs();
    // Zero is what the engine tells of a container that has just ended.
    if (now !== null && now > (used ?? 0)) over((used = now));
  };
  return {
    look() {
      asking ??= ask()
        .catch(() => undefined) // the container has just ended; its end is told elsewhere
        .finally(() => {
          asking = null;
        });
    },
    used: () => used,
    settled: async () => {
      await asking;
    },
  };
}
