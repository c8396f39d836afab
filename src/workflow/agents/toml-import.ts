// AgentOS's `agent.toml` and `HAND.toml` as files of ours. What has no counterpart here is named in a warning, field by
// field, and what would allow more than a person has written down is never carried over. The text is foreign.
import { parse, TomlError } from 'smol-toml';
import { stringify } from 'yaml';
import { WritError } from '../../errors.js';
import type { Json, JsonObject } from '../../json.js';
import { resolveFunction } from '../functions.js';
import { tomlPlaces, type TomlPlace } from './toml-place.js';
import { Table } from './toml-table.js';

/** Longest file, in characters. */
const MAX_LENGTH = 1024 * 1024;
const MAX_TURNS = 100;

export interface Imported {
  readonly kind: 'agent' | 'hand';
  /** The file's name without `.yaml`. */
  readonly name: string;
  readonly yaml: string;
  /** What was not carried over, or needs a look: `FILE:LINE:COLUMN: …`, in the order of the file. */
  readonly warnings: readonly string[];
}

/** `file` is for messages. Throws DOC_SYNTAX with line and column, DOC_INVALID for TOML that is neither, DOC_TOO_LARGE. */
export function importToml(text: string, file: string): Imported {
  const root = new Table(read(text, file), '');
  const warnings = new Warnings(file, tomlPlaces(text));
  const agent = root.table('agent');
  if (agent !== null) return importAgent(root, agent, warnings);
  const hand = root.table('hand');
  if (hand !== null) return importHand(root, hand, warnings);
  throw new WritError(
    'DOC_INVALID',
    'this is neither an agent.toml nor a HAND.toml: it has no [agent] and no [hand]',
    {
      hint: 'name a file with a table [agent] or [hand]',
    },
  );
}

/** What is told of fields, each at its place. */
class Warnings {
  private readonly told: (TomlPlace & { readonly text: string })[] = [];

  constructor(
    private readonly file: string,
    private readonly placeOf: (path: string) => TomlPlace,
  ) {}

  /** Of the field at `path`. */
  add(path: string, text: string): void {
    this.told.push({ ...this.placeOf(path), text });
  }

  unread(root: Table): void {
    for (const { path, near } of root.unread()) {
      const more = COUNTERPARTS.get(path) ?? near;
      this.add(path, `${path} is not imported${more === undefined ? '' : `: ${more}`}`);
    }
  }

  list(): readonly string[] {
    const sorted = this.told.toSorted((a, b) => a.line - b.line || a.column - b.column);
    return sorted.map(({ line, column, text }) => `${this.file}:${line}:${column}: ${text}`);
  }
}

function importAgent(root: Table, agent: Table, warnings: Warnings): Imported {
  const model = agent.table('model');
  const capabilities = agent.table('capabilities');
  const resources = agent.table('resources');
  const name = nameOf(agent.text('name'), 'agent.name');
  if (agent.text('module') !== null && agent.text('module') !== 'builtin:chat') {
    warnings.add('agent.module', 'agent.module is not imported: an agent here is a model with a prompt');
  }
  const provider = model?.text('provider') ?? null;
  if (provider !== null) {
    warnings.add(
      'agent.model.provider',
      `agent.model.provider: add "${provider}" to models.yaml, with its OpenAI-compatible baseUrl`,
    );
  }
  const tools = functionsOf(capabilities, ['functions', 'tools'], warnings);
  const file = {
    name,
    description: agent.text('description'),
    provider,
    model: model?.text('model') ?? null,
    // Written after [agent.resources] it belongs to that table, as TOML has it; that is how AgentOS's own files are.
    systemPrompt:
      agent.text('system_prompt') ?? resources?.text('system_prompt') ?? root.text('system_prompt') ?? null,
    tools,
    maxTurns: turnsOf(agent.number('max_iterations'), 'agent.max_iterations', warnings),
    temperature: model?.number('temperature') ?? agent.number('temperature'),
    maxOutputTokens: model?.number('max_tokens') ?? null,
  };
  warnings.unread(root);
  return { kind: 'agent', name, yaml: yamlOf(file), warnings: warnings.list() };
}

function importHand(root: Table, hand: Table, warnings: Warnings): Imported {
  const agent = hand.table('agent');
  const id = nameOf(hand.text('id'), 'hand.id');
  // Older files say [hand.tools].
  const functions = hand.table('functions') ?? hand.table('tools');
  const allowed =
    functions === null
      ? functionsOf(hand, ['tools'], warnings)
      : functionsOf(functions, ['allowed'], warnings);
  const file = {
    id,
    name: hand.text('name'),
    description: hand.text('description'),
    enabled: hand.boolean('enabled'),
    systemPrompt: agent?.text('system_prompt') ?? null,
    functions: { allowed },
    input: inputOf(hand.tables('settings'), warnings),
    maxTurns: turnsOf(agent?.number('max_iterations') ?? null, 'hand.agent.max_iterations', warnings),
    temperature: agent?.number('temperature') ?? null,
    maxOutputTokens: agent?.number('max_tokens') ?? null,
  };
  warnings.unread(root);
  return { kind: 'hand', name: id, yaml: yamlOf(file), warnings: warnings.list() };
}

