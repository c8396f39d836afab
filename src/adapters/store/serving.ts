// Whether a server sees to the runs of a data directory. Each holds a lock of its own while it does, and the operating
// system frees it when the server dies.
import type { Lock, Locks } from '../../runtime/ports.js';

const PREFIX = 'serve.';

/** Held while a server sees to the runs; `id` is this server's alone. */
export function holdServing(locks: Locks, id: string): Lock | null {
  return locks.tryHold(`${PREFIX}${id}`);
}

/** Does a living process see to what is due? */
export function isServed(locks: Locks): boolean {
  return locks.names().some((name) => {
    if (!name.startsWith(PREFIX)) return false;
    // Of a server that was killed its lock alone is left: asking for it removes it.
    const lock = locks.tryHold(name);
    lock?.release();
    return lock === null;
  });
}
