// The operator's agents, hands and model providers, read from the folder that holds `policies/`: `agents/*.yaml`,
// `hands/*.yaml`, `models.yaml`. None of them has to be there. A file with errors stands in the way of nobody but the
// calls that need it: those get the errors, with file, line and column.
import { readdir, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { platformSha256 } from './adapters/hash.js';
import { readBounded } from './adapters/store/durable-file.js';
import { WritError } from './errors.js';
import { isDigest, type Digest } from './json.js';
import type { AgentDefinition, HandDefinition, ModelProvider, ModelsDefinition } from './runtime/ports.js';
import { environmentProvider, NO_MODELS } from './workflow/agents/provider.js';
import { readAgentFile, readHandFile, readModelsFile, type ReadFile } from './workflow/agents/read.js';
import type { Diagnostic } from './workflow/diagnostic.js';
import { DOCUMENT_MAX_BYTES } from './workflow/document.js';

const MAX_FILES = 1_000;

export interface AgentFiles {
  /** By name; an error stands for a file that can't be used. */
  readonly agents: ReadonlyMap<string, AgentDefinition | WritError>;
  /** By id. */
  readonly hands: ReadonlyMap<string, HandDefinition | WritError>;
  readonly models: ModelsDefinition | WritError;
  readonly environment: ModelProvider | WritError;
  /** Every file that was read, with what was found in it. */
  readonly read: readonly CheckedFile[];
}

export interface CheckedFile {
  readonly path: string;
  /** Empty when the file can't be read as text. */
  readonly text: string;
  readonly diagnostics: readonly Diagnostic[];
}

/** The folder with the operator's other files: the one that holds the policies. */
export function projectOf(policies: string): string {
  return dirname(resolve(policies));
}

/** Never throws for what stands in a file. */
export async function readAgentFiles(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<AgentFiles> {
  const read: CheckedFile[] = [];
  const agents = await readFolder(folder, 'agents', readAgentFile, read);
  const hands = await readFolder(folder, 'hands', readHandFile, read);
  const models = await readOne(folder, join(folder, 'models.yaml'), readModelsFile, read);
  return { agents, hands, models: models ?? NO_MODELS, environment: environmentProvider(env), read };
}

/** The environment variables that hold keys. */
export function keyVariables({ models, environment }: AgentFiles): readonly string[] {
  const providers = [
    ...(models instanceof WritError ? [] : models.providers.values()),
    ...(environment instanceof WritError ? [] : [environment]),
  ];
  return providers.flatMap(({ key }) => (key.kind === 'env' ? [key.name] : []));
}

async function readFolder<Value>(
  project: string,
  kind: 'agents' | 'hands',
  reader: (text: string, name: string, digest: Digest) => ReadFile<Value>,
  read: CheckedFile[],
): Promise<ReadonlyMap<string, Value | WritError>> {
  const folder = join(project, kind);
  const found = new Map<string, Value | WritError>();
  for (const file of await filesIn(folder)) {
    const name = file.replace(/\.ya?ml$/, '');
    const path = join(folder, file);
    if (found.has(name)) {
      const message = 'there is a .yaml and a .yml of this name';
      read.push({ path, text: '', diagnostics: [wholeFile(message)] });
      found.set(name, unusable(`${path}: ${message}`, 'keep one of them'));
      continue;
    }
    const value = await readOne(project, path, (text, digest) => reader(text, name, digest), read);
    if (value !== null) found.set(name, value);
  }
  return found;
}

/** Sorted; none where there is no folder. */
async function filesIn(folder: string): Promise<readonly string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw unusable(`${folder} can't be read`, 'check its permissions', error);
  }
  const files = names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
  if (files.length <= MAX_FILES) return files;
  throw unusable(`${folder} holds more than ${MAX_FILES} files`, 'keep other files elsewhere');
}

/**
 * Whether it is a link out of the folder: what lies elsewhere is nobody's agent, and `agent check` would print it. A link
 * within the folder is one file under two names.
 */
async function leadsOut(folder: string, path: string): Promise<boolean> {
  try {
    const way = relative(await realpath(folder), await realpath(path));
    return way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way);
  } catch {
    // It is not there, or can't be reached: reading it says which.
    return false;
  }
}

/** null when there is no such file. */
async function readOne<Value>(
  project: string,
  path: string,
  reader: (text: string, digest: Digest) => ReadFile<Value>,
  read: CheckedFile[],
): Promise<Value | WritError | null> {
  let text: string;
  let digest: Digest;
  if (await leadsOut(project, path)) {
    const message = 'the file is a link that leads out of the folder';
    read.push({ path, text: '', diagnostics: [wholeFile(message)] });
    return unusable(`${path}: ${message}`, `put the file itself into ${project}`);
  }
  try {
    const bytes = await readBounded(path, DOCUMENT_MAX_BYTES);
    if (bytes === null) return null;
    digest = digestOf(bytes);
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    const problem = error instanceof WritError ? "can't be read" : 'is not UTF-8';
    read.push({ path, text: '', diagnostics: [wholeFile(`the file ${problem}`)] });
    return unusable(`${path} ${problem}`, 'check the file and its permissions', error);
  }
  const { value, diagnostics } = reader(text, digest);
  read.push({ path, text, diagnostics });
  if (value !== null) return value;
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  const place = first === undefined ? '' : `:${first.line}:${first.column}: ${first.message}`;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return unusable(`${path}${place}${more}`, 'see all of it: writ agent check');
}

function wholeFile(message: string): Diagnostic {
  return { code: 'CONFIG_INVALID', severity: 'error', message, line: 1, column: 1, path: '' };
}

function digestOf(bytes: Uint8Array): Digest {
  const digest = `sha256:${Buffer.from(platformSha256(bytes)).toString('hex')}`;
  if (!isDigest(digest)) throw new WritError('INTERNAL', 'SHA-256 gave no digest');
  return digest;
}

function unusable(message: string, hint: string, cause?: unknown): WritError {
  return new WritError('CONFIG_INVALID', message, { hint, cause });
}
