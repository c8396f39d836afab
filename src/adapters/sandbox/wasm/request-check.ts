// What a request may ask of this driver. A limit outside the range is one it can't keep, so it is refused before
// anything starts; nothing is lowered or raised silently.
import { WritError } from '../../../errors.js';
import type { SandboxLimits, SandboxProgram, SandboxRequest } from '../../../runtime/ports.js';
import { filesProblem } from '../files.js';
import { MEMORY_CLASSES } from './hardening.js';
import { MAX_ORDER_LINE_BYTES } from './protocol.js';

/** Applied once, after ceilings are composed. */
export const DEFAULT_LIMITS = {
  timeoutMs: 10_000,
  memoryMiB: 64,
  outputBytes: 1024 * 1024,
} as const satisfies SandboxLimits;
/** Of /workspace, where nobody says. */
const DEFAULT_DISK_MIB = 32;

/** Hard maxima; the smallest value of each is 1. Files lie in the engine's own memory, which is no larger for more. */
const MAX_LIMITS = {
  timeoutMs: 15 * 60 * 1_000,
  memoryMiB: 1_024,
  outputBytes: 16 * 1024 * 1024,
  cpuMs: 15 * 60 * 1_000,
  diskMiB: 32,
} as const satisfies SandboxLimits;

const MAX_STDIN_BYTES = 16 * 1024 * 1024;
const MAX_ARGUMENTS = 256;
const MAX_VARIABLES = 256;
const MAX_TEXT_BYTES = 128 * 1024;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;

/** Bytes that are run, and their digest. */
export type WasmModule = Extract<SandboxProgram, { readonly kind: 'module' }>;

/** Pages of the memory limit, and of the engine's class that holds it; the program as this driver takes it. */
export interface RequestPlan {
  readonly pages: number;
  readonly classPages: number;
  readonly module: WasmModule;
  /** With every limit set; `cpuMs` null = bounded by time alone. */
  readonly limits: RunLimits;
}

export type RunLimits = Required<Omit<SandboxLimits, 'cpus' | 'pids' | 'cpuMs'>> & {
  readonly cpuMs: number | null;
};

/**
 * Throws SANDBOX_UNSUPPORTED for a limit out of range or a thing this sandbox has not, SANDBOX_SPEC_INVALID for
 * arguments, variables or stdin.
 */
export function checkRequest(request: SandboxRequest): RequestPlan {
  const { program } = request;
  if (program.kind !== 'module') throw unsupported('runs modules, not images', 'choose sandbox: docker');
  for (const name of ['cwd', 'runtime', 'mounts'] as const) {
    if (request[name] !== undefined)
      throw unsupported(`has no ${name}`, 'leave it out, or run the step in another sandbox');
  }
  if (request.egress !== undefined)
    throw unsupported('has no network', 'choose sandbox: docker, or fetch with tool::http_request before');
  for (const name of ['timeoutMs', 'memoryMiB', 'outputBytes', 'cpuMs', 'diskMiB'] as const) {
    const value = request.limits[name];
    if (value === undefined && (name === 'cpuMs' || name === 'diskMiB')) continue;
    if (value === undefined || !Number.isSafeInteger(value) || value < 1 || value > MAX_LIMITS[name]) {
      throw new WritError('SANDBOX_UNSUPPORTED', `the wasm sandbox can't keep ${name} ${String(value)}`, {
        hint: `choose a whole number from 1 to ${MAX_LIMITS[name]}`,
        details: { limit: name, maximum: MAX_LIMITS[name] },
      });
    }
  }
  for (const name of Object.keys(request.limits)) {
    // A guest has one thread.
    if (name === 'cpus' && request.limits.cpus === 1) continue;
    if (!Object.hasOwn(MAX_LIMITS, name)) {
      throw unsupported(`has no limit ${name}`, 'remove the limit, or run the step in another sandbox');
    }
  }

  const variables = Object.entries(request.env);
  if (request.argv.length > MAX_ARGUMENTS) throw invalid(`more than ${MAX_ARGUMENTS} arguments`);
  if (variables.length > MAX_VARIABLES) throw invalid(`more than ${MAX_VARIABLES} environment variables`);
  const texts = [...request.argv, ...variables.flat()];
  if (texts.some((text) => text.includes('\0'))) throw invalid('an argument or variable holds a NUL');
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_TEXT_BYTES)
    throw invalid(`arguments and variables have ${bytes} bytes, ${MAX_TEXT_BYTES} fit`);
  const unnamed = variables.findIndex(([name]) => !VARIABLE_NAME.test(name));
  if (unnamed >= 0) throw invalid(`environment variable ${unnamed + 1} has a name that is no identifier`);
  const { diskMiB = DEFAULT_DISK_MIB } = request.limits;
  const problem = filesProblem(request.files ?? [], request.outputs ?? [], { folder: null, diskMiB });
  if (problem !== null) throw invalid(problem);
  if (request.stdin.length > MAX_STDIN_BYTES) {
    throw invalid(`stdin has ${request.stdin.length} bytes, ${MAX_STDIN_BYTES} fit`);
  }

  const memoryClass = MEMORY_CLASSES.find((entry) => entry.memoryMiB >= request.limits.memoryMiB);
  if (memoryClass === undefined) throw new WritError('INTERNAL', 'no memory class holds an accepted limit');
  const { timeoutMs, memoryMiB, outputBytes, cpuMs = null } = request.limits;
  return {
    pages: pagesOf(request.limits),
    classPages: memoryClass.pages,
    module: program,
    limits: { timeoutMs, memoryMiB, outputBytes, cpuMs, diskMiB },
  };
}

/** Of 64 KiB, that a guest's memory may have. */
export function pagesOf({ memoryMiB }: Pick<SandboxLimits, 'memoryMiB'>): number {
  return memoryMiB * 16;
}

// JSON escapes a byte to six at most: what passes the text limit fits the child's order line.
if (MAX_TEXT_BYTES * 6 + 64 * 1024 > MAX_ORDER_LINE_BYTES) {
  throw new WritError('INTERNAL', 'order line is shorter than the arguments allowed');
}

function unsupported(what: string, hint: string): WritError {
  return new WritError('SANDBOX_UNSUPPORTED', `the wasm sandbox ${what}`, { hint });
}

function invalid(why: string): WritError {
  return new WritError('SANDBOX_SPEC_INVALID', `the sandbox request is not usable: ${why}`);
}
