// A step as it would run: its request checked, the machine asked what it keeps, the image found and the container described.
// Nothing is created here, and what a machine can't keep is refused.
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { SandboxMount, SandboxRequest } from '../../../runtime/ports.js';
import { hostConfigSha256, type ContainerSpec } from './container-spec.js';
import {
  EGRESS_KEPT_BY,
  egressEvidence,
  prepareEgress,
  type EgressMeans,
  type PreparedEgress,
} from './egress-step.js';
import { DEFAULT_SOCKET, REAP_EVERY_MS, type Opened } from './engine-link.js';
import { findImage, type FoundImage } from './image.js';
import { KEPT_BY, machineEvidence, UNCOUNTED_SOCKETS, requirePromises, requireRuntime } from './machine.js';
import { checkMounts } from './mounts.js';
import { checkRequest, type DockerRequest } from './request-check.js';
import { endsInside, requireTools } from './step.js';

/** gVisor's own threads count as well: below it, shells fail to fork (measured). */
export const RUNSC_PIDS = 1_024;

export interface Prepared {
  readonly request: DockerRequest;
  readonly known: Opened;
  readonly image: FoundImage;
  readonly spec: ContainerSpec;
  /** null = no network. */
  readonly egress: PreparedEgress | null;
}

export interface PrepareOptions {
  readonly socketPath?: string;
  /** Folders of the runner that no container is ever shown: its data, its policies. */
  readonly never?: readonly string[];
  /** Ways out of containers; absent = no step has one. */
  readonly egress?: EgressMeans;
}

/** Throws SANDBOX_*: of the request before the engine is asked anything. */
export async function prepareStep(
  request: SandboxRequest,
  opened: () => Promise<Opened>,
  options: PrepareOptions,
): Promise<Prepared> {
  const checked = checkRequest(request);
  const known = await opened();
  const { machine } = known;
  requirePromises(machine);
  const runtime = checked.runtime ?? machine.runtime;
  requireRuntime(machine, runtime);
  requireFor(runtime, checked, request.require ?? []);
  if (checked.limits.cpus > machine.cores) {
    throw new WritError('SANDBOX_UNSUPPORTED', `the docker sandbox can't keep cpus ${checked.limits.cpus}`, {
      hint: `the engine's machine has ${machine.cores}`,
    });
  }
  if (checked.mounts.length > 0) {
    const engine = [machine.rootDirectory, options.socketPath ?? DEFAULT_SOCKET];
    await checkMounts(checked.mounts, [...(options.never ?? []), ...engine]);
  }
  const image = await findImage(known.engine, checked.image);
  requireTools(checked, (tool) => image.tools.has(tool));
  const egress = await prepareEgress(options.egress, checked, runtime, known);
  const deadlineMs = Date.now() + checked.limits.timeoutMs + REAP_EVERY_MS;
  const spec: ContainerSpec = {
    imageId: image.id,
    argv: checked.argv,
    env: checked.env,
    cwd: checked.cwd,
    limits: checked.limits,
    mounts: checked.mounts,
    runtime,
    seccomp: machine.seccomp,
    cores: machine.cores,
    labels: known.runner.labels(deadlineMs, checked.run),
  };
  return { request: checked, known, image, spec, egress };
}

/** gVisor is its own kernel: our filter does not hold its guests, and its threads are processes as well. */
function requireFor(runtime: string, { limits }: DockerRequest, require: readonly string[]): void {
  if (!runtime.startsWith('runsc')) return;
  if (require.includes('seccomp')) {
    throw new WritError('SANDBOX_UNSUPPORTED', "runsc can't keep seccomp, which a ceiling requires", {
      hint: 'require runtime:runsc or seccomp, not both',
    });
  }
  if (limits.pids >= RUNSC_PIDS) return;
  throw new WritError('SANDBOX_UNSUPPORTED', `runsc can't keep pids ${limits.pids}: its own threads count`, {
    hint: `set pids to ${RUNSC_PIDS}, or runtime: runsc in docker.yaml, which makes it the default`,
  });
}

/** Complete before the act: what will run, under which limits, kept by what. */
export function requestEvidence({ request, known, image, spec, egress }: Prepared): JsonObject {
  const { cpuMs, cpus, tmpMiB: _, ...limits } = request.limits;
  return {
    ...machineEvidence(known.machine),
    runtime: spec.runtime,
    ...(spec.mounts.length === 0 ? {} : { mounts: spec.mounts.map(mountText) }),
    ...egressEvidence(request, egress),
    imageId: image.id,
    hostConfigSha256: hostConfigSha256(spec),
    // Fractions as text: the log holds whole numbers.
    limits: { ...limits, cpus: String(cpus), ...(cpuMs === null ? {} : { cpuMs }) },
    keptBy: {
      ...KEPT_BY,
      ...(spec.mounts.length === 0
        ? {}
        : { files: 'read-only root, /work and /tmp in memory, the mounts named, read-only unless rw' }),
      ...(egress === null ? {} : { network: EGRESS_KEPT_BY }),
      timeoutMs: endsInside(request, (tool) => image.tools.has(tool))
        ? 'SIGKILL by the runner, a deadline inside behind it'
        : 'SIGKILL by the runner',
      ...(cpuMs === null ? {} : { cpuMs: 'looked at every 250 ms, SIGKILL; RLIMIT_CPU of each process' }),
      memoryMiB: `control group, no swap; files in memory count${known.machine.countsSockets ? '' : `; ${UNCOUNTED_SOCKETS}`}`,
      cpus: 'CFS quota',
      pids: 'control group',
      diskMiB: 'size of /work, no other place is larger',
      outputBytes: 'counted as it comes, SIGKILL at the cap',
    },
  };
}

function mountText({ source, target, mode }: SandboxMount): string {
  return `${source} ${target} ${mode}`;
}
