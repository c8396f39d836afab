// One guest's process: boots the engine, warms it up while nothing is asked of it, runs one module once, reports, and
// waits to be killed.
// Everything here may be under a guest's influence; the driver trusts only what it enforces from outside.
// The runner's death is end of file on fd 0: the process ends at once, spinning guest or not.
import { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import {
  MAX_LISTED_FILES,
  MAX_LISTED_PATH_BYTES,
  MAX_ORDER_LINE_BYTES,
  type Order,
  type Ready,
  type Report,
  type Sized,
  type Take,
  type Trap,
  type WarmUp,
} from './protocol.js';
import { trapOf } from './trap.js';
import { warmUpModule } from './warm-up.js';

/** The part of @wasmer/sdk/node that is used; imported by the path the driver gives. */
interface Engine {
  readonly Wasmer: new (options: { cache: false; parallelism: number }) => {
    readonly packages: { load(bytes: Uint8Array): Promise<unknown> };
    readonly sandboxes: {
      create(options: {
        packages: unknown[];
        files: Readonly<Record<string, Uint8Array>>;
        network: { mode: 'disabled' };
      }): Promise<Box>;
    };
    ready(): Promise<unknown>;
  };
}

interface Box {
  command(
    pkg: unknown,
    args: readonly string[],
    options: { env: Readonly<Record<string, string>> },
  ): {
    spawn(options: { stdin: 'pipe'; stdout: 'pipe'; stderr: 'pipe' }): Promise<Guest>;
  };
  /** Only what lies below /workspace. A link is told as a file, and can't be read. */
  readonly fs: {
    readDir(path: string): Promise<readonly { name: string; kind: 'file' | 'directory'; size: number }[]>;
    readFile(path: string): Promise<Uint8Array>;
  };
}

type RunOrder = Pick<Order, 'outputBytes' | 'diskBytes' | 'lists'>;

interface Guest {
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  wait(): Promise<{ readonly exitCode: number }>;
}

/** How long after the driver's deadline the child ends itself. */
const OWN_DEADLINE_GRACE_MS = 2_000;
/** After a run the engine takes its worker back; what is run sooner starts another one, the dearest part of a step (measured). */
const REST_MS = 25;
/** Without an order for so long, there is time for warming up a module, and for a large one. */
const SMALL_QUIET_MS = 5;
const QUIET_MS = 250;
/** What warm-ups read: with it they go through all that a step goes through. */
const WARM_UP_INPUT = new TextEncoder().encode('{}\n');
const WARM_UP: RunOrder = { outputBytes: 64 * 1024, diskBytes: 64 * 1024, lists: true };
const LARGE_BYTES = 100 * 1024;
const CHUNK_BYTES = 64 * 1024;
const WORKSPACE = '/workspace';
/** What the engine keeps of an exit code, as POSIX does; of a negative one it tells more. */
const EXIT_CODE_BITS = 0xff;
/** How often the size of the guest's files is looked at while it runs. */
const DISK_LOOK_MS = 25;
/** Files and folders below /workspace that are counted, and how deep. */
const MAX_ENTRIES = 4_096;
const MAX_DEPTH = 32;

const reports = pipe(3);
const outputs = pipe(6);
const sinks = { stdout: pipe(4), stderr: pipe(5) };

/** Where a run's output and what is said about it go. */
interface Outlet {
  write(stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void>;
  report(message: Report): Promise<void>;
}
/** To the driver. */
const driver: Outlet = { write: (stream, bytes) => write(sinks[stream], bytes), report };
/** What warm-ups say is nobody's business. */
const nowhere: Outlet = { write: () => Promise.resolve(), report: () => Promise.resolve() };

async function main(sdkUrl: string): Promise<void> {
  const input = new Input(process.stdin);
  const engine = (await import(sdkUrl)) as Engine;
  const wasmer = new engine.Wasmer({ cache: false, parallelism: 1 });
  await wasmer.ready();

  /** What a warm-up has loaded: the same bytes are loaded once. */
  const loaded: { readonly bytes: Uint8Array; readonly pkg: unknown }[] = [];
  const load = async (bytes: Uint8Array): Promise<unknown> => {
    const known = loaded.find((one) => Buffer.compare(one.bytes, bytes) === 0);
    if (known !== undefined) return known.pkg;
    const pkg = await wasmer.packages.load(bytes);
    loaded.push({ bytes, pkg });
    return pkg;
  };

  const start = async (
    bytes: Uint8Array,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    files: Readonly<Record<string, Uint8Array>> = {},
  ): Promise<{ readonly guest: Guest; readonly box: Box } | null> => {
    try {
      const pkg = await load(bytes);
      const box = await wasmer.sandboxes.create({ packages: [pkg], files, network: { mode: 'disabled' } });
      const guest = await box
        .command(pkg, args, { env })
        .spawn({ stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
      return { guest, box };
    } catch {
      // The engine's words about a guest's bytes stay here; the report says that the module didn't load.
      return null;
    }
  };

  const warm = async (bytes: Uint8Array): Promise<void> => {
    const started = await start(bytes, [], {});
    if (started === null) throw new Error('a warm-up module did not load');
    await run(started.guest, started.box, WARM_UP_INPUT, WARM_UP, nowhere);
    await pause(REST_MS);
  };

  const warmUp = (await input.line()) as unknown as WarmUp;
  const modules: Uint8Array[] = [];
  for (const length of warmUp.moduleBytes) modules.push(await input.take(length));
  await report(ready());
  // An order that is there at once is its own warm-up. A later one waits for one of them at most, and not for a large one.
  let isProbed = false;
  for (const module of [warmUpModule(), ...modules]) {
    if (!(await input.isQuiet(module.length > LARGE_BYTES ? QUIET_MS : SMALL_QUIET_MS))) break;
    await warm(module);
    if (!isProbed) await report({ t: 'warm' });
    isProbed = true;
  }
  if (!isProbed) await report({ t: 'warm' });

  const order = (await input.line()) as unknown as Order;
  const module = await input.take(order.moduleBytes);
  const stdin = await input.take(order.stdinBytes);
  const files: Record<string, Uint8Array> = {};
  for (const { path, size } of order.files) files[`${WORKSPACE}/${path}`] = await input.take(size);
  setTimeout(end, order.timeoutMs + OWN_DEADLINE_GRACE_MS);
  const started = await start(module, order.args, order.env, files);
  if (started === null) return report({ t: 'load-failed', isValid: isWebAssembly(module) });
  if (!(await run(started.guest, started.box, stdin, order, driver))) return;
  const take = (await input.line()) as unknown as Take;
  await report({ t: 'taken', ok: await handOut(started.box, take) });
}

/**
 * Forwards both streams as they come, stops for good at a cap, then says how the guest ended. True when files are wanted
 * of it now.
 */
async function run(
  guest: Guest,
  box: Box,
  stdin: Uint8Array,
  { outputBytes, diskBytes, lists }: RunOrder,
  outlet: Outlet,
): Promise<boolean> {
  const sent = { stdout: 0, stderr: 0 };
  let over = false;

  const pump = async (stream: 'stdout' | 'stderr', source: AsyncIterable<Uint8Array>) => {
    for await (const chunk of source) {
      if (over) return;
      const room = outputBytes - sent.stdout - sent.stderr;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      sent[stream] += part.length;
      over = chunk.length > room;
      if (part.length > 0) await outlet.write(stream, part);
      if (chunk.length > room) {
        await outlet.report({ t: 'limit', stream, out: sent.stdout, err: sent.stderr });
        return;
      }
    }
  };

  const stopAtDisk = async (): Promise<boolean> => {
    const found = await filesBelow(box);
    if (over || (found !== null && found.reduce((sum, { size }) => sum + size, 0) <= diskBytes)) return false;
    over = true;
    await outlet.report({ t: 'disk', out: sent.stdout, err: sent.stderr });
    return true;
  };
  let looking = false;
  const watch = setInterval(() => {
    if (looking) return;
    looking = true;
    stopAtDisk()
      .catch(() => undefined) // the guest is ending; what it left is looked at then
      .finally(() => {
        looking = false;
      });
  }, DISK_LOOK_MS);
  const pumps = Promise.all([pump('stdout', guest.stdout), pump('stderr', guest.stderr)]);
  void feed(guest, stdin); // never rejects; a guest need not read its stdin before it ends
  let trap: Trap | null = null;
  let code = 0;
  try {
    code = (await guest.wait()).exitCode & EXIT_CODE_BITS;
  } catch (error) {
    trap = trapOf(error instanceof Error ? error.message : '');
  }
  clearInterval(watch);
  await pumps;
  if (over || (trap === null && (await stopAtDisk()))) return false; // already reported
  const counts = { out: sent.stdout, err: sent.stderr };
  const files = trap === null && lists ? listable(await filesBelow(box)) : [];
  await outlet.report(trap === null ? { t: 'exit', code, files, ...counts } : { t: 'trap', trap, ...counts });
  return trap === null && lists;
}

/** All files below /workspace; null when there are more or deeper ones than are counted. */
async function filesBelow(box: Box): Promise<Sized[] | null> {
  const files: Sized[] = [];
  const folders = [''];
  let entries = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const { name, kind, size } of await box.fs.readDir(`${WORKSPACE}${folder}`)) {
      const path = `${folder}/${name}`;
      if (kind === 'directory') folders.push(path);
      else files.push({ path: path.slice(1), size });
      entries += 1;
      if (entries > MAX_ENTRIES || path.split('/').length > MAX_DEPTH) return null;
    }
  }
  return files;
}

function listable(files: Sized[] | null): Sized[] | null {
  const fits =
    files !== null &&
    files.length <= MAX_LISTED_FILES &&
    files.every(({ path }) => Buffer.byteLength(path) <= MAX_LISTED_PATH_BYTES);
  return fits ? files : null;
}

/** Sends each file over fd 6; false when one, or one that is only asked about, is no regular file. */
async function handOut(box: Box, { paths, regular }: Take): Promise<boolean> {
  try {
    for (const path of regular) await box.fs.readFile(`${WORKSPACE}/${path}`);
    for (const path of paths) {
      const bytes = await box.fs.readFile(`${WORKSPACE}/${path}`);
      if (bytes.length > 0) await write(outputs, bytes);
    }
    return true;
  } catch {
    return false; // a link, which the engine refuses to read
  }
}

async function feed(guest: Guest, stdin: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < stdin.length; at += CHUNK_BYTES) {
      await guest.stdin.write(stdin.subarray(at, at + CHUNK_BYTES));
    }
    await guest.stdin.close();
  } catch {
    // The guest ended without reading all of it, which is its right; its exit code is the answer.
  }
}

