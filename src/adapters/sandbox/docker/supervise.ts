// One program in a container, from its start to its end: stdin in, output counted, and a kill at the first limit. The
// first reason is the reason told, and it is recorded before the kill is sent: exit code 137 alone means nothing.
import { atMost } from '../at-most.js';
import type { Captured } from './capture.js';
import { cpuOf } from './cpu-account.js';
import { Ending, type EgressEnd, type ProgramEnd } from './ending.js';
import { isUnanswered } from './engine.js';
import { hear, type Hearing } from './heard.js';
import type { Program } from './program.js';

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

export interface Supervision extends Hearing {
  readonly stdin: Uint8Array;
  readonly timeoutMs: number;
  readonly cpuMs: number | null;
  /** Its CPU time is wanted at the end. */
  readonly accounts: boolean;
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
  supervision: Supervision,
  signal: AbortSignal,
): Promise<Supervised> {
  const { stdin, timeoutMs, cpuMs, accounts, egressEnded } = supervision;
  const { stream } = program;
  const startedMs = performance.now();
  const cpu = cpuOf(program, (usedMs) => {
    if (cpuMs !== null && usedMs > cpuMs) ending.stop({ kind: 'timeout', limit: 'cpuMs' });
  });
  const ending = new Ending(program, () => {
    if (accounts) cpu.look();
    return atMost(KILL_LOOK_MS, cpu.settled());
  });
  const heard = hear(program, supervision, (over) => ending.stop({ kind: 'output-limit', stream: over }));
  const unstarted = (): ProgramEnd => ({ kind: 'unstarted', said: heard.words() });
  // The last moment at which the engine knows: with the program its account is closed.
  if (accounts) void heard.closed.then(cpu.look);

  const deadline = setTimeout(() => ending.stop({ kind: 'timeout', limit: 'timeoutMs' }), timeoutMs);
  const abort = (): void => ending.stop({ kind: 'cancelled' });
  signal.addEventListener('abort', abort, { once: true });
  const watch = accounts ? setInterval(cpu.look, CPU_POLL_MS) : undefined;
  try {
    await program.start().catch((error: unknown) => {
      // It may have begun: nobody says that nothing ran.
      if (!isUnanswered(error)) throw error;
      ending.told({ kind: 'lost', error });
    });
    ending.begun();
    if (signal.aborted) abort();
    const gone = program.exited();
    void egressEnded?.then((why) => ending.stop({ kind: 'egress', why }));
    gone.then(
      (code) => ending.told({ kind: 'exit', code }),
      (error: unknown) => ending.told({ kind: 'lost', error }),
    );
    stream.end(stdin);
    const end = await ending.first;
    const wallMs = performance.now() - startedMs;
    if (ending.killing !== null) {
      await atMost(DEATH_MS, Promise.allSettled([ending.killing, gone]));
      await atMost(DRAIN_KILLED_MS, heard.closed);
      heard.close();
      if (!program.isUnstarted()) return { end, ...heard.all(), wallMs, cpuMs: cpu.used() };
      // Nothing that it said went over its limit: these are the engine's words.
      const why = end.kind === 'output-limit' ? unstarted() : end;
      return { end: why, ...NO_OUTPUT, wallMs, cpuMs: cpu.used() };
    }
    await atMost(DRAIN_MS, heard.closed);
    heard.close();
    if (program.isUnstarted()) return { end: unstarted(), ...NO_OUTPUT, wallMs, cpuMs: null };
    await atMost(LAST_LOOK_MS, cpu.settled());
    return {
      end: overLimit(end, heard.full(), isOver(cpu.used(), cpuMs)),
      ...heard.all(),
      wallMs,
      cpuMs: cpu.used(),
    };
  } finally {
    clearTimeout(deadline);
    clearInterval(watch);
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}

/**
 * A program that has ended by itself before anybody looked has gone over its limits all the same. Of one that was lost
 * nobody knows how it ended.
 */
function overLimit(end: ProgramEnd, full: 'stdout' | 'stderr' | null, isOverCpu: boolean): ProgramEnd {
  if (full !== null) return { kind: 'output-limit', stream: full };
  return end.kind === 'exit' && isOverCpu ? { kind: 'timeout', limit: 'cpuMs' } : end;
}

function isOver(usedMs: number | null, limitMs: number | null): boolean {
  return limitMs !== null && usedMs !== null && usedMs > limitMs;
}

const NOTHING: Captured = { bytes: new Uint8Array(0), truncated: false };
const NO_OUTPUT = { stdout: NOTHING, stderr: NOTHING };
