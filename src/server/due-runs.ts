// Which runs may go on, as the store and the log say: one whose time has come (a timer, the end of a wait or of its own
// time, an answer), one that was decided by another process which does not go on with it, one whose process was killed in
// the middle of it, at the start those that were decided and not carried out. Only what can be said of this process alone is
// kept here: which of them could not go on, and which nobody had at the last look.
import type { Writ } from '../runtime/writ.js';

/** Looked at in one go. */
const AT_MOST = 500;
/** Whoever decides at a terminal goes on with the run there, at once: it is theirs for so long. */
const THEIRS_MS = 3_000;
/** When one is looked at again that is due and in hand: whoever has it may be done without a change of the store. */
const SOON_MS = 1_000;
/**
 * How often it is looked at which runs nobody advances. One has to be found so twice: between two processes, such as a command
 * and the one that it detaches, a run is nobody's for a moment.
 */
const ABANDONED_MS = 10_000;
/** Entries of the log that are read in one go. */
const BATCH = 500;

export type WaitingRuns = Pick<Writ, 'wakeUps' | 'decidedRuns' | 'abandoned' | 'outbox' | 'changeCounter'>;

interface Later {
  readonly fromMs: number;
  /** What of it had come by then does not count meanwhile. */
  readonly sinceMs: number;
}

export class DueRuns {
  readonly #writ: WaitingRuns;
  /** Runs that may go on from a time on. */
  readonly #later = new Map<string, Later>();
  /** How far the log has been read; null = not at all. */
  #place: bigint | null = null;
  /** Runs that nobody advanced at the last look for them, and when the next one is. */
  #abandoned: ReadonlySet<string> = new Set();
  #nextAbandonedMs = -Infinity;
  /** The store's change counter at the last look. */
  #seen = -1;
  #nextMs = Infinity;
  /** The time that was last told. */
  #lookedAtMs = -Infinity;

  constructor(writ: WaitingRuns) {
    this.#writ = writ;
  }

  /** When a run is due although nothing changes; Infinity = none is. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** It is due at `fromMs`, and not before, unless a time of its own comes that is not over yet. */
  put(run: string, fromMs: number, nowMs: number): void {
    this.#followClock(nowMs);
    this.#later.set(run, { fromMs, sinceMs: nowMs });
    this.#nextMs = Math.min(this.#nextMs, fromMs);
  }

  /**
   * Those that are due; none where nothing has changed. Whoever drives one of `inHand` sees to its times. After a fault
   * the next look finds them all.
   */
  async take(nowMs: number, inHand: (run: string) => boolean): Promise<readonly string[]> {
    this.#followClock(nowMs);
    if (nowMs >= this.#nextAbandonedMs) await this.#collectAbandoned(nowMs, inHand);
    const counter = this.#writ.changeCounter();
    if (counter === this.#seen && nowMs < this.#nextMs) return [];
    await this.#collectDecided(nowMs);
    // Those that were put back may all be among the first.
    const wakeUps = await this.#writ.wakeUps(AT_MOST + this.#later.size);
    const times = Array.from(this.#later, ([run, { fromMs }]) => ({ run, atMs: fromMs }));
    for (const { run, atMs } of wakeUps) {
      if (atMs <= (this.#later.get(run)?.sinceMs ?? -Infinity)) continue;
      times.push({ run, atMs: inHand(run) && atMs <= nowMs ? nowMs + SOON_MS : atMs });
    }
    const due = new Set<string>();
    let nextMs = Infinity;
    for (const { run, atMs } of times) {
      if (atMs <= nowMs) due.add(run);
      else nextMs = Math.min(nextMs, atMs);
    }
    for (const run of due) this.#later.delete(run);
    [this.#seen, this.#nextMs] = [counter, nextMs];
    return [...due];
  }

  /** A clock that was set back makes no run wait longer than it was put back for, and hides no time that comes meanwhile. */
  #followClock(nowMs: number): void {
    const backMs = this.#lookedAtMs - nowMs;
    this.#lookedAtMs = nowMs;
    if (backMs <= 0 || backMs === Infinity) return;
    for (const [run, { fromMs, sinceMs }] of this.#later) {
      this.#later.set(run, { fromMs: fromMs - backMs, sinceMs: sinceMs - backMs });
    }
    this.#nextMs = nowMs;
    this.#nextAbandonedMs -= backMs;
  }

  async #collectAbandoned(nowMs: number, inHand: (run: string) => boolean): Promise<void> {
    const before = this.#abandoned;
    // Also where it fails: what is due is looked for meanwhile.
    this.#nextAbandonedMs = nowMs + ABANDONED_MS;
    this.#abandoned = new Set(await this.#writ.abandoned());
    for (const run of this.#abandoned) {
      if (before.has(run) && !this.#later.has(run) && !inHand(run)) this.put(run, nowMs, nowMs);
    }
  }

  async #collectDecided(nowMs: number): Promise<void> {
    const { outbox } = this.#writ;
    if (this.#place === null) {
      // The end first: what is decided meanwhile is behind it.
      const end = await outbox.end();
      for (const run of await this.#writ.decidedRuns()) this.put(run, nowMs, nowMs);
      this.#place = end;
    }
    for (let isEnd = false; !isEnd;) {
      const { events, next, end } = await outbox.read(this.#place, BATCH);
      for (const { type, record, timeMs } of events) {
        const isOver =
          type === 'approval.expired' || (type === 'approval.decided' && record.state !== 'pending');
        if (isOver && record.state !== 'consumed')
          this.put(record.run, Math.min(timeMs, nowMs) + THEIRS_MS, nowMs);
      }
      [this.#place, isEnd] = [next, end];
    }
  }
}
