// Processes as a test sees them from outside, by what Linux says of them in /proc. Any of them may end while it is looked
// at. Killed is not gone: on a busy machine a process is seen for a while as it gives its memory back.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { vi } from 'vitest';

/** False where nobody says who has started whom. */
export const tellsFamilies = existsSync('/proc/self/task');

/** What a process has started itself. */
export function childrenOf(pid: number): number[] {
  const threads = saidBy(() => readdirSync(`/proc/${pid}/task`), []);
  return threads.flatMap((thread) =>
    textOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

/** All that a process has started, and they have. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Its words, each followed by a space; empty when it has ended. */
export function commandLineOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** Of all processes of this machine but this one, those in containers included. */
export function commandLines(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
  return pids.map((pid) => commandLineOf(Number(pid)));
}

/** Not ended, nor only waiting for its parent to hear of it. */
export function isThere(pid: number): boolean {
  const status = textOf(`/proc/${pid}/status`);
  return status !== '' && !/^State:\s+[ZX]/mu.test(status);
}

/** Resolves when none of them is there. */
export function gone(pids: readonly number[]): Promise<true> {
  return vi.waitUntil(() => !pids.some(isThere), { timeout: 30_000, interval: 5 });
}

function textOf(file: string): string {
  return saidBy(() => readFileSync(file, 'utf8'), '');
}

function saidBy<Said>(read: () => Said, ofNobody: Said): Said {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return ofNobody;
    throw error;
  }
}
