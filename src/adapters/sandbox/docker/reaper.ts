// Whose containers are whose, and what becomes of those whose runner is gone. A runner holds a lock that the operating
// system frees when it dies; its id stands on every container it makes. Only containers with our labels are touched,
// and of another installation only those that should have ended long ago.
import { createHash, randomBytes } from 'node:crypto';
import type Dockerode from 'dockerode';
import type { Lock, Locks } from '../../../runtime/ports.js';
import { ask, askUnlessGone } from './engine.js';
import { makeFolder, reapFolders, removeFolders } from './folders.js';

export const RUNNER_LABEL = 'writ.runner';
const INSTALLATION_LABEL = 'writ.installation';
const DEADLINE_LABEL = 'writ.deadline';
const RUN_LABEL = 'writ.run';
/** Past its deadline by so much, nobody looks after a container any more. */
const GRACE_MS = 60_000;

export interface Runner {
  readonly id: string;
  /** Labels of a container that must be gone at `deadlineMs`. No data and no secrets: anybody on the host sees them. */
  labels(deadlineMs: number, run: string | null): Readonly<Record<string, string>>;
  /** A new and empty folder for the sockets of one step. */
  folder(): Promise<string>;
  /** Removes what dead runners left, containers and folders; how many containers. */
  reap(engine: Dockerode): Promise<number>;
  /** Nothing of this runner may be running any more. */
  release(): void;
}

/** `installation` tells data directories apart that share an engine: any text, only its hash is used. */
export function openRunner(locks: Locks, installation: string): Runner {
  const id = randomBytes(16).toString('hex');
  const owner = createHash('sha256').update(installation).digest('hex').slice(0, 32);
  const lock = locks.tryHold(lockOf(id));
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
      await reapFolders(owner, (runner) => runner !== id && isDead(locks, runner));
      const filters = { label: [RUNNER_LABEL] };
      const containers = await ask('list', engine.listContainers({ all: true, filters }));
      let removed = 0;
      for (const { Id, Labels } of containers) {
        const runner = Labels[RUNNER_LABEL] ?? '';
        if (runner === id) continue;
        const dead = Labels[INSTALLATION_LABEL] === owner && isDead(locks, runner);
        if (!dead && !isOverdue(Labels[DEADLINE_LABEL])) continue;
        await askUnlessGone('remove', engine.getContainer(Id).remove({ force: true, v: true }));
        removed += 1;
      }
      return removed;
    },
    release() {
      removeFolders({ owner, runner: id });
      lock?.release();
    },
  };
}

function lockOf(runner: string): string {
  return `sandbox-${runner}`;
}

/** A label that is no id of ours names no lock: whoever wrote it, no runner of ours lives behind it. */
function isDead(locks: Locks, runner: string): boolean {
  if (!/^[0-9a-f]{32}$/.test(runner)) return true;
  const lock: Lock | null = locks.tryHold(lockOf(runner));
  lock?.release();
  return lock !== null;
}

function isOverdue(deadline: string | undefined): boolean {
  return deadline !== undefined && /^[0-9]{1,15}$/.test(deadline) && Number(deadline) + GRACE_MS < Date.now();
}
