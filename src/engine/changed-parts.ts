// Which parts of a run were changed since they were last written, and which are stored: what a commit has to write.
import type { Json } from '../json.js';

/** How a part reads when it is written; undefined = it is gone. Plain JSON: the engine's types are nothing else. */
export type ReadPart = () => unknown;

export class ChangedParts {
  readonly #changed = new Map<string, ReadPart>();
  /** Keys that are stored, or are about to be. */
  readonly #stored = new Set<string>();

  /** It is read as late as it is taken: a part that changes again is written once. */
  mark(key: string, read: ReadPart): void {
    this.#changed.set(key, read);
  }

  /** Was read from the store. */
  loaded(key: string): void {
    this.#stored.add(key);
  }

  /** Nothing has to be written. */
  forget(): void {
    this.#changed.clear();
  }

  /** And nothing is stored. */
  reset(): void {
    this.forget();
    this.#stored.clear();
  }

  /** All since the last call. */
  take(): { readonly put: Map<string, Json>; readonly removed: string[] } {
    const put = new Map<string, Json>();
    const removed: string[] = [];
    for (const [key, read] of this.#changed) {
      const value = read() as Json | undefined;
      if (value !== undefined) {
        put.set(key, value);
        this.#stored.add(key);
      } else if (this.#stored.delete(key)) removed.push(key);
    }
    this.forget();
    return { put, removed };
  }
}
