// The Docker sandbox: one container, one step. Order of a run: check the request, ask the engine what it keeps, verify
// the image, create, attach, start, supervise, look, remove. What fails before the start is `unavailable`; nothing ever
// runs anywhere else, and no container outlives its run.
import { UnderWay } from '../under-way.js';
import type Dockerode from 'dockerode';
import { randomBytes } from 'node:crypto';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type {
  Locks,
  SandboxDriver,
  SandboxMount,
  SandboxRequest,
  SandboxResult,
} from '../../../runtime/ports.js';
import { hostConfigSha256, type ContainerSpec } from './container-spec.js';
import {
  EGRESS_KEPT_BY,
  egressEvidence,
  egressPromise,
  prepareEgress,
  throughEgress,
  type EgressMeans,
  type PreparedEgress,
} from './egress-step.js';
import { openEngine, unavailable } from './engine.js';
import { findImage, type FoundImage } from './image.js';
import {
  inspectMachine,
  KEPT_BY,
  machineEvidence,
  requirePromises,
  requireRuntime,
  type Machine,
} from './machine.js';
import { checkMounts } from './mounts.js';
import { watchMemory, type MemoryEvents } from './memory-events.js';
import { IDLE_MS, openContainerPool } from './pool.js';
import { openRunner, RUNNER_LABEL, type Runner } from './reaper.js';
import { checkRequest, DEFAULT_LIMITS, type DockerRequest } from './request-check.js';
import { endsInside, nothingRan, requireTools, runStep, startWaiting, type StepResult } from './step.js';

export interface DockerDriverOptions {
  /** Of the engine; default /var/run/docker.sock. */
  readonly socketPath?: string;
  /** The container runtime; default the engine's own. */
  readonly runtime?: string;
  /** The text of our seccomp profile; read at the first use. */
  readonly seccomp: () => Promise<string>;
  /** Where a runner shows that it lives. */
  readonly locks: Locks;
  /** What tells this installation from others on the same engine, e.g. its data directory. */
  readonly installation: string;
  /** Folders of the runner that no container is ever shown: its data, its policies. */
  readonly never?: readonly string[];
  /** Containers kept started for steps like the ones before; default 0. */
  readonly poolSize?: number;
  /** Ways out of containers; absent = no step has one. */
  readonly egress?: EgressMeans;
  /** Told what each run came to, not redacted: for an operator who tries a sandbox by hand. */
  readonly onResult?: (result: SandboxResult) => void;
}

/** What is known once the engine has answered. */
interface Opened {
  readonly engine: Dockerode;
  readonly machine: Machine;
  readonly events: MemoryEvents;
  readonly runner: Runner;
}

const DEFAULT_SOCKET = '/var/run/docker.sock';
const REAP_EVERY_MS = 10_000;
/** Longest step that a waiting container serves: how long it lives without its runner is fixed when it starts. */
const POOLED_TIMEOUT_MS = 120_000;
/** Until it is taken, the step, putting files in and taking them out. */
const POOLED_LIFE_MS = IDLE_MS + POOLED_TIMEOUT_MS + 30_000;
/** gVisor's own threads count as well: below it, shells fail to fork (measured). */
const RUNSC_PIDS = 1_024;