function isWebAssembly(bytes: Uint8Array): boolean {
  // The language's own types have no WebAssembly.
  const { WebAssembly } = globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } };
  return WebAssembly.validate(bytes);
}

function ready(): Ready {
  // Types of the permission model are younger than Node 20's.
  const permission = (process as unknown as { permission?: { has(scope: string, path?: string): boolean } })
    .permission;
  const interfaces = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
  return {
    t: 'ready',
    uid: process.getuid?.() ?? -1,
    filesDenied:
      permission !== undefined && !permission.has('fs.read', '/') && !permission.has('fs.write', '/'),
    spawnDenied: permission !== undefined && !permission.has('child'),
    interfaces: interfaces.length,
    envNames: Object.keys(process.env).length,
  };
}

function pipe(fd: number): Socket {
  return new Socket({ fd, readable: false, writable: true });
}

function report(message: Report): Promise<void> {
  return write(reports, Buffer.from(`${JSON.stringify(message)}\n`));
}

/** Resolves when the bytes are with the kernel. */
function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

function end(): never {
  process.exit(1);
}

/** Orders arrive as lines and counted bytes; end of file ends the process. */
class Input {
  private chunks: Buffer[] = [];
  private length = 0;
  private wake: () => void = () => undefined;

  constructor(source: NodeJS.ReadStream) {
    source.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.length += chunk.length;
      this.wake();
    });
    source.on('end', end);
    source.on('error', end);
  }

  async line(): Promise<object> {
    for (;;) {
      const all = Buffer.concat(this.chunks);
      const at = all.indexOf(0x0a);
      if (at >= 0) {
        this.chunks = [all.subarray(at + 1)];
        this.length = all.length - at - 1;
        return JSON.parse(all.subarray(0, at).toString('utf8')) as object;
      }
      if (all.length > MAX_ORDER_LINE_BYTES) throw new Error('order line too long');
      await this.more();
    }
  }

  async take(count: number): Promise<Uint8Array> {
    while (this.length < count) await this.more();
    const all = Buffer.concat(this.chunks);
    this.chunks = [all.subarray(count)];
    this.length = all.length - count;
    return new Uint8Array(all.subarray(0, count));
  }

  /** Whether nothing has come `ms` from now. */
  async isQuiet(ms: number): Promise<boolean> {
    if (this.length > 0) return false;
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([quiet, this.more()]);
    clearTimeout(timer);
    return this.length === 0;
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : 'the engine failed'}\n`);
  process.exit(70);
});
