// Runs that are driven, a few at a time, in the order in which they were woken.

const AT_ONCE = 4;

export interface RunQueue {
  /** The run may go on; where it is driven already, once more when that has ended. */
  wake(run: string): void;
  /** Whether it waits for its turn, or is driven. */
  has(run: string): boolean;
  /** Drives no other run; resolves when none is driven. */
  stop(): Promise<void>;
}

/** `drive` never rejects. */
export function openRunQueue(drive: (run: string) => Promise<void>): RunQueue {
  const waiting = new Set<string>();
  const driving = new Map<string, Promise<void>>();
  let isStopped = false;

  const begin = (): void => {
    for (const run of waiting) {
      if (isStopped || driving.size >= AT_ONCE) return;
      if (driving.has(run)) continue;
      waiting.delete(run);
      driving.set(run, driveOne(run));
    }
  };
  const driveOne = async (run: string): Promise<void> => {
    try {
      await drive(run);
    } finally {
      driving.delete(run);
      begin();
    }
  };
  return {
    wake(run) {
      waiting.add(run);
      begin();
    },
    has: (run) => waiting.has(run) || driving.has(run),
    async stop() {
      isStopped = true;
      waiting.clear();
      await Promise.all(driving.values());
    },
  };
}