/** Opens the driver. Nothing is asked or loaded before the first `preflight`, `prepare` or `run`. */
export function openDockerDriver(options: DockerDriverOptions): SandboxDriver {
  const underWay = new UnderWay(options.onResult);
  const pool = openContainerPool(options.poolSize ?? 0);
  const removals = new Set<Promise<void>>();
  const leaving = (removal: Promise<void>): void => {
    const gone = removal
      .catch(() => undefined) // the engine does not answer: the reaper finds it by its label
      .finally(() => removals.delete(gone));
    removals.add(gone);
  };
  let runner: Runner | null = null;
  let opening: Promise<Opened> | null = null;
  let reaping: NodeJS.Timeout | null = null;

  const open = async (): Promise<Opened> => {
    const engine = await openEngine(options.socketPath ?? DEFAULT_SOCKET);
    const seccomp = await options.seccomp();
    const machine = await inspectMachine(engine, seccomp, options.runtime ?? null);
    try {
      const living = (runner ??= openRunner(options.locks, options.installation));
      // What a killed runner left is gone before anything of this one starts.
      await living.reap(engine);
      reaping ??= setInterval(() => void living.reap(engine).catch(() => undefined), REAP_EVERY_MS).unref();
      return {
        engine,
        machine,
        runner: living,
        events: await watchMemory(engine, `${RUNNER_LABEL}=${living.id}`),
      };
    } catch (error) {
      throw unavailable(error);
    }
  };
  /** A failure is looked at again next time, and so is an engine that has gone away since. */
  const opened = async (): Promise<Opened> => {
    if (underWay.isStopped) throw new WritError('SANDBOX_UNAVAILABLE', 'the docker sandbox is closed');
    opening ??= open();
    try {
      return await opening;
    } catch (error) {
      opening = null;
      throw error;
    }
  };
  const forget = async (): Promise<void> => {
    const before = opening;
    opening = null;
    (await before?.catch(() => null))?.events.close();
  };

  /** The request as it would run; nothing is created. */
  const check = async (request: SandboxRequest): Promise<{ request: DockerRequest } & Prepared> => {
    const checked = checkRequest(request);
    const known = await opened();
    requirePromises(known.machine);
    const runtime = checked.runtime ?? known.machine.runtime;
    requireRuntime(known.machine, runtime);
    requireFor(runtime, checked, request.require ?? []);
    if (checked.limits.cpus > known.machine.cores) {
      throw new WritError(
        'SANDBOX_UNSUPPORTED',
        `the docker sandbox can't keep cpus ${checked.limits.cpus}`,
        {
          hint: `the engine's machine has ${known.machine.cores}`,
        },
      );
    }
    if (checked.mounts.length > 0) {
      const engine = [known.machine.rootDirectory, options.socketPath ?? DEFAULT_SOCKET];
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
      seccomp: known.machine.seccomp,
      labels: known.runner.labels(deadlineMs, checked.run),
    };
    return { request: checked, known, image, spec, egress };
  };

  const act = async (request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult> => {
    if (signal.aborted) return finished(nothingRan('cancelled', 'cancelled before it started'), DRIVER);
    let evidence = DRIVER;
    try {
      const prepared = await check(request);
      evidence = requestEvidence(prepared.request, prepared);
      const { known, image, spec } = prepared;
      const name = (): string => `writ-${known.runner.id.slice(0, 12)}-${randomBytes(6).toString('hex')}`;
      const pooled =
        image.tools.has('sleep') &&
        prepared.request.limits.timeoutMs <= POOLED_TIMEOUT_MS &&
        spec.mounts.length === 0 &&
        prepared.egress === null;
      const key = `${image.id} ${hostConfigSha256(spec)}`;
      const ready = pooled ? await pool.take(key) : null;
      const { step, passed } = await throughEgress(prepared, name, signal, (way) =>
        runStep(
          {
            engine: known.engine,
            events: known.events,
            name: name(),
            spec: { ...spec, ...way?.spec },
            request: {
              ...prepared.request,
              ...(way === null ? {} : { env: { ...prepared.request.env, ...way.env } }),
            },
            onOutput: request.onOutput,
            hasTool: (tool) => image.tools.has(tool),
            ready,
            leaving,
            ...(way === null ? {} : { egressEnded: way.ended }),
          },
          signal,
        ),
      );
      if (step.limitHit === 'unknown') await forget();
      else if (pooled) {
        pool.used(key, () => {
          // Of no run: what waits holds nothing of anybody's.
          const labels = known.runner.labels(Date.now() + POOLED_LIFE_MS, null);
          return startWaiting(known.engine, name(), { ...spec, labels }, POOLED_LIFE_MS / 1_000);
        });
      }
      return finished(step, { ...evidence, pooled: ready !== null, ...passed });
    } catch (error) {
      if (!(error instanceof WritError) || error.code === 'SANDBOX_UNAVAILABLE') await forget();
      const known = unavailable(error);
      if (!UNAVAILABLE.has(known.code)) throw known;
      return finished(nothingRan('unavailable', known.message), evidence);
    }
  };

  return {
    kind: 'docker',
    defaults: { ...DEFAULT_LIMITS, ...(options.runtime === 'runsc' ? { pids: RUNSC_PIDS } : {}) },
    async preflight() {
      try {
        const known = await opened();
        const { machine } = known;
        const lacks = [...machine.lacks];
        if (!machine.runtimes.includes(machine.runtime))
          lacks.push(`runtime: the engine has no ${machine.runtime}`);
        const egress = await egressPromise(options.egress, known);
        const keptBy = { ...KEPT_BY, ...(egress.isKept ? { egress: egress.words } : {}) };
        const evidence = { ...machineEvidence(machine), keptBy };
        // A step without a way out needs none.
        const without = egress.isKept ? [] : [`a way out to listed hosts: ${egress.words}`];
        return { ok: lacks.length === 0, evidence, problems: lacks.length > 0 ? lacks : without };
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
        const hint = error.hint === undefined ? '' : ` (${error.hint})`;
        return { ok: false, evidence: DRIVER, problems: [`${error.message}${hint}`] };
      }
    },
    async prepare(request) {
      try {
        const prepared = await check(request);
        return requestEvidence(prepared.request, prepared);
      } catch (error) {
        if (error instanceof WritError && error.code === 'SANDBOX_UNAVAILABLE') await forget();
        throw error;
      }
    },
    run: (request, signal) => underWay.carryOut(signal, (either) => act(request, either)),
    async close() {
      underWay.stop();
      await underWay.over();
      await pool.close();
      await Promise.all(removals);
      if (reaping !== null) clearInterval(reaping);
      await forget();
      runner?.release();
    },
  };
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

interface Prepared {
  readonly known: Opened;
  readonly image: FoundImage;
  readonly spec: ContainerSpec;
  /** null = no network. */
  readonly egress: PreparedEgress | null;
}

const DRIVER: JsonObject = { driver: 'docker' };
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'SANDBOX_UNAVAILABLE',
  'SANDBOX_IMAGE_MISSING',
  'SANDBOX_RUNTIME_UNKNOWN',
]);

/** Complete before the act: what will run, under which limits, kept by what. */
function requestEvidence(request: DockerRequest, { known, image, spec, egress }: Prepared): JsonObject {
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
      memoryMiB: 'control group, no swap; files in memory count',
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

/** Completed with what is known after the end. */
function finished(step: StepResult, evidence: JsonObject): SandboxResult {
  const { status, exitCode, limitHit, usage, stdout, stderr, outputs } = step;
  return {
    ...step,
    evidence: {
      ...evidence,
      status,
      ...(exitCode === null ? {} : { exitCode }),
      ...(limitHit === null ? {} : { limitHit }),
      wallMs: Math.round(usage.wallMs),
      ...(usage.cpuMs === undefined ? {} : { cpuMs: Math.round(usage.cpuMs) }),
      stdoutBytes: stdout.bytes.length,
      stderrBytes: stderr.bytes.length,
      ...(outputs === undefined ? {} : { outputs: outputs.length }),
    },
  };
}
