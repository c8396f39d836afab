// `tool::shell_exec`: what a step asks to run, read from its request. The request is data of the run: no message names
// a part of it but its fields.
import { WritError } from '../../errors.js';
import { isDigest, isList, isObject, type Json, type JsonObject } from '../../json.js';
import { KNOWN_CONFIG } from '../../workflow/functions.js';
import type { ImageNames, SandboxFile, SandboxRequest } from '../ports.js';

export const SHELL_EXEC = 'tool::shell_exec';

/** What of stdout and stderr a step's output holds (AgentOS page). */
export const SHELL_STDOUT_BYTES = 100 * 1024;
export const SHELL_STDERR_BYTES = 50 * 1024;
/** Of files brought back, together: what a step's output may hold of them. */
export const SHELL_FILES_BYTES = 1024 * 1024;

const FIELDS: ReadonlySet<string> = KNOWN_CONFIG.get(SHELL_EXEC) ?? new Set();
const DEFAULT_IMAGE = 'default';

/** What a step asks a WASM module to do. `name` is a shipped module's, or `sha256:…`. */
export type ProgramCall = Pick<SandboxRequest, 'argv' | 'env' | 'stdin' | 'files' | 'outputs'> & {
  readonly name: string;
  readonly deterministic?: true;
};

/**
 * `{argv | command, cwd?, env?, stdin?, image?, files?, outputs?}` as a sandbox takes it; `command` is `sh -c`. `files`
 * maps relative paths to contents, `outputs` lists patterns of files to bring back; a content, and stdin, is text or
 * `{base64}`. Throws FUNCTION_REQUEST_INVALID, SANDBOX_IMAGE_MISSING.
 */
