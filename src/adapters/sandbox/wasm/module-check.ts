// Decides from the bytes alone whether a module may be loaded, and caps its memory. The bytes are
// attacker-controlled: every length is checked before it is used, nothing is compiled here, and whatever this
// reader doesn't know is refused. What comes out differs from what came in only in the memory section.
import { createHash } from 'node:crypto';
import { WritError } from '../../../errors.js';
import { isDigest, type Digest } from '../../../json.js';
import { invalid, printable, Reader } from './module-reader.js';
import { checkData, checkElements, readTables } from './module-segments.js';
import { checkImports, checkStart, readFunctions, readTypes, type Types } from './module-types.js';

/** Largest module this driver reads. */
const MAX_MODULE_BYTES = 64 * 1024 * 1024;

/** A module that may be loaded, with its memory maximum lowered to the cap. */
export interface CheckedModule {
  /** Of the bytes as given. */
  readonly digest: Digest;
  /** Of `bytes`. */
  readonly rewrittenDigest: Digest;
  /** What is loaded: the original with another memory maximum. */
  readonly bytes: Uint8Array;
  readonly initialPages: number;
  /** Never above the cap; lower when the module itself asked for less. */
  readonly maximumPages: number;
  /** It has a start function, or data or elements whose place is no plain number: it can be stopped before `_start`. */
  readonly canEndBeforeStart: boolean;
}

const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  export: 7,
  start: 8,
  element: 9,
  data: 11,
  last: 13,
} as const;
const MAX_EXPORTS = 100_000;
/** 4 GiB of 32-bit memory. */
const MAX_PAGES = 65_536;
const PAGE_BYTES = 65_536;

/** What was found out about modules lately, by digest and cap: the same bytes come again for each step, twice. */
const recent = new Map<string, CheckedModule>();
const MAX_RECENT = 16;
const MAX_RECENT_BYTES = 2 * 1024 * 1024;

/**
 * Checks size, digest, form, imports and memory, then rewrites the memory maximum to at most `maximumPages`.
 * Throws INTEGRITY_DIGEST when the bytes are not what `digest` names, SANDBOX_MODULE_INVALID for anything else.
 */
export function checkModule(
  module: { readonly digest: Digest; readonly bytes: Uint8Array },
  maximumPages: number,
): CheckedModule {
  const { bytes } = module;
  if (bytes.length > MAX_MODULE_BYTES) {
    throw invalid(`it has ${bytes.length} bytes, at most ${MAX_MODULE_BYTES} are read`);
  }
  const digest = digestOf(bytes);
  if (digest !== module.digest) {
    throw new WritError('INTEGRITY_DIGEST', `module bytes hash to ${digest}, pinned is ${module.digest}`, {
      hint: 'restore the module from its source, or pin the digest you reviewed',
    });
  }
  const key = `${digest} ${maximumPages}`;
  const checked = recent.get(key) ?? inspect(bytes, digest, maximumPages);
  recent.delete(key); // the last is the latest
  if (bytes.length <= MAX_RECENT_BYTES) recent.set(key, checked);
  const [oldest] = recent.keys();
  if (oldest !== undefined && recent.size > MAX_RECENT) recent.delete(oldest);
  return checked;
}

