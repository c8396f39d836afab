// A container from its creation to its removal. It is removed whatever happens in between, by the name it was given,
// also when the engine never answered.
import type Dockerode from 'dockerode';
import type { ContainerInspectInfo, ContainerStats } from 'dockerode';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { controlGroupOf, type ControlGroup } from './control-group.js';
import { ask, askUnlessGone, EngineError } from './engine.js';
import { createOptions, type ContainerSpec, USER } from './container-spec.js';
import type { Program } from './supervise.js';

const POLL_MS = 10;
const MAX_POLL_MS = 200;
/** While the engine answers, an end that has happened is seen by then. */
const SETTLE_MS = 8_000;
/** Names of the containers that somebody in this process will remove. */
const held = new Set<string>();

/** Otherwise nobody looks after it any more: the engine did not answer when it was to be removed, or made. */
export function isHeld(name: string): boolean {
  return held.has(name);
}

export interface Container {
  readonly id: string;
  /** What the image and our options make its main program. */
  main(): Promise<Program>;
  start(): Promise<void>;
  /** Another program inside; it is started by being attached to. */
  exec(argv: readonly string[], options: ExecOptions): Promise<Program>;
  inspect(): Promise<ContainerInspectInfo>;
  /** Of one that has been started; null = not to be seen from here. Looked up once. */
  group(): Promise<ControlGroup | null>;
  /** Kills and removes; resolves when it is gone. */
  remove(): Promise<void>;
}

export interface ExecOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Throws EngineError; nothing is left then. */
export async function createContainer(
  engine: Dockerode,
  name: string,
  spec: ContainerSpec,
): Promise<Container> {
  const byName = engine.getContainer(name);
  const remove = async (): Promise<void> => {
    try {
      await askUnlessGone('remove', byName.remove({ force: true, v: true }));
    } finally {
      held.delete(name);
    }
  };
  held.add(name);
  try {
    const { id } = await ask('create', engine.createContainer({ name, ...createOptions(spec) }));
    return containerOf(engine.getContainer(id), remove);
  } catch (error) {
    // It may exist although nobody said so; where it can't be removed now, the reaper finds it by its label.
    if (error instanceof EngineError && error.status === null) await remove().catch(() => undefined);
    held.delete(name);
    throw error;
  }
}

function containerOf(container: Dockerode.Container, remove: () => Promise<void>): Container {
  const inspect = (): Promise<ContainerInspectInfo> => ask('inspect', container.inspect());
  const start = async (): Promise<void> => {
    await ask('start', container.start());
  };
  const kill = async (): Promise<void> => {
    await askUnlessGone('kill', container.kill({ signal: 'SIGKILL' }));
  };
  const stats = (): Promise<ContainerStats | null> =>
    askUnlessGone<ContainerStats>('stats', container.stats({ stream: false as const, 'one-shot': true }));
  let looked: Promise<ControlGroup | null> | null = null;
  const group = (): Promise<ControlGroup | null> =>
    (looked ??= inspect().then(
      ({ State }) => controlGroupOf(container.id, State.Pid),
      () => null, // it has just ended, which is told elsewhere
    ));
  const cpuMs = async (): Promise<number | null> => {
    const seen = await group();
    if (seen !== null) return seen.cpuMs();
    const used = (await stats())?.cpu_stats.cpu_usage.total_usage;
    return used === undefined ? null : used / 1e6;
  };
  return {
    id: container.id,
    start,
    inspect,
    group,
    remove,
    async main() {
      const attached = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      const stream = await takenOver('attach', (abortSignal) =>
        container.attach({ ...attached, abortSignal }),
      );
      const stopWaiting = new AbortController();
      // Whichever comes first; the state is looked up then.
      const hints = [closeOf(stream)];
      return {
        stream,
        async start() {
          // Asked before the start, never awaited before it: else a short program is over unseen.
          const waited = container.wait({ condition: 'next-exit', abortSignal: stopWaiting.signal });
          hints.push(waited.then(nothing, nothing));
          try {
            await start();
          } catch (error) {
            stopWaiting.abort();
            throw error;
          }
          void group(); // while there is one: never rejects
        },
        async exited() {
          await Promise.race(hints);
          try {
            return await settled(async () => {
              const { Running, Status, ExitCode } = (await inspect()).State;
              return Running || Status === 'created' ? null : ExitCode;
            });
          } finally {
            stopWaiting.abort();
          }
        },
        isUnstarted: () => false, // what can't be started rejects
        speaks: () => Promise.resolve(true),
        kill,
        cpuMs,
      };
    },
    async exec(argv, { env, cwd }) {
      const exec = await ask(
        'exec',
        container.exec({
          Cmd: [...argv],
          Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
          User: USER,
          WorkingDir: cwd,
          AttachStdin: true,
          AttachStdout: true,
          AttachStderr: true,
          Tty: false,
        }),
      );
      const stream = await takenOver('exec start', (abortSignal) =>
        exec.start({ hijack: true, stdin: true, abortSignal }),
      );
      const closed = closeOf(stream);
      let isUnstarted = false;
      const look = (): Promise<{ ExitCode: number | null; Pid: number; Running: boolean }> =>
        ask('exec inspect', exec.inspect());
      return {
        stream,
        start: () => Promise.resolve(),
        async exited() {
          await closed;
          return settled(async () => {
            const { Running, ExitCode, Pid } = await look();
            isUnstarted = Pid === 0 && !Running;
            return Running ? null : (ExitCode ?? null);
          });
        },
        // The engine writes why to where the program's output would have come (measured), and counts that as its end.
        isUnstarted: () => isUnstarted,
        // Its process is there before its words are, or the engine has given it up.
        async speaks() {
          const pid = await settled(async () => {
            const { Running, Pid } = await look();
            return Pid === 0 && Running ? null : Pid;
          });
          return pid !== 0;
        },
        kill, // there is no way to end one program of a container
        cpuMs,
      };
    },
  };
}

async function settled(look: () => Promise<number | null>): Promise<number> {
  const giveUpAt = performance.now() + SETTLE_MS;
  for (let waitMs = POLL_MS; ; waitMs = Math.min(waitMs * 2, MAX_POLL_MS)) {
    const code = await look();
    if (code !== null) return code;
    if (performance.now() > giveUpAt) throw new EngineError('the container does not end', null, undefined);
    await pause(waitMs);
  }
}

function nothing(): void {
  // told by the state
}

function closeOf(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    stream
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
  });
}

/**
 * A connection to a program. One that the engine refuses, or is late with, is cut: the library leaves it open, and it
 * would keep the runner alive for minutes after everything is closed (measured).
 */
async function takenOver(
  what: string,
  call: (abortSignal: AbortSignal) => Promise<NodeJS.ReadWriteStream>,
): Promise<Duplex> {
  const cut = new AbortController();
  try {
    return duplexOf(await ask(what, call(cut.signal)));
  } catch (error) {
    cut.abort();
    throw error;
  }
}

/** A hijacked connection is a socket, whatever its declared type says. */
function duplexOf(stream: NodeJS.ReadWriteStream): Duplex {
  if (stream instanceof Duplex) return stream;
  throw new EngineError('the engine gave no connection', null, undefined);
}
