// What stands around a guest's process on this machine, and how it is launched. A layer the machine lacks is
// left out and named in the evidence; nothing here is claimed that the child's own report doesn't confirm.
import { execFile } from 'node:child_process';
import { accessSync, constants, realpathSync, readFileSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WritError } from '../../../errors.js';

/** User and group a guest's process runs as when the runner is root: `nobody`. */
export const GUEST_UID = 65_534;
/** Open files a guest's process may have. */
export const OPEN_FILES = 128;
const PROBE_TIMEOUT_MS = 5_000;
/** Bytes that a function executes before it is optimised; ten times what Node has, a few ms of a busy guest. */
const TIERING_BUDGET = 20_000_000;
/** Told of a trap. */
const STACK_FRAMES = 100;

/** What was found on the machine. Paths are absolute and free of links. */
export interface Machine {
  readonly sdkUrl: string;
  readonly sdkVersion: string;
  readonly sdkDirectory: string;
  readonly childScript: string;
  /** Loaded first where clock and random are to be fixed. */
  readonly fixedScript: string;
  /** null = not installed. */
  readonly prlimit: string | null;
  /** null = not installed, or known not to be permitted here. */
  readonly unshare: string | null;
  /** The guest's process gives up root. */
  readonly lowerUser: boolean;
  /** Why the user is what it is. */
  readonly user: string;
  /** RSS of another process can be read. */
  readonly procfs: boolean;
}

/** A command line: `command args…`, no shell. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly uid: number | null;
}

/** What a guest sees in place of the clock and of random bytes. */
export interface Deterministic {
  /** 64 hex digits. */
  readonly seed: string;
  readonly nowMs: number;
}

/**
 * Memory classes: the engine's own limit in pages, by the largest guest memory they serve. The engine keeps a guest's
 * files in memory of its own and doubles it when it grows: below three times the files' limit it hangs (measured).
 */
export const MEMORY_CLASSES: readonly { readonly memoryMiB: number; readonly pages: number }[] = [
  { memoryMiB: 64, pages: 3_072 },
  { memoryMiB: 256, pages: 6_144 },
  { memoryMiB: 1_024, pages: 18_432 },
];

/**
 * Looks at the machine, starts nothing: whether its `unshare` may make namespaces shows when a child boots. Throws
 * SANDBOX_UNAVAILABLE when the engine or child is missing.
 */
export function inspectMachine(env: Readonly<Record<string, string | undefined>>): Machine {
  const childScript = findChildScript();
  const sdk = findSdk();
  const files = [process.execPath, childScript, join(sdk.directory, 'package.json')];
  const isRoot = process.getuid?.() === 0;
  const unreadable = files.map((file) => realpathSync(file)).find((file) => !othersMayRead(file));
  const lowerUser = isRoot && unreadable === undefined;
  return {
    ...sdk,
    sdkDirectory: sdk.directory,
    childScript,
    fixedScript: join(dirname(childScript), 'deterministic.cjs'),
    prlimit: findTool('prlimit', env),
    unshare: findTool('unshare', env),
    lowerUser,
    user: lowerUser
      ? `${GUEST_UID}`
      : isRoot
        ? `0 (not lowered: uid ${GUEST_UID} can't read the engine's files)`
        : `${process.getuid?.() ?? 'unknown'} (the runner's)`,
    procfs: canRead('/proc/self/statm'),
  };
}

/** Ends a process nobody watches any more; twice the wall time, because the engine uses more than one thread. */
export function cpuSecondsFor(timeoutMs: number): number {
  return 2 * Math.ceil(timeoutMs / 1_000) + 30;
}

