// The one writer of a process. Everything queued shares a transaction (group commit) and is all or
// nothing for itself. Nothing resolves before COMMIT has returned.
// It yields: SQLite's own waiting is unfair, and a process that writes without a pause starves the others for
// seconds. So the lock is free for YIELD_MS after each transaction when more work waits, and at least once in
// BURST_MS when one caller commits in a tight loop; waiting for the lock polls without blocking this process.
// After a failed write the state of the disk is unknown: the writer refuses everything from then on.
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { Database, Statement } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import { isBusy, isRefusedRow, storeError } from './driver-error.js';

/** At least 2 ms by the clock: a timer may fire up to 1 ms early. */
const YIELD_MS = 3;
const BURST_MS = 40;
const BUSY_POLL_MS = 1;
/** What one look at the lock counts as waiting, at most: while this process stood still, the other one may have too. */
const POLL_COUNTS_MS = 50;
/** One transaction takes what is queued, but holds the lock no longer than this for others of any size. */
const GROUP_MAX = 128;
const GROUP_MS = 5;

interface Job {
  /** Does the work inside a transaction, again when that was undone; the result is called after COMMIT. */
  readonly run: () => () => void;
  readonly reject: (reason: WritError) => void;
  readonly since: number;
}

export class GroupWriter {
  readonly #db: Database;
  readonly #file: string;
  readonly #busyTimeoutMs: number;
  readonly #sql: Readonly<Record<'begin' | 'commit' | 'rollback' | 'mark' | 'keep' | 'undo', Statement>>;
  readonly #queue: Job[] = [];
  #draining: Promise<void> | null = null;
  #closed = false;
  #failure: WritError | null = null;
  #lastEnd = -Infinity;
  #burstStart = -Infinity;

