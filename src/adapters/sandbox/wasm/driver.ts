// The WASM sandbox: one guest, one process, one run. Order of a run: check request and bytes, take a warm child,
// hand over the rewritten module, wait for the first end, kill. A check that fails starts nothing; a machine that
// can't boot the child is `unavailable`; nothing ever runs in the runner itself.
import { UnderWay } from '../under-way.js';
import { WritError } from '../../../errors.js';
import type { JsonObject } from '../../../json.js';
import type { SandboxDriver, SandboxRequest, SandboxResult } from '../../../runtime/ports.js';
import { bootChild, type ChildEnd, type ChildResult, type WasmChild } from './child-process.js';
import {
  brokenPromise,
  endEvidence,
  lackingLayers,
  machineEvidence,
  requestEvidence,
  type RequestFacts,
} from './evidence.js';
import {
  inspectMachine,
  launchOf,
  MEMORY_CLASSES,
  namespacesWork,
  type Deterministic,
  type Machine,
} from './hardening.js';
import { checkModule, type CheckedModule } from './module-check.js';
import { wantedOutputs, type WantedOutputs } from './outputs.js';
import { openPool } from './pool.js';
import type { Sized, Trap } from './protocol.js';
import { checkRequest, DEFAULT_LIMITS, pagesOf, type RunLimits, type WasmModule } from './request-check.js';

/** What the process needs beside the guest's memory and files; above all together it is killed. */
const PROCESS_MIB = 160;
/** Shipped modules up to this size are compiled in an instant. */
const SMALL_BYTES = 100 * 1024;
/** Shipped modules that a child runs although nobody has used them. */
const WARM_UNUSED = 2;
const MIB = 1_048_576;
/** Longest step a pooled child serves: its CPU backstop is fixed when it boots. */
const POOLED_TIMEOUT_MS = 120_000;
const POOLED_CLASS = MEMORY_CLASSES[0]?.pages ?? 3_072;

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

