// The operator's files of agents, hands and model providers, read strictly: an unknown field, a value out of range or a
// name that is not the file's is a finding at its line. A file with an error gives no value. Never throws on bad input.
import type { Digest, Json } from '../../json.js';
import { dataClassOf } from '../data-class.js';
import type { Diagnostic, Findings } from '../diagnostic.js';
import { readDocument } from '../document.js';
import { resolveFunction } from '../functions.js';
import { checkInputsSchema } from '../input.js';
import { field, type Located, textField, toJson } from '../located.js';
import { checkShape, type SchemaName } from '../shape.js';
import {
  DEFAULT_MAX_TURNS,
  type AgentDefinition,
  type HandDefinition,
  type ModelProvider,
  type ModelsDefinition,
  type Prices,
} from './definition.js';
import { baseUrlProblem, ENVIRONMENT_PROVIDER } from './provider.js';

export interface ReadFile<Value> {
  /** null when there is an error. */
  readonly value: Value | null;
  /** In the order of the text. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What these ask is a model; a model that asks a model is two steps. */
const CONVERSING: ReadonlySet<string> = new Set(['agent::chat', 'agent::*', 'hand::run', 'hand::*']);

/** `agents/<fileName>.yaml`. `digest` is the SHA-256 of the file. */
export function readAgentFile(text: string, fileName: string, digest: Digest): ReadFile<AgentDefinition> {
  return read(text, 'agent', (root, findings) => {
    checkName(root, 'name', fileName, findings);
    const tools = field(root, 'tools');
    if (tools !== undefined) checkFunctions(tools.value, ['tools'], findings);
    if (findings.hasErrors()) return null;
    // The shape has been checked.
    const file = toJson(root) as unknown as AgentFile;
    return {
      name: file.name,
      description: file.description ?? '',
      provider: file.provider ?? null,
      model: file.model ?? null,
      systemPrompt: file.systemPrompt ?? null,
      tools: targetsOf(file.tools ?? []),
      maxTurns: file.maxTurns ?? DEFAULT_MAX_TURNS,
      temperature: file.temperature ?? null,
      maxOutputTokens: file.maxOutputTokens ?? null,
      prices: file.prices ?? null,
      ...dataIn(file),
      digest,
    };
  });
}

/** `hands/<fileName>.yaml`. `digest` is the SHA-256 of the file. */
export function readHandFile(text: string, fileName: string, digest: Digest): ReadFile<HandDefinition> {
  return read(text, 'hand', (root, findings) => {
    checkName(root, 'id', fileName, findings);
    const allowed = field(field(root, 'functions')?.value, 'allowed');
    if (allowed !== undefined) checkFunctions(allowed.value, ['functions', 'allowed'], findings);
    const input = field(root, 'input');
    if (input !== undefined) checkInputsSchema(input.value, ['input'], findings);
    if (findings.hasErrors()) return null;
    // The shape has been checked.
    const file = toJson(root) as unknown as HandFile;
    return {
      id: file.id,
      name: file.name ?? file.id,
      description: file.description ?? '',
      enabled: file.enabled ?? true,
      agent: file.agent ?? null,
      systemPrompt: file.systemPrompt ?? null,
      allowed: targetsOf(file.functions.allowed),
      input: file.input ?? null,
      maxTurns: file.maxTurns ?? null,
      temperature: file.temperature ?? null,
      maxOutputTokens: file.maxOutputTokens ?? null,
      ...dataIn(file),
      digest,
    };
  });
}

/** `models.yaml`. */
export function readModelsFile(text: string): ReadFile<ModelsDefinition> {
  return read(text, 'models', (root, findings) => {
    const providers = field(root, 'providers')?.value;
    const found = new Map<string, ModelProvider>();
    for (const { key, value } of providers?.kind === 'map' ? providers.entries : []) {
      const provider = readProvider(key, value, findings);
      if (provider !== null) found.set(key, provider);
    }
    const chosen = textField(root, 'default') ?? null;
    if (chosen !== null && chosen !== ENVIRONMENT_PROVIDER && field(providers, chosen) === undefined) {
      findings.add({
        code: 'DOC_BAD_VALUE',
        message: `default names ${JSON.stringify(chosen)}, which is not among the providers`,
        hint: 'name one of the providers of this file',
        at: ['default'],
      });
    }
    // `environment` is what no name at all means.
    return { default: chosen === ENVIRONMENT_PROVIDER ? null : chosen, providers: found };
  });
}

interface AgentFile {
  readonly name: string;
  readonly description?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly systemPrompt?: string;
  readonly tools?: readonly string[];
  readonly maxTurns?: number;
  readonly temperature?: number;
  readonly maxOutputTokens?: number;
  readonly prices?: Prices;
  readonly data?: Json;
}

interface HandFile {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  readonly agent?: string;
  readonly systemPrompt?: string;
  readonly functions: { readonly allowed: readonly string[] };
  readonly input?: Json;
  readonly maxTurns?: number;
  readonly temperature?: number;
  readonly maxOutputTokens?: number;
  readonly data?: Json;
}

interface ProviderFile {
  readonly baseUrl: string;
  readonly keyEnv?: string;
  readonly keySecret?: string;
  readonly keyless?: true;
  readonly model?: string;
  readonly plainHttp?: boolean;
  readonly prices?: Readonly<Record<string, Prices>>;
}

function dataIn({ data }: { readonly data?: Json }): Pick<AgentDefinition, 'data'> {
  const found = dataClassOf(data);
  return found === null ? {} : { data: found };
}

function read<Value>(
  text: string,
  schema: SchemaName,
  build: (root: Located, findings: Findings) => Value | null,
): ReadFile<Value> {
  const { root, findings } = readDocument(text);
  if (root === null) return { value: null, diagnostics: findings.list() };
  checkShape(root, schema, findings, []);
  // What a wrong shape would mean is not asked: its findings would only repeat the first ones.
  const value = findings.hasErrors() ? null : build(root, findings);
  return { value: findings.hasErrors() ? null : value, diagnostics: findings.list() };
}

/** Policies name an agent, and a person looks for the file: one name for both. */
function checkName(root: Located, key: 'name' | 'id', fileName: string, findings: Findings): void {
  const name = textField(root, key);
  if (name === undefined || name === fileName) return;
  findings.add({
    code: 'DOC_BAD_VALUE',
    message: `${key} is ${JSON.stringify(name)}, the file is called ${JSON.stringify(fileName)}`,
    hint: 'give both the same name',
    at: [key],
  });
}

function checkFunctions(list: Located, at: readonly string[], findings: Findings): void {
  if (list.kind !== 'list') return;
  for (const [i, item] of list.items.entries()) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') continue;
    const { functionId } = resolveFunction(item.value);
    if (!CONVERSING.has(functionId)) continue;
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `${item.value} asks a model, and a model can't be given it as a tool`,
      hint: 'make it a step of the workflow',
      at: [...at, i],
    });
  }
}

