// The tree of a large log is read and hashed in a thread of its own while this one judges the entries. The bytes that
// were hashed come over with their hashes, so no file is read twice, and what is judged is what was hashed. At most
// WALK_AHEAD batches are on their way, whatever the size of the log. Finding the parts of an entry is the work of
// whichever thread has the time: that of the walk while it is ahead, so both end together.
import { on } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { platformSha256Into } from './adapters/hash.js';
import { tileHasher } from './audit/tile-hash.js';
import type { Finding, FindingList } from './audit/verify/report.js';
import type { LogSource } from './audit/verify/source.js';
import { walkTree, type LeafBatch, type WalkTree } from './audit/verify/tree-walk.js';
import { WritError, type ErrorCode } from './errors.js';

/** Entries from which a thread is worth its start. */
const WALK_THREAD_FROM = 20_000n;
/** Batches of 256 entries that the thread may be ahead, */
export const WALK_AHEAD = 16;
/** and their bytes: it waits beyond them. */
export const WALK_AHEAD_BYTES = 32 * 2 ** 20;

const THREAD = new URL('./verify-walk-thread.js', import.meta.url);

/** What the thread is started with. */
export interface WalkTask {
  /** The log directory. */
  readonly dir: string;
  readonly size: bigint;
  readonly root: Uint8Array;
  /** How many batches the judge has taken; it wakes the thread with every one. */
  readonly taken: Int32Array<SharedArrayBuffer>;
}

/** One message of the thread; its findings are those since the message before. */
export interface WalkStep {
  readonly findings: readonly Finding[];
  readonly dropped: number;
  /** Null in the last message. */
  readonly batch: LeafBatch | null;
  /** Why the walk ended early. */
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string } | null;
}

/** Walks the log in `dir`, which `source` reads: a large one in a thread, where there is a second processor. */
export function walkOf(dir: string, source: LogSource): WalkTree {
  const here = tileHasher(platformSha256Into);
  return (size, root, findings) =>
    size < WALK_THREAD_FROM || availableParallelism() === 1
      ? walkTree(source, size, root, findings, here)
      : walkInThread({ dir, size, root }, findings);
}

/**
 * As `walkTree`, in a thread that ends with the walk, however that ends. Rejects as reading the log does, and with
 * INTERNAL when the thread dies. `thread` is the built file that runs there.
 */
export async function* walkInThread(
  log: Pick<WalkTask, 'dir' | 'size' | 'root'>,
  findings: FindingList,
  thread: URL = THREAD,
): AsyncGenerator<LeafBatch> {
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const task: WalkTask = { ...log, taken };
  const worker = new Worker(thread, { workerData: task });
  try {
    for await (const [message] of on(worker, 'message', { close: ['exit'] })) {
      const { batch, error, ...found } = message as WalkStep;
      findings.items.push(...found.findings);
      findings.dropped += found.dropped;
      if (error !== null) throw new WritError(error.code, error.message, error);
      if (batch === null) return;
      yield batch;
      Atomics.add(taken, 0, 1);
      Atomics.notify(taken, 0);
    }
  } finally {
    await worker.terminate();
  }
  throw new WritError('INTERNAL', 'the thread that reads the log ended before the log did');
}
