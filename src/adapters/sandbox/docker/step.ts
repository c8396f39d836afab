// One step in one container: created, started, supervised, looked at, removed. Whatever happens, the container is gone
// when this has resolved, or the engine does not answer any more; one from the pool is going then, see `leaving`.
import type Dockerode from 'dockerode';
import { WritError } from '../../../errors.js';
import type { SandboxFile, SandboxResult } from '../../../runtime/ports.js';
import { createContainer, type Container } from './container.js';
import type { ContainerSpec } from './container-spec.js';
import { isUnanswered, unavailable } from './engine.js';
import type { MemoryEvents } from './memory-events.js';
import { noProgram, noProgramIn, type NoProgram } from './no-program.js';
import { basesOf, checkUnread, foldersAbove, MAX_ARCHIVE_BYTES, wantedFiles } from './outputs.js';
import { WORK, type DockerRequest } from './request-check.js';
import type { EgressEnd, ProgramEnd } from './ending.js';
import { supervise, type Supervised } from './supervise.js';
import { tarOf } from './tar.js';

/** How long the engine's word about memory is waited for, where an exit code could hide it. */
const OOM_WAIT_MS = 200;
/**
 * Of a program that was started beside a container's own, the container's state tells nothing. The event of a killed
 * child comes before the program's own end is told (7 to 66 ms, measured on a busy machine); this is for its delivery.
 */
const OOM_WAIT_BESIDE_MS = 20;
/** For putting files in and taking them out. */
const TRANSFER_MS = 10_000;
const MAX_TRANSFER_WORDS = 4_096;
const SIGKILLED = 137;
/** Exit codes by which an init says that a signal ended the program, of signals that nobody sends on purpose. */
const SIGNALS: Readonly<Record<number, string>> = {
  132: 'SIGILL',
  133: 'SIGTRAP',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  152: 'SIGXCPU',
  153: 'SIGXFSZ',
  159: 'SIGSYS',
};

export type StepResult = Omit<SandboxResult, 'evidence'>;

export interface StepParts {
  readonly engine: Dockerode;
  readonly events: MemoryEvents;
  /** The name the container gets. */
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly request: DockerRequest;
  readonly onOutput: ((stream: 'stdout' | 'stderr', bytes: Uint8Array) => void) | undefined;
  readonly hasTool: (name: string) => boolean;
  /** One that waits for this step, already started; null = the step makes its own. */
  readonly ready: Container | null;
  /** Told of a removal that goes on: whoever closes the driver waits for it. */
  readonly leaving: (removal: Promise<void>) => void;
  /** Of a step with a way out: resolves when nothing may leave any more. */
  readonly egressEnded?: Promise<EgressEnd>;
}

/** Throws WritError (unavailable) when nothing ran. */
export async function runStep(parts: StepParts, signal: AbortSignal): Promise<StepResult> {
  const { request } = parts;
  const moves = needsFiles(request) || (choosesPrograms(request) && parts.hasTool('sleep'));
  const argv = moves ? holding(request) : withDeadline(parts);
  let container: Container;
  try {
    if (parts.ready !== null) return await inContainer(parts, parts.ready, true, signal);
    container = await createContainer(parts.engine, parts.name, {
      ...parts.spec,
      argv,
      // What only waits has no use for the step's variables; a PATH among them would choose our tar.
      env: moves ? {} : request.env,
      cwd: WORK,
    });
  } catch (error) {
    throw unavailable(error);
  }
  return inContainer(parts, container, moves, signal);
}

async function inContainer(
  parts: StepParts,
  container: Container,
  beside: boolean,
  signal: AbortSignal,
): Promise<StepResult> {
  try {
    if (signal.aborted) return nothingRan('cancelled', 'cancelled before it started');
    return beside ? await runBeside(parts, container, signal) : await runMain(parts, container, signal);
  } finally {
    // A step from the pool is a fast one: its result does not wait for the end of what it has left. Whether the engine
    // answers changes no result: what has happened stays what it was, and the reaper finds the rest by its label.
    if (parts.ready === null) await container.remove().catch(() => undefined);
    else parts.leaving(container.remove());
  }
}

