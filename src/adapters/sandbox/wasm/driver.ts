// The WASM sandbox: one guest, one process, one run. Order of a run: check request and bytes, take a warm child,
// hand over the rewritten module, wait for the first end, kill. A check that fails starts nothing; a machine that
// can't boot the child is `unavailable`; nothing ever runs in the runner itself.
import { UnderWay } from '../under-way.js';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { SandboxDriver, SandboxRequest, SandboxResult } from '../../../runtime/ports.js';
import type { WasmChild } from './child-process.js';
import type { ChildOrder } from './child-run.js';
import { openChildren, POOLED, type ChildKind } from './children.js';
import { lackingLayers, machineEvidence, requestEvidence, type RequestFacts } from './evidence.js';
import { cpuSecondsFor, type Machine } from './hardening.js';
import { checkModule } from './module-check.js';
import { wantedOutputs } from './outputs.js';
import { checkRequest, DEFAULT_LIMITS, type RunLimits, type WasmModule } from './request-check.js';
import { nothingRan, resultOf } from './result.js';
import { WarmModules } from './warm-modules.js';

/** What the process needs beside the guest's memory and files; above all together it is killed. */
const PROCESS_MIB = 160;
const MIB = 1_048_576;

export interface WasmDriverOptions {
  /** Told what each run came to, not redacted: for an operator who tries a sandbox by hand. */
  readonly onResult?: (result: SandboxResult) => void;
  /** Children kept ready, about 130 MiB each; default 1. 0 = boot when a step comes. */
  readonly poolSize?: number;
  /** Where PATH is read from to find `unshare` and `prlimit`; default the process's. Guests see none of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Modules the product ships. A new child runs those that are used, so that a step finds them compiled. */
  readonly shipped?: readonly Omit<WasmModule, 'kind'>[];
}

/** A request that may run. */
type Checked = Omit<RequestFacts, 'rssLimitBytes'> & {
  /** A child of the pool serves it. */
  readonly pooled: boolean;
};

