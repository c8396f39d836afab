// Notices that the files of a policy directory are others than they were. It looks at names, sizes and times, at a fixed
// distance, so it sees the same on every file system and whichever way an editor writes; a change counts once two looks in
// a row have found the same, so that files that are being copied are not read half-way. It understands nothing of them.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface PolicyWatchOptions {
  /** What `policyFingerprint` gave before the files were read that are in force: no change in between is missed. */
  readonly since: string;
  /** Between two looks, in ms. A change is told after one to two of them. */
  readonly everyMs: number;
  /**
   * Called one after the other, never at once with itself. True = the change is dealt with; after false, or a rejection,
   * which is told to `failed`, it is told again at the next look.
   */
  readonly changed: () => Promise<boolean>;
  readonly failed: (error: unknown) => void;
}

export interface PolicyWatch {
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

/** Most entries that are looked at, as many as the reader of the directory takes and a few more. */
const MAX_ENTRIES = 400;
const MAX_DEPTH = 4;

/** Keeps no process alive. */
export function watchPolicyDirectory(directory: string, options: PolicyWatchOptions): PolicyWatch {
  const stopped = new AbortController();
  const watching = watch(directory, options, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await watching;
    },
  };
}

async function watch(
  directory: string,
  { since, everyMs, changed, failed }: PolicyWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let told = since;
  let before = since;
  while (!signal.aborted) {
    await pause(everyMs, signal);
    if (signal.aborted) return;
    const now = await policyFingerprint(directory);
    const isSettled = now === before;
    before = now;
    if (!isSettled || now === told) continue;
    const isDealtWith = await changed().catch((error: unknown) => {
      failed(error);
      return false;
    });
    if (isDealtWith) told = now;
  }
}

/** One text for one state of the directory; a directory that can't be read has one too. Never rejects. */
export async function policyFingerprint(directory: string): Promise<string> {
  const seen: string[] = [];
  const look = async (folder: string, depth: number): Promise<void> => {
    const at = join(directory, folder);
    for (const { name } of await readdir(at, { withFileTypes: true })) {
      if (name.startsWith('.') || seen.length >= MAX_ENTRIES) continue;
      const path = join(folder, name);
      const { ino, size, mode, mtimeNs, ctimeNs, isFolder } = await facts(join(directory, path));
      seen.push([path, ino, size, mode, mtimeNs, ctimeNs].join('\0'));
      if (isFolder && depth < MAX_DEPTH) await look(path, depth + 1);
    }
  };
  try {
    const { mode, ino } = await facts(directory);
    seen.push([mode, ino].join('\0'));
    await look('', 0);
  } catch (error) {
    // Whatever is wrong with it is found out, and said, by who reads it.
    seen.push(error instanceof Error && 'code' in error ? String(error.code) : 'unreadable');
  }
  return seen.sort().join('\n');
}

async function facts(path: string) {
  const info = await stat(path, { bigint: true });
  const { ino, size, mode, mtimeNs, ctimeNs } = info;
  const isFolder = info.isDirectory();
  // The size and times of a folder change with files that are left out.
  return isFolder
    ? { ino, size: 0n, mode, mtimeNs: 0n, ctimeNs: 0n, isFolder }
    : { ino, size, mode, mtimeNs, ctimeNs, isFolder };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
