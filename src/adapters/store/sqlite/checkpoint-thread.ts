// The thread of Checkpointer. Writers go on meanwhile; only for what they added since is the lock taken, so that the
// next one begins the log anew.
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { CheckpointDone, CheckpointTask } from './checkpointer.js';
import { isBusy, isFull } from './driver-error.js';

/** Nobody is kept waiting for longer: whoever reads an old state, or writes, has it until the next time. */
const LOCK_TIMEOUT_MS = 20;

const { file } = workerData as CheckpointTask;
const db = new Database(file, { fileMustExist: true, timeout: LOCK_TIMEOUT_MS });
db.pragma('synchronous = FULL');

parentPort?.on('message', (asked: 'copy' | 'end') => {
  if (asked === 'end') {
    db.close();
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(copied());
});

function copied(): CheckpointDone {
  try {
    db.pragma('wal_checkpoint(PASSIVE)');
    db.pragma('wal_checkpoint(RESTART)');
  } catch (error) {
    // What can't be copied now stays in the write-ahead log, as durable.
    if (!isBusy(error) && !isFull(error)) {
      const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
      return { failure: { code, message } };
    }
  }
  return { failure: null };
}
