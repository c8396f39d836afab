// One run in a child, seen from outside. Whatever ends it, the process is killed; the first reason recorded is the reason told,
// and a kill of ours is recorded before it is sent.
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { WritError } from '../../../errors.js';
import type { SandboxFile } from '../../../runtime/ports.js';
import { atMost } from '../at-most.js';
import { collect, send, type Collected, type NextReport } from './child-pipes.js';
import type { WantedOutputs } from './outputs.js';
import { useReader } from './process-use.js';
import type { Sized, Trap } from './protocol.js';

/** How long bytes on their way are awaited after a kill. */
const DRAIN_MS = 300;
const WATCH_INTERVAL_MS = 50;

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

/** A booted child, as a run needs it. */
export interface BootedChild {
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

/** Never rejects; SIGKILL has been sent when it resolves, and unless the end is `exit` the process is gone. */
export async function runOnce(
  child: BootedChild,
  order: ChildOrder,
  signal: AbortSignal,
): Promise<ChildResult> {
  const startedMs = performance.now();
  const ending = new Ending(() => killGroup(child.process));
  const abort = (): void => ending.decide({ kind: 'cancelled' });
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();

  // Before all that is done here: the child works meanwhile. What it says is read when this function waits.
  sendOrder(child.orders, order);
  const output = collectOutput(child, order, ending);
  const deadline = setTimeout(() => ending.decide({ kind: 'timeout', limit: 'timeoutMs' }), order.timeoutMs);
  const use = new Use(child.process.pid, order, ending);
  void child.gone.then(() => {
    const outOfMemory = /out of memory/i.test(child.said());
    ending.decide({ kind: 'died', signal: child.process.signalCode, outOfMemory });
  });
  void followReports(child, order, { ending, output, use });

  const end = await ending.first;
  const wallMs = performance.now() - startedMs;
  clearTimeout(deadline);
  use.rest();
  signal.removeEventListener('abort', abort);
  if (end.kind !== 'exit') {
    await atMost(DRAIN_MS, output.announced());
    await child.gone;
  }
  const [stdout, stderr] = [output.stdout.bytes(), output.stderr.bytes()];
  return { end, stdout, stderr, wallMs, peakRssBytes: use.peakRssBytes, cpuMs: use.cpuMs };
}

/** The first decision counts, and kills. */
class Ending {
  readonly first: Promise<ChildEnd>;
  #isDecided = false;
  #resolve: (end: ChildEnd) => void = () => undefined;

  constructor(private readonly kill: () => void) {
    this.first = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  decide(end: ChildEnd): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#resolve(end);
    this.kill();
  }
}

function sendOrder(orders: Socket, order: ChildOrder): void {
  const { args, env, outputBytes, timeoutMs, diskBytes } = order;
  const lengths = { moduleBytes: order.module.length, stdinBytes: order.stdin.length };
  const files = order.files.map(({ path, bytes }) => ({ path, size: bytes.length }));
  const lists = order.select !== null;
  send(orders, { t: 'run', ...lengths, files, diskBytes, lists, args, env, outputBytes, timeoutMs }, [
    order.module,
    order.stdin,
    ...order.files.map(({ bytes }) => bytes),
  ]);
}

interface Output {
  readonly stdout: Collected;
  readonly stderr: Collected;
  /** By the child's own count; until it has one, for ever. */
  counts: { readonly out: number; readonly err: number };
  /** Resolves when all that the child has counted is here. */
  announced(): Promise<unknown>;
}

/** Counted here as well: the child's own count is only as good as the child. */
function collectOutput(child: BootedChild, { outputBytes, onOutput }: ChildOrder, ending: Ending): Output {
  let room = outputBytes;
  const keep =
    (stream: 'stdout' | 'stderr') =>
    (length: number): number => {
      const part = Math.min(length, room);
      room -= part;
      if (part < length) ending.decide({ kind: 'output-limit', stream });
      return part;
    };
  const stdout = collect(child.stdout, keep('stdout'), (bytes) => onOutput?.('stdout', bytes));
  const stderr = collect(child.stderr, keep('stderr'), (bytes) => onOutput?.('stderr', bytes));
  return {
    stdout,
    stderr,
    counts: { out: Infinity, err: Infinity },
    announced() {
      return Promise.all([stdout.reached(this.counts.out), stderr.reached(this.counts.err)]);
    },
  };
}

/** Looks at the process until `rest`, and ends it at its limits; not without `rssLimitBytes`. */
class Use {
  peakRssBytes: number | null = null;
  cpuMs: number | null = null;
  readonly #read: ReturnType<typeof useReader>;
  readonly #beforeMs: number;
  readonly #timer: NodeJS.Timeout;

  constructor(
    pid: number | undefined,
    private readonly limits: Pick<ChildOrder, 'rssLimitBytes' | 'cpuMs'>,
    private readonly ending: Ending,
  ) {
    this.#read = limits.rssLimitBytes === null ? null : useReader(pid);
    this.#beforeMs = this.#read?.()?.cpuMs ?? 0;
    this.#timer = setInterval(() => this.look(), WATCH_INTERVAL_MS);
  }

  look(): void {
    const now = this.#read?.() ?? null;
    const { rssLimitBytes, cpuMs: mostMs } = this.limits;
    if (now === null || rssLimitBytes === null) return;
    this.peakRssBytes = Math.max(this.peakRssBytes ?? 0, now.rssBytes);
    this.cpuMs = now.cpuMs - this.#beforeMs;
    if (now.rssBytes > rssLimitBytes) this.ending.decide({ kind: 'oom' });
    if (mostMs !== null && this.cpuMs > mostMs) this.ending.decide({ kind: 'timeout', limit: 'cpuMs' });
  }

  rest(): void {
    clearInterval(this.#timer);
  }
}

/** What the child says of its run; where it says nothing more, its death or the deadline will say what it was. */
async function followReports(
  child: BootedChild,
  order: ChildOrder,
  { ending, output, use }: { readonly ending: Ending; readonly output: Output; readonly use: Use },
): Promise<void> {
  const report = (await child.warmed) ? await child.next() : null;
  if (report === null || report.t === 'ready' || report.t === 'warm' || report.t === 'taken') return;
  if (report.t === 'load-failed')
    return ending.decide({ kind: 'load-failed', isValid: report.isValid, isLoaded: false });
  output.counts = report;
  if (report.t === 'limit') return ending.decide({ kind: 'output-limit', stream: report.stream });
  if (report.t === 'disk') return ending.decide({ kind: 'disk-limit' });
  await output.announced();
  use.look(); // what a short run has used
  if (report.t === 'trap') return ending.decide({ kind: 'trap', trap: report.trap });
  const files = await takeFiles(child, order, report.files);
  if (files instanceof WritError) ending.decide({ kind: 'outputs', error: files });
  else if (files !== null) ending.decide({ kind: 'exit', code: report.code, files });
}

/** The wanted files, read from the child; null when it can't say any more, which its death or the deadline explains. */
async function takeFiles(
  child: BootedChild,
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

/** The child and whatever it has started: they are one process group. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}
