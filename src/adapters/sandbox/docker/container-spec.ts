// The one container this driver makes. Everything a container may have beyond this is absent on purpose, and there is
// no way to pass more: no devices, no added capability, no host namespace, no mounts but those of the step, no network
// but that of a relay (egress.ts), which has a loopback interface and nothing else either.
import { createHash } from 'node:crypto';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import type { SandboxMount } from '../../../runtime/ports.js';
import { hiddenPaths } from './hidden-paths.js';
import { SHM_MIB, WORK, type DockerLimits } from './request-check.js';

/** nobody. */
export const USER = '65534:65534';
const [UID] = USER.split(':');
const MIB = 1024 * 1024;
const OPEN_FILES = 256;
const MAX_INODES = 4_096;

export interface ContainerSpec {
  /** Resolved image id. */
  readonly imageId: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly limits: DockerLimits;
  /** Checked (mounts.ts). */
  readonly mounts: readonly SandboxMount[];
  readonly runtime: string;
  /** The profile itself: the engine takes the text, not a path. */
  readonly seccomp: string;
  /** Of the engine's machine. */
  readonly cores: number;
  readonly labels: Readonly<Record<string, string>>;
  /** A container whose network it shares, by id; absent = a loopback interface of its own. */
  readonly relay?: string;
  /** Folders of ours, shown read-only. */
  readonly shown?: readonly SandboxMount[];
}

/** Known to the engine since 1.41, not to the library's types. */
const OWN_CGROUP_NAMESPACE = { CgroupnsMode: 'private' };

/** What is sent to the engine. */
export function createOptions(spec: ContainerSpec): ContainerCreateOptions {
  return {
    Image: spec.imageId,
    // The image says nothing about what runs, as whom, or what checks it.
    Entrypoint: [],
    Cmd: [...spec.argv],
    User: USER,
    WorkingDir: spec.cwd,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: { ...spec.labels },
    Healthcheck: { Test: ['NONE'] },
    Tty: false,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // Told to the engine where the container has none of its own either.
    NetworkDisabled: spec.relay === undefined,
    HostConfig: hostConfig(spec),
  };
}

/** SHA-256 of the host configuration as it is sent, the seccomp profile in it. */
export function hostConfigSha256(spec: ContainerSpec): string {
  return createHash('sha256')
    .update(JSON.stringify(hostConfig(spec)))
    .digest('hex');
}

function hostConfig({
  limits,
  mounts,
  runtime,
  seccomp,
  cores,
  relay,
  shown = [],
}: ContainerSpec): HostConfig {
  const memory = limits.memoryMiB * MIB;
  const fileBytes = limits.diskMiB * MIB;
  return {
    NetworkMode: relay === undefined ? 'none' : `container:${relay}`,
    ReadonlyRootfs: true,
    Privileged: false,
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', `seccomp=${seccomp}`],
    MaskedPaths: hiddenPaths(cores),
    Memory: memory,
    // Equal: no swap. Absent it would be twice the memory.
    MemorySwap: memory,
    MemorySwappiness: 0,
    NanoCpus: Math.round(limits.cpus * 1e9),
    PidsLimit: limits.pids,
    ShmSize: SHM_MIB * MIB,
    // An init ends what the program leaves behind, and lets a deadline inside end the program.
    Init: true,
    IpcMode: 'private',
    ...OWN_CGROUP_NAMESPACE,
    OomScoreAdj: 500,
    // Else the host's resolver would stand in /etc/resolv.conf.
    ...(relay === undefined ? { Dns: ['127.0.0.1'] } : {}),
    Ulimits: [
      { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: fileBytes, Hard: fileBytes },
      ...(limits.cpuMs === null ? [] : [cpuUlimit(limits.cpuMs)]),
    ],
    Tmpfs: {
      '/tmp': tmpfs(limits.tmpMiB, 'noexec', '1777'),
      [WORK]: tmpfs(limits.diskMiB, 'exec', '0700'),
    },
    ...(mounts.length + shown.length === 0 ? {} : { Mounts: [...mounts, ...shown].map(bindOf) }),
    LogConfig: { Type: 'none', Config: {} },
    RestartPolicy: { Name: 'no' },
    // We look at how it ended, then remove it.
    AutoRemove: false,
    Runtime: runtime,
  };
}

/** What is mounted below the folder is not seen, and what is mounted there later on neither. */
function bindOf({ source, target, mode }: SandboxMount): MountConfig[number] {
  return {
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: mode === 'ro',
    BindOptions: { ...NOT_RECURSIVE, Propagation: 'rprivate' },
  };
}

type MountConfig = NonNullable<HostConfig['Mounts']>;
/** Known to the engine since 1.40, not to the library's types. */
const NOT_RECURSIVE = { NonRecursive: true };

/** Of each process; all of them together are watched from outside. */
function cpuUlimit(cpuMs: number): { Name: string; Soft: number; Hard: number } {
  const seconds = Math.ceil(cpuMs / 1_000) + 1;
  return { Name: 'cpu', Soft: seconds, Hard: seconds };
}

/** `exec` has to be said: the engine's own default is `noexec`. */
function tmpfs(sizeMiB: number, exec: 'exec' | 'noexec', mode: string): string {
  return `rw,${exec},nosuid,nodev,size=${sizeMiB}m,nr_inodes=${MAX_INODES},uid=${UID},gid=${UID},mode=${mode}`;
}