/** What some fields are here; the others have no counterpart. */
const COUNTERPARTS: ReadonlyMap<string, string> = new Map([
  ['agent.capabilities.network_hosts', 'say it in a ceiling: network'],
  ['agent.capabilities.memory_scopes', 'nothing is remembered between calls here'],
  ['agent.resources.max_tokens_per_hour', 'say it in a ceiling: budgets'],
  ['agent.resources.daily_budget', 'say it in a ceiling: budgets'],
  ['agent.resources.monthly_budget', 'say it in a ceiling: budgets'],
  ['hand.schedule', 'start it by your scheduler: writ run FILE with a step that calls hand::run'],
  ['hand.agent.model', 'name an agent file with the model: agent: NAME'],
]);

function nameOf(name: string | null, field: string): string {
  if (name !== null && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new WritError('DOC_INVALID', `${field} is no name: letters, digits, dots, hyphens and underscores`, {
    hint: 'correct it in the file',
  });
}

/** "Everything" is not a list of functions: a person writes one. Of `keys` the first that the table has. */
function functionsOf(table: Table | null, keys: readonly string[], warnings: Warnings): readonly string[] {
  const key = keys.find((one) => table?.has(one) === true);
  if (table === null || key === undefined) return [];
  const found = new Set<string>();
  for (const id of table.list(key) ?? []) {
    const { functionId } = resolveFunction(id);
    if (/^[a-z][a-z0-9_]*(?:::[a-zA-Z0-9_.-]+)*::(?:[a-zA-Z0-9_.-]+|\*)$/.test(functionId))
      found.add(functionId);
    else
      warnings.add(
        table.pathOf(key),
        `the function "${id}" is not imported: name the functions one by one, or a namespace as ns::*`,
      );
  }
  return [...found];
}

function turnsOf(turns: number | null, field: string, warnings: Warnings): number | null {
  if (turns === null || turns <= MAX_TURNS) return turns;
  warnings.add(field, `${field} is ${turns}, imported as ${MAX_TURNS}, which is the most`);
  return MAX_TURNS;
}

/** Settings become the input's properties, with their defaults; null without any. */
function inputOf(settings: readonly Table[], warnings: Warnings): JsonObject | null {
  const properties: [string, Json][] = [];
  for (const setting of settings) {
    const key = setting.text('key');
    if (key === null) warnings.add(setting.path, 'a setting without a key is not imported');
    else properties.push([key, propertyOf(setting, key, warnings)]);
  }
  if (properties.length === 0) return null;
  // Left open: what a step gives besides, a topic say, is in no HAND.toml.
  return { type: 'object', properties: Object.fromEntries(properties) };
}

/** Defaults are written as values and as texts. */
function propertyOf(setting: Table, key: string, warnings: Warnings): JsonObject {
  const type = setting.text('type') ?? setting.text('setting_type') ?? 'text';
  const options = setting.list('options') ?? [];
  const preset = setting.text('default') ?? setting.number('default') ?? setting.boolean('default');
  const described = present({ title: setting.text('label'), description: setting.text('description') });
  switch (type) {
    case 'select':
      return { enum: [...options], ...present({ default: preset }), ...described };
    case 'number': {
      const choices = options.map(numberOf).filter((choice) => choice !== null);
      const chosen = typeof preset === 'number' ? preset : numberOf(String(preset));
      const bounds = { minimum: setting.number('min'), maximum: setting.number('max') };
      const limits = present({ ...bounds, default: chosen });
      return { type: 'number', ...(choices.length === 0 ? {} : { enum: choices }), ...limits, ...described };
    }
    case 'boolean':
    case 'bool':
    case 'toggle': {
      const chosen = preset === null ? null : String(preset) === 'true';
      return { type: 'boolean', ...present({ default: chosen }), ...described };
    }
    default:
      if (options.length > 0)
        warnings.add(setting.pathOf('options'), `the options of the setting ${key} are not imported`);
      if (type !== 'text')
        warnings.add(setting.pathOf('type'), `the setting ${key} has the type ${type}, imported as text`);
      return {
        type: 'string',
        ...present({ default: preset === null ? null : String(preset) }),
        ...described,
      };
  }
}

function present(fields: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function numberOf(text: string): number | null {
  return /^-?\d{1,15}(?:\.\d{1,6})?$/.test(text) ? Number(text) : null;
}

function yamlOf(file: object): string {
  const filled = Object.fromEntries(Object.entries(file).filter(([, value]) => value !== null));
  return stringify(filled, { lineWidth: 0, blockQuote: 'literal' });
}

function read(text: string, file: string): JsonObject {
  if (text.length > MAX_LENGTH) {
    throw new WritError('DOC_TOO_LARGE', `the file is longer than ${MAX_LENGTH} characters`);
  }
  let value: unknown;
  try {
    value = parse(text, { maxDepth: 32 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its message goes on with a frame of the source.
    const [message = ''] = error.message.replace('Invalid TOML document: ', '').split('\n');
    throw new WritError('DOC_SYNTAX', `${file}:${error.line}:${error.column}: ${message}`, {
      hint: 'correct the TOML',
      details: { line: error.line, column: error.column },
    });
  }
  // Through JSON: dates become texts, and nothing is left that is no JSON.
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
