// What a request may ask of this driver, decided before anything is created: limits in the range it can keep, a
// program that is an image, texts and paths that can be passed on. Nothing is lowered or raised silently.
import { WritError } from '../../../errors.js';
import type {
  SandboxEgress,
  SandboxFile,
  SandboxLimits,
  SandboxMount,
  SandboxProgram,
  SandboxRequest,
} from '../../../runtime/ports.js';
import { filesProblem, isRelative } from '../files.js';

/** The working directory: the one place a guest may write to for longer than /tmp, and the root of its files. */
export const WORK = '/work';

/** Applied once, after ceilings are composed. */
export const DEFAULT_LIMITS = {
  timeoutMs: 30_000,
  memoryMiB: 256,
  outputBytes: 1024 * 1024,
  cpus: 1,
  pids: 64,
} as const satisfies SandboxLimits;
/** Where nobody says; less where the memory is small. */
const DEFAULT_DISK_MIB = 64;

/** Smallest and largest value of each; an engine needs about 6 MiB to start a container, and its init is a process. */
const RANGES: Readonly<Record<keyof SandboxLimits, readonly [number, number]>> = {
  timeoutMs: [1, 15 * 60 * 1_000],
  cpuMs: [1, 15 * 60 * 1_000],
  memoryMiB: [16, 65_536],
  outputBytes: [1, 16 * 1024 * 1024],
  cpus: [0.01, 256],
  pids: [4, 1_024],
  diskMiB: [1, 16_384],
};

const MAX_STDIN_BYTES = 16 * 1024 * 1024;
const MAX_ARGUMENTS = 256;
const MAX_VARIABLES = 256;
const MAX_TEXT_BYTES = 128 * 1024;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;

/** Of the guest, whatever the limits: memory that files in /tmp and /dev/shm may take. */
export const SHM_MIB = 1;
const TMP_MIB = 16;

/** A request this driver can keep, with every limit set. */
export interface DockerRequest {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  readonly image: DockerImage;
  readonly cwd: string;
  readonly files: readonly SandboxFile[];
  readonly outputs: readonly string[];
  readonly mounts: readonly SandboxMount[];
  readonly limits: DockerLimits;
  /** null = the driver's own. */
  readonly runtime: string | null;
  readonly run: string | null;
  /** null = no network. */
  readonly egress: SandboxEgress | null;
}

export type DockerImage = Extract<SandboxProgram, { readonly kind: 'image' }>;

export type DockerLimits = Required<Omit<SandboxLimits, 'cpuMs'>> & {
  /** null = bounded by time and cores alone. */
  readonly cpuMs: number | null;
  /** Of /tmp: part of what `diskMiB` leaves of the memory. */
  readonly tmpMiB: number;
};

/** Throws SANDBOX_UNSUPPORTED for what this driver can't keep, SANDBOX_SPEC_INVALID for what it can't pass on. */
export function checkRequest(request: SandboxRequest): DockerRequest {
  const { program, argv, env, stdin, files = [], outputs = [], runtime = null, run = null } = request;
  if (program.kind !== 'image') throw unsupported('runs images, not modules', 'choose sandbox: wasm');
  if (request.deterministic !== undefined)
    throw unsupported('has no fixed clock or random bytes', 'choose sandbox: wasm for a deterministic step');
  if (program.repository !== null && !REPOSITORY.test(program.repository))
    throw invalid('the repository of its image is no name');
  checkTexts(argv, env);
  if (stdin.length > MAX_STDIN_BYTES)
    throw invalid(`stdin has ${stdin.length} bytes, ${MAX_STDIN_BYTES} fit`);
  if (runtime !== null && !RUNTIME.test(runtime)) throw invalid('its runtime is no name');
  const required = requiredRuntime(request.require ?? []);
  if (required !== null && runtime !== null && runtime !== required)
    throw unsupported(
      `is to use the runtime ${runtime}, a ceiling requires ${required}`,
      'leave the runtime out',
    );
  const cwd = workingDirectory(request.cwd);
  const limits = limitsOf(request.limits);
  const folder = cwd === WORK ? null : cwd.slice(WORK.length + 1);
  const problem = filesProblem(files, outputs, { folder, diskMiB: limits.diskMiB });
  if (problem !== null) throw invalid(problem);
  return {
    argv,
    env,
    stdin,
    image: program,
    cwd,
    files,
    outputs,
    mounts: request.mounts ?? [],
    limits,
    runtime: required ?? runtime,
    run,
    egress: checkedEgress(request),
  };
}

const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]):[0-9]{1,5}$/;
const MAX_HOSTS = 100;

function checkedEgress({ egress, require = [] }: SandboxRequest): SandboxEgress | null {
  if (egress === undefined) return null;
  if (require.includes('noNetwork'))
    throw unsupported('is to have no network, which a ceiling requires', 'remove the egress of the step');
  const { hosts, bytes, requests } = egress;
  if (hosts.length === 0 || hosts.length > MAX_HOSTS || !hosts.every((host) => HOST.test(host)))
    throw invalid(`its egress is no list of 1 to ${MAX_HOSTS} host:port`);
  if (![bytes, requests].every((most) => Number.isSafeInteger(most) && most >= 1))
    throw invalid('its egress has no budget');
  return egress;
}

