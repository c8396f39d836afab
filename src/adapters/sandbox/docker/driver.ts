// The Docker sandbox: one container, one step. Order of a run: check the request, ask the engine what it keeps, verify
// the image, create, attach, start, supervise, look, remove. What fails before the start is `unavailable`; nothing ever
// runs anywhere else, and no container outlives its run.
import { UnderWay } from '../under-way.js';
import { randomBytes } from 'node:crypto';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { SandboxDriver, SandboxRequest, SandboxResult } from '../../../runtime/ports.js';
import { hostConfigSha256 } from './container-spec.js';
import { egressPromise, throughEgress } from './egress-step.js';
import type { OpenEgress } from './egress.js';
import { openEngineLink, type EngineLink, type EngineLinkOptions } from './engine-link.js';
import { unavailable } from './engine.js';
import { KEPT_BY, machineEvidence, UNCOUNTED_SOCKETS } from './machine.js';
import { IDLE_MS, openContainerPool, type ContainerPool } from './pool.js';
import { prepareStep, requestEvidence, RUNSC_PIDS, type Prepared, type PrepareOptions } from './prepared.js';
import { DEFAULT_LIMITS } from './request-check.js';
import { nothingRan, runStep, startWaiting, type StepResult } from './step.js';

export interface DockerDriverOptions extends EngineLinkOptions, PrepareOptions {
  /** Containers kept started for steps like the ones before; default 0. */
  readonly poolSize?: number;
  /** Told what each run came to, not redacted: for an operator who tries a sandbox by hand. */
  readonly onResult?: (result: SandboxResult) => void;
}

/** Longest step that a waiting container serves: how long it lives without its runner is fixed when it starts. */
const POOLED_TIMEOUT_MS = 120_000;
/** Until it is taken, the step, putting files in and taking them out. */
const POOLED_LIFE_MS = IDLE_MS + POOLED_TIMEOUT_MS + 30_000;

/** What the runs of one driver share. */
interface Shared {
  readonly options: DockerDriverOptions;
  readonly link: EngineLink;
  readonly pool: ContainerPool;
  /** Removals that go on after the result of their step. */
  readonly removals: Set<Promise<void>>;
  readonly prepare: (request: SandboxRequest) => Promise<Prepared>;
}

/** Opens the driver. Nothing is asked or loaded before the first `preflight`, `prepare` or `run`. */
export function openDockerDriver(options: DockerDriverOptions): SandboxDriver {
  const underWay = new UnderWay(options.onResult);
  const link = openEngineLink(options);
  const opened: EngineLink['opened'] = async () => {
    if (underWay.isStopped) throw new WritError('SANDBOX_UNAVAILABLE', 'the docker sandbox is closed');
    return link.opened();
  };
  const shared: Shared = {
    options,
    link,
    pool: openContainerPool(options.poolSize ?? 0),
    removals: new Set(),
    prepare: (request) => prepareStep(request, opened, options),
  };
  return {
    kind: 'docker',
    defaults: { ...DEFAULT_LIMITS, ...(options.runtime === 'runsc' ? { pids: RUNSC_PIDS } : {}) },
    preflight() {
      link.forget(); // it is a look at what is there now
      return preflight(opened, options);
    },
    async prepare(request) {
      try {
        return requestEvidence(await shared.prepare(request));
      } catch (error) {
        if (isAboutEngine(error)) link.forget();
        throw error;
      }
    },
    run: (request, signal) => underWay.carryOut(signal, (either) => act(shared, request, either)),
    async close() {
      underWay.stop();
      await underWay.over();
      await shared.pool.close();
      await Promise.all(shared.removals);
      await link.close();
    },
  };
}

const DRIVER: JsonObject = { driver: 'docker' };
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'SANDBOX_UNAVAILABLE',
  'SANDBOX_IMAGE_MISSING',
  'SANDBOX_RUNTIME_UNKNOWN',
]);

/** What it has, or whether it answers, may be another the next time: somebody mends it while this process lives. */
function isAboutEngine(error: unknown): boolean {
  return (
    !(error instanceof WritError) ||
    error.code === 'SANDBOX_UNAVAILABLE' ||
    error.code === 'SANDBOX_RUNTIME_UNKNOWN'
  );
}

