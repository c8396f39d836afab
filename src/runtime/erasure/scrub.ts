// The second half of an erasure: what was erased leaves the files. It is due from the commit that erases until it is
// marked done, so a crash in between is made good by whoever opens the store next.
import { WritError } from '../../errors.js';
import type { Commitment } from '../../json.js';
import type { CopyFiles, HandedOutCopy, Lock, Locks, Store } from '../ports.js';

export interface ScrubParts {
  readonly store: Store;
  readonly copies: CopyFiles;
  readonly locks: Locks;
  /** What erased must be readable in the log's files before anybody misses the bytes. */
  readonly publish: () => Promise<void>;
}

/** What an erasure may wait for others: whoever opens the store next finishes what it could not. */
export const SCRUB_WAIT_MS = 5_000;

export interface ScrubReport {
  /** No file of the store holds an erased byte. */
  readonly clean: boolean;
  /** Why not, for people; null when clean. */
  readonly reason: string | null;
  /** Copies handed out that held erased payloads and are removed. */
  readonly removed: readonly string[];
  /** Copies of these runs that can't be looked at or removed. */
  readonly outOfReach: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Finishes what erasures have left to do; nothing where nothing is due. Waits up to `waitMs` for another process that
 * does the same or reads an old state. Throws the fatal STORE_* codes.
 */
export async function finishScrub(parts: ScrubParts, waitMs: number): Promise<ScrubReport> {
  const done: ScrubReport = { clean: true, reason: null, removed: [], outOfReach: [] };
  if ((await parts.store.unscrubbed()).length === 0) return done;
  const lock = await heldWithin(parts.locks, waitMs);
  if (lock === null) return { ...done, clean: false, reason: 'another process is at it' };
  try {
    const { store, copies } = parts;
    await parts.publish();
    const erased = await store.unscrubbed();
    const { removed, outOfReach } = await removeCopies(store, copies, erased);
    const outcome = await store.scrub(waitMs);
    if (outcome === 'done') await store.markScrubbed(erased);
    return { clean: outcome === 'done', reason: reasonOf(outcome), removed, outOfReach };
  } finally {
    lock.release();
  }
}

function reasonOf(outcome: Awaited<ReturnType<Store['scrub']>>): string | null {
  switch (outcome) {
    case 'done':
      return null;
    case 'busy':
      return 'another program has the store open and still reads its old state';
    case 'full':
      return 'there is no room on the disk to write the store anew';
  }
}

async function heldWithin(locks: Locks, waitMs: number): Promise<Lock | null> {
  try {
    return await locks.hold('scrub', waitMs);
  } catch (error) {
    if (error instanceof WritError && error.code === 'STORE_BUSY') return null;
    throw error;
  }
}

/** A copy that names an erased payload holds it, or was made to hold it: the file goes. */
async function removeCopies(
  store: Store,
  files: CopyFiles,
  erased: readonly Commitment[],
): Promise<Pick<ScrubReport, 'removed' | 'outOfReach'>> {
  const runs = new Set<string>();
  for (const commitment of erased) {
    const payload = await store.payload(commitment);
    if (payload !== null) runs.add(payload.run);
  }
  const concerned = ({ run }: HandedOutCopy): boolean => run === null || runs.has(run);
  const removed: string[] = [];
  const outOfReach: { readonly path: string; readonly reason: string }[] = [];
  for (const { path } of (await store.copies()).filter(concerned)) {
    const found = await files.look(path, erased);
    if (found === 'absent') outOfReach.push({ path, reason: 'is no longer where it was written' });
    if (found === 'unreadable') outOfReach.push({ path, reason: 'can not be read' });
    if (found !== 'holds') continue;
    if (await files.remove(path)) {
      await store.forgetCopy(path);
      removed.push(path);
    } else outOfReach.push({ path, reason: 'can not be removed' });
  }
  return { removed, outOfReach };
}
