// Copies the write-ahead log into the file in a thread of its own, so that whoever runs steps doesn't stand still for it:
// on this thread it was two thirds of what commits took. The thread starts when the log has first grown large, so short
// commands have none. Where it can't be had, or can't keep up, SQLite copies by itself when a commit finds the log larger.
import { Worker } from 'node:worker_threads';
import type { Database, Statement } from 'better-sqlite3';
import type { WritError } from '../../../errors.js';
import { asRow, integer } from './column.js';
import { storeError } from './driver-error.js';

/** Of the write-ahead log, not copied yet: pages that many commits change are copied once. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
/** From here on a commit copies by itself. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Without a thread. */
const ALONE_BYTES = 16 * 1024 * 1024;

const THREAD = new URL('./checkpoint-thread.js', import.meta.url);

/** What the thread is started with. */
export interface CheckpointTask {
  /** Absolute. */
  readonly file: string;
}

/** What it says when it has tried; null = nothing is wrong with the file. */
export interface CheckpointDone {
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export class Checkpointer {
  readonly #db: Database;
  readonly #file: string;
  readonly #failed: (failure: WritError) => void;
  readonly #state: Statement;
  readonly #pageBytes: number;
  #thread: Worker | null = null;
  #isBusy = false;
  #isOff = false;

  /** `failed` is told when the disk gave way under a copy. `db` is the writing connection. */
  constructor(db: Database, file: string, failed: (failure: WritError) => void) {
    this.#db = db;
    this.#file = file;
    this.#failed = failed;
    this.#pageBytes = Number(db.pragma('page_size', { simple: true }));
    this.#copyFrom(MOST_BYTES);
    this.#state = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  }

  /** To be called after each commit, outside any transaction. */
  committed(): void {
    if (this.#isBusy || this.#isOff) return;
    const state = asRow(this.#state.get());
    const left = integer(state, 'log') - integer(state, 'checkpointed');
    if (left * this.#pageBytes < CHECKPOINT_BYTES) return;
    this.#isBusy = true;
    this.#thread ??= this.#start();
    this.#thread.postMessage('copy');
  }

  /** Ends the thread, whose connection is closed then. */
  async close(): Promise<void> {
    this.#isOff = true;
    const thread = this.#thread;
    if (thread === null) return;
    thread.ref();
    thread.postMessage('end');
    await new Promise<void>((resolve) => {
      thread.once('exit', () => {
        resolve();
      });
    });
  }

  #start(): Worker {
    const task: CheckpointTask = { file: this.#file };
    const thread = new Worker(THREAD, { workerData: task });
    thread.unref();
    thread.on('message', ({ failure }: CheckpointDone) => {
      this.#isBusy = false;
      if (failure === null) return;
      this.#isOff = true;
      this.#failed(storeError(Object.assign(new Error(failure.message), failure), this.#file, 'write to'));
    });
    thread.on('error', () => undefined);
    thread.on('exit', () => {
      this.#thread = null;
      if (!this.#isOff && this.#db.open) this.#copyFrom(ALONE_BYTES);
      this.#isOff = true;
    });
    return thread;
  }

  #copyFrom(bytes: number): void {
    this.#db.pragma(`wal_autocheckpoint = ${Math.floor(bytes / this.#pageBytes)}`);
  }
}