export function shellRequest(
  step: string,
  input: Json,
  sandboxImage: string | null,
  images: ImageNames,
): Omit<SandboxRequest, 'limits'> {
  const invalid = invalidIn(step);
  const request: JsonObject = isObject(input) ? input : {};
  if (Object.keys(request).some((key) => !FIELDS.has(key))) throw invalid('has a field it does not know');
  const { argv, command, cwd, image = sandboxImage ?? DEFAULT_IMAGE } = request;
  if (cwd !== undefined && typeof cwd !== 'string') throw invalid('has a cwd that is no text');
  if (typeof image !== 'string') throw invalid('has an image that is no text');
  return {
    argv: argvOf(argv, command, invalid),
    ...dataOf(request, invalid),
    program: imageOf(image, images, invalid),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

/**
 * The same for a WASM module, which argv[0] names. Throws FUNCTION_REQUEST_INVALID, SANDBOX_UNSUPPORTED for what only a
 * container has.
 */
export function shellModule(step: string, input: Json): ProgramCall {
  const invalid = invalidIn(step);
  const request: JsonObject = isObject(input) ? input : {};
  if (Object.keys(request).some((key) => !FIELDS.has(key))) throw invalid('has a field it does not know');
  for (const name of ['command', 'cwd', 'image'] as const) {
    if (request[name] === undefined) continue;
    throw new WritError('SANDBOX_UNSUPPORTED', `${SHELL_EXEC} of "${step}" has ${name}, and runs in WASM`, {
      hint: 'WASM has no shell and no image: config: { argv: [module, argument, …] }, or sandbox: docker',
    });
  }
  const argv = argvOf(request['argv'], undefined, invalid);
  const [name = ''] = argv;
  return { name, argv, ...dataOf(request, invalid) };
}

type Invalid = (problem: string) => WritError;

function invalidIn(step: string): Invalid {
  return (problem) =>
    new WritError('FUNCTION_REQUEST_INVALID', `${SHELL_EXEC} of "${step}" ${problem}`, {
      hint: 'config: { argv: [program, argument, …] } or { command: <text for sh -c> }; cwd, env, stdin, image, files',
    });
}

/** `env`, `stdin`, `files` and `outputs` of a request, the same for every program. */
export function dataOf(
  { env = {}, stdin = '', files = {}, outputs = [] }: JsonObject,
  invalid: Invalid,
): Pick<SandboxRequest, 'env' | 'stdin' | 'files' | 'outputs'> {
  const stdinBytes = bytesOf(stdin);
  if (stdinBytes === null) throw invalid('has a stdin that is neither text nor {base64: …}');
  if (!isList(outputs) || !isTexts(outputs)) throw invalid('has outputs that are no list of patterns');
  const variables = isObject(env) ? Object.entries(env) : [];
  const values = isObject(env) ? textsOf(variables.map(([, value]) => value)) : null;
  if (values === null) throw invalid(`has an env that does not map names to texts (${NO_TEXTS})`);
  if (!isObject(files)) throw invalid('has files that are no map of paths to contents');
  const named = namedFiles(files);
  if (named === null) throw invalid('has a file that is neither text nor {base64: …}');
  return {
    env: Object.fromEntries(variables.map(([name], at) => [name, values[at] ?? ''])),
    stdin: stdinBytes,
    ...(named.length === 0 ? {} : { files: named }),
    ...(outputs.length === 0 ? {} : { outputs }),
  };
}

function argvOf(argv: Json | undefined, command: Json | undefined, invalid: Invalid): readonly string[] {
  if ((argv === undefined) === (command === undefined)) throw invalid('needs one of argv and command');
  if (command !== undefined) {
    if (typeof command !== 'string' || command === '') throw invalid('has a command that is no text');
    return ['sh', '-c', command];
  }
  const texts = isList(argv) && argv.length > 0 ? textsOf(argv) : null;
  if (texts === null) throw invalid(`has an argv that is no list of texts (${NO_TEXTS})`);
  return texts;
}

/** What `textsOf` takes for none. */
export const NO_TEXTS = 'null, {secret: …}, {env: …} and {base64: …} are none';

/**
 * What a program is given has no types: numbers, lists and the like become the text that a template prints of them. A
 * null would be a missing argument, which most programs take for another, and `{secret: …}` or `{base64: …}` is what
 * somebody writes who expects more than its text: null for a list that has one.
 */
export function textsOf(values: readonly Json[]): readonly string[] | null {
  if (values.some((value) => value === null || isReference(value))) return null;
  return values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
}

/** As other files of ours, and other fields, spell what is to be put in its place. */
function isReference(value: Json): boolean {
  const [key, ...others] = isObject(value) ? Object.keys(value) : [];
  return others.length === 0 && (key === 'secret' || key === 'env' || key === 'base64');
}

/** A name of docker.yaml, or an image by digest: its id, or `repository@sha256:…`. Never a tag. */
function imageOf(image: string, images: ImageNames, invalid: Invalid): SandboxRequest['program'] {
  const named = images.image(image);
  if (named !== null) return named;
  const at = image.lastIndexOf('@');
  const digest = at < 0 ? image : image.slice(at + 1);
  if (isDigest(digest)) return { kind: 'image', digest, repository: at < 0 ? null : image.slice(0, at) };
  const names = images.names();
  if (image === DEFAULT_IMAGE || names.length === 0) {
    const what = image === DEFAULT_IMAGE ? 'default image' : 'images, and what is asked for is no digest';
    throw new WritError('SANDBOX_IMAGE_MISSING', `docker.yaml names no ${what}`, {
      hint: 'build one: node sandbox/images/build.mjs --docker-yaml docker.yaml, beside the policies folder',
    });
  }
  throw invalid(`names an image that docker.yaml has not; it has: ${names.join(', ')}`);
}

function namedFiles(files: JsonObject): SandboxFile[] | null {
  const found: SandboxFile[] = [];
  for (const [path, content] of Object.entries(files)) {
    const bytes = bytesOf(content);
    if (bytes === null) return null;
    found.push({ path, bytes });
  }
  return found;
}

function bytesOf(content: Json): Uint8Array | null {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  const base64 = isObject(content) && Object.keys(content).length === 1 ? content['base64'] : undefined;
  if (typeof base64 !== 'string' || !BASE64.test(base64)) return null;
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function isTexts(values: readonly Json[]): values is readonly string[] {
  return values.every((value) => typeof value === 'string');
}

/** Contents by path, as `files` takes them; null when they have more bytes than a step's output holds. */
export function shellFiles(outputs: readonly SandboxFile[]): JsonObject | null {
  if (outputs.reduce((sum, file) => sum + file.bytes.length, 0) > SHELL_FILES_BYTES) return null;
  return Object.fromEntries(outputs.map(({ path, bytes }) => [path, contentOf(bytes)]));
}

function contentOf(bytes: Uint8Array): Json {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }; // no text
  }
}
