// A program in a container, as its supervisor sees it: the container's own, or one started beside it. Connections are taken
// before anything starts, so that no byte is lost; how a program has ended, its state tells and never its stream.
import type Dockerode from 'dockerode';
import type { ContainerInspectInfo } from 'dockerode';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { USER } from './container-spec.js';
import type { ControlGroup } from './control-group.js';
import { ask, EngineError } from './engine.js';

const POLL_MS = 10;
const MAX_POLL_MS = 200;
/** While the engine answers, an end that has happened is seen by then. */
const SETTLE_MS = 8_000;

export interface Program {
  /** Attached before the start: no byte is lost. */
  readonly stream: Duplex;
  start(): Promise<void>;
  /** The exit code, when it has ended; rejects when the engine can't tell. */
  exited(): Promise<number>;
  /** Known once it has ended. */
  isUnstarted(): boolean;
  /** Whether what has come on its stream is the program's: asked when something has. Rejects where nobody can tell. */
  speaks(): Promise<boolean>;
  kill(): Promise<void>;
  /** CPU time so far, of everything in the container; null = not known. */
  cpuMs(): Promise<number | null>;
}

/** What of its container a program needs. */
export interface ProgramParts {
  readonly container: Dockerode.Container;
  readonly start: () => Promise<void>;
  readonly inspect: () => Promise<ContainerInspectInfo>;
  readonly group: () => Promise<ControlGroup | null>;
  readonly kill: () => Promise<void>;
  readonly cpuMs: () => Promise<number | null>;
}

export interface ExecOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** What the image and our options make a container's main program. Throws EngineError. */
export async function mainProgram({
  container,
  start,
  inspect,
  group,
  kill,
  cpuMs,
}: ProgramParts): Promise<Program> {
  const attached = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
  const stream = await takenOver('attach', (abortSignal) => container.attach({ ...attached, abortSignal }));
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
}

/** Another program inside; it is started by being attached to. Throws EngineError. */
export async function execProgram(
  { container, kill, cpuMs }: ProgramParts,
  argv: readonly string[],
  { env, cwd }: ExecOptions,
): Promise<Program> {
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