/** Everything else a ceiling can require is kept for every container. Null = any runtime will do. */
function requiredRuntime(require: readonly string[]): string | null {
  const wanted = require.filter((name) => name.startsWith(RUNTIME_PROMISE));
  const [one = null, other] = wanted.map((name) => name.slice(RUNTIME_PROMISE.length));
  if (other !== undefined)
    throw unsupported('has one runtime, ceilings require two', 'have one of the ceilings changed');
  const unknown = require.find((name) => !name.startsWith(RUNTIME_PROMISE) && !ALWAYS_KEPT.includes(name));
  if (unknown !== undefined)
    throw unsupported(`can't keep ${unknown}, which a ceiling requires`, 'change the ceiling');
  return one;
}

const RUNTIME_PROMISE = 'runtime:';
const ALWAYS_KEPT: readonly string[] = [
  'dropCapabilities',
  'noNetwork',
  'noNewPrivileges',
  'nonRoot',
  'readOnlyRoot',
  'seccomp',
];
const REPOSITORY = /^[a-z0-9][a-z0-9._/:-]{0,254}$/;
const RUNTIME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

function limitsOf(asked: SandboxLimits): DockerLimits {
  for (const [name, value] of Object.entries(asked) as [keyof SandboxLimits, unknown][]) {
    if (!Object.hasOwn(RANGES, name)) throw unsupported(`has no limit ${name}`, 'remove the limit');
    const [least, most] = RANGES[name];
    const whole = name === 'cpus' ? Number.isFinite(value) : Number.isSafeInteger(value);
    if (!whole || Number(value) < least || Number(value) > most) {
      throw new WritError('SANDBOX_UNSUPPORTED', `the docker sandbox can't keep ${name} ${String(value)}`, {
        hint: `choose a ${name === 'cpus' ? '' : 'whole '}number from ${least} to ${most}`,
        details: { limit: name, minimum: least, maximum: most },
      });
    }
  }
  const { timeoutMs, memoryMiB, outputBytes, cpuMs = null } = asked;
  const { cpus = DEFAULT_LIMITS.cpus, pids = DEFAULT_LIMITS.pids } = asked;
  // Files lie in memory: what they may take together stays below the memory limit.
  const diskMiB = asked.diskMiB ?? Math.min(DEFAULT_DISK_MIB, Math.floor(memoryMiB / 4));
  const tmpMiB = Math.min(TMP_MIB, Math.floor(memoryMiB / 8));
  if (diskMiB + tmpMiB + SHM_MIB >= memoryMiB) {
    throw new WritError('SANDBOX_UNSUPPORTED', `files of ${diskMiB} MiB do not fit into ${memoryMiB} MiB`, {
      hint: `files lie in memory: choose diskMiB below ${memoryMiB - tmpMiB - SHM_MIB}, or a larger memoryMiB`,
    });
  }
  return { timeoutMs, memoryMiB, outputBytes, cpuMs, cpus, pids, diskMiB, tmpMiB };
}

function checkTexts(argv: readonly string[], env: Readonly<Record<string, string>>): void {
  const variables = Object.entries(env);
  const [program = ''] = argv;
  if (program === '') throw invalid('it names no program');
  if (argv.length > MAX_ARGUMENTS) throw invalid(`more than ${MAX_ARGUMENTS} arguments`);
  if (variables.length > MAX_VARIABLES) throw invalid(`more than ${MAX_VARIABLES} environment variables`);
  const texts = [...argv, ...variables.flat()];
  if (texts.some((text) => text.includes('\0'))) throw invalid('an argument or variable holds a NUL');
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_TEXT_BYTES)
    throw invalid(`arguments and variables have ${bytes} bytes, ${MAX_TEXT_BYTES} fit`);
  const unnamed = variables.findIndex(([name]) => !VARIABLE_NAME.test(name));
  if (unnamed >= 0) throw invalid(`environment variable ${unnamed + 1} has a name that is no identifier`);
}

function workingDirectory(cwd: string = WORK): string {
  const below = cwd.startsWith(`${WORK}/`) ? cwd.slice(WORK.length + 1) : null;
  if (cwd === WORK || (below !== null && isRelative(below))) return cwd;
  throw new WritError('SANDBOX_SPEC_INVALID', `the working directory is not ${WORK} or below`, {
    hint: `write an absolute path below ${WORK}, of at most 255 bytes, without . and .. and all of it to be seen`,
  });
}

function unsupported(what: string, hint: string): WritError {
  return new WritError('SANDBOX_UNSUPPORTED', `the docker sandbox ${what}`, { hint });
}

function invalid(why: string): WritError {
  return new WritError('SANDBOX_SPEC_INVALID', `the sandbox request is not usable: ${why}`);
}
