// The runs that this process holds against others: those that it has started and not driven yet, and the one that somebody
// makes a move in who does not drive it.
import { WritError } from '../../errors.js';
import type { Lock, Locks } from '../ports.js';

export interface HeldRuns {
  /** Whether a living process advances the run, this one included. */
  isHeld(runId: string): boolean;
  /** Until `letGo`, or this process ends: nobody takes a run that was only just started for interrupted. */
  hold(runId: string): void;
  letGo(runId: string): void;
  /** As `drive` does, for a move of somebody who does not drive it. Throws RUN_BUSY. */
  during<Result>(runId: string, act: () => Promise<Result>): Promise<Result>;
  letAllGo(): void;
}

export function openHeldRuns(locks: Locks): HeldRuns {
  const started = new Map<string, Lock>();
  const tryHold = (runId: string): Lock | null => locks.tryHold(`run.${runId}`);
  const letGo = (runId: string): void => {
    started.get(runId)?.release();
    started.delete(runId);
  };
  return {
    isHeld(runId) {
      const lock = tryHold(runId);
      lock?.release();
      return lock === null;
    },
    hold(runId) {
      const lock = tryHold(runId);
      if (lock !== null) started.set(runId, lock);
    },
    letGo,
    async during(runId, act) {
      letGo(runId);
      const lock = tryHold(runId);
      if (lock === null) {
        throw new WritError('RUN_BUSY', `run ${runId} is being advanced by another process`, {
          hint: `follow it: writ workflow status ${runId}`,
        });
      }
      try {
        return await act();
      } finally {
        lock.release();
      }
    },
    letAllGo() {
      for (const lock of started.values()) lock.release();
    },
  };
}