/** Opens the driver. Nothing is started before the first `preflight`, `prepare` or `run`. */
export function openWasmDriver(options: WasmDriverOptions = {}): SandboxDriver {
  const { poolSize = 1, env = process.env, shipped = [] } = options;
  const checkedShipped = new Map(
    shipped.map((module) => [module.digest, checkModule(module, pagesOf(DEFAULT_LIMITS))]),
  );
  /** Shipped ones, as they were run last, the latest last: with another memory limit they are other bytes to the engine. */
  const used = new Map<string, CheckedModule>();
  /**
   * What has been run here, small before large, the last twice: the second run is what makes it quick (measured). Then two
   * that have not, small ones: they show the engine what a module is.
   */
  const warmUp = (): Uint8Array[] => {
    const isSmall = ({ bytes }: CheckedModule): boolean => bytes.length <= SMALL_BYTES;
    const known = [...used.values()].reverse();
    const others = [...checkedShipped.values()].filter(
      (module) => isSmall(module) && !used.has(module.digest),
    );
    return [
      ...known.slice(0, 1).filter(isSmall),
      ...known.filter(isSmall),
      ...others.slice(0, WARM_UNUSED),
      ...known.filter((module) => !isSmall(module)),
    ].map(({ bytes }) => bytes);
  };
  const living = new Set<WasmChild>();
  const underWay = new UnderWay(options.onResult);
  let inspected: Machine | null = null;
  let confirmed: Promise<Machine> | null = null;
  /** The child that has confirmed it. */
  let confirming: WasmChild | null = null;

  const boot = async (
    pages: number,
    timeoutMs: number,
    signal: AbortSignal,
    fixed: Deterministic | null = null,
  ): Promise<WasmChild> => {
    const machine = (inspected ??= inspectMachine(env));
    try {
      return await bootOn(machine, pages, timeoutMs, signal, fixed);
    } catch (error) {
      // The machine has the tool and may still refuse namespaces: found out only where a child doesn't start.
      if (machine.unshare === null || signal.aborted || (await namespacesWork(machine))) throw error;
      inspected = { ...machine, unshare: null };
      return bootOn(inspected, pages, timeoutMs, signal, fixed);
    }
  };
  const bootOn = async (
    machine: Machine,
    pages: number,
    timeoutMs: number,
    signal: AbortSignal,
    fixed: Deterministic | null,
  ): Promise<WasmChild> => {
    const launch = launchOf(machine, pages, cpuSecondsFor(timeoutMs), fixed);
    // Of a fixed random source nothing may be used up before the guest begins.
    const child = await bootChild(launch, fixed === null ? warmUp() : [], signal);
    living.add(child);
    void child.gone.then(() => living.delete(child));
    const broken = brokenPromise(machine, child.ready);
    if (broken === null) return child;
    child.kill();
    await child.gone;
    throw new WritError('SANDBOX_UNAVAILABLE', `the wasm sandbox does not hold on this machine: ${broken}`, {
      hint: 'run `writ doctor` to see what is kept and by what',
    });
  };
  const pool = openPool(poolSize, (signal) => boot(POOLED_CLASS, POOLED_TIMEOUT_MS, signal));

  /** The machine's layers as a booted child has confirmed them. A failure is looked at again next time. */
  const machine = async (): Promise<Machine> => {
    if (underWay.isStopped) throw new WritError('SANDBOX_UNAVAILABLE', 'the wasm sandbox is closed');
    // Asked again, it is only told: who looks every minute whether all is well would keep an idle pool full for ever.
    if (confirmed === null) pool.fill();
    confirmed ??= pool.take().then((child) => {
      confirming = child;
      pool.putBack(child);
      return inspected ?? inspectMachine(env);
    });
    try {
      return await confirmed;
    } catch (error) {
      inspected = null;
      confirmed = null;
      throw error;
    }
  };

  /** As `machine`, and that a guest runs on it. A child may have been stopped before it had one: another is asked then. */
  const probed = async (): Promise<Machine> => {
    for (let triesLeft = 1; triesLeft >= 0; triesLeft -= 1) {
      const found = await machine();
      if ((await confirming?.warmed()) === true) return found;
      confirmed = null;
    }
    throw new WritError('SANDBOX_UNAVAILABLE', 'the WASM engine starts here, and runs nothing', {
      hint: 'run `writ doctor`; its process may lack memory',
    });
  };

  const check = (request: SandboxRequest): Omit<RequestFacts, 'rssLimitBytes'> & { pooled: boolean } => {
    const plan = checkRequest(request);
    const { limits } = plan;
    const fixed = request.deterministic ?? null;
    const pooled =
      plan.classPages === POOLED_CLASS && limits.timeoutMs <= POOLED_TIMEOUT_MS && fixed === null;
    return {
      limits,
      module: checkModule(plan.module, plan.pages),
      classPages: plan.classPages,
      cpuSeconds: cpuSecondsFor(pooled ? POOLED_TIMEOUT_MS : limits.timeoutMs),
      isDeterministic: fixed !== null,
      pooled,
    };
  };

  const act = async (request: SandboxRequest, signal: AbortSignal): Promise<SandboxResult> => {
    const checked = check(request);
    const { digest } = checked.module;
    if (checked.pooled && checkedShipped.has(digest)) {
      used.delete(digest); // the last is the latest
      used.set(digest, checked.module);
    }
    const { outputs = [] } = request;
    let evidence: JsonObject = { driver: 'wasm' };
    try {
      const found = await orAborted(machine(), signal);
      if (found !== null) requireKept(found, request);
      if (found === null) return nothingRan('cancelled', 'cancelled before it started', evidence);
      const { limits, module, classPages } = checked;
      const rssLimitBytes = rssLimitOf(found, limits);
      evidence = requestEvidence(found, { ...checked, rssLimitBytes });

      const taken = checked.pooled
        ? pool.take()
        : boot(classPages, limits.timeoutMs, signal, request.deterministic ?? null);
      const child = await orAborted(taken, signal);
      if (child === null) {
        if (checked.pooled)
          taken.then(
            (late) => pool.putBack(late),
            () => undefined,
          ); // booted for nobody: for the next then
        return nothingRan('cancelled', 'cancelled before it started', evidence);
      }
      const order = {
        module: module.bytes,
        stdin: request.stdin,
        args: request.argv.slice(1),
        env: request.env,
        timeoutMs: limits.timeoutMs,
        outputBytes: limits.outputBytes,
        rssLimitBytes,
        cpuMs: limits.cpuMs,
        files: request.files ?? [],
        diskBytes: limits.diskMiB * MIB,
        select:
          outputs.length === 0
            ? null
            : (listed: readonly Sized[] | null): WantedOutputs => wantedOutputs(listed, outputs),
        ...(request.onOutput === undefined ? {} : { onOutput: request.onOutput }),
      };
      return resultOf(startTold(await child.run(order, signal), module), evidence, {
        pooled: checked.pooled,
        bootMs: child.bootMs,
        wantsFiles: outputs.length > 0,
      });
    } catch (error) {
      if (!(error instanceof WritError) || error.code !== 'SANDBOX_UNAVAILABLE') throw error;
      return nothingRan('unavailable', error.message, evidence);
    } finally {
      // Starting a process takes its time: the result goes first.
      setImmediate(() => pool.fill());
    }
  };

  return {
    kind: 'wasm',
    defaults: DEFAULT_LIMITS,
    async preflight() {
      try {
        const found = await probed();
        return { ok: true, evidence: machineEvidence(found), problems: lackingLayers(found) };
      } catch (error) {
        if (!(error instanceof WritError)) throw error;
        return { ok: false, evidence: { driver: 'wasm' }, problems: [error.message] };
      }
    },
    async prepare(request) {
      const checked = check(request);
      if (!underWay.isStopped) pool.fill(); // for the step that comes
      const found = await machine();
      requireKept(found, request);
      const rssLimitBytes = rssLimitOf(found, checked.limits);
      return requestEvidence(found, { ...checked, rssLimitBytes });
    },
    run: (request, signal) => underWay.carryOut(signal, (either) => act(request, either)),
    async close() {
      underWay.stop();
      await pool.close();
      await underWay.over();
      await Promise.all([...living].map((child) => child.gone));
    },
  };
}

