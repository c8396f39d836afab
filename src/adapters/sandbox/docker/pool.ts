// Containers that wait, already started, for a step that fits them: the same image, runtime and settings. Starting is
// most of what a step costs. Each serves one step and is removed; nothing of a step reaches the next. A class is kept
// ready from its second step on. An idle pool empties itself, never keeps the runner alive, and is empty after close.
import type { Container } from './container.js';

/** How long a container may wait for a step. */
export const IDLE_MS = 60_000;
/** Classes remembered as used before. */
const MAX_CLASSES = 100;

export interface ContainerPool {
  /** One that runs and has run nothing, or null: then the step makes its own. */
  take(key: string): Promise<Container | null>;
  /** A step of this class is over; `start` resolves with a container that waits. Its failures show in no step. */
  used(key: string, start: () => Promise<Container>): void;
  /** Resolves when none is left. */
  close(): Promise<void>;
}

interface Waiting {
  readonly key: string;
  readonly container: Promise<Container | null>;
}

export function openContainerPool(size: number): ContainerPool {
  const waiting: Waiting[] = [];
  const seen = new Set<string>();
  const leaving = new Set<Promise<void>>();
  let closed = false;
  let idle: NodeJS.Timeout | null = null;

  const remove = (one: Waiting): void => {
    const gone = one.container
      .then((container) => container?.remove())
      .catch(() => undefined) // the engine does not answer: the reaper finds it by its label
      .finally(() => leaving.delete(gone));
    leaving.add(gone);
  };
  const empty = (): void => {
    for (const one of waiting.splice(0)) remove(one);
  };
  const rest = (): void => {
    if (idle !== null) clearTimeout(idle);
    idle = setTimeout(empty, IDLE_MS).unref();
  };

  return {
    async take(key) {
      for (;;) {
        const at = waiting.findIndex((one) => one.key === key);
        const [found] = at < 0 ? [] : waiting.splice(at, 1);
        if (found === undefined) return null;
        const container = await found.container;
        if (container !== null && (await isRunning(container))) return container;
        remove(found);
      }
    },
    used(key, start) {
      if (closed || size === 0) return;
      rest();
      if (!seen.has(key)) {
        seen.add(key);
        for (const old of seen) if (seen.size > MAX_CLASSES) seen.delete(old);
        return;
      }
      if (waiting.filter((one) => one.key === key).length === size) return;
      // The place of one that has waited longest for another class.
      const other = waiting.findIndex((one) => one.key !== key);
      if (waiting.length >= size && other >= 0) waiting.splice(other, 1).forEach(remove);
      waiting.push({ key, container: start().catch(() => null) });
    },
    async close() {
      closed = true;
      if (idle !== null) clearTimeout(idle);
      empty();
      await Promise.all(leaving);
    },
  };
}

async function isRunning(container: Container): Promise<boolean> {
  try {
    return (await container.inspect()).State.Running;
  } catch {
    return false; // removed by somebody, or the engine is gone: the step finds out which
  }
}
