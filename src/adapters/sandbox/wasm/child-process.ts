// The life of one guest process, seen from outside: boot, one run, SIGKILL. Whatever ends a run, the process is
// killed; the first reason recorded is the reason told, and a kill of ours is recorded before it is sent.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { WritError } from '../../../errors.js';
import type { SandboxFile } from '../../../runtime/ports.js';
import { atMost } from '../at-most.js';
import { collect, readReports, send, socketOf, type NextReport } from './child-pipes.js';
import { GUEST_UID, type Launch } from './hardening.js';
import type { WantedOutputs } from './outputs.js';
import type { Ready, Sized, Trap } from './protocol.js';

/** Longest boot; after that the driver is unavailable. */
const BOOT_TIMEOUT_MS = 15_000;
/** How long bytes on their way are awaited after a kill. */
const DRAIN_MS = 300;
const WATCH_INTERVAL_MS = 50;
const MAX_DIAGNOSTIC_BYTES = 16 * 1024;
/** Of /proc/<pid>/stat; the same on every Linux that Node runs on. */
const MS_PER_TICK = 10;

export interface ChildOrder {
  readonly module: Uint8Array;
  readonly stdin: Uint8Array;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytes: number;
  /** Of the whole process; null = not watched. */
  readonly rssLimitBytes: number | null;
  /** From the start of the run, all threads together; null = bounded by time alone. */
  readonly cpuMs: number | null;
  readonly files: readonly SandboxFile[];
  readonly diskBytes: number;
  /** Which of the files that a guest leaves are wanted; throws WritError where they may not be had. null = none. */
  readonly select: ((listed: readonly Sized[] | null) => WantedOutputs) | null;
  /** Of what is kept, as it comes. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

export type ChildEnd =
  | { readonly kind: 'exit'; readonly code: number; readonly files: readonly SandboxFile[] }
  | { readonly kind: 'trap'; readonly trap: Trap }
  /** `isLoaded`: and stopped before `_start`. */
  | { readonly kind: 'load-failed'; readonly isValid: boolean; readonly isLoaded: boolean }
  | { readonly kind: 'timeout'; readonly limit: 'timeoutMs' | 'cpuMs' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'oom' }
  | { readonly kind: 'output-limit'; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'disk-limit' }
  /** It ended, and left what can't be handed out. */
  | { readonly kind: 'outputs'; readonly error: WritError }
  /** Ended by something we did not send. */
  | { readonly kind: 'died'; readonly signal: string | null; readonly outOfMemory: boolean };

export interface ChildResult {
  readonly end: ChildEnd;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly wallMs: number;
  /** null when it ended before the first look, or is not watched. */
  readonly peakRssBytes: number | null;
  /** As `peakRssBytes`. */
  readonly cpuMs: number | null;
}

export interface WasmChild {
  readonly pid: number;
  /** What the child sees from inside. */
  readonly ready: Ready;
  readonly bootMs: number;
  /** Whether its engine has run the driver's probe, or has been given something to run before that; false = it died. */
  warmed(): Promise<boolean>;
  /** Resolves when the process is gone and its pipes are closed. */
  readonly gone: Promise<void>;
  isGone(): boolean;
  /** Once. Never rejects; SIGKILL has been sent when it resolves, and unless the end is `exit` the process is gone. */
  run(order: ChildOrder, signal: AbortSignal): Promise<ChildResult>;
  kill(): void;
}

/**
 * Starts a process and waits until its engine is loaded. While it waits for its order it runs the driver's probe, then
 * `warmUp`, shipped modules, in the order given. An idle child doesn't keep the runner alive, and ends when the
 * runner does. Throws SANDBOX_UNAVAILABLE; nothing is left then.
 */
export async function bootChild(
  launch: Launch,
  warmUp: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<WasmChild> {
  const startedMs = performance.now();
  const process_ = start(launch);
  let failure: Error | null = null;
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    process_.once('exit', () => killGroup(process_)); // a layer that outlived its parent
    process_.once('close', () => {
      isGone = true;
      resolve();
    });
    process_.once('error', (error) => {
      failure = error;
      if (process_.pid !== undefined) return;
      isGone = true;
      resolve();
    });
  });
  const [orders, diagnostics, reports, stdout, stderr, outputs] = [0, 2, 3, 4, 5, 6].map((fd) => {
    const pipe = socketOf(process_.stdio[fd]);
    pipe.on('error', () => undefined); // a dead child breaks its pipes; `gone` tells the story
    return pipe;
  }) as [Socket, Socket, Socket, Socket, Socket, Socket];