/** Ends a process nobody watches any more; twice the wall time, because the engine uses more than one thread. */
function cpuSecondsFor(timeoutMs: number): number {
  return 2 * Math.ceil(timeoutMs / 1_000) + 30;
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

function nothingRan(
  status: 'cancelled' | 'unavailable',
  reason: string,
  evidence: JsonObject,
): SandboxResult {
  const none = { bytes: new Uint8Array(0), truncated: false };
  const result = {
    status,
    exitCode: null,
    stdout: none,
    stderr: none,
    usage: { wallMs: 0 },
    limitHit: null,
    reason,
  };
  return { ...result, evidence: { ...evidence, ...endEvidence(result, null) } };
}

/** What the engine ends with where a module can't be started; a guest may also choose it. */
const NOT_STARTED = 45;

/** Of a trap before `_start` the engine tells no more than an exit code: it is read as one where there can be such a trap. */
function startTold(run: ChildResult, { canEndBeforeStart }: CheckedModule): ChildResult {
  const { end } = run;
  if (!canEndBeforeStart || end.kind !== 'exit' || end.code !== NOT_STARTED) return run;
  return { ...run, end: { kind: 'load-failed', isValid: true, isLoaded: true } };
}

function resultOf(
  run: ChildResult,
  evidence: JsonObject,
  child: { readonly pooled: boolean; readonly bootMs: number; readonly wantsFiles: boolean },
): SandboxResult {
  const { end } = run;
  const cut = end.kind === 'output-limit' ? end.stream : null;
  const result = {
    ...outcomeOf(end),
    exitCode: end.kind === 'exit' ? end.code : null,
    stdout: { bytes: run.stdout, truncated: cut === 'stdout' },
    stderr: { bytes: run.stderr, truncated: cut === 'stderr' },
    usage: { wallMs: run.wallMs, ...(run.cpuMs === null ? {} : { cpuMs: run.cpuMs }) },
    ...(end.kind === 'exit' && child.wantsFiles ? { outputs: end.files } : {}),
  };
  return {
    ...result,
    evidence: { ...evidence, ...endEvidence(result, { ...child, peakRssBytes: run.peakRssBytes }) },
  };
}

function outcomeOf(end: ChildEnd): Pick<SandboxResult, 'status' | 'limitHit' | 'reason'> {
  switch (end.kind) {
    case 'exit':
      return { status: 'exited', limitHit: null, reason: null };
    case 'timeout':
      return {
        status: 'timeout',
        limitHit: end.limit,
        reason: `killed at its ${end.limit === 'cpuMs' ? 'CPU time' : 'time'} limit`,
      };
    case 'cancelled':
      return { status: 'cancelled', limitHit: null, reason: 'cancelled' };
    case 'output-limit':
      return {
        status: 'output-limit',
        limitHit: 'outputBytes',
        reason: `${end.stream} reached the output limit`,
      };
    case 'disk-limit':
      return { status: 'output-limit', limitHit: 'diskMiB', reason: 'its files reached their limit' };
    case 'outputs': {
      const refused = end.error.code === 'SANDBOX_OUTPUT_REFUSED';
      return {
        status: refused ? 'output-refused' : 'output-limit',
        limitHit: refused ? null : 'outputs',
        reason: end.error.message,
      };
    }
    case 'oom':
      return { status: 'oom', limitHit: 'memoryMiB', reason: 'the process grew beyond its memory limit' };
    case 'trap':
      return { status: 'crashed', limitHit: null, reason: TRAP_REASONS[end.trap] };
    case 'load-failed':
      return { status: 'crashed', limitHit: null, reason: loadFailure(end) };
    case 'died':
      return end.outOfMemory
        ? { status: 'oom', limitHit: 'memoryMiB', reason: 'the engine ran out of memory' }
        : {
            status: 'crashed',
            limitHit: 'unknown',
            reason: `the process ended by itself${end.signal === null ? '' : ` (${end.signal})`}`,
          };
  }
}

function loadFailure({ isValid, isLoaded }: Extract<ChildEnd, { kind: 'load-failed' }>): string {
  if (isLoaded)
    return 'the module was stopped before _start: by its start function, its data or its elements';
  return isValid
    ? 'the engine could not load the module: it uses what this engine has not'
    : 'the engine could not load the module: it is not valid WebAssembly, or of a later version';
}

const TRAP_REASONS: Readonly<Record<Trap, string>> = {
  engine: 'the engine gave up, as a rule because its own memory was used up',
  unreachable: 'the guest trapped: unreachable',
  divide_by_zero: 'the guest trapped: divide_by_zero',
  integer_overflow: 'the guest trapped: integer_overflow, a number that its type can not hold',
  indirect_call: 'the guest trapped: indirect_call, of no function or one of another type',
  exception: 'the guest trapped: exception, one that it does not catch',
  atomic_wait: 'the guest trapped: atomic_wait, for another thread, and there is none',
  out_of_bounds: 'the guest trapped: out_of_bounds',
  stack_overflow: 'the guest trapped: stack_overflow',
  other: 'the guest trapped, and the engine has no name for why',
};
