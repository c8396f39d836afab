// What this engine can keep, as it says itself. A promise it does not report is one that does not hold: then nothing
// runs, and each lack says what brings it.
import type Dockerode from 'dockerode';
import { createHash } from 'node:crypto';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import { ask, unavailable } from './engine.js';
import { USER } from './container-spec.js';

export interface Machine {
  readonly engineVersion: string;
  readonly apiVersion: string;
  readonly runtimes: readonly string[];
  /** How the engine starts a runtime, by its name; where it says so. */
  readonly runtimeArgs: ReadonlyMap<string, readonly string[]>;
  readonly runtime: string;
  readonly runtimeVersion: string | null;
  readonly cores: number;
  /** What TCP and UDP sockets hold counts as memory of their container: not so in control groups of version 1. */
  readonly countsSockets: boolean;
  /** Of the engine, on its machine. */
  readonly rootDirectory: string;
  readonly seccomp: string;
  readonly seccompSha256: string;
  /** One line for each promise that it can't keep; empty = all are kept. */
  readonly lacks: readonly string[];
}

/** Asks the engine. Throws SANDBOX_UNAVAILABLE when none answers. */
export async function inspectMachine(
  engine: Dockerode,
  seccomp: string,
  runtime: string | null,
): Promise<Machine> {
  try {
    const [info, version] = await Promise.all([
      ask<unknown>('info', engine.info()),
      ask<unknown>('version', engine.version()),
    ]);
    return machineOf(fieldsOf(info), fieldsOf(version), {
      seccomp,
      runtime,
    });
  } catch (error) {
    throw unavailable(error);
  }
}

type Fields = ReadonlyMap<string, unknown>;

/** An answer's fields; none for what is no object. */
function fieldsOf(value: unknown): Fields {
  return new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

function machineOf(
  info: Fields,
  version: Fields,
  { seccomp, runtime }: { readonly seccomp: string; readonly runtime: string | null },
): Machine {
  const text = (fields: Fields, name: string): string => {
    const value = fields.get(name);
    return typeof value === 'string' ? value : '';
  };
  const cores = info.get('NCPU');
  const chosen = runtime ?? text(info, 'DefaultRuntime');
  return {
    engineVersion: text(version, 'Version'),
    apiVersion: text(version, 'ApiVersion'),
    runtimes: [...fieldsOf(info.get('Runtimes')).keys()],
    runtimeArgs: new Map([...fieldsOf(info.get('Runtimes'))].map(([name, one]) => [name, argsOf(one)])),
    runtime: chosen,
    runtimeVersion: chosen === 'runc' ? runcVersion(version.get('Components')) : null,
    cores: typeof cores === 'number' ? cores : 1,
    countsSockets: info.get('CgroupVersion') === '2',
    rootDirectory: text(info, 'DockerRootDir'),
    seccomp,
    seccompSha256: createHash('sha256').update(seccomp).digest('hex'),
    lacks: lacksOf(info, text(info, 'OSType'), text(info, 'Architecture')),
  };
}

function argsOf(runtime: unknown): readonly string[] {
  const args = fieldsOf(runtime).get('runtimeArgs');
  return Array.isArray(args) ? args.filter((arg) => typeof arg === 'string') : [];
}

function lacksOf(info: Fields, system: string, architecture: string): string[] {
  const lacks: string[] = [];
  const need = (kept: boolean, line: string): void => {
    if (!kept) lacks.push(line);
  };
  const options = info.get('SecurityOptions');
  const security = Array.isArray(options) ? options.filter((one) => typeof one === 'string') : [];
  need(system === 'linux', `containers of Linux: the engine runs ${system}`);
  need(architecture === 'x86_64', `system call filter: made for x86_64, the engine runs ${architecture}`);
  need(
    security.some((one) => one.startsWith('name=seccomp')),
    'system call filter: the engine has no seccomp',
  );
  need(info.get('MemoryLimit') === true, 'memoryMiB: the kernel has no memory control group');
  need(
    info.get('SwapLimit') === true,
    'memoryMiB: swap is not accounted; boot the kernel with swapaccount=1',
  );
  need(info.get('PidsLimit') === true, 'pids: the kernel has no pids control group');
  need(info.get('CpuCfsQuota') === true, 'cpus: the kernel has no CFS quota');
  return lacks;
}

function runcVersion(components: unknown): string | null {
  if (!Array.isArray(components)) return null;
  for (const one of components) {
    const { Name, Version } = Object(one) as { Name?: unknown; Version?: unknown };
    if (Name === 'runc' && typeof Version === 'string') return Version;
  }
  return null;
}

/** Throws SANDBOX_UNAVAILABLE naming the first promise that does not hold. */
export function requirePromises({ lacks }: Machine): void {
  const [first] = lacks;
  if (first === undefined) return;
  throw new WritError('SANDBOX_UNAVAILABLE', `the docker sandbox does not hold on this machine: ${first}`, {
    hint: 'run `writ doctor` to see what is kept and by what',
  });
}

/** Throws SANDBOX_RUNTIME_UNKNOWN; another runtime never takes its place. */
export function requireRuntime(machine: Machine, runtime: string): void {
  if (machine.runtimes.includes(runtime)) return;
  throw new WritError('SANDBOX_RUNTIME_UNKNOWN', `the engine has no container runtime ${runtime}`, {
    hint: `register it in the engine's daemon.json; there are: ${machine.runtimes.join(', ')}`,
  });
}

export function machineEvidence(machine: Machine): JsonObject {
  return {
    driver: 'docker',
    engine: 'docker',
    engineVersion: machine.engineVersion,
    apiVersion: machine.apiVersion,
    runtime: machine.runtime,
    ...(machine.runtimeVersion === null ? {} : { runtimeVersion: machine.runtimeVersion }),
    profile: 'strict',
    seccompSha256: machine.seccompSha256,
    user: USER,
    network: 'none',
    mounts: 'none',
  };
}

export const UNCOUNTED_SOCKETS = 'what TCP and UDP sockets hold does not (control groups of version 1)';

/** By what each promise is kept; the same for every container. */
export const KEPT_BY: JsonObject = {
  network: 'network mode none: a loopback interface and no route',
  files: 'read-only root, /work and /tmp in memory, no mounts',
  privileges: 'no capabilities, no-new-privileges, user 65534',
  systemCalls: 'our own list of allowed calls',
  processes: 'own process namespace, pids limit',
  environment: "the step's variables, PATH, HOME and HOSTNAME",
};
