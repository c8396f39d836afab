// `writ sandbox exec`: one program in a sandbox, to try a profile, an image or limits by hand. Governed like any step:
// it is a run of a workflow made of the flags, with its rights, ceilings, approval and entries. What is printed beyond
// the step's own output is not stored anywhere.
import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { keepModule } from '../adapters/packages/module-manifest.js';
import { pathsOf, readConfig } from '../data-directory.js';
import { WritError } from '../errors.js';
import { OWN_WORKFLOWS } from '../runtime/create-workflow.js';
import type { Json, JsonObject } from '../json.js';
import type { SandboxResult } from '../runtime/ports.js';
import type { RunView, WorkflowSource, Writ } from '../runtime/writ.js';
import { untilSignal, whoActs, withPublishedWrit, type Context } from './context.js';
import { noteFailure } from './failure.js';
import { printable } from './output.js';
import { renderPending } from './render-run.js';

const WORKFLOW_ID = OWN_WORKFLOWS.sandboxExec;
/** Of stdin and of each staged file; the run's input holds them. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Of a module's own file. */
const MAX_MODULE_BYTES = 64 * 1024 * 1024;
const WEBASSEMBLY = Buffer.from('\0asm');
const NOT_ENDED_WELL = 1;

/** Limits by flag, as a step's `sandbox.limits` names them. */
export const LIMIT_FLAGS = {
  timeoutMs: '--timeout-ms',
  cpuMs: '--cpu-ms',
  memoryMiB: '--memory-mib',
  cpus: '--cpus',
  pids: '--pids',
  outputBytes: '--output-bytes',
  diskMiB: '--disk-mib',
  egressBytes: '--egress-bytes',
  egressRequests: '--egress-requests',
} as const;

export interface ExecFlags {
  readonly driver: 'docker' | 'wasm';
  /** Docker: a name of docker.yaml or a digest. */
  readonly image?: string;
  /** WASM: a shipped module's name, `sha256:…` of one that is kept, or a file, which is kept from then on. */
  readonly module?: string;
  /** There is one: `strict`. */
  readonly profile?: string;
  readonly runtime?: string;
  readonly cwd?: string;
  /** A file, or `-` for this process's stdin. */
  readonly stdin?: string;
  readonly outDir?: string;
  readonly env: readonly string[];
  /** `HOST=NAME`. */
  readonly file: readonly string[];
  /** Patterns. */
  readonly out: readonly string[];
  /** `SOURCE:TARGET[:ro|rw]`, of folders that a ceiling lists. */
  readonly mount: readonly string[];
  /** `HOST:PORT` that it may reach, each listed by a ceiling. */
  readonly egress: readonly string[];
  /** `egress` asks for --egress; `none` refuses it. */
  readonly network?: string;
  /** Names of secrets that docker.yaml declares for one of these hosts. */
  readonly credential: readonly string[];
  /** WASM: fixed clock and random bytes. */
  readonly deterministic: boolean;
  readonly limits: { readonly [name in keyof typeof LIMIT_FLAGS]?: string };
}

/** Exit 0 when the program ended with 0; else 1, or the exit code of what refused it. */
export async function execInSandbox(
  context: Context,
  argv: readonly string[],
  flags: ExecFlags,
): Promise<number> {
  requireStrict(flags);
  requireEgress(flags);
  const source = workflowOf(flags);
  const input = await inputOf(context, argv, flags);
  let result: SandboxResult | null = null;
  const sandbox = {
    ...(flags.runtime === undefined ? {} : { runtime: flags.runtime }),
    onResult: (one: SandboxResult) => {
      result = one;
    },
  };
  return withPublishedWrit(context, { drives: flags.driver === 'wasm', sandbox }, async (writ) => {
    const run = await writ.start({ workflow: source, input }, await whoActs(context, writ));
    context.output.note(`run ${printable(run)}`);
    const interrupted = await untilSignal(async (signal) => {
      await writ.drive(run, { stopAt: 'waiting', signal });
    });
    const view = await writ.status(run);
    if (result === null) return interrupted ?? (await tellNothingRan(context, writ, view, flags));
    const unwritten = flags.outDir === undefined ? null : await writeOutputs(flags.outDir, result);
    show(context, view, result);
    if (unwritten !== null) noteFailure(context.output, unwritten);
    return interrupted ?? (unwritten === null ? exitOf(result, view) : NOT_ENDED_WELL);
  });
}

