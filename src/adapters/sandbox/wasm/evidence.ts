// What is written down about a sandbox: which layers of this machine keep which promise, and what a run used of
// them. Strings, whole numbers and booleans only; no payload, no argument, no path of the machine.
import type { JsonObject } from '../../../json.js';
import type { SandboxResult } from '../../../runtime/ports.js';
import type { Ready } from './protocol.js';
import { GUEST_UID, OPEN_FILES, type Machine } from './hardening.js';
import type { CheckedModule } from './module-check.js';
import type { RunLimits } from './request-check.js';

/** The machine's layers, by the promise each keeps. */
export function machineEvidence(machine: Machine): JsonObject {
  return {
    driver: 'wasm',
    engine: '@wasmer/sdk',
    engineVersion: machine.sdkVersion,
    runtime: 'node',
    runtimeVersion: process.version,
    user: machine.user,
    network: 'none',
    mounts: 'none',
    profile: 'strict',
    keptBy: keptBy(machine),
  };
}

function keptBy(machine: Machine): JsonObject {
  return {
    network: machine.unshare === null ? 'no socket imports' : 'no socket imports, own network namespace',
    processes: machine.unshare === null ? 'permission model' : 'permission model, own process namespace',
    files: 'empty file system of its own, permission model',
    environment: "the step's variables only",
    openFiles: machine.prlimit === null ? 'not limited: prlimit not found' : `RLIMIT_NOFILE ${OPEN_FILES}`,
  };
}

/** One line for each layer this machine lacks, and what brings it. */
export function lackingLayers(machine: Machine): string[] {
  const lines: string[] = [];
  if (machine.unshare === null) {
    lines.push(
      'own network and process namespace: not available; install util-linux and allow user namespaces',
    );
  }
  if (machine.prlimit === null)
    lines.push('CPU time and open files: not limited; install util-linux (prlimit)');
  if (machine.user.startsWith('0 '))
    lines.push(`user: ${machine.user}; install outside root's home directory`);
  if (!machine.procfs) lines.push('resident memory: not watched; /proc is not readable');
  return lines;
}

/** The promise a booted child shows to be broken, or null. A layer we arranged must be seen from inside. */
export function brokenPromise(machine: Machine, ready: Ready): string | null {
  if (!ready.filesDenied) return 'the permission model does not refuse the file system';
  if (!ready.spawnDenied) return 'the permission model does not refuse processes';
  if (ready.envNames !== 0) return 'the environment is not empty';
  if (machine.lowerUser && ready.uid !== GUEST_UID) return `the process runs as uid ${ready.uid}`;
  if (machine.unshare !== null && ready.interfaces !== 0) return 'the process sees a network interface';
  return null;
}

export interface RequestFacts {
  readonly limits: RunLimits;
  readonly module: CheckedModule;
  readonly classPages: number;
  /** null = no such layer on this machine. */
  readonly rssLimitBytes: number | null;
  readonly cpuSeconds: number;
  readonly isDeterministic: boolean;
}

/** Complete before the act: what will run, under which limits, kept by what. */
export function requestEvidence(machine: Machine, facts: RequestFacts): JsonObject {
  const base = machineEvidence(machine);
  const { cpuMs, ...limits } = facts.limits;
  const watched =
    facts.rssLimitBytes === null
      ? 'process not watched: /proc is not readable'
      : `process killed above ${Math.round(facts.rssLimitBytes / 1_048_576)} MiB resident`;
  return {
    ...base,
    moduleSha256: facts.module.digest,
    moduleAsRunSha256: facts.module.rewrittenDigest,
    limits: { ...limits, ...(cpuMs === null ? {} : { cpuMs }) },
    deterministic: facts.isDeterministic,
    keptBy: {
      ...keptBy(machine),
      timeoutMs: 'SIGKILL by the runner',
      memoryMiB: `module maximum ${facts.module.maximumPages} pages, engine maximum ${facts.classPages} pages, ${watched}`,
      outputBytes: 'counted in the process and by the runner, SIGKILL at the cap',
      diskMiB:
        "size of /workspace looked at every 25 ms, SIGKILL at the cap; the engine's memory is the bound for the rest",
      ...(cpuMs === null ? {} : { cpuMs: 'read from /proc every 50 ms, SIGKILL' }),
      cpu:
        machine.prlimit === null
          ? 'wall time only: prlimit not found'
          : `wall time, RLIMIT_CPU ${facts.cpuSeconds} s as backstop`,
    },
  };
}

/** What is known after the end. */
export function endEvidence(
  result: Omit<SandboxResult, 'evidence'>,
  child: { readonly pooled: boolean; readonly bootMs: number; readonly peakRssBytes: number | null } | null,
): JsonObject {
  return {
    status: result.status,
    ...(result.exitCode === null ? {} : { exitCode: result.exitCode }),
    ...(result.limitHit === null ? {} : { limitHit: result.limitHit }),
    wallMs: Math.round(result.usage.wallMs),
    stdoutBytes: result.stdout.bytes.length,
    stderrBytes: result.stderr.bytes.length,
    ...(result.outputs === undefined ? {} : { outputs: result.outputs.length }),
    ...(result.usage.cpuMs === undefined ? {} : { cpuMs: Math.round(result.usage.cpuMs) }),
    ...(child === null ? {} : { pooled: child.pooled, bootMs: Math.round(child.bootMs) }),
    ...(child === null || child.peakRssBytes === null
      ? {}
      : { peakRssMiB: Math.round(child.peakRssBytes / 1_048_576) }),
  };
}
