// Files into a container and out of it as a tar on a pipe. What comes out is attacker-controlled: it is read here,
// never by the host's tar, and nothing in it decides a path on this machine.
import { WritError } from '../../../errors.js';
import type { SandboxFile } from '../../../runtime/ports.js';

const BLOCK = 512;
const NAME_BYTES = 100;
/** A name this long is no path of ours. */
const MAX_LONG_NAME = 4_096;
const LONG_NAME = '././@LongLink';

/** An entry of an archive. `bytes` is empty for anything but a file. */
export interface TarEntry {
  /** As the archive spells it, without a leading `./` and a trailing `/`. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'other';
  readonly bytes: Uint8Array;
}

/** An archive of regular files (mode 0755: a script among them can be run), and of a folder that has to be there. */
export function tarOf(files: readonly SandboxFile[], folder: string | null = null): Uint8Array {
  const entry = (path: string, type: string, bytes: Uint8Array): Buffer[] => {
    const name = Buffer.from(path, 'utf8');
    const isLong = name.length > NAME_BYTES;
    const long = isLong ? [header(Buffer.from(LONG_NAME), 'L', name.length), padded(name)] : [];
    return [...long, header(name.subarray(0, NAME_BYTES), type, bytes.length), padded(bytes)];
  };
  return Buffer.concat([
    ...(folder === null ? [] : entry(`${folder}/`, '5', new Uint8Array(0))),
    ...files.flatMap(({ path, bytes }) => entry(path, '0', bytes)),
    Buffer.alloc(2 * BLOCK),
  ]);
}

/** Every entry, in order. Throws SANDBOX_OUTPUT_REFUSED for what is no whole tar. */
export function readTar(archive: Uint8Array): TarEntry[] {
  const data = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: TarEntry[] = [];
  let longName: string | null = null;
  for (let at = 0; ;) {
    if (at + BLOCK > data.length) throw damaged();
    const head = data.subarray(at, at + BLOCK);
    if (head.every((byte) => byte === 0)) return entries;
    const size = octal(head.subarray(124, 136));
    const end = at + BLOCK + size;
    if (octal(head.subarray(148, 156)) !== checksum(head) || end > data.length) throw damaged();
    const bytes = data.subarray(at + BLOCK, end);
    const type = String.fromCharCode(head[156] ?? 0);
    if (type === 'L') {
      if (size > MAX_LONG_NAME) throw damaged();
      longName = text(bytes);
    } else {
      const kind = type === '0' || type === '\0' ? 'file' : type === '5' ? 'directory' : 'other';
      const path = clean(longName ?? shortName(head));
      entries.push({ path, kind, bytes: kind === 'file' ? Uint8Array.from(bytes) : new Uint8Array(0) });
      longName = null;
    }
    at = end + ((BLOCK - (size % BLOCK)) % BLOCK);
  }
}

function header(name: Uint8Array, type: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.set(name, 0);
  const field = (value: number, at: number, length: number): void => {
    block.write(value.toString(8).padStart(length - 1, '0'), at);
  };
  field(0o755, 100, 8);
  field(0, 108, 8);
  field(0, 116, 8);
  field(size, 124, 12);
  field(0, 136, 12);
  block.write(type, 156);
  block.write('ustar  \0', 257);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** Of a header, its own field counted as spaces. */
function checksum(head: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 0x20 : (head[at] ?? 0);
  return sum;
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

function shortName(head: Buffer): string {
  const name = text(head.subarray(0, NAME_BYTES));
  // POSIX splits a long name; GNU has no prefix.
  const prefix = text(head.subarray(257, 263)) === 'ustar' ? text(head.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString('utf8');
}

function octal(field: Uint8Array): number {
  const digits = text(field).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw damaged();
  return Number.parseInt(digits, 8);
}

function clean(path: string): string {
  const relative = path === '.' || path === './' ? '' : path.replace(/^\.\//, '');
  return relative.endsWith('/') ? relative.slice(0, -1) : relative;
}

function damaged(): WritError {
  return new WritError('SANDBOX_OUTPUT_REFUSED', 'what came out of the sandbox is no archive');
}