/** The command that starts one child of a memory class; `cpuSeconds` is a backstop, not the step's limit. */
export function launchOf(
  machine: Machine,
  {
    pages,
    cpuSeconds,
    fixed,
  }: { readonly pages: number; readonly cpuSeconds: number; readonly fixed: Deterministic | null },
): Launch {
  // Node's own spelling changed when the permission model left its experimental state.
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const node = [
    realpathSync(process.execPath),
    '--no-warnings',
    permission,
    '--allow-worker',
    `--allow-fs-read=${join(machine.sdkDirectory, '*')}`,
    `--allow-fs-read=${join(dirname(machine.childScript), '*')}`,
    `--wasm-max-mem-pages=${pages}`,
    '--max-old-space-size=128',
    // A function is compiled when it is first called: most of the engine and of a guest never is.
    '--wasm-lazy-compilation',
    // And compiled again, better, when it has done a lot: by Node's own measure the engine's start alone is that, and every
    // step shares its cores with the compiler (measured: 8 in place of 21 ms of CPU time for a step).
    `--wasm-tiering-budget=${TIERING_BUDGET}`,
    // The little JavaScript of a step is not worth compiling better, either: a quarter of its CPU time (measured).
    '--no-opt',
    // The engine looks for what a browser has, in each of its threads, and Node would load a whole HTTP client for that: a
    // fifth of the time until a guest runs (measured). Nothing here may fetch anyway.
    ...(process.allowedNodeEnvironmentFlags.has('--experimental-fetch') ? ['--no-experimental-fetch'] : []),
    // Deep enough to tell a recursion from a call (trap.ts).
    `--stack-trace-limit=${STACK_FRAMES}`,
    // The title is the one option that carries text to the engine's workers as well.
    ...(fixed === null
      ? []
      : ['--require', machine.fixedScript, `--title=writ-fixed-${fixed.seed}-${fixed.nowMs}`]),
    machine.childScript,
    machine.sdkUrl,
  ];
  const unshare = machine.unshare === null ? [] : [machine.unshare, ...UNSHARE_FLAGS, '--'];
  const prlimit =
    machine.prlimit === null
      ? []
      : [machine.prlimit, `--cpu=${cpuSeconds}`, '--fsize=0', `--nofile=${OPEN_FILES}`, '--core=0', '--'];
  const [command = '', ...args] = [...prlimit, ...unshare, ...node];
  return { command, args, uid: machine.lowerUser ? GUEST_UID : null };
}

// Own network (no interface but a dead loopback), own process ids, dies with its parent. The user keeps its id, so
// no capability is held inside the new user namespace.
const UNSHARE_FLAGS = ['--user', '--map-current-user', '--net', '--pid', '--fork', '--kill-child'];

/** Whether the machine allows the namespaces; asked with a process that does nothing else. */
export function namespacesWork({ unshare, lowerUser }: Machine): Promise<boolean> {
  return new Promise((resolve) => {
    if (unshare === null) {
      resolve(false);
      return;
    }
    execFile(
      unshare,
      [...UNSHARE_FLAGS, '--', realpathSync(process.execPath), '--version'],
      { env: {}, timeout: PROBE_TIMEOUT_MS, ...(lowerUser ? { uid: GUEST_UID, gid: GUEST_UID } : {}) },
      // Refused namespaces are a fact about the machine, reported as `unshare: null`.
      (error) => resolve(error === null),
    );
  });
}

/** The compiled child: beside this file in `dist`, or in `dist` when this file runs as source under a test. */
function findChildScript(): string {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const built = import.meta.url.endsWith('.ts')
    ? join(here, '../../../../dist/adapters/sandbox/wasm/child.js')
    : join(here, 'child.js');
  if (!canRead(built)) {
    throw new WritError('SANDBOX_UNAVAILABLE', `the sandbox's child program is missing: ${built}`, {
      hint: 'build first: npm run build',
    });
  }
  return realpathSync(built);
}

function findSdk(): { sdkUrl: string; sdkVersion: string; directory: string } {
  try {
    const entry = realpathSync(fileURLToPath(import.meta.resolve('@wasmer/sdk/node')));
    const directory = dirname(dirname(entry));
    const manifest: unknown = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    const version =
      typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : null;
    if (typeof version !== 'string') throw new Error('its package.json has no version');
    return { sdkUrl: new URL(`file://${entry}`).href, sdkVersion: version, directory };
  } catch (cause) {
    throw new WritError('SANDBOX_UNAVAILABLE', 'the WASM engine @wasmer/sdk is not installed', {
      hint: 'install the dependencies: npm ci',
      cause,
    });
  }
}

function findTool(name: string, env: Readonly<Record<string, string | undefined>>): string | null {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    if (isAbsolute(directory) && canExecute(join(directory, name)))
      return realpathSync(join(directory, name));
  }
  return null;
}

function canRead(path: string): boolean {
  return can(path, constants.R_OK);
}

function canExecute(path: string): boolean {
  return can(path, constants.X_OK) && statSync(path).isFile();
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // "no" is the answer that was asked for.
    return false;
  }
}

/** By mode bits: every directory above is searchable and the file readable for everybody. */
function othersMayRead(file: string): boolean {
  if ((statSync(file).mode & 0o004) === 0) return false;
  for (let directory = dirname(file); ; directory = dirname(directory)) {
    if ((statSync(directory).mode & 0o001) === 0) return false;
    if (directory === dirname(directory)) return true;
  }
}
