// One run of a guest: its output goes out as it comes, its files are counted, and it is told once how it ended.
import {
  MAX_LISTED_FILES,
  MAX_LISTED_PATH_BYTES,
  type Order,
  type Report,
  type Sized,
  type Take,
  type Trap,
} from './protocol.js';
import { WORKSPACE, type Box, type Guest, type Started } from './guest-engine.js';
import { trapOf } from './trap.js';

type Stream = 'stdout' | 'stderr';

export type RunOrder = Pick<Order, 'outputBytes' | 'diskBytes' | 'lists'>;

/** Where a run's output and what is said about it go. */
export interface Outlet {
  write(stream: Stream, bytes: Uint8Array): Promise<void>;
  report(message: Report): Promise<void>;
}

const CHUNK_BYTES = 64 * 1024;
/** What the engine keeps of an exit code, as POSIX does; of a negative one it tells more. */
const EXIT_CODE_BITS = 0xff;
/** How often the size of the guest's files is looked at while it runs. */
const DISK_LOOK_MS = 25;
/** Files and folders below /workspace that are counted, and how deep. */
const MAX_ENTRIES = 4_096;
const MAX_DEPTH = 32;

/**
 * Forwards both streams as they come, stops for good at a cap, then says how the guest ended. True when files are wanted
 * of it now.
 */
export async function runGuest(
  { guest, box }: Started,
  stdin: Uint8Array,
  order: RunOrder,
  outlet: Outlet,
): Promise<boolean> {
  const output = new Output(order.outputBytes, outlet);
  const disk = new Disk(box, order.diskBytes, output);
  const pumps = Promise.all([output.pump('stdout', guest.stdout), output.pump('stderr', guest.stderr)]);
  void feed(guest, stdin); // never rejects; a guest need not read its stdin before it ends
  const end = await endOf(guest);
  disk.rest();
  await pumps;
  if (output.isOver || (end.trap === null && (await disk.stopAtLimit()))) return false; // already reported
  if (end.trap !== null) {
    await output.report({ t: 'trap', trap: end.trap });
    return false;
  }
  const files = order.lists ? listable(await filesBelow(box)) : [];
  await output.report({ t: 'exit', code: end.code, files });
  return order.lists;
}

type Counted = Extract<Report, { readonly out: number }>;
type Uncounted<Of> = Of extends unknown ? Omit<Of, 'out' | 'err'> : never;

/** What has gone out of both streams together, up to its cap. */
class Output {
  /** Something has stopped the run, and was reported: nothing more goes out. */
  isOver = false;
  private readonly sent = { stdout: 0, stderr: 0 };

  constructor(
    private readonly maxBytes: number,
    private readonly outlet: Outlet,
  ) {}

  async pump(stream: Stream, source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of source) {
      if (this.isOver) return;
      const room = this.maxBytes - this.sent.stdout - this.sent.stderr;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      this.sent[stream] += part.length;
      this.isOver = chunk.length > room;
      if (part.length > 0) await this.outlet.write(stream, part);
      if (chunk.length > room) return this.report({ t: 'limit', stream });
    }
  }

  /** With how much has gone out. */
  report(message: Uncounted<Counted>): Promise<void> {
    return this.outlet.report({ ...message, out: this.sent.stdout, err: this.sent.stderr });
  }
}

/** Looks at the size of the guest's files until `rest`; more than `maxBytes`, or than can be counted, stops the run. */
class Disk {
  private readonly timer: NodeJS.Timeout;
  private isLooking = false;

  constructor(
    private readonly box: Box,
    private readonly maxBytes: number,
    private readonly output: Output,
  ) {
    this.timer = setInterval(() => this.look(), DISK_LOOK_MS);
  }

  /** Whether it has stopped the run. */
  async stopAtLimit(): Promise<boolean> {
    const found = await filesBelow(this.box);
    const isWithin = found !== null && found.reduce((sum, { size }) => sum + size, 0) <= this.maxBytes;
    if (this.output.isOver || isWithin) return false;
    this.output.isOver = true;
    await this.output.report({ t: 'disk' });
    return true;
  }

  rest(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    this.stopAtLimit()
      .catch(() => undefined) // the guest is ending; what it left is looked at then
      .finally(() => {
        this.isLooking = false;
      });
  }
}

async function endOf(guest: Guest): Promise<{ readonly code: number; readonly trap: Trap | null }> {
  try {
    return { code: (await guest.wait()).exitCode & EXIT_CODE_BITS, trap: null };
  } catch (error) {
    return { code: 0, trap: trapOf(error instanceof Error ? error.message : '') };
  }
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

/** Sends each file to `write`; false when one, or one that is only asked about, is no regular file. */
export async function handOut(
  box: Box,
  { paths, regular }: Take,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<boolean> {
  try {
    for (const path of regular) await box.fs.readFile(`${WORKSPACE}/${path}`);
    for (const path of paths) {
      const bytes = await box.fs.readFile(`${WORKSPACE}/${path}`);
      if (bytes.length > 0) await write(bytes);
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
