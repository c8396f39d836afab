// The driver's end of a child's pipes: bounded collection of what comes, checked reading of reports, orders out.
// Everything read here is attacker-controlled.
import { Socket } from 'node:net';
import { WritError } from '../../../errors.js';
import { Growing } from '../growing.js';
import {
  MAX_LISTED_FILES,
  MAX_REPORT_LINE_BYTES,
  TRAPS,
  type Order,
  type Report,
  type Sized,
  type Take,
  type Trap,
  type WarmUp,
} from './protocol.js';

/** Bytes of one stream, as far as they were kept. */
export interface Collected {
  bytes(): Uint8Array;
  /** Resolves when `count` bytes have come, kept or not, or the stream has ended. */
  reached(count: number): Promise<void>;
}

/** Reads `stream` to its end; keeps as many bytes of each chunk as `keep(length)` says, and shows them to `watch`. */
export function collect(
  stream: Socket,
  keep: (length: number) => number,
  watch: (bytes: Uint8Array) => void = () => undefined,
): Collected {
  const kept = new Growing();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let received = 0;
  let closed = false;
  const wake = (): void => {
    for (const waiter of waiting) if (closed || received >= waiter.count) waiter.resolve();
  };
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length;
    const part = keep(chunk.length);
    if (part > 0) {
      kept.append(chunk.subarray(0, part));
      watch(chunk.subarray(0, part));
    }
    wake();
  });
  stream.once('close', () => {
    closed = true;
    wake();
  });
  return {
    bytes: () => kept.bytes(),
    reached: (count) =>
      new Promise((resolve) => {
        waiting.push({ count, resolve });
        wake();
      }),
  };
}

/** The next report, or null when there will be none: the pipe ended, or what came is no report. */
export type NextReport = () => Promise<Report | null>;

export function readReports(stream: Socket): NextReport {
  const ready: (Report | null)[] = [];
  let waiting: ((report: Report | null) => void) | null = null;
  let pending = Buffer.alloc(0);
  let over = false;
  const deliver = (report: Report | null): void => {
    if (over) return;
    over = report === null;
    if (waiting === null) ready.push(report);
    else waiting(report);
    waiting = null;
  };
  stream.on('data', (chunk: Buffer) => {
    if (over) return;
    pending = Buffer.concat([pending, chunk]);
    for (let at = pending.indexOf(0x0a); at >= 0; at = pending.indexOf(0x0a)) {
      deliver(at > MAX_REPORT_LINE_BYTES ? null : parseReport(pending.subarray(0, at).toString('utf8')));
      pending = pending.subarray(at + 1);
    }
    if (pending.length > MAX_REPORT_LINE_BYTES) deliver(null);
  });
  stream.once('close', () => deliver(null));
  return () =>
    new Promise((resolve) => {
      const next = ready.shift();
      if (next !== undefined) resolve(next);
      else if (over) resolve(null);
      else waiting = resolve;
    });
}

/** Writes one line and the bytes it announces. A broken pipe shows as the child's death. */
export function send(pipe: Socket, line: Order | Take | WarmUp, bodies: readonly Uint8Array[]): void {
  pipe.cork();
  pipe.write(`${JSON.stringify(line)}\n`);
  for (const body of bodies) if (body.length > 0) pipe.write(body);
  pipe.uncork();
}

/** A pipe of a child started with `stdio: 'pipe'`; Node makes sockets of them. */
export function socketOf(pipe: unknown): Socket {
  if (pipe instanceof Socket) return pipe;
  throw new WritError('SANDBOX_UNAVAILABLE', "the sandbox's process has no pipes");
}

function parseReport(line: string): Report | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null; // no report is an answer of its own: the child is not trusted to explain itself
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = new Map<string, unknown>(Object.entries(value));
  const count = (name: string): number => {
    const field = fields.get(name);
    return typeof field === 'number' && Number.isSafeInteger(field) ? field : -1;
  };
  const out = count('out');
  const err = count('err');
  const hasCounts = out >= 0 && err >= 0;
  switch (fields.get('t')) {
    case 'ready':
      return {
        t: 'ready',
        uid: count('uid'),
        filesDenied: fields.get('filesDenied') === true,
        spawnDenied: fields.get('spawnDenied') === true,
        interfaces: count('interfaces'),
        envNames: count('envNames'),
      };
    case 'warm':
      return { t: 'warm' };
    case 'exit': {
      const code = count('code');
      return hasCounts && code >= 0
        ? { t: 'exit', code, out, err, files: sizedFiles(fields.get('files')) }
        : null;
    }
    case 'trap': {
      const trap: Trap = TRAPS.find((name) => name === fields.get('trap')) ?? 'other';
      return hasCounts ? { t: 'trap', trap, out, err } : null;
    }
    case 'limit': {
      const stream = fields.get('stream') === 'stderr' ? 'stderr' : 'stdout';
      return hasCounts ? { t: 'limit', stream, out, err } : null;
    }
    case 'disk':
      return hasCounts ? { t: 'disk', out, err } : null;
    case 'taken':
      return { t: 'taken', ok: fields.get('ok') === true };
    case 'load-failed':
      return { t: 'load-failed', isValid: fields.get('isValid') === true };
    default:
      return null;
  }
}

/** null for anything that is no list of files. */
function sizedFiles(value: unknown): readonly Sized[] | null {
  if (!Array.isArray(value) || value.length > MAX_LISTED_FILES) return null;
  const files: Sized[] = [];
  for (const one of value as readonly unknown[]) {
    const { path, size } = Object(one) as { path?: unknown; size?: unknown };
    if (typeof path !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      return null;
    files.push({ path, size });
  }
  return files;
}