/** Aliases are resolved here, as in workflows: policy and log only see the target. */
function targetsOf(ids: readonly string[]): readonly string[] {
  return [...new Set(ids.map((id) => resolveFunction(id).functionId))];
}

function readProvider(name: string, node: Located, findings: Findings): ModelProvider | null {
  const at = ['providers', name];
  // The shape has been checked.
  const file = toJson(node) as unknown as ProviderFile;
  if (name === ENVIRONMENT_PROVIDER) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `the name ${ENVIRONMENT_PROVIDER} stands for WRIT_MODEL_BASE_URL`,
      hint: 'choose another name',
      at,
      onKey: true,
    });
  }
  const problem = baseUrlProblem(file.baseUrl, file.plainHttp ?? false);
  if (problem !== null) {
    findings.add({
      code: 'DOC_BAD_VALUE',
      message: `baseUrl of ${JSON.stringify(name)} ${problem}`,
      hint: 'for example https://models.example.com/v1; plainHttp: true allows http inside a network you trust',
      at: [...at, 'baseUrl'],
    });
  }
  const keys = [
    ...(file.keyEnv === undefined ? [] : [{ kind: 'env', name: file.keyEnv } as const]),
    ...(file.keySecret === undefined ? [] : [{ kind: 'secret', name: file.keySecret } as const]),
    ...(file.keyless === undefined ? [] : [{ kind: 'none' } as const]),
  ];
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    const message = `${JSON.stringify(name)} needs one of keyEnv, keySecret and keyless`;
    findings.add({ code: 'DOC_BAD_VALUE', message, hint: 'say where its key is found', at, onKey: true });
    return null;
  }
  return {
    name,
    baseUrl: file.baseUrl,
    key,
    model: file.model ?? null,
    plainHttp: file.plainHttp ?? false,
    prices: new Map(Object.entries(file.prices ?? {})),
  };
}