/** A container that waits, started: for the pool. Throws EngineError or WritError; nothing is left then. */
export async function startWaiting(
  engine: Dockerode,
  name: string,
  spec: ContainerSpec,
  seconds: number,
): Promise<Container> {
  const container = await createContainer(engine, name, {
    ...spec,
    argv: ['sleep', String(seconds)],
    env: {},
    cwd: WORK,
  });
  try {
    await container.start();
    await container.group(); // found now, not while a step waits
    return container;
  } catch (error) {
    await container.remove();
    throw error;
  }
}

/** The program is the container's own. */
async function runMain(parts: StepParts, container: Container, signal: AbortSignal): Promise<StepResult> {
  let supervised: Supervised;
  try {
    supervised = await supervise(await container.main(), supervision(parts), signal);
  } catch (error) {
    // Not for want of the program: that is what its init says, as the program's own end.
    throw unavailable(error);
  }
  return told(supervised, await ranOutOfMemory(parts, container, supervised.end, false));
}

/** The container only waits; files go in, the program runs beside that, files come out. */
async function runBeside(parts: StepParts, container: Container, signal: AbortSignal): Promise<StepResult> {
  const { request } = parts;
  const argv = withDeadline(parts);
  const [program = ''] = argv;
  let supervised: Supervised;
  try {
    if (parts.ready === null) await container.start();
    if (request.files.length > 0 || request.cwd !== WORK) await putFiles(container, request, signal);
    if (signal.aborted) return nothingRan('cancelled', 'cancelled before it started');
    const begun = container.exec(argv, { env: request.env, cwd: request.cwd });
    supervised = await begun.then((one) => supervise(one, supervision(parts), signal)).catch(orLost);
  } catch (error) {
    const missing = noProgram(error, program);
    if (missing !== null) return withoutProgram(missing);
    if (signal.aborted) return nothingRan('cancelled', 'cancelled before it started');
    throw unavailable(error);
  }
  const { end } = supervised;
  if (end.kind === 'unstarted') {
    const missing = noProgramIn(end.said, program);
    if (missing !== null) return withoutProgram(missing);
    throw new WritError('SANDBOX_UNAVAILABLE', 'the engine could not start the program', {
      hint: "see the engine's log; more pids or memoryMiB may be what it needs",
      cause: new Error(end.said),
    });
  }
  const result = told(supervised, await ranOutOfMemory(parts, container, supervised.end, true));
  if (result.status !== 'exited' || request.outputs.length === 0) return result;
  return { ...result, ...(await takeFiles(container, request.outputs, signal)) };
}

/** A start that the engine has not answered may be one: nobody says that nothing ran. */
function orLost(error: unknown): Supervised {
  if (!isUnanswered(error)) throw error;
  const none = { bytes: new Uint8Array(0), truncated: false };
  return { end: { kind: 'lost', error }, stdout: none, stderr: none, wallMs: 0, cpuMs: null };
}

function supervision({ request, onOutput, egressEnded }: StepParts): Parameters<typeof supervise>[1] {
  const { stdin, limits } = request;
  const { timeoutMs, cpuMs, outputBytes } = limits;
  const ended = egressEnded === undefined ? {} : { egressEnded };
  return { stdin, timeoutMs, cpuMs, accounts: true, outputBytes, onOutput, ...ended };
}

/** A deadline inside, for the case that the runner is gone; the runner's own comes first. */
function withDeadline({ request, hasTool }: StepParts): readonly string[] {
  if (!hasTool('timeout') || choosesPrograms(request)) return request.argv;
  return ['timeout', '-s', 'KILL', String(deadlineSeconds(request)), ...request.argv];
}

function holding(request: DockerRequest): readonly string[] {
  return ['sleep', String(deadlineSeconds(request) + (2 * TRANSFER_MS) / 1_000)];
}

function deadlineSeconds({ limits }: DockerRequest): number {
  return Math.ceil(limits.timeoutMs / 1_000) + 2;
}

/** It is ended by something inside, too, when its runner is gone. */
export function endsInside(request: DockerRequest, hasTool: (name: string) => boolean): boolean {
  return hasTool(needsFiles(request) || choosesPrograms(request) ? 'sleep' : 'timeout');
}

