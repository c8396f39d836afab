// Who watches what steps of this process say while they run.
import type { ProgressNotice } from '../ports.js';

export interface Watchers {
  /** Null while nobody watches: then nothing need be put together for them. */
  teller(): ((notice: ProgressNotice) => void) | null;
  /** The answer takes it away again. */
  add(watcher: (notice: ProgressNotice) => void): () => void;
}

export function openWatchers(): Watchers {
  const watchers = new Set<(notice: ProgressNotice) => void>();
  const tell = (notice: ProgressNotice): void => {
    for (const watcher of watchers) {
      try {
        watcher(notice);
      } catch {
        // What a watcher makes of it is no part of the step; this one is told nothing more.
        watchers.delete(watcher);
      }
    }
  };
  return {
    teller: () => (watchers.size === 0 ? null : tell),
    add(watcher) {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
  };
}
