// What the kernel counts of a container: CPU time, and processes killed for memory. Read where the engine runs on this
// machine and its control groups can be seen; the engine itself tells CPU time once a second at most (measured with
// 20.10), and what was killed for memory by an event that may be late. Wrong numbers are worse than none: a group counts
// only when its name holds the container's id.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the kernel shows processes and their groups. */
const PLACES = { processes: '/proc', groups: '/sys/fs/cgroup' };
const CONTAINER_ID = /^[0-9a-f]{64}$/;

export interface ControlGroup {
  /** CPU time of everything in the container so far; null = it is gone. */
  cpuMs(): number | null;
  /** Processes the kernel has killed for memory; null = it is gone, or this kernel does not count them. */
  oomKills(): number | null;
}

/**
 * The group of the container whose first process is `pid`; null where it can't be seen from here (an engine in a
 * virtual machine, a runner in a container of its own).
 */
export function controlGroupOf(containerId: string, pid: number, places = PLACES): ControlGroup | null {
  if (!CONTAINER_ID.test(containerId) || !Number.isSafeInteger(pid) || pid <= 0) return null;
  const lines = (read(join(places.processes, String(pid), 'cgroup')) ?? '')
    .split('\n')
    .map((line) => line.split(':'));
  const folder = (controller: string): { readonly path: string; readonly isUnified: boolean } | null => {
    const own = lines.find(([, names = '']) => names.split(',').includes(controller));
    const [, names = '', ...rest] =
      own ?? lines.find(([id, controllers]) => id === '0' && controllers === '') ?? [];
    const path = rest.join(':');
    // A process id of another machine, or one that has been given to somebody else since, has another group.
    if (!path.includes(containerId) || path.split('/').includes('..')) return null;
    return { path: join(places.groups, names, path), isUnified: own === undefined };
  };
  const cpu = folder('cpuacct');
  const memory = folder('memory');
  const cpuMs = (): number | null => {
    if (cpu === null) return null;
    return cpu.isUnified
      ? divided(numberAfter('usage_usec', read(join(cpu.path, 'cpu.stat'))), 1e3)
      : divided(numberIn(read(join(cpu.path, 'cpuacct.usage'))), 1e6);
  };
  const oomKills = (): number | null => {
    if (memory === null) return null;
    const file = memory.isUnified ? 'memory.events' : 'memory.oom_control';
    return numberAfter('oom_kill', read(join(memory.path, file)));
  };
  return cpuMs() === null ? null : { cpuMs, oomKills };
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // gone, or not to be seen from here: nothing is known then
  }
}

function numberAfter(name: string, text: string | null): number | null {
  const line = text?.split('\n').find((one) => one.startsWith(`${name} `));
  return numberIn(line?.slice(name.length + 1) ?? null);
}

function numberIn(text: string | null): number | null {
  return text !== null && /^[0-9]{1,20}\n?$/.test(text) ? Number(text) : null;
}

function divided(value: number | null, by: number): number | null {
  return value === null ? null : value / by;
}