/** By its PATH, which need not hold ours: then it is ended with the container that waits beside it. */
function choosesPrograms({ env }: DockerRequest): boolean {
  return env['PATH'] !== undefined;
}

/** Something has to be in its folder before the program starts, or is wanted from there after it. */
function needsFiles({ files, outputs, cwd }: DockerRequest): boolean {
  return files.length > 0 || outputs.length > 0 || cwd !== WORK;
}

/** Missing tools are found out before anything is created. */
export function requireTools(request: DockerRequest, hasTool: (name: string) => boolean): void {
  if (!needsFiles(request) || (hasTool('tar') && hasTool('sleep'))) return;
  throw new WritError('SANDBOX_UNSUPPORTED', 'the image does not say that it has tar and sleep', {
    hint: 'files need them: label the image writ.tools="sleep tar timeout", or pass data by stdin',
  });
}

async function putFiles(
  container: Container,
  { files, cwd }: DockerRequest,
  signal: AbortSignal,
): Promise<void> {
  const tar = await container.exec(['tar', '-x', '-o', '-f', '-', '-C', WORK], { env: {}, cwd: WORK });
  const { end } = await supervise(
    tar,
    transfer(tarOf(files, cwd === WORK ? null : cwd.slice(WORK.length + 1)), MAX_TRANSFER_WORDS),
    signal,
  );
  if (end.kind === 'exit' && end.code === 0) return;
  if (signal.aborted) return; // told by whoever would start the program
  throw new WritError('SANDBOX_UNAVAILABLE', 'the files could not be put into the container', {
    hint: 'give the step more diskMiB, or fewer files',
  });
}

async function takeFiles(
  container: Container,
  patterns: readonly string[],
  signal: AbortSignal,
): Promise<Pick<StepResult, 'outputs'> | Omit<StepResult, 'stdout' | 'stderr' | 'usage' | 'exitCode'>> {
  try {
    const bases = basesOf(patterns);
    const folders = foldersAbove(bases);
    let outputs: readonly SandboxFile[] = [];
    // The folders on the way first: none of them may be a link.
    for (const argv of folders.length === 0 ? [bases] : [['--no-recursion', ...folders], bases]) {
      const tar = await container.exec(['tar', '-c', '-f', '-', '-C', WORK, ...argv], { env: {}, cwd: WORK });
      const read = await supervise(tar, transfer(new Uint8Array(0), MAX_ARCHIVE_BYTES), signal);
      const { end, stdout, stderr } = read;
      if (end.kind === 'cancelled') return { status: 'cancelled', limitHit: null, reason: 'cancelled' };
      if (end.kind === 'lost' || end.kind === 'unstarted') return FILES_LOST;
      if (end.kind === 'output-limit')
        throw new WritError('SANDBOX_OUTPUT_LIMIT', 'the outputs have more bytes than are read');
      if (end.kind === 'timeout')
        throw new WritError('SANDBOX_OUTPUT_LIMIT', 'the outputs could not be read in time');
      // A pattern may have no file: tar says so by its exit code, and the rest is there.
      checkUnread(stderr.bytes, patterns);
      outputs = wantedFiles(stdout.bytes, patterns);
    }
    return { outputs };
  } catch (error) {
    // Its program has run: whatever happens now, this is no step that did not.
    if (!(error instanceof WritError)) return FILES_LOST;
    const refused = error.code === 'SANDBOX_OUTPUT_REFUSED';
    if (!refused && error.code !== 'SANDBOX_OUTPUT_LIMIT') return FILES_LOST;
    return {
      status: refused ? 'output-refused' : 'output-limit',
      limitHit: refused ? null : 'outputs',
      reason: error.message,
    };
  }
}

const FILES_LOST = {
  status: 'crashed',
  limitHit: 'unknown',
  reason: 'the program has ended, and the engine could not hand out its files',
} as const;

function transfer(stdin: Uint8Array, outputBytes: number): Parameters<typeof supervise>[1] {
  return { stdin, timeoutMs: TRANSFER_MS, cpuMs: null, accounts: false, outputBytes, onOutput: undefined };
}

