// Whether a server sees to the runs of a data directory. Each holds a lock of its own while it does, and the operating
// system frees it when the server dies.
import { WritError } from '../../errors.js';
import type { Lock, Locks } from '../../runtime/ports.js';

const PREFIX = 'serve.';
/** Whoever asks takes the locks for a moment: one at a time, or each would take the other for a server. */
const ASKING = 'serving';
/** Asking takes milliseconds. */
const ASKING_MS = 5_000;

/** Held while a server sees to the runs; `id` is this server's alone. */
export function holdServing(locks: Locks, id: string): Promise<Lock | null> {
  return alone(locks, () => locks.tryHold(`${PREFIX}${id}`));
}

/** Does a living process see to what is due? Where that can't be found out, none does. */
export async function isServed(locks: Locks): Promise<boolean> {
  const names = (): readonly string[] => locks.names().filter((name) => name.startsWith(PREFIX));
  if (names().length === 0) return false;
  try {
    return await alone(locks, () => names().some((name) => isHeld(locks, name)));
  } catch (error) {
    if (error instanceof WritError && error.code === 'STORE_BUSY') return false;
    throw error;
  }
}

/** Of a server that was killed its lock alone is left: asking for it removes it. */
function isHeld(locks: Locks, name: string): boolean {
  const lock = locks.tryHold(name);
  lock?.release();
  return lock === null;
}

async function alone<T>(locks: Locks, act: () => T): Promise<T> {
  const turn = await locks.hold(ASKING, ASKING_MS);
  try {
    return act();
  } finally {
    turn.release();
  }
}
