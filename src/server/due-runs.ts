// Which runs may go on, as the store and the log say: one that was decided by another process which does not go on with
// it, one of which a request or task has expired, at the start those that were decided and not carried out, and one that
// could not go on when it was its turn, or rests until a timer of its own.
import type { Writ } from '../runtime/writ.js';

/** Looked at in one go. */
const AT_MOST = 500;
const OPEN = ['pending', 'approved'] as const;
/** Whoever decides at a terminal goes on with the run there, at once: it is theirs for so long. */
const THEIRS_MS = 3_000;
/** Entries of the log that are read in one go. */
const BATCH = 500;

export type WaitingRuns = Pick<
  Writ,
  'approvalKeys' | 'dueTasks' | 'decidedRuns' | 'outbox' | 'changeCounter'
>;

export class DueRuns {
  readonly #writ: WaitingRuns;
  /** Runs that may go on from a time on. */
  readonly #later = new Map<string, number>();
  /** When runs go on that rest; what else of them is due is so before that. */
  readonly #timers = new Map<string, number>();
  /** How far the log has been read; null = not at all. */
  #place: bigint | null = null;
  /** The store's change counter at the last look. */
  #seen = -1;
  /** When a run is due although nothing changes. */
  #nextMs = Infinity;

  constructor(writ: WaitingRuns) {
    this.#writ = writ;
  }

  /** It is due at `fromMs`, and not before: whatever of it has expired waits until then. */
  put(run: string, fromMs: number): void {
    this.#later.set(run, fromMs);
    this.#nextMs = Math.min(this.#nextMs, fromMs);
  }

  /** It rests until `atMs`, unless something of it is due before; null = no timer of its own runs. */
  rest(run: string, atMs: number | null): void {
    this.#timers.delete(run);
    if (atMs === null) return;
    this.#timers.set(run, atMs);
    this.#nextMs = Math.min(this.#nextMs, atMs);
  }

  /** Those that are due, which are taken out; none where nothing has changed. After a fault the next look finds them all. */
  async take(nowMs: number): Promise<readonly string[]> {
    const counter = this.#writ.changeCounter();
    if (counter === this.#seen && nowMs < this.#nextMs) return [];
    await this.#collectDecided(nowMs);
    const approvals = await this.#writ.approvalKeys({ states: OPEN, limit: AT_MOST });
    const tasks = await this.#writ.dueTasks(AT_MOST);
    const ends = [
      ...approvals.map(({ run, expiresAtMs }) => [run, expiresAtMs] as const),
      ...tasks.map(({ run, dueMs }) => [run, dueMs] as const),
    ].filter(([run]) => !this.#later.has(run));
    const due = new Set<string>();
    let nextMs = Infinity;
    const timers = [...this.#timers].filter(([run]) => !this.#later.has(run));
    for (const [run, fromMs] of [...this.#later, ...timers, ...ends]) {
      if (fromMs <= nowMs) due.add(run);
      else nextMs = Math.min(nextMs, fromMs);
    }
    for (const run of due) {
      this.#later.delete(run);
      this.#timers.delete(run);
    }
    [this.#seen, this.#nextMs] = [counter, nextMs];
    return [...due];
  }

  async #collectDecided(nowMs: number): Promise<void> {
    const { outbox } = this.#writ;
    if (this.#place === null) {
      // The end first: what is decided meanwhile is behind it.
      const end = await outbox.end();
      for (const run of await this.#writ.decidedRuns()) this.#later.set(run, nowMs);
      this.#place = end;
    }
    for (let isEnd = false; !isEnd;) {
      const { events, next, end } = await outbox.read(this.#place, BATCH);
      for (const { type, record, timeMs } of events) {
        const isOver =
          type === 'approval.expired' || (type === 'approval.decided' && record.state !== 'pending');
        if (isOver && record.state !== 'consumed')
          this.#later.set(record.run, Math.min(timeMs, nowMs) + THEIRS_MS);
      }
      [this.#place, isEnd] = [next, end];
    }
  }
}