async function preflight(
  opened: EngineLink['opened'],
  options: DockerDriverOptions,
): ReturnType<SandboxDriver['preflight']> {
  try {
    const known = await opened();
    const { machine } = known;
    const lacks = [...machine.lacks];
    if (!machine.runtimes.includes(machine.runtime))
      lacks.push(`runtime: the engine has no ${machine.runtime}`);
    const egress = await egressPromise(options.egress, known);
    const keptBy = { ...KEPT_BY, ...(egress.isKept ? { egress: egress.words } : {}) };
    const evidence = { ...machineEvidence(machine), keptBy };
    // No step is refused for these: it needs no way out, or the rest of its limits holds it.
    const without = [
      ...(egress.isKept ? [] : [`a way out to listed hosts: ${egress.words}`]),
      ...(machine.countsSockets ? [] : [`all of memoryMiB: ${UNCOUNTED_SOCKETS}`]),
    ];
    return { ok: lacks.length === 0, evidence, problems: lacks.length > 0 ? lacks : without };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const hint = error.hint === undefined ? '' : ` (${error.hint})`;
    return { ok: false, evidence: DRIVER, problems: [`${error.message}${hint}`] };
  }
}

async function act(shared: Shared, request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult> {
  if (signal.aborted) return finished(nothingRan('cancelled', 'cancelled before it started'), DRIVER);
  let evidence = DRIVER;
  try {
    const prepared = await shared.prepare(request);
    evidence = requestEvidence(prepared);
    const { step, told } = await carriedOut(shared, prepared, request.onOutput, signal);
    return finished(step, { ...evidence, ...told });
  } catch (error) {
    if (isAboutEngine(error)) shared.link.forget();
    const known = unavailable(error);
    if (!UNAVAILABLE.has(known.code)) throw known;
    return finished(nothingRan('unavailable', known.message), evidence);
  }
}

/** The step in a container that has waited for one like it, or in one of its own. */
async function carriedOut(
  { link, pool, removals }: Shared,
  prepared: Prepared,
  onOutput: SandboxRequest['onOutput'],
  signal: AbortSignal,
): Promise<{ readonly step: StepResult; readonly told: JsonObject }> {
  const { request, known, image, spec } = prepared;
  const name = (): string => `writ-${known.runner.id.slice(0, 12)}-${randomBytes(6).toString('hex')}`;
  const pooled =
    image.tools.has('sleep') &&
    request.limits.timeoutMs <= POOLED_TIMEOUT_MS &&
    spec.mounts.length === 0 &&
    prepared.egress === null;
  const key = `${image.id} ${hostConfigSha256(spec)}`;
  const ready = pooled ? await pool.take(key) : null;
  const run = (way: OpenEgress | null): Promise<StepResult> =>
    runStep(
      {
        engine: known.engine,
        events: known.events,
        name: name(),
        spec: { ...spec, ...way?.spec },
        request: { ...request, ...(way === null ? {} : { env: { ...request.env, ...way.env } }) },
        onOutput,
        hasTool: (tool) => image.tools.has(tool),
        ready,
        leaving: (removal) => keepUntilGone(removals, removal),
        ...(way === null ? {} : { egressEnded: way.ended }),
      },
      signal,
    );
  const { step, passed } = await throughEgress(prepared, name, signal, run);
  if (step.limitHit === 'unknown') link.forget();
  else if (pooled) {
    pool.used(key, () => {
      // Of no run: what waits holds nothing of anybody's.
      const labels = known.runner.labels(Date.now() + POOLED_LIFE_MS, null);
      return startWaiting(known.engine, name(), { ...spec, labels }, POOLED_LIFE_MS / 1_000);
    });
  }
  return { step, told: { pooled: ready !== null, ...passed } };
}

function keepUntilGone(removals: Set<Promise<void>>, removal: Promise<void>): void {
  const gone = removal
    .catch(() => undefined) // the engine does not answer: the reaper finds it by its label
    .finally(() => removals.delete(gone));
  removals.add(gone);
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
