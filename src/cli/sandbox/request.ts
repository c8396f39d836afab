// What the flags of `writ sandbox exec` say: the workflow of one task that they ask for, and its input. Whatever is said
// twice, or could not be meant, is bad usage and told before anything is opened.
import { lstat, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { targetOfAuthority } from '../../adapters/egress/target.js';
import { keepModule } from '../../adapters/packages/module-manifest.js';
import { pathsOf, readConfig } from '../../data-directory.js';
import { WritError } from '../../errors.js';
import type { Json, JsonObject } from '../../json.js';
import { OWN_WORKFLOWS } from '../../runtime/workflow/create.js';
import type { WorkflowSource } from '../../runtime/writ.js';
import type { Context } from '../context.js';
import { printable } from '../output.js';

const WORKFLOW_ID = OWN_WORKFLOWS.sandboxExec;
/** Of stdin and of each staged file; the run's input holds them. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Of a module's own file. */
const MAX_MODULE_BYTES = 64 * 1024 * 1024;
export const MODULE_HINT =
  'build it as a WASI preview 1 command: a core module that exports _start and its memory';
const WEBASSEMBLY = Buffer.from('\0asm');

/** Limits by flag, as a step's `sandbox.limits` names them. */
const LIMIT_FLAGS = {
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

/** Throws for what no sandbox is, has or takes. */
export function requireFit(flags: ExecFlags): void {
  for (const flag of ['image', 'module', 'profile', 'runtime', 'stdin'] as const)
    if (flags[flag] === '') throw usage(`--${flag} is empty`);
  requireStrict(flags);
  requireEgress(flags);
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
  for (const text of egress) requireTarget(text);
  if (driver === 'docker' || egress.length === 0) return;
  throw new WritError('SANDBOX_UNSUPPORTED', 'a WASM sandbox has no way out to the network', {
    hint: 'choose --driver docker, or fetch with tool::http_request in a step of its own and pass the data on',
  });
}

/** As the proxy will read it, too: one spelling for one place. */
function requireTarget(text: string): void {
  const target = targetOfAuthority(text, null);
  if (target?.host === text && !target.hostname.endsWith('.')) return;
  const other = target === null || target.hostname.endsWith('.') ? '' : `; it is written ${target.host}`;
  throw usage(`--egress ${printable(text)} is no HOST:PORT in its plain spelling${other}`);
}

/** One task, as a document would say it. */
export function workflowOf({ driver, limits, mount, egress, credential }: ExecFlags): WorkflowSource {
  const numbers: Record<string, number> = {};
  for (const [name, text] of Object.entries(limits)) {
    // Exact: a number that only begins like one is no limit. Whether it is one that can be kept is said elsewhere.
    if (!/^[0-9]{1,15}(?:\.[0-9]{1,9})?$/.test(text)) {
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

export async function inputOf(context: Context, argv: readonly string[], flags: ExecFlags): Promise<Json> {
  const env = once(
    '--env',
    flags.env.map((pair) => split(pair, '--env')),
  );
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
  return once('--file', files);
}

/** One value for each name: which of two is meant nobody can say. */
function once<Value>(flag: string, pairs: readonly (readonly [string, Value])[]): Record<string, Value> {
  const seen = new Set<string>();
  for (const [name] of pairs) {
    if (seen.has(name)) throw usage(`${flag} names ${printable(name)} twice`);
    seen.add(name);
  }
  return Object.fromEntries(pairs);
}

/** A file is kept in the data directory and run by its digest, as every module is. */
async function moduleOf(context: Context, module: string): Promise<string> {
  if (!module.endsWith('.wasm') && !module.includes('/')) return module;
  const bytes = await staged(module, MAX_MODULE_BYTES);
  // Any other file is not ours to keep a copy of.
  if (!WEBASSEMBLY.equals(bytes.subarray(0, WEBASSEMBLY.length))) {
    throw new WritError('SANDBOX_MODULE_INVALID', `${printable(module)} does not begin as WebAssembly`, {
      hint: MODULE_HINT,
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
  if (at < 1) throw usage(`${flag} ${printable(pair)} has no ${at < 0 ? '=' : 'name before ='}`);
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
  if (info === null) throw usage(`there is no regular file ${printable(path)}`);
  if (!info.isFile()) throw usage(`${printable(path)} is no regular file`);
  if (info.size > most) throw usage(`${printable(path)} has more than ${most} bytes`);
  return new Uint8Array(await readFile(path));
}

function contentOf(bytes: Uint8Array): Json {
  const text = textOf(bytes);
  return text ?? { base64: Buffer.from(bytes).toString('base64') };
}

/** Null for bytes that no text is written as. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // shown as base64 then
  }
}

export function usage(message: string): WritError {
  return new WritError('USAGE', message, { hint: 'writ sandbox exec --help' });
}
