// Whose containers are whose, and what becomes of those whose runner is gone. A runner holds a lock that the operating
// system frees when it dies; its id stands on every container it makes. Only containers with our labels are touched,
// and of another installation only those that should have ended long ago.
import { createHash, randomBytes } from 'node:crypto';
import type Dockerode from 'dockerode';
import { WritError } from '../../../errors.js';
import type { Lock, Locks } from '../../../runtime/ports.js';
import { isHeld } from './container.js';
import { ask, askUnlessGone } from './engine.js';
import { makeFolder, reapFolders, removeFolders } from './folders.js';

export const RUNNER_LABEL = 'writ.runner';
const INSTALLATION_LABEL = 'writ.installation';
const DEADLINE_LABEL = 'writ.deadline';
const RUN_LABEL = 'writ.run';
const LOCK = 'sandbox-';
const MAX_TRIES = 16;
/** Past its deadline by so much, nobody looks after a container any more. */
const GRACE_MS = 60_000;
/** Longer than any container of ours lives. */
const LONGEST_MS = 20 * 60_000;

export interface Runner {
  readonly id: string;
  /** Labels of a container that must be gone at `deadlineMs`. No data and no secrets: anybody on the host sees them. */
  labels(deadlineMs: number, run: string | null): Readonly<Record<string, string>>;
  /** A new and empty folder for the sockets of one step. */
  folder(): Promise<string>;
  /**
   * Removes what dead runners left, containers, folders and locks, and what the engine did not answer for when this one
   * would have removed it; how many containers.
   */
  reap(engine: Dockerode): Promise<number>;
  /** Nothing of this runner may be running any more. */
  release(): void;
}

/**
 * `installation` tells data directories apart that share an engine: any text, only its hash is used. Throws
 * SANDBOX_UNAVAILABLE.
 */
export function openRunner(locks: Locks, installation: string): Runner {
  const { id, lock } = newLock(locks);
  const owner = createHash('sha256').update(installation).digest('hex').slice(0, 32);
  const openedMs = Date.now() - performance.now();
  // A clock that is set while others' steps run ends none of them: what is overdue is so by time that has passed, too.
  const nowMs = (): number => Math.min(Date.now(), openedMs + performance.now());
  /** Since when others' containers have been seen; they go by that where the clock was wrong when this runner opened. */
  let seen = new Map<string, number>();
  const isOverdue = (id: string, deadline: string | undefined): boolean => {
    if (deadline === undefined || !/^[0-9]{1,15}$/.test(deadline)) return false;
    const isLongSeen = performance.now() - (seen.get(id) ?? Infinity) > LONGEST_MS;
    return Number(deadline) + GRACE_MS < (isLongSeen ? Date.now() : nowMs());
  };
  return {
    id,
    labels: (deadlineMs, run) => ({
      [RUNNER_LABEL]: id,
      [INSTALLATION_LABEL]: owner,
      [DEADLINE_LABEL]: String(Math.ceil(deadlineMs)),
      ...(run === null ? {} : { [RUN_LABEL]: run }),
    }),
    folder: () => makeFolder({ owner, runner: id }),
    async reap(engine) {
      // Of a runner that was killed with nothing running, its lock alone is left: asking for it removes it.
      for (const name of locks.names())
        if (name.startsWith(LOCK) && name !== lockOf(id)) isDead(locks, name.slice(LOCK.length));
      await reapFolders(owner, (runner) => runner !== id && isDead(locks, runner));
      const filters = { label: [RUNNER_LABEL] };
      const containers = await ask('list', engine.listContainers({ all: true, filters }));
      seen = new Map(containers.map(({ Id }) => [Id, seen.get(Id) ?? performance.now()]));
      let removed = 0;
      let stuck: Error | null = null;
      for (const { Id, Labels, Names } of containers) {
        const runner = Labels[RUNNER_LABEL] ?? '';
        const isLeft =
          runner === id
            ? !Names.some((name) => isHeld(name.replace(/^\//, '')))
            : (Labels[INSTALLATION_LABEL] === owner && isDead(locks, runner)) ||
              isOverdue(Id, Labels[DEADLINE_LABEL]);
        if (!isLeft) continue;
        try {
          await askUnlessGone('remove', engine.getContainer(Id).remove({ force: true, v: true }));
          removed += 1;
        } catch (error) {
          // One that the engine can't remove keeps none of those behind it.
          stuck ??= error instanceof Error ? error : new Error(String(error));
        }
      }
      if (stuck !== null) throw stuck;
      return removed;
    },
    release() {
      removeFolders({ owner, runner: id });
      lock.release();
    },
  };
}

/** An id, and that its runner lives. Whoever reaps may look at a lock just as it is made: then another id is taken. */
function newLock(locks: Locks): { readonly id: string; readonly lock: Lock } {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const id = randomBytes(16).toString('hex');
    const lock = locks.tryHold(lockOf(id));
    if (lock !== null) return { id, lock };
  }
  throw new WritError('SANDBOX_UNAVAILABLE', 'the runner of containers can not show that it lives', {
    hint: 'look who holds the locks in the data directory',
  });
}

function lockOf(runner: string): string {
  return `${LOCK}${runner}`;
}

/** A label that is no id of ours names no lock: whoever wrote it, no runner of ours lives behind it. */
function isDead(locks: Locks, runner: string): boolean {
  if (!/^[0-9a-f]{32}$/.test(runner)) return true;
  const lock: Lock | null = locks.tryHold(lockOf(runner));
  lock?.release();
  return lock !== null;
}
