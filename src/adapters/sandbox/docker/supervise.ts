// One program in a container, from its start to its end: stdin in, output counted, and a kill at the first limit. The
// first reason is the reason told, and it is recorded before the kill is sent: exit code 137 alone means nothing.
import type { Duplex } from 'node:stream';
import { openCapture, type Captured } from './capture.js';
import { frameReader } from './frames.js';

/** How long bytes on their way are awaited once the program is gone. */
const DRAIN_MS = 2_000;
const DRAIN_KILLED_MS = 300;
const CPU_POLL_MS = 250;
/** After a kill: longer than that, and the engine is not to be trusted with the rest either. */
const DEATH_MS = 8_000;

/** How it ended, as far as the runner can tell without the engine's account of memory. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'timeout'; readonly limit: 'timeoutMs' | 'cpuMs' }
  | { readonly kind: 'output-limit'; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'cancelled' }
  /** The engine could not say how it ended. */
  | { readonly kind: 'lost'; readonly error: unknown };

export interface Program {
  /** Attached before the start: no byte is lost. */
  readonly stream: Duplex;
  start(): Promise<void>;
  /** The exit code, when it has ended; rejects when the engine can't tell. */
  exited(): Promise<number>;
  kill(): Promise<void>;
  /** CPU time so far, of everything in the container; null = not known. */
  cpuMs(): Promise<number | null>;
}

export interface Supervision {
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  readonly cpuMs: number | null;
  readonly outputBytes: number;
  readonly onOutput: ((stream: 'stdout' | 'stderr', bytes: Uint8Array) => void) | undefined;
}

export interface Supervised {
  readonly end: ProgramEnd;
  readonly stdout: Captured;
  readonly stderr: Captured;
  readonly wallMs: number;
}

/** Rejects only when the program could not be started; then nothing ran. */
export async function supervise(
  program: Program,
  { stdin, timeoutMs, cpuMs, outputBytes, onOutput }: Supervision,
  signal: AbortSignal,
): Promise<Supervised> {
  const { stream } = program;
  const startedMs = performance.now();
  let resolveEnd: (end: ProgramEnd) => void = () => undefined;
  const ended = new Promise<ProgramEnd>((resolve) => {
    resolveEnd = resolve;
  });
  let killing = null as Promise<void> | null;
  const stop = (end: ProgramEnd): void => {
    if (killing !== null) return;
    resolveEnd(end);
    killing = program.kill();
    killing.catch(() => undefined); // awaited below
  };

  const capture = openCapture(
    outputBytes,
    () => {
      stop({ kind: 'output-limit', stream: capture.full() ?? 'stdout' });
      stream.destroy();
    },
    onOutput,
  );
  const closed = new Promise<void>((resolve) => {
    stream.once('end', resolve).once('close', resolve);
  });
  stream.on('error', () => undefined); // a dead container breaks its stream; its end tells the story
  stream.on('data', frameReader(capture.give));

  const deadline = setTimeout(() => stop({ kind: 'timeout', limit: 'timeoutMs' }), timeoutMs);
  const abort = (): void => stop({ kind: 'cancelled' });
  signal.addEventListener('abort', abort, { once: true });
  const watch = cpuMs === null ? undefined : watchCpu(program, cpuMs, stop);
  try {
    await program.start();
    if (signal.aborted) abort();
    const gone = program.exited();
    gone.then(
      (code) => resolveEnd({ kind: 'exit', code }),
      (error: unknown) => resolveEnd({ kind: 'lost', error }),
    );
    stream.end(stdin);
    const end = await ended;
    const wallMs = performance.now() - startedMs;
    if (killing !== null) {
      await atMost(DEATH_MS, Promise.allSettled([killing, gone]));
      await atMost(DRAIN_KILLED_MS, closed);
      return { end, ...capture.result(), wallMs };
    }
    await atMost(DRAIN_MS, closed);
    const over = capture.full();
    return { end: over === null ? end : { kind: 'output-limit', stream: over }, ...capture.result(), wallMs };
  } finally {
    clearTimeout(deadline);
    clearInterval(watch);
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

function watchCpu(program: Program, cpuMs: number, stop: (end: ProgramEnd) => void): NodeJS.Timeout {
  let asking = false;
  return setInterval(() => {
    if (asking) return;
    asking = true;
    const look = async (): Promise<void> => {
      const used = await program.cpuMs();
      if (used !== null && used > cpuMs) stop({ kind: 'timeout', limit: 'cpuMs' });
    };
    look()
      .catch(() => undefined) // the container has just ended; its end is told elsewhere
      .finally(() => {
        asking = false;
      });
  }, CPU_POLL_MS);
}

/** Resolves when `work` has settled, and after `ms` at the latest. */
function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => {
        clearTimeout(timer);
        resolve();
      });
  });
}
