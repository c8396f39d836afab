// What a module's functions take and give, as far as somebody outside of it calls them or is called: functions of WASI
// preview 1 in the form that they have, and `_start`. The engine compares neither: a wrong form shows when it is called,
// as a trap without a name, or as an argument that nobody has passed.
import { invalid, printable, type Reader } from './module-reader.js';

const WASI_MODULE = 'wasi_snapshot_preview1';
/** What the engine can make. */
const MAX_FUNCTIONS = 1_000_000;
const MAX_TYPES = 1_000_000;
const MAX_IMPORTS = 1_000;
/** Longest list of parameters or results the engine takes. */
const MAX_VALUES = 1_000;
/** Longest list that is written out: twice what a function of WASI has. Of a longer one its length is enough. */
const MAX_WRITTEN = 20;
const FUNCTION_TYPE = 0x60;
const KINDS: ReadonlyMap<number, string> = new Map([
  [0x7f, 'i32'],
  [0x7e, 'i64'],
  [0x7d, 'f32'],
  [0x7c, 'f64'],
  [0x7b, 'v128'],
  [0x70, 'funcref'],
  [0x6f, 'externref'],
]);

/** `i` an i32, `I` an i64; what is given back is an i32. */
function form(parameters: string, ...names: readonly string[]): (readonly [string, string])[] {
  const written = [...parameters].map((one) => (one === 'I' ? 'i64' : 'i32')).join(', ');
  return names.map((name) => [name, `(${written}) -> (i32)`] as const);
}

// WASI preview 1 as specified. WASIX and other extensions stay out: processes, threads, outbound sockets.
// The four sock_* functions work on descriptors that were opened for the guest only, and we open none.
const WASI_FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ['proc_exit', '(i32) -> ()'],
  ...form('', 'sched_yield'),
  ...form('i', 'fd_close', 'fd_datasync', 'fd_sync', 'proc_raise'),
  ...form('ii', 'args_get', 'args_sizes_get', 'environ_get', 'environ_sizes_get', 'clock_res_get'),
  ...form('ii', 'fd_fdstat_get', 'fd_fdstat_set_flags', 'fd_filestat_get', 'fd_prestat_get', 'fd_renumber'),
  ...form('ii', 'fd_tell', 'random_get', 'sock_shutdown'),
  ...form('iI', 'fd_filestat_set_size'),
  ...form('iIi', 'clock_time_get'),
  ...form('iII', 'fd_allocate', 'fd_fdstat_set_rights'),
  ...form('iIIi', 'fd_advise', 'fd_filestat_set_times'),
  ...form('iIii', 'fd_seek'),
  ...form('iii', 'fd_prestat_dir_name', 'path_create_directory', 'path_remove_directory', 'path_unlink_file'),
  ...form('iii', 'sock_accept'),
  ...form('iiii', 'fd_read', 'fd_write', 'poll_oneoff'),
  ...form('iiiIi', 'fd_pread', 'fd_pwrite', 'fd_readdir'),
  ...form('iiiii', 'path_filestat_get', 'path_symlink', 'sock_send'),
  ...form('iiiiii', 'path_readlink', 'path_rename', 'sock_recv'),
  ...form('iiiiiii', 'path_link'),
  ...form('iiiiIIi', 'path_filestat_set_times'),
  ...form('iiiiiIIii', 'path_open'),
]);

/** The types of a module, each read again when somebody asks for it: there can be a million of them, for a few imports. */
export interface Types {
  /** Written as `(i32, i64) -> (i32)`; undefined = there is no such type. */
  at(index: number): string | undefined;
}

/** null = they are not in the plain form, and the engine judges. */
export function readTypes(section: Reader): Types | null {
  const count = section.u32();
  if (count > MAX_TYPES) throw invalid(`it has ${count} types, at most ${MAX_TYPES} can be made`);
  const places = new Uint32Array(count);
  for (let i = 0; i < count; i += 1) {
    if (section.byte() !== FUNCTION_TYPE) return null;
    places[i] = section.offset;
    if (!skipValues(section) || !skipValues(section)) return null;
  }
  return {
    at(index) {
      const place = places[index];
      if (place === undefined) return undefined;
      const type = section.from(place);
      const parameters = writtenValues(type);
      return `(${parameters}) -> (${writtenValues(type)})`;
    },
  };
}

/** Past a list; false for one that is not plain. */
function skipValues(section: Reader): boolean {
  const count = section.u32();
  if (count > MAX_VALUES) throw invalid(`a function of it has ${count} values, at most ${MAX_VALUES} can be`);
  for (let left = count; left > 0; left -= 1) if (!KINDS.has(section.byte())) return false;
  return true;
}

/** Of a list that has been skipped once: it is plain. */
function writtenValues(type: Reader): string {
  const count = type.u32();
  const kinds: string[] = [];
  for (let left = count; left > 0; left -= 1) {
    const kind = KINDS.get(type.byte()) ?? '';
    if (count <= MAX_WRITTEN) kinds.push(kind);
  }
  return count > MAX_WRITTEN ? `${count} values` : kinds.join(', ');
}

/** Numbers of the types of the imported functions. Throws SANDBOX_MODULE_INVALID for anything that is not of WASI. */
export function checkImports(section: Reader, types: Types | null): number[] {
  const count = section.u32();
  if (count > MAX_IMPORTS) throw invalid(`it has ${count} imports, at most ${MAX_IMPORTS} are read`);
  const functions: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const module = section.name();
    const name = section.name();
    const kind = section.byte();
    if (kind === 2)
      throw invalid('it imports its memory', 'memory must be its own, so that it can be capped');
    if (kind !== 0) throw invalid(`it imports something other than a function, import ${i}`);
    const type = section.u32();
    const known = module === WASI_MODULE ? WASI_FUNCTIONS.get(name) : undefined;
    if (known === undefined) {
      throw invalid(
        `it imports ${printable(module)}.${printable(name)}`,
        `only WASI preview 1 functions of ${WASI_MODULE} can be imported; there is no network and no process`,
      );
    }
    const said = types === null ? known : types.at(type);
    if (said !== known) {
      throw invalid(
        `it imports ${name} as ${said ?? 'a type that it has not'}, and that is ${known}`,
        'build it against the headers of WASI preview 1',
      );
    }
    functions.push(type);
  }
  section.mustEnd('import');
  return functions;
}

/** Numbers of the types of the module's own functions. */
export function readFunctions(section: Reader): number[] {
  const count = section.u32();
  if (count > MAX_FUNCTIONS) throw invalid(`it has ${count} functions, at most ${MAX_FUNCTIONS} can be made`);
  const functions: number[] = [];
  for (let left = count; left > 0; left -= 1) functions.push(section.u32());
  return functions;
}

/** `type` is that of `_start`; undefined = it is not there, or not plain, which the engine tells. */
export function checkStart(type: string | undefined): void {
  if (type === undefined || type === '() -> ()') return;
  throw invalid(
    `its _start is ${type.length > 64 ? 'a function with parameters or results' : type}, not () -> ()`,
    'build it as a WASI command: main is called by _start, and does not stand in its place',
  );
}