function requireStrict({ profile = 'strict' }: ExecFlags): void {
  if (profile === 'strict') return;
  throw new WritError('SANDBOX_UNSUPPORTED', `there is no sandbox profile ${printable(profile)}`, {
    hint: 'every sandbox is held by the profile strict; a container runtime is chosen by --runtime',
  });
}

function requireEgress({ driver, network, egress, credential }: ExecFlags): void {
  if (network === 'none' && egress.length > 0)
    throw usage('--network none and --egress say different things');
  if ((network === 'egress' || credential.length > 0) && egress.length === 0)
    throw usage('name the hosts: --egress HOST:PORT');
  if (driver === 'docker' || egress.length === 0) return;
  throw new WritError('SANDBOX_UNSUPPORTED', 'a WASM sandbox has no way out to the network', {
    hint: 'choose --driver docker, or fetch with tool::http_request in a step of its own and pass the data on',
  });
}

/** One task, as a document would say it. */
function workflowOf({ driver, limits, mount, egress, credential }: ExecFlags): WorkflowSource {
  const numbers: Record<string, number> = {};
  for (const [name, text] of Object.entries(limits)) {
    // Exact: a number that only begins like one is no limit.
    if (!/^[0-9]{1,12}(?:\.[0-9]{1,3})?$/.test(text)) {
      throw new WritError(
        'USAGE',
        `${LIMIT_FLAGS[name as keyof typeof LIMIT_FLAGS]} ${printable(text)} is no number`,
      );
    }
    numbers[name] = Number(text);
  }
  const document: Json = {
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name: WORKFLOW_ID },
    spec: {
      startAt: 'Exec',
      states: {
        Exec: {
          type: 'Task',
          resource: driver === 'docker' ? 'tool::shell_exec' : 'tool::wasm',
          sandbox: {
            driver,
            limits: numbers,
            ...(mount.length === 0 ? {} : { mounts: mount.map(mountOf) }),
            ...(egress.length === 0 ? {} : { egress }),
            ...(credential.length === 0 ? {} : { credentials: credential }),
          },
          end: true,
        },
      },
    },
  };
  return { text: `${JSON.stringify(document, null, 2)}\n`, file: null };
}

function mountOf(text: string): JsonObject {
  const [source = '', target = '', mode = 'ro', ...more] = text.split(':');
  if (source === '' || target === '' || more.length > 0 || (mode !== 'ro' && mode !== 'rw'))
    throw usage(`--mount ${printable(text)} is not SOURCE:TARGET, SOURCE:TARGET:ro or SOURCE:TARGET:rw`);
  return { source, target, mode };
}

async function inputOf(context: Context, argv: readonly string[], flags: ExecFlags): Promise<Json> {
  const env: Record<string, string> = {};
  for (const pair of flags.env) {
    const [name, value] = split(pair, '--env');
    env[name] = value;
  }
  const stdin = await stdinOf(context, flags.stdin);
  const files = await filesOf(flags.file);
  const data = {
    ...(Object.keys(env).length === 0 ? {} : { env }),
    ...(Object.keys(files).length === 0 ? {} : { files }),
    ...(flags.out.length === 0 ? {} : { outputs: flags.out }),
  };
  if (flags.driver === 'wasm') {
    if (flags.module === undefined) throw usage('--driver wasm needs --module, a name, sha256:… or a file');
    if (flags.image !== undefined || flags.runtime !== undefined || flags.cwd !== undefined)
      throw usage('--image, --runtime and --cwd are for --driver docker');
    const module = await moduleOf(context, flags.module);
    const fixed = flags.deterministic ? { deterministic: true } : {};
    return { module, args: argv, stdin: contentOf(stdin), ...data, ...fixed };
  }
  if (flags.module !== undefined) throw usage('--module is for --driver wasm');
  if (flags.deterministic) {
    throw new WritError('SANDBOX_UNSUPPORTED', 'a container has no fixed clock or random bytes', {
      hint: 'choose --driver wasm for a deterministic run',
    });
  }
  if (argv.length === 0) throw usage('name the program after --');
  return {
    argv,
    ...data,
    ...(stdin.length === 0 ? {} : { stdin: contentOf(stdin) }),
    ...(flags.image === undefined ? {} : { image: flags.image }),
    ...(flags.cwd === undefined ? {} : { cwd: flags.cwd }),
  };
}