/** Opens the driver. Nothing is started before the first `preflight`, `prepare` or `run`. */
export function openWasmDriver(options: WasmDriverOptions = {}): SandboxDriver {
  const { poolSize = 1, env = process.env, shipped = [] } = options;
  const modules = new WarmModules(shipped);
  const children = openChildren({ poolSize, env, warmUp: () => modules.inOrder() });
  const underWay = new UnderWay(options.onResult);

  const check = (request: SandboxRequest): Checked => {
    const plan = checkRequest(request);
    const { limits } = plan;
    const fixed = request.deterministic ?? null;
    const pooled = plan.classPages === POOLED.pages && limits.timeoutMs <= POOLED.timeoutMs && fixed === null;
    return {
      limits,
      module: checkModule(plan.module, plan.pages),
      classPages: plan.classPages,
      cpuSeconds: cpuSecondsFor(pooled ? POOLED.timeoutMs : limits.timeoutMs),
      isDeterministic: fixed !== null,
      pooled,
    };
  };

  /** Null when `signal` aborts first. */
  const childFor = async (
    { pooled, classPages: pages, limits: { timeoutMs } }: Checked,
    fixed: ChildKind['fixed'],
    signal: AbortSignal,
  ): Promise<WasmChild | null> => {
    const taken = pooled ? children.take() : children.boot({ pages, timeoutMs, fixed }, signal);
    const child = await orAborted(taken, signal);
    if (child === null) {
      // Booted for nobody: for the next then, or where it serves no other, for none.
      taken.then(
        (late) => (pooled ? children.putBack(late) : late.kill()),
        () => undefined,
      );
    }
    return child;
  };

  const act = async (request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult> => {
    const checked = check(request);
    if (checked.pooled) modules.use(checked.module);
    let evidence: JsonObject = { driver: 'wasm' };
    try {
      const found = await orAborted(children.machine(), signal);
      if (found !== null) requireKept(found, request);
      if (found === null) return nothingRan('cancelled', 'cancelled before it started', evidence);
      const rssLimitBytes = rssLimitOf(found, checked.limits);
      evidence = requestEvidence(found, { ...checked, rssLimitBytes });

      const child = await childFor(checked, request.deterministic ?? null, signal);
      if (child === null) return nothingRan('cancelled', 'cancelled before it started', evidence);
      const order = orderOf(request, checked, rssLimitBytes);
      return resultOf(await child.run(order, signal), {
        ...{ module: checked.module, evidence, pooled: checked.pooled },
        bootMs: child.bootMs,
        wantsFiles: order.select !== null,
      });
    } catch (error) {
      if (!(error instanceof WritError) || error.code !== 'SANDBOX_UNAVAILABLE') throw error;
      return nothingRan('unavailable', error.message, evidence);
    } finally {
      // Starting a process takes its time: the result goes first.
      setImmediate(() => children.fill());
    }
  };

  return {
    kind: 'wasm',
    defaults: DEFAULT_LIMITS,
    async preflight() {
      try {
        const found = await children.probed();
        return { ok: true, evidence: machineEvidence(found), problems: lackingLayers(found) };
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
        return { ok: false, evidence: { driver: 'wasm' }, problems: [error.message] };
      }
    },
    async prepare(request) {
      const checked = check(request);
      children.fill(); // for the step that comes
      const found = await children.machine();
      requireKept(found, request);
      const rssLimitBytes = rssLimitOf(found, checked.limits);
      return requestEvidence(found, { ...checked, rssLimitBytes });
    },
    run: (request, signal) => underWay.carryOut(signal, (either) => act(request, either)),
    async close() {
      underWay.stop();
      await children.close();
      await underWay.over();
      await children.gone();
    },
  };
}

function orderOf(
  { argv, env, stdin, files = [], outputs = [], onOutput }: SandboxRequest,
  { module, limits }: Checked,
  rssLimitBytes: number | null,
): ChildOrder {
  const { timeoutMs, outputBytes, cpuMs, diskMiB } = limits;
  return {
    ...{ module: module.bytes, stdin, args: argv.slice(1), env, files },
    ...{ timeoutMs, outputBytes, rssLimitBytes, cpuMs, diskBytes: diskMiB * MIB },
    select: outputs.length === 0 ? null : (listed) => wantedOutputs(listed, outputs),
    ...(onOutput === undefined ? {} : { onOutput }),
  };
}

/** Of the whole process; null where it can't be read. */
function rssLimitOf(machine: Machine, { memoryMiB, diskMiB }: RunLimits): number | null {
  return machine.procfs ? (memoryMiB + diskMiB + PROCESS_MIB) * MIB : null;
}

/** A guest has no system calls, no process and no file but its own: there is nothing to have these with. */
const GUEST_KEEPS: readonly string[] = ['dropCapabilities', 'noNetwork', 'noNewPrivileges', 'readOnlyRoot'];

/** Throws SANDBOX_UNSUPPORTED for what this machine can't measure, or this sandbox doesn't keep. */
function requireKept(machine: Machine, { limits, require = [] }: SandboxRequest): void {
  for (const promise of require) {
    const kept = GUEST_KEEPS.includes(promise) || (promise === 'nonRoot' && !machine.user.startsWith('0 '));
    if (kept) continue;
    throw new WritError(
      'SANDBOX_UNSUPPORTED',
      `the wasm sandbox can't keep ${promise}, which a ceiling requires`,
      {
        hint:
          promise === 'nonRoot' ? machine.user : 'run the step in a container, or have the ceiling changed',
      },
    );
  }
  if (limits.cpuMs === undefined || machine.procfs) return;
  throw new WritError('SANDBOX_UNSUPPORTED', "the wasm sandbox can't keep cpuMs on this machine", {
    hint: 'CPU time is read from /proc, which is not here: leave the limit out',
  });
}

/** null when `signal` aborts first. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(null);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