  // Idle, the child must not keep the runner alive; in a run or dying, it must, or nobody would see its end.
  const holders = [process_, orders, diagnostics, reports, stdout, stderr, outputs];
  const hold = (): void => holders.forEach((holder) => holder.ref());
  let isKilled = false;
  const kill = (): void => {
    if (isGone) return;
    isKilled = true;
    hold();
    killGroup(process_);
  };

  let room = MAX_DIAGNOSTIC_BYTES;
  const diagnostic = collect(diagnostics, (length) => {
    const part = Math.min(length, room);
    room -= part;
    return part;
  });
  const said = (): string => Buffer.from(diagnostic.bytes()).toString('utf8');
  const next = readReports(reports);

  const timer = setTimeout(kill, BOOT_TIMEOUT_MS);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    send(orders, { t: 'warm', moduleBytes: warmUp.map((module) => module.length) }, warmUp);
    const first = await Promise.race([next(), gone.then(() => null)]);
    if (first?.t !== 'ready' || process_.pid === undefined) {
      kill();
      await gone;
      throw new WritError('SANDBOX_UNAVAILABLE', "the sandbox's process did not start", {
        hint: 'run `writ doctor` to see what this machine lacks',
        details: { said: said().split('\n', 1)[0]?.slice(0, 300) ?? '' },
        ...(failure === null ? {} : { cause: failure }),
      });
    }
    // One that is dying is waited for, and nothing else may keep the runner alive by then.
    const release = (): void => {
      if (!isKilled) holders.forEach((holder) => holder.unref());
    };
    release();
    let isTaken = false;
    const warmed = next().then((report) => report?.t === 'warm');
    const parts: Parts = { process: process_, orders, stdout, stderr, outputs, next, warmed, said, gone };
    return {
      pid: process_.pid,
      ready: first,
      bootMs: performance.now() - startedMs,
      async warmed() {
        hold();
        const isWarm = await warmed;
        if (!isTaken && !isGone) release();
        return isWarm;
      },
      gone,
      isGone: () => isGone,
      kill,
      run: (order, runSignal) => {
        isTaken = true;
        hold();
        return runOnce(parts, order, runSignal);
      },
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

interface Parts {
  readonly process: ChildProcess;
  readonly orders: Socket;
  readonly stdout: Socket;
  readonly stderr: Socket;
  readonly outputs: Socket;
  readonly next: NextReport;
  readonly warmed: Promise<boolean>;
  readonly said: () => string;
  readonly gone: Promise<void>;
}

async function runOnce(child: Parts, order: ChildOrder, signal: AbortSignal): Promise<ChildResult> {
  const startedMs = performance.now();
  let decide: (end: ChildEnd) => void = () => undefined;
  let decided = false;
  const ended = new Promise<ChildEnd>((resolve) => {
    decide = (end) => {
      if (decided) return;
      decided = true;
      resolve(end);
      killGroup(child.process);
    };
  });

  const abort = (): void => decide({ kind: 'cancelled' });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();

  // Before all that is done here: the child works meanwhile. What it says is read when this function waits.
  const { args, env, outputBytes, timeoutMs, diskBytes } = order;
  const lengths = { moduleBytes: order.module.length, stdinBytes: order.stdin.length };
  const files = order.files.map(({ path, bytes }) => ({ path, size: bytes.length }));
  const lists = order.select !== null;
  send(child.orders, { t: 'run', ...lengths, files, diskBytes, lists, args, env, outputBytes, timeoutMs }, [
    order.module,
    order.stdin,
    ...order.files.map(({ bytes }) => bytes),
  ]);

  // Counted here as well: the child's own count is only as good as the child.
  let room = order.outputBytes;
  const keep =
    (stream: 'stdout' | 'stderr') =>
    (length: number): number => {
      const part = Math.min(length, room);
      room -= part;
      if (part < length) decide({ kind: 'output-limit', stream });
      return part;
    };
  const { onOutput } = order;
  const stdout = collect(child.stdout, keep('stdout'), (bytes) => onOutput?.('stdout', bytes));
  const stderr = collect(child.stderr, keep('stderr'), (bytes) => onOutput?.('stderr', bytes));

  const deadline = setTimeout(() => decide({ kind: 'timeout', limit: 'timeoutMs' }), order.timeoutMs);
  let peakRssBytes: number | null = null;
  let cpuMs: number | null = null;
  const limit = order.rssLimitBytes;
  const use = limit === null ? null : useReader(child.process.pid);
  const before = use?.()?.cpuMs ?? 0;
  const look = (): void => {
    const now = use?.() ?? null;
    if (now === null || limit === null) return;
    peakRssBytes = Math.max(peakRssBytes ?? 0, now.rssBytes);
    cpuMs = now.cpuMs - before;
    if (now.rssBytes > limit) decide({ kind: 'oom' });
    if (order.cpuMs !== null && cpuMs > order.cpuMs) decide({ kind: 'timeout', limit: 'cpuMs' });
  };
  const watch = setInterval(look, WATCH_INTERVAL_MS);

  void child.gone.then(() => {
    const outOfMemory = /out of memory/i.test(child.said());
    decide({ kind: 'died', signal: child.process.signalCode, outOfMemory });
  });
  let counts = { out: Infinity, err: Infinity };
  const follow = async (): Promise<void> => {
    const report = (await child.warmed) ? await child.next() : null;
    // Death or the deadline will say what it was.
    if (report === null || report.t === 'ready' || report.t === 'warm' || report.t === 'taken') return;
    if (report.t === 'load-failed')
      return decide({ kind: 'load-failed', isValid: report.isValid, isLoaded: false });
    counts = report;
    if (report.t === 'limit') return decide({ kind: 'output-limit', stream: report.stream });
    if (report.t === 'disk') return decide({ kind: 'disk-limit' });
    await Promise.all([stdout.reached(report.out), stderr.reached(report.err)]);
    look(); // what a short run has used
    if (report.t === 'trap') return decide({ kind: 'trap', trap: report.trap });
    const files = await takeFiles(child, order, report.files);
    if (files instanceof WritError) decide({ kind: 'outputs', error: files });
    else if (files !== null) decide({ kind: 'exit', code: report.code, files });
  };
  void follow();

  const end = await ended;
  const wallMs = performance.now() - startedMs;
  clearTimeout(deadline);
  clearInterval(watch);
  signal.removeEventListener('abort', abort);
  if (end.kind !== 'exit') {
    await atMost(DRAIN_MS, Promise.all([stdout.reached(counts.out), stderr.reached(counts.err)]));
    await child.gone;
  }
  return { end, stdout: stdout.bytes(), stderr: stderr.bytes(), wallMs, peakRssBytes, cpuMs };
}

/** The wanted files, read from the child; null when it can't say any more, which its death or the deadline explains. */
async function takeFiles(
  child: Parts,
  { select }: ChildOrder,
  listed: readonly Sized[] | null,
): Promise<readonly SandboxFile[] | WritError | null> {
  if (select === null) return [];
  let wanted: WantedOutputs;
  try {
    wanted = select(listed);
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
  const { files, regular } = wanted;
  const total = files.reduce((sum, { size }) => sum + size, 0);
  // No more is kept than was announced, whatever the child sends.
  let room = total;
  const came = collect(child.outputs, (length) => {
    const part = Math.min(length, room);
    room -= part;
    return part;
  });
  send(child.orders, { t: 'take', paths: files.map(({ path }) => path), regular }, []);
  const report = await child.next();
  if (report?.t !== 'taken') return null;
  if (!report.ok) {
    return new WritError('SANDBOX_OUTPUT_REFUSED', 'an output is a link or another special file', {
      hint: 'have the program write regular files where outputs are wanted',
    });
  }
  await came.reached(total);
  const bytes = came.bytes();
  if (bytes.length !== total) return null;
  let at = 0;
  return files.map(({ path, size }) => {
    at += size;
    return { path, bytes: bytes.slice(at - size, at) };
  });
}

function start(launch: Launch): ChildProcess {
  try {
    return spawn(launch.command, launch.args, {
      cwd: '/',
      env: {},
      detached: true, // its own process group: one kill reaches every layer, a terminal's Ctrl-C none
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      ...(launch.uid === null ? {} : { uid: launch.uid, gid: GUEST_UID }),
    });
  } catch (cause) {
    throw new WritError('SANDBOX_UNAVAILABLE', "the sandbox's process could not be started", { cause });
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}

/** Reads what the process that holds the guest uses: the child, or the one it forked. */
function useReader(
  pid: number | undefined,
): (() => { readonly rssBytes: number; readonly cpuMs: number } | null) | null {
  if (pid === undefined) return null;
  const forked = readProc(`/proc/${pid}/task/${pid}/children`)?.trim().split(' ')[0] ?? '';
  const holder = /^[0-9]+$/.test(forked) ? forked : `${pid}`;
  return () => {
    const kib = /^VmRSS:\s+([0-9]+) kB$/m.exec(readProc(`/proc/${holder}/status`) ?? '')?.[1];
    // After the name, which may hold anything: the 12th and 13th field, ticks in user and in system mode.
    const ticks = (readProc(`/proc/${holder}/stat`) ?? '').split(') ').at(-1)?.split(' ').slice(11, 13);
    if (kib === undefined || ticks?.length !== 2) return null;
    const [user = 0, system = 0] = ticks.map(Number);
    return { rssBytes: Number(kib) * 1024, cpuMs: (user + system) * MS_PER_TICK };
  };
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // the process has just ended
  }
}
