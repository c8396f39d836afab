// What the process that holds a guest uses of memory and CPU, seen from outside.
import { readFileSync } from 'node:fs';

/** Of /proc/<pid>/stat; the same on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** Reads what the process that holds the guest uses: the child, or the one it forked. */
export function useReader(
  pid: number | undefined,
): (() => { readonly rssBytes: number; readonly cpuMs: number } | null) | null {
  if (pid === undefined) return null;
  const forked = readProc(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ')[0] ?? '';
  const holder = /^[0-9]+$/.test(forked) ? forked : `${pid}`;
  return () => {
    const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readProc(`/proc/${holder}/status`) ?? '')?.[1];
    // After the name, which may hold anything: the 12th and 13th field, ticks in user and in system mode.
    const ticks = (readProc(`/proc/${holder}/stat`) ?? '').split(') ').at(-1)?.split(' ').slice(11, 13);
    if (kib === undefined || ticks?.length !== 2) return null;
    const [user = 0, system = 0] = ticks.map(Number);
    return { rssBytes: Number(kib) * 1024, cpuMs: (user + system) * MS_PER_TICK };
  };
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the process has just ended
  }
}
