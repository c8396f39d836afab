// The life of one guest process, seen from outside: boot, one run (child-run.ts), SIGKILL.
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { WritError } from '../../../errors.js';
import { collect, readReports, send, socketOf } from './child-pipes.js';
import { killGroup, runOnce, type BootedChild, type ChildOrder, type ChildResult } from './child-run.js';
import { GUEST_UID, type Launch } from './hardening.js';
import type { Ready } from './protocol.js';

/** Longest boot; after that the driver is unavailable. */
const BOOT_TIMEOUT_MS = 15_000;
const MAX_DIAGNOSTIC_BYTES = 16 * 1024;

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
  const end = new End(process_);
  const pipes = pipesOf(process_);
  // Idle, the child must not keep the runner alive; in a run or dying, it must, or nobody would see its end.
  const holders = [process_, ...Object.values(pipes)];
  const hold = (): void => holders.forEach((holder) => holder.ref());
  let isKilled = false;
  const kill = (): void => {
    if (end.isGone) return;
    isKilled = true;
    hold();
    killGroup(process_);
  };

  const said = textOf(pipes.diagnostics);
  const next = readReports(pipes.reports);

  const timer = setTimeout(kill, BOOT_TIMEOUT_MS);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    send(pipes.orders, { t: 'warm', moduleBytes: warmUp.map((module) => module.length) }, warmUp);
    const first = await Promise.race([next(), end.gone.then(() => null)]);
    if (first?.t !== 'ready' || process_.pid === undefined) {
      kill();
      await end.gone;
      throw new WritError('SANDBOX_UNAVAILABLE', "the sandbox's process did not start", {
        hint: 'run `writ doctor` to see what this machine lacks',
        details: { said: said().split('\n', 1)[0]?.slice(0, 300) ?? '' },
        ...(end.failure === null ? {} : { cause: end.failure }),
      });
    }
    // One that is dying is waited for, and nothing else may keep the runner alive by then.
    const release = (): void => {
      if (!isKilled) holders.forEach((holder) => holder.unref());
    };
    release();
    let isTaken = false;
    const warmed = next().then((report) => report?.t === 'warm');
    const booted: BootedChild = { process: process_, ...pipes, next, warmed, said, gone: end.gone };
    return {
      pid: process_.pid,
      ready: first,
      bootMs: performance.now() - startedMs,
      async warmed() {
        hold();
        const isWarm = await warmed;
        if (!isTaken && !end.isGone) release();
        return isWarm;
      },
      gone: end.gone,
      isGone: () => end.isGone,
      kill,
      run: (order, runSignal) => {
        isTaken = true;
        hold();
        return runOnce(booted, order, runSignal);
      },
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

/** The end of a process, and why it did not begin. */
class End {
  isGone = false;
  failure: Error | null = null;
  /** Resolves when the process is gone and its pipes are closed. */
  readonly gone: Promise<void>;

  constructor(child: ChildProcess) {
    child.once('exit', () => killGroup(child)); // a layer that outlived its parent
    this.gone = new Promise((resolve) => {
      const over = (): void => {
        this.isGone = true;
        resolve();
      };
      child.once('close', over);
      child.once('error', (error) => {
        this.failure = error;
        if (child.pid === undefined) over();
      });
    });
  }
}

/** By what they carry, as protocol.ts has it. */
function pipesOf(child: ChildProcess) {
  const pipe = (fd: number): Socket => {
    const socket = socketOf(child.stdio[fd]);
    socket.on('error', () => undefined); // a dead child breaks its pipes; its end tells the story
    return socket;
  };
  return {
    orders: pipe(0),
    diagnostics: pipe(2),
    reports: pipe(3),
    stdout: pipe(4),
    stderr: pipe(5),
    outputs: pipe(6),
  };
}

/** What a child has said for people so far, bounded. */
function textOf(diagnostics: Socket): () => string {
  let room = MAX_DIAGNOSTIC_BYTES;
  const kept = collect(diagnostics, (length) => {
    const part = Math.min(length, room);
    room -= part;
    return part;
  });
  return () => Buffer.from(kept.bytes()).toString('utf8');
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