async function filesOf(pairs: readonly string[]): Promise<Record<string, Json>> {
  const files: [string, Json][] = [];
  let size = 0;
  for (const pair of pairs) {
    const [host, name] = pair.includes('=') ? split(pair, '--file') : [pair, basename(pair)];
    const bytes = await staged(host);
    size += bytes.length;
    if (size > MAX_FILE_BYTES) throw usage(`the files have more than ${MAX_FILE_BYTES} bytes together`);
    files.push([name, contentOf(bytes)]);
  }
  return Object.fromEntries(files);
}

/** A file is kept in the data directory and run by its digest, as every module is. */
async function moduleOf(context: Context, module: string): Promise<string> {
  if (!module.endsWith('.wasm') && !module.includes('/')) return module;
  const bytes = await staged(module, MAX_MODULE_BYTES);
  // Any other file is not ours to keep a copy of.
  if (!WEBASSEMBLY.equals(bytes.subarray(0, WEBASSEMBLY.length))) {
    throw new WritError('SANDBOX_MODULE_INVALID', `${printable(module)} does not begin as WebAssembly`, {
      hint: WHAT_TO_DO['SANDBOX_MODULE_INVALID'] ?? '',
    });
  }
  const { config, packages } = pathsOf(context.data);
  // Without one nothing is kept, and opening it tells so.
  if ((await readConfig(config)) === null) return module;
  const digest = await keepModule(packages, bytes);
  context.output.note(`module ${printable(module)} is ${digest}`);
  return digest;
}

function split(pair: string, flag: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw usage(`${flag} ${printable(pair)} has no =`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

async function stdinOf(context: Context, from: string | undefined): Promise<Uint8Array> {
  if (from === undefined) return new Uint8Array(0);
  if (from !== '-') return staged(from);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of context.stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_FILE_BYTES) throw usage(`stdin has more than ${MAX_FILE_BYTES} bytes`);
    chunks.push(bytes);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** A regular file of the machine; a link is not followed. */
async function staged(path: string, most = MAX_FILE_BYTES): Promise<Uint8Array> {
  const info = await lstat(path).catch(() => null);
  if (info?.isFile() !== true) throw usage(`${printable(path)} is no regular file`);
  if (info.size > most) throw usage(`${printable(path)} has more than ${most} bytes`);
  return new Uint8Array(await readFile(path));
}

function contentOf(bytes: Uint8Array): Json {
  const text = textOf(bytes);
  return text ?? { base64: Buffer.from(bytes).toString('base64') };
}

/** Null for bytes that no text is written as. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // shown as base64 then
  }
}

/**
 * The driver has refused unsafe paths; a name that is taken is not overwritten. What can't be written does not take the
 * rest of the result with it: it is told beside that.
 */
async function writeOutputs(folder: string, { outputs = [] }: SandboxResult): Promise<WritError | null> {
  let unwritten: WritError | null = null;
  await mkdir(folder, { recursive: true }).catch(() => undefined); // told with the first file
  for (const { path, bytes } of outputs) {
    const file = join(folder, path);
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes, { flag: 'wx', mode: 0o600 });
    } catch (cause) {
      const { code } = Object(cause) as { code?: unknown };
      const why = code === 'EEXIST' ? 'it is there already' : String(code);
      unwritten ??= new WritError('USAGE', `the output ${printable(file)} was not written: ${why}`, {
        hint: 'nothing is overwritten: give --out-dir a folder that is new or empty, and run it again',
        cause,
      });
    }
  }
  return unwritten;
}

function show(context: Context, view: RunView, result: SandboxResult): void {
  const { output } = context;
  if (output.json) {
    output.value(resultJson(view, result));
    return;
  }
  const { stdout, stderr, status, exitCode, reason, outputs = [] } = result;
  for (const { bytes } of [stdout, stderr]) {
    const lines = new TextDecoder().decode(bytes).split('\n');
    if (lines.at(-1) === '') lines.pop();
    for (const line of lines) {
      if (bytes === stdout.bytes) output.line(printable(line));
      else output.note(printable(line));
    }
  }
  for (const { path, bytes } of outputs) output.note(`output ${printable(path)}: ${bytes.length} bytes`);
  const ended = status === 'exited' ? `exit code ${String(exitCode)}` : `${status}: ${reason ?? ''}`;
  output.note(`${ended}, ${Math.round(result.usage.wallMs)} ms`);
}

