// When this process publishes its log. What somebody waits for is published at once; a process under load publishes
// once a second, whatever the number of its commits, so that files and checkpoints grow with time and not with
// entries. Publications of one process never overlap, and all who wait for the next one share it.
// A killed process publishes nothing more: whoever opens the store next does.
import type { Clock } from '../ports.js';
import { isBusy } from './journal.js';

/** Between two publications under load, and how long an entry may stay unpublished while its process lives. */
export const PUBLISH_INTERVAL_MS = 1_000;
/** Publications at once before that limit holds: a person who decides on several requests waits for none. */
const BURST = 5;

export interface CadenceParts {
  readonly publish: () => Promise<void>;
  readonly clock: Clock;
  /** Told when a publication failed that nobody waited for. */
  readonly failed: (error: unknown) => void;
}

export class Cadence {
  readonly #parts: CadenceParts;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #timer: Promise<void> | null = null;
  /** Something was committed since the last publication began. */
  #behind = false;
  #credit = BURST;
  #creditAtMs: number;

  constructor(parts: CadenceParts) {
    this.#parts = parts;
    this.#creditAtMs = parts.clock.nowMs();
  }

  /** Everything committed before the call is published when it resolves; rejects as `publish` does. */
  now(): Promise<void> {
    if (this.#next !== null) return this.#next;
    if (this.#running === null) return this.#start();
    const start = (): Promise<void> => {
      this.#next = null;
      return this.#start();
    };
    // The one that runs may have read the log before this call. Its error is told to those who wait for it.
    this.#next = this.#running.then(start, start);
    return this.#next;
  }

  /**
   * As `now` for what is worth waiting for; under load it resolves at once, and `soon` takes care of it. So it does when
   * another process was in the way for too long: what was done is durable, whenever it is published.
   */
  async settle(): Promise<void> {
    this.soon();
    if (!this.#takeCredit()) return;
    try {
      await this.now();
    } catch (error) {
      if (!isBusy(error)) throw error;
      this.soon();
    }
  }

  /** Something was committed: it is published within PUBLISH_INTERVAL_MS and the time that takes. */
  soon(): void {
    this.#behind = true;
    if (!this.#closing.signal.aborted) this.#timer ??= this.#later();
  }

  /** Publishes what is left, unless `publish` is false; nothing is published after it. Rejects as `publish` does. */
  async close(publish: boolean): Promise<void> {
    this.#closing.abort();
    await this.#timer;
    if (publish && this.#behind) await this.now();
    await (this.#next ?? this.#running)?.catch(() => undefined);
  }

  #start(): Promise<void> {
    this.#behind = false;
    const running = this.#parts.publish().finally(() => {
      this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async #later(): Promise<void> {
    const { clock, failed } = this.#parts;
    await clock.sleep(PUBLISH_INTERVAL_MS, this.#closing.signal);
    this.#timer = null;
    if (!this.#behind || this.#closing.signal.aborted) return;
    try {
      await this.now();
    } catch (error) {
      // The next commit, or `close`, tries again, unless whoever is told has stopped everything.
      this.#behind = true;
      failed(error);
      if (isBusy(error)) this.soon();
    }
  }

  #takeCredit(): boolean {
    const nowMs = this.#parts.clock.nowMs();
    // A clock that was set back earns from where it stands.
    this.#creditAtMs = Math.min(this.#creditAtMs, nowMs);
    const earned = Math.floor((nowMs - this.#creditAtMs) / PUBLISH_INTERVAL_MS);
    if (earned > 0) {
      this.#credit = Math.min(BURST, this.#credit + earned);
      this.#creditAtMs = nowMs;
    }
    if (this.#credit === 0) return false;
    this.#credit -= 1;
    return true;
  }
}
