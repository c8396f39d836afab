// The children of one driver, pooled or booted for one step, and the machine as they show it from inside. A child in which
// a layer does not hold is killed; what failed is looked at again the next time.
import { WritError } from '../../../errors.js';
import { bootChild, type WasmChild } from './child-process.js';
import { brokenPromise } from './evidence.js';
import {
  cpuSecondsFor,
  inspectMachine,
  launchOf,
  MEMORY_CLASSES,
  namespacesWork,
  type Deterministic,
  type Machine,
} from './hardening.js';
import { openPool } from './pool.js';

/** What a child can serve: it is fixed when it boots. */
export interface ChildKind {
  readonly pages: number;
  /** The longest step: the backstop of its CPU time follows from it. */
  readonly timeoutMs: number;
  readonly fixed: Deterministic | null;
}

/** What the pool's children serve. */
export const POOLED: ChildKind = {
  pages: MEMORY_CLASSES[0]?.pages ?? 3_072,
  timeoutMs: 120_000,
  fixed: null,
};

export interface ChildrenParts {
  /** Children kept ready; 0 = none. */
  readonly poolSize: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What a child runs before its order comes. */
  readonly warmUp: () => readonly Uint8Array[];
}

/** Whatever starts a child throws SANDBOX_UNAVAILABLE where none does, and once it is closed. */
export interface Children {
  /** The machine's layers as a booted child has confirmed them. */
  machine(): Promise<Machine>;
  /** As `machine`, and that a guest runs on it. */
  probed(): Promise<Machine>;
  /** The pool's. */
  take(): Promise<WasmChild>;
  /** One of the pool's that has run nothing. */
  putBack(child: WasmChild): void;
  boot(kind: ChildKind, signal: AbortSignal): Promise<WasmChild>;
  /** Boots what the pool lacks. */
  fill(): void;
  /** Resolves when the pool is gone; no other child starts. */
  close(): Promise<void>;
  /** Resolves when all that were started are gone, those too that were still booting. */
  gone(): Promise<void>;
}

export function openChildren({ poolSize, env, warmUp }: ChildrenParts): Children {
  /** The end of each that was started, from when it is started. */
  const ends = new Set<Promise<void>>();
  let isClosed = false;
  let inspected: Machine | null = null;
  let confirmed: Promise<Machine> | null = null;
  /** The child that has confirmed it. */
  let confirming: WasmChild | null = null;

  const boot = async (kind: ChildKind, signal: AbortSignal): Promise<WasmChild> => {
    const machine = (inspected ??= inspectMachine(env));
    try {
      return await bootOn(machine, kind, signal);
    } catch (error) {
      // The machine has the tool and may still refuse namespaces: found out only where a child doesn't start.
      if (machine.unshare === null || signal.aborted || (await namespacesWork(machine))) throw error;
      // What a child has confirmed is promised in evidence: a machine that no longer keeps it is looked at anew, never less.
      if (confirming !== null) {
        inspected = confirmed = confirming = null;
        throw error;
      }
      inspected = { ...machine, unshare: null };
      return bootOn(inspected, kind, signal);
    }
  };
  const bootOn = async (
    machine: Machine,
    { pages, timeoutMs, fixed }: ChildKind,
    signal: AbortSignal,
  ): Promise<WasmChild> => {
    const launch = launchOf(machine, { pages, cpuSeconds: cpuSecondsFor(timeoutMs), fixed });
    // Of a fixed random source nothing may be used up before the guest begins.
    const booting = bootChild(launch, fixed === null ? warmUp() : [], signal);
    const end = booting
      .then((child) => child.gone)
      .catch(() => undefined) // told to whoever boots it; nothing is left then
      .finally(() => ends.delete(end));
    ends.add(end);
    const child = await booting;
    const broken = brokenPromise(machine, child.ready);
    if (broken === null) return child;
    child.kill();
    await child.gone;
    throw new WritError('SANDBOX_UNAVAILABLE', `the wasm sandbox does not hold on this machine: ${broken}`, {
      hint: 'run `writ doctor` to see what is kept and by what',
    });
  };
  const pool = openPool(poolSize, (signal) => boot(POOLED, signal));

  const machine = async (): Promise<Machine> => {
    if (isClosed) throw new WritError('SANDBOX_UNAVAILABLE', 'the wasm sandbox is closed');
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

  return {
    machine,
    async probed() {
      // A child may have been stopped before it had run one: another is asked then.
      for (let triesLeft = 1; triesLeft >= 0; triesLeft -= 1) {
        const found = await machine();
        if ((await confirming?.warmed()) === true) return found;
        confirmed = null;
      }
      throw new WritError('SANDBOX_UNAVAILABLE', 'the WASM engine starts here, and runs nothing', {
        hint: 'run `writ doctor`; its process may lack memory',
      });
    },
    take: () => pool.take(),
    putBack: (child) => pool.putBack(child),
    boot,
    fill: () => pool.fill(),
    async close() {
      isClosed = true;
      await pool.close();
    },
    async gone() {
      await Promise.all(ends);
    },
  };
}