function inspect(bytes: Uint8Array, digest: Digest, maximumPages: number): CheckedModule {
  checkHeader(bytes);

  let memory: { readonly initial: number; readonly maximum: number | null } | null = null;
  let memoryAt: { readonly start: number; readonly end: number } | null = null;
  let types: Types | null = { at: () => undefined };
  let functions: number[] = [];
  let start: Exported | undefined;
  let hasMemoryExport = false;
  let tables: readonly number[] | null = [];
  let isPlain = true;
  const seen = new Set<number>();

  const reader = new Reader(bytes, 8, bytes.length);
  while (!reader.atEnd()) {
    const at = reader.offset;
    const id = reader.byte();
    const section = reader.slice(reader.u32());
    if (id === SECTION.custom) continue;
    if (id > SECTION.last) throw invalid(`section ${id} at byte ${at} is unknown`);
    if (seen.has(id)) throw invalid(`section ${id} stands twice`);
    seen.add(id);
    if (id === SECTION.type) types = readTypes(section);
    if (id === SECTION.import) functions = checkImports(section, types);
    if (id === SECTION.function) functions = functions.concat(readFunctions(section));
    if (id === SECTION.table) tables = readTables(section);
    if (id === SECTION.memory) {
      memory = readMemory(section);
      memoryAt = { start: at, end: reader.offset };
    }
    if (id === SECTION.element) isPlain = checkElements(section, tables) && isPlain;
    if (id === SECTION.data && memory !== null)
      isPlain = checkData(section, memory.initial * PAGE_BYTES) && isPlain;
    if (id === SECTION.export) {
      const exports = readExports(section);
      start = exports.get('_start');
      hasMemoryExport = exports.get('memory')?.kind === 2;
    }
  }

  if (start?.kind !== 0) {
    throw invalid('it exports no function _start', 'build it as a WASI command, not as a reactor or library');
  }
  checkStart(types?.at(functions[start.index] ?? -1));
  if (memory === null || memoryAt === null) throw invalid('it has no memory of its own');
  if (!hasMemoryExport) throw invalid('it does not export its memory under the name "memory"');
  if (memory.initial > maximumPages) {
    throw invalid(
      `it starts with ${memory.initial} pages of memory, the limit is ${maximumPages}`,
      'raise memoryMiB or build the module with a smaller initial memory',
    );
  }

  const maximum = Math.min(memory.maximum ?? MAX_PAGES, maximumPages);
  const rewritten = concat([
    bytes.subarray(0, memoryAt.start),
    memorySection(memory.initial, maximum),
    bytes.subarray(memoryAt.end),
  ]);
  return {
    digest,
    rewrittenDigest: digestOf(rewritten),
    bytes: rewritten,
    initialPages: memory.initial,
    maximumPages: maximum,
    canEndBeforeStart: seen.has(SECTION.start) || !isPlain,
  };
}

/** `sha256:` and the hex digits of `bytes`. */
function digestOf(bytes: Uint8Array): Digest {
  const text = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (!isDigest(text)) throw new WritError('INTERNAL', 'sha256 gave no digest');
  return text;
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) {
    throw invalid('it does not begin as WebAssembly');
  }
  if (bytes[4] === 1 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] === 0) return;
  if (bytes[4] === 0x0d) throw invalid('it is a component', 'build a core module for WASI preview 1');
  throw invalid('its version is not 1');
}

function readMemory(section: Reader): { initial: number; maximum: number | null } {
  if (section.u32() !== 1) throw invalid('it has not exactly one memory');
  const flags = section.byte();
  if (flags > 1) throw invalid('its memory is shared, 64-bit or has custom pages', 'use plain 32-bit memory');
  const initial = section.u32();
  const maximum = flags === 1 ? section.u32() : null;
  section.mustEnd('memory');
  if (initial > MAX_PAGES || (maximum !== null && (maximum > MAX_PAGES || maximum < initial))) {
    throw invalid('its memory limits contradict each other');
  }
  return { initial, maximum };
}

/** `kind` 0 = a function, 2 = a memory. */
interface Exported {
  readonly kind: number;
  readonly index: number;
}

function readExports(section: Reader): Map<string, Exported> {
  const count = section.u32();
  if (count > MAX_EXPORTS) throw invalid(`it has ${count} exports, at most ${MAX_EXPORTS} are read`);
  const exports = new Map<string, Exported>();
  for (let i = 0; i < count; i += 1) {
    const name = section.name();
    if (exports.has(name)) throw invalid(`it exports ${printable(name)} twice`);
    exports.set(name, { kind: section.byte(), index: section.u32() });
  }
  section.mustEnd('export');
  return exports;
}

function memorySection(initial: number, maximum: number): Uint8Array {
  const body = [1, 1, ...leb(initial), ...leb(maximum)];
  return Uint8Array.from([SECTION.memory, ...leb(body.length), ...body]);
}

function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    out.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return out;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