/** What --json prints of a result. */
function resultJson(view: RunView, result: SandboxResult): JsonObject {
  const { status, exitCode, stdout, stderr, outputs = [], usage: used, limitHit, reason, evidence } = result;
  const stream = ({ bytes, truncated }: SandboxResult['stdout']): JsonObject => ({
    ...textOrBase64(bytes),
    bytes: bytes.length,
    sha256: sha256(bytes),
    truncated,
  });
  return {
    run: view.id,
    status,
    exitCode,
    stdout: stream(stdout),
    stderr: stream(stderr),
    outputs: outputs.map(({ path, bytes }) => ({ path, size: bytes.length, sha256: sha256(bytes) })),
    usage: {
      wallMs: Math.round(used.wallMs),
      ...(used.cpuMs === undefined ? {} : { cpuMs: Math.round(used.cpuMs) }),
    },
    limitHit,
    reason,
    evidence,
  };
}

function textOrBase64(bytes: Uint8Array): JsonObject {
  const text = textOf(bytes);
  return text === null ? { base64: Buffer.from(bytes).toString('base64') } : { text };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function exitOf({ status, exitCode }: SandboxResult, view: RunView): number {
  if (status === 'unavailable') return view.exitCode;
  return status === 'exited' && exitCode === 0 ? 0 : NOT_ENDED_WELL;
}

/** Nothing can be run here as things stand. */
const UNAVAILABLE: ReadonlySet<string> = new Set([
  'SANDBOX_UNAVAILABLE',
  'SANDBOX_IMAGE_MISSING',
  'SANDBOX_RUNTIME_UNKNOWN',
]);
/** A request that can't be read is one that names no image or module there is: all else of it is made here. */
const UNKNOWN_NAME = 'FUNCTION_REQUEST_INVALID';
/** What the flags ask for could never run anywhere: as a document's error would be told. */
const USAGE: ReadonlySet<string> = new Set(['SANDBOX_SPEC_INVALID', UNKNOWN_NAME]);
const BAD_USAGE = 2;

/** Of what refused the step, for who gave flags: a step's own hints speak of documents. */
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  SANDBOX_SPEC_INVALID: 'see writ sandbox exec --help, and sandbox/README.md for what fits',
  SANDBOX_UNSUPPORTED:
    'leave out what the message names, or choose the other driver; `writ doctor` shows what is kept',
  SANDBOX_MODULE_INVALID:
    'build it as a WASI preview 1 command: a core module that exports _start and its memory',
  SANDBOX_UNAVAILABLE: 'start Docker, or choose --driver wasm; `writ doctor` shows what is missing',
  SANDBOX_IMAGE_MISSING:
    'load it (docker load), or build one: node sandbox/images/build.mjs; nothing is pulled',
  SANDBOX_RUNTIME_UNKNOWN: "register it in the engine's daemon.json; no other runtime takes its place",
};

/** What to do about a refusal, in words of the flags; undefined = nothing is known. */
function hintFor(error: NonNullable<RunView['error']>, { driver }: ExecFlags): string | undefined {
  if (error.code !== UNKNOWN_NAME) return WHAT_TO_DO[error.code] ?? error.hint;
  return driver === 'docker'
    ? '--image takes a name that docker.yaml gives, or sha256:… of an image that the engine has'
    : `--module takes a name, sha256:… or a FILE.wasm; ${error.hint ?? ''}`;
}

/** Denied, refused, unavailable, or waiting for a person: as any run tells it. */
async function tellNothingRan(
  context: Context,
  writ: Writ,
  view: RunView,
  flags: ExecFlags,
): Promise<number> {
  const { output } = context;
  const waiting = view.waitingFor;
  const todo = view.error === null ? undefined : hintFor(view.error, flags);
  if (output.json)
    output.value({
      run: view.id,
      status: UNAVAILABLE.has(view.error?.code ?? '') ? 'unavailable' : view.status,
      waitingFor: waiting as Json,
      error: view.error === null || todo === undefined ? view.error : { ...view.error, hint: todo },
    });
  else if (waiting?.kind === 'approval') {
    output.line(renderPending(context, (await writ.approval(waiting.approvalId)).record, context.nowMs()));
  } else if (view.error !== null) {
    const hint = todo === undefined ? {} : { hint: todo };
    noteFailure(output, new WritError('RUN_FAILED', `${view.error.code}: ${view.error.message}`, hint));
  }
  return USAGE.has(view.error?.code ?? '') ? BAD_USAGE : view.exitCode;
}

function usage(message: string): WritError {
  return new WritError('USAGE', message, { hint: 'writ sandbox exec --help' });
}