  constructor(db: Database, file: string, busyTimeoutMs: number) {
    this.#db = db;
    this.#file = file;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#sql = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      mark: db.prepare('SAVEPOINT one'),
      keep: db.prepare('RELEASE one'),
      undo: db.prepare('ROLLBACK TO one'),
    };
  }

  /** What broke this writer for good, or null. */
  get failure(): WritError | null {
    return this.#failure;
  }

  /**
   * Runs `work` inside a transaction, in the order of the calls; resolves with its result when that is durable. It may
   * run twice, the first time undone, so it changes nothing but rows. What `work` throws undoes only its own statements. Rejects with STORE_BUSY when the lock did not come in time.
   */
  async submit<Result>(work: () => Result): Promise<Result> {
    if (this.#closed) {
      throw new WritError('STORE_UNAVAILABLE', `the store ${this.#file} is closed`, {
        hint: 'open it again',
      });
    }
    if (this.#failure !== null) throw again(this.#failure);
    return new Promise<Result>((resolve, reject) => {
      this.#queue.push({
        run: () => {
          const value = work();
          return () => {
            resolve(value);
          };
        },
        reject,
        since: performance.now(),
      });
      this.#draining ??= this.#drain();
    });
  }

  /**
   * Runs `work` outside any transaction, when nothing is queued. A busy file (STORE_BUSY) and a full disk (STORE_FULL)
   * break nothing: `work` must leave the file as it was then. Any other error of the driver does.
   */
  async alone<Result>(work: () => Result): Promise<Result> {
    while (this.#draining !== null) await this.#draining;
    if (this.#closed) {
      throw new WritError('STORE_UNAVAILABLE', `the store ${this.#file} is closed`, {
        hint: 'open it again',
      });
    }
    if (this.#failure !== null) throw again(this.#failure);
    try {
      return work();
    } catch (error) {
      const failure = storeError(error, this.#file, 'write to');
      if (failure.code !== 'STORE_BUSY' && failure.code !== 'STORE_FULL') this.#break(failure, []);
      throw failure;
    }
  }

  /** Waits for what is queued; nothing is taken after the call. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
  }

  /** Never rejects: every error goes to the jobs it belongs to. */
  async #drain(): Promise<void> {
    // One turn later: commits made together share a transaction, and a caller who commits in a tight loop leaves the
    // process time for other work, such as the files of a publication.
    await turn();
    while (this.#queue.length > 0) {
      await this.#yield();
      try {
        if (await this.#begin()) this.#commitGroup();
      } catch (error) {
        this.#break(storeError(error, this.#file, 'write to'), []);
      }
      this.#lastEnd = performance.now();
      if (this.#queue.length > 0) await pause(YIELD_MS);
    }
    this.#draining = null;
  }

  /** Leaves the lock free for a moment when transactions have followed one another for BURST_MS. */
  async #yield(): Promise<void> {
    const now = performance.now();
    if (now - this.#lastEnd >= YIELD_MS) this.#burstStart = now;
    if (now - this.#burstStart < BURST_MS) return;
    await pause(YIELD_MS);
    this.#burstStart = performance.now();
  }

  /** False when everybody who waited has given up. */
  async #begin(): Promise<boolean> {
    let lookedAt = performance.now();
    let waitedMs = 0;
    for (;;) {
      try {
        this.#sql.begin.run();
        return true;
      } catch (error) {
        if (!isBusy(error)) throw error;
        const now = performance.now();
        waitedMs += Math.min(now - lookedAt, POLL_COUNTS_MS);
        lookedAt = now;
        if (waitedMs >= this.#busyTimeoutMs) this.#expire(error);
      }
      if (this.#queue.length === 0) return false;
      await pause(BUSY_POLL_MS);
    }
  }

  /** Time in the queue behind this process's own commits does not count. */
  #expire(error: unknown): void {
    const expired = performance.now() - this.#busyTimeoutMs;
    while (this.#queue[0] !== undefined && this.#queue[0].since <= expired) {
      this.#queue.shift()?.reject(storeError(error, this.#file, 'write to'));
    }
  }

  /**
   * All jobs without savepoints first, which cost a fifth of a small commit; only when one is refused, which is rare,
   * everything is undone and done again with one each.
   */
  #commitGroup(): void {
    const group: Job[] = [];
    const outcomes: (() => void)[] = [];
    const fullAt = performance.now() + GROUP_MS;
    try {
      try {
        for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
          group.push(job);
          outcomes.push(job.run());
          if (group.length === GROUP_MAX || performance.now() >= fullAt) break;
        }
      } catch (error) {
        if (!this.#db.inTransaction || !isRefusedRow(error)) throw error;
        this.#sql.rollback.run();
        this.#sql.begin.run();
        outcomes.splice(0, outcomes.length, ...group.map((job) => this.#one(job)));
      }
      this.#sql.commit.run();
    } catch (error) {
      const failure = storeError(error, this.#file, 'write to');
      const unsound = this.#rollback();
      const broken = failure.code === 'STORE_BUSY' ? unsound : failure;
      if (broken !== null) this.#break(broken, group);
      else for (const job of group) job.reject(again(failure));
      return;
    }
    for (const settle of outcomes) settle();
  }

  /** Does one job inside its savepoint and says how to settle it after COMMIT; throws when the disk failed. */
  #one(job: Job): () => void {
    this.#sql.mark.run();
    try {
      const settle = job.run();
      this.#sql.keep.run();
      return settle;
    } catch (error) {
      if (!this.#db.inTransaction || !isRefusedRow(error)) throw error;
      this.#sql.undo.run();
      this.#sql.keep.run();
      return () => {
        job.reject(error instanceof WritError ? error : refused(error, this.#file));
      };
    }
  }

  /** What went wrong, or null. SQLite has rolled back by itself after some errors. */
  #rollback(): WritError | null {
    try {
      if (this.#db.inTransaction) this.#sql.rollback.run();
      return null;
    } catch (error) {
      return storeError(error, this.#file, 'roll back');
    }
  }

  #break(failure: WritError, group: readonly Job[]): void {
    this.#failure = failure;
    for (const job of [...group, ...this.#queue.splice(0)]) job.reject(again(failure));
  }
}

/** Each caller gets its own error, so that stacks and details are not shared. */
function again(error: WritError): WritError {
  return new WritError(error.code, error.message, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause,
  });
}

function refused(error: unknown, file: string): WritError {
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  return new WritError('INTERNAL', `the store ${file} refused a row${code}`, {
    hint: 'this is a defect of writ: please report it with the run id',
    cause: error,
  });
}