/** Looked at whatever the exit code says: a parent may end well after its child was killed. */
async function ranOutOfMemory(
  { events }: StepParts,
  container: Container,
  end: ProgramEnd,
  isBeside: boolean,
): Promise<boolean | 'unknown'> {
  if (end.kind !== 'exit' && end.kind !== 'lost') return false;
  if (isBeside) {
    // The container still lives, and with it the kernel's own count.
    const kills = (await container.group())?.oomKills() ?? null;
    if (kills !== null) return kills > 0;
  }
  try {
    const { OOMKilled } = (await container.inspect()).State;
    if (OOMKilled) return true;
  } catch {
    return 'unknown'; // and the end is lost as well
  }
  const killed = end.kind === 'exit' && end.code === SIGKILLED;
  return events.ranOut(container.id, killed ? OOM_WAIT_MS : isBeside ? OOM_WAIT_BESIDE_MS : 0);
}

function told({ end, stdout, stderr, wallMs, cpuMs }: Supervised, memory: boolean | 'unknown'): StepResult {
  const usage = { wallMs, ...(cpuMs === null ? {} : { cpuMs }) };
  return { stdout, stderr, usage, ...endOf(end, memory) };
}

/** Precedence: what we killed it for, then memory, then a death by a signal, then its own end. */
function endOf(
  end: ProgramEnd,
  memory: boolean | 'unknown',
): Pick<StepResult, 'status' | 'exitCode' | 'limitHit' | 'reason' | 'isLost'> {
  const exitCode = end.kind === 'exit' ? end.code : null;
  switch (end.kind) {
    case 'cancelled':
      return { status: 'cancelled', exitCode, limitHit: null, reason: 'cancelled' };
    case 'timeout': {
      const reason = end.limit === 'cpuMs' ? 'it used more CPU time than it may' : 'killed at its time limit';
      return { status: 'timeout', exitCode, limitHit: end.limit, reason };
    }
    case 'output-limit': {
      const reason = `${end.stream} reached the output limit`;
      return { status: 'output-limit', exitCode, limitHit: 'outputBytes', reason };
    }
    case 'egress': {
      if (end.why === 'unrecorded') {
        const reason = 'what it asked the network for could not be recorded';
        return { status: 'crashed', exitCode, limitHit: null, reason };
      }
      const reason =
        end.why === 'egressRefused'
          ? 'killed because too much that it asked the network for was refused'
          : `killed at its ${end.why} limit`;
      return { status: 'output-limit', exitCode, limitHit: end.why, reason };
    }
    case 'unstarted': // told before: nothing ran
    case 'lost': {
      const reason = 'the engine went away while the program ran; how it ended is not known';
      return { status: 'crashed', exitCode, limitHit: 'unknown', reason, isLost: true };
    }
    case 'exit':
      break;
  }
  if (memory === true) {
    return {
      status: 'oom',
      exitCode,
      limitHit: 'memoryMiB',
      reason: 'a process was killed at the memory limit',
    };
  }
  const signal = SIGNALS[end.code];
  if (signal === undefined) return { status: 'exited', exitCode, limitHit: null, reason: null };
  const limitHit = end.code === SIGKILLED && memory === 'unknown' ? 'unknown' : null;
  return { status: 'crashed', exitCode, limitHit, reason: `the program was ended by ${signal}` };
}

/** As a shell would tell it. */
function withoutProgram({ exitCode, says }: NoProgram): StepResult {
  return {
    status: 'exited',
    exitCode,
    stdout: { bytes: new Uint8Array(0), truncated: false },
    stderr: { bytes: new TextEncoder().encode(`${says}\n`), truncated: false },
    usage: { wallMs: 0 },
    limitHit: null,
    reason: null,
  };
}

export function nothingRan(status: 'cancelled' | 'unavailable', reason: string): StepResult {
  const none = { bytes: new Uint8Array(0), truncated: false };
  return { status, exitCode: null, stdout: none, stderr: none, usage: { wallMs: 0 }, limitHit: null, reason };
}
