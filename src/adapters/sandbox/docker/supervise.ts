// One program in a container, from its start to its end: stdin in, output counted, and a kill at the first limit. The
// first reason is the reason told, and it is recorded before the kill is sent: exit code 137 alone means nothing.
import type { Duplex } from 'node:stream';
import { openCapture, type Captured } from './capture.js';
import { isUnanswered } from './engine.js';
import { frameReader } from './frames.js';

/** How long bytes on their way are awaited once the program is gone. */
const DRAIN_MS = 2_000;
const DRAIN_KILLED_MS = 300;
const CPU_POLL_MS = 250;
/** How long the last word about CPU time is awaited, where the engine has to be asked: a result does not depend on it. */
const LAST_LOOK_MS = 30;
/** And before a kill, after which there is none. */
const KILL_LOOK_MS = 50;
/** After a kill: longer than that, and the engine is not to be trusted with the rest either. */
const DEATH_MS = 8_000;

/** How it ended, as far as the runner can tell without the engine's account of memory. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'timeout'; readonly limit: 'timeoutMs' | 'cpuMs' }
  | { readonly kind: 'output-limit'; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'egress'; readonly why: EgressEnd }
  /** It never ran: what came on its stream are the engine's words, not a program's. */
  | { readonly kind: 'unstarted'; readonly said: string }
  /** The engine could not say how it ended. */
  | { readonly kind: 'lost'; readonly error: unknown };

/** Why nothing may leave the sandbox any more (EgressProxy.ended). */
export type EgressEnd = 'egressBytes' | 'egressRequests' | 'egressRefused' | 'unrecorded';

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

export interface Supervision {
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  readonly cpuMs: number | null;
  /** Its CPU time is wanted at the end. */
  readonly accounts: boolean;
  readonly outputBytes: number;
  readonly onOutput: ((stream: 'stdout' | 'stderr', bytes: Uint8Array) => void) | undefined;
  /** Absent = there is no way out of it. */
  readonly egressEnded?: Promise<EgressEnd>;
}

export interface Supervised {
  readonly end: ProgramEnd;
  readonly stdout: Captured;
  readonly stderr: Captured;
  readonly wallMs: number;
  /**
   * Of everything in the container, its own start included, as last seen: what a container of its own did in its last
   * 250 ms may be missing, and all of a shorter one. null = it was not seen.
   */
  readonly cpuMs: number | null;
}

/** Rejects only when the program could not be started; then nothing ran. */
export async function supervise(
  program: Program,
  { stdin, timeoutMs, cpuMs, accounts, outputBytes, onOutput, egressEnded }: Supervision,
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
    if (accounts) cpu.look();
    killing = atMost(KILL_LOOK_MS, cpu.settled()).then(() => program.kill());
    killing.catch(() => undefined); // awaited below
  };

  const cpu = cpuOf(program, (usedMs) => {
    if (cpuMs !== null && usedMs > cpuMs) stop({ kind: 'timeout', limit: 'cpuMs' });
  });
  const live = onOutput === undefined ? null : liveOutput(program, onOutput);
  const capture = openCapture(
    outputBytes,
    () => {
      stop({ kind: 'output-limit', stream: capture.full() ?? 'stdout' });
      stream.destroy();
    },
    live?.give,
  );
  const closed = new Promise<void>((resolve) => {
    stream.once('end', resolve).once('close', resolve);
  });
  // The last moment at which the engine knows: with the program its account is closed.
  if (accounts) void closed.then(cpu.look);
  stream.on('error', () => undefined); // a dead container breaks its stream; its end tells the story
  stream.on('data', frameReader(capture.give));

  const deadline = setTimeout(() => stop({ kind: 'timeout', limit: 'timeoutMs' }), timeoutMs);
  const abort = (): void => stop({ kind: 'cancelled' });
  signal.addEventListener('abort', abort, { once: true });
  const watch = accounts ? setInterval(cpu.look, CPU_POLL_MS) : undefined;
  try {
    await program.start().catch((error: unknown) => {
      // It may have begun: nobody says that nothing ran.
      if (!isUnanswered(error)) throw error;
      resolveEnd({ kind: 'lost', error });
    });
    if (killing === null) {
      if (signal.aborted) abort();
    } else {
      // What was sent before there was anything to kill has killed nothing.
      killing = killing.catch(() => undefined).then(() => program.kill());
      killing.catch(() => undefined); // awaited below
    }
    const gone = program.exited();
    void egressEnded?.then((why) => stop({ kind: 'egress', why }));
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
      live?.end();
      const output = program.isUnstarted() ? NO_OUTPUT : capture.result();
      return { end, ...output, wallMs, cpuMs: cpu.used() };
    }
    await atMost(DRAIN_MS, closed);
    live?.end();
    if (program.isUnstarted()) {
      const said = Buffer.from(capture.result().stdout.bytes).toString('utf8');
      return { end: { kind: 'unstarted', said }, ...NO_OUTPUT, wallMs, cpuMs: null };
    }
    await atMost(LAST_LOOK_MS, cpu.settled());
    const over = capture.full();
    const told: ProgramEnd = over === null ? end : { kind: 'output-limit', stream: over };
    return { end: told, ...capture.result(), wallMs, cpuMs: cpu.used() };
  } finally {
    clearTimeout(deadline);
    clearInterval(watch);
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

const NOTHING: Captured = { bytes: new Uint8Array(0), truncated: false };
const NO_OUTPUT = { stdout: NOTHING, stderr: NOTHING };

interface LiveOutput {
  readonly give: NonNullable<Supervision['onOutput']>;
  /** The program has ended. */
  readonly end: () => void;
}

/** Shows output as it comes, from when it is known to be the program's and not the engine's words about it. */
function liveOutput(program: Program, show: LiveOutput['give']): LiveOutput {
  let held: Parameters<typeof show>[] | null = null;
  let isShown = false;
  const release = (): void => {
    isShown = true;
    for (const part of held?.splice(0) ?? []) show(...part);
  };
  return {
    give(stream, bytes) {
      if (isShown) return show(stream, bytes);
      held ??= askFirst();
      held.push([stream, bytes]);
    },
    end() {
      if (!program.isUnstarted()) release();
    },
  };
  function askFirst(): [] {
    program.speaks().then(
      (speaks) => {
        if (speaks) release();
      },
      () => undefined, // its end tells
    );
    return [];
  }
}

interface CpuAccount {
  /** Asks, unless an answer is awaited. */
  readonly look: () => void;
  readonly used: () => number | null;
  /** Resolves with no answer on its way. */
  readonly settled: () => Promise<void>;
}

/** `over` is called with each answer. */
function cpuOf(program: Program, over: (usedMs: number) => void): CpuAccount {
  let used: number | null = null;
  let asking: Promise<void> | null = null;
  const ask = async (): Promise<void> => {
    const now = await program.cpuMs();
    // Zero is what the engine tells of a container that has just ended.
    if (now !== null && now > (used ?? 0)) over((used = now));
  };
  return {
    look() {
      asking ??= ask()
        .catch(() => undefined) // the container has just ended; its end is told elsewhere
        .finally(() => {
          asking = null;
        });
    },
    used: () => used,
    settled: async () => {
      await asking;
    },
  };
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
