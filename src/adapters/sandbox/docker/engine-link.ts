// One engine, from the first time it is asked until the driver is closed. It is asked nothing before, a failure is looked at
// again the next time, and so is an engine that has gone away since.
import type Dockerode from 'dockerode';
import type { Locks } from '../../../runtime/ports.js';
import { openEngine, unavailable } from './engine.js';
import { inspectMachine, type Machine } from './machine.js';
import { watchMemory, type MemoryEvents } from './memory-events.js';
import { openRunner, RUNNER_LABEL, type Runner } from './reaper.js';

export const DEFAULT_SOCKET = '/var/run/docker.sock';
export const REAP_EVERY_MS = 10_000;

/** What is known once the engine has answered. */
export interface Opened {
  readonly engine: Dockerode;
  readonly machine: Machine;
  readonly events: MemoryEvents;
  readonly runner: Runner;
}

export interface EngineLinkOptions {
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
}

export interface EngineLink {
  /** Throws SANDBOX_UNAVAILABLE. */
  opened(): Promise<Opened>;
  /** What is known is not believed any more: the engine is asked again. Steps that are under way lose nothing by it. */
  forget(): void;
  /** Nothing of this runner may be running any more. */
  close(): Promise<void>;
}

/** Talks to nobody before the first `opened`. */
export function openEngineLink(options: EngineLinkOptions): EngineLink {
  let runner: Runner | null = null;
  let events: MemoryEvents | null = null;
  let known: Opened | null = null;
  let opening: Promise<Opened> | null = null;
  /** How often what is known was taken back. */
  let forgotten = 0;
  let reaping: NodeJS.Timeout | null = null;

  const open = async (): Promise<Opened> => {
    const engine = await openEngine(options.socketPath ?? DEFAULT_SOCKET);
    const seccomp = await options.seccomp();
    try {
      const living = (runner ??= openRunner(options.locks, options.installation));
      // Steps that are under way listen to it: nobody takes it from them while it is whole. It comes before the machine is
      // looked at: an engine that is exchanged meanwhile breaks it.
      if (events === null || events.isBroken())
        events = await watchMemory(engine, `${RUNNER_LABEL}=${living.id}`);
      const machine = await inspectMachine(engine, seccomp, options.runtime ?? null);
      // What a killed runner left is gone before anything of this one starts.
      await living.reap(engine);
      reaping ??= setInterval(() => void living.reap(engine).catch(() => undefined), REAP_EVERY_MS).unref();
      return { engine, machine, runner: living, events };
    } catch (error) {
      throw unavailable(error);
    }
  };
  const openOnce = async (): Promise<Opened> => {
    const before = forgotten;
    try {
      const found = await open();
      // What began before somebody took it back is not known, though it will do for who waits for it.
      if (before === forgotten) known = found;
      return found;
    } finally {
      opening = null;
    }
  };
  return {
    async opened() {
      // An engine that has been away may have come back as another one.
      if (known !== null && !known.events.isBroken()) return known;
      opening ??= openOnce();
      return opening;
    },
    forget() {
      known = null;
      forgotten += 1;
    },
    async close() {
      // One that still opens would begin to reap and to listen after its end.
      await opening?.catch(() => undefined);
      if (reaping !== null) clearInterval(reaping);
      events?.close();
      runner?.release();
    },
  };
}
