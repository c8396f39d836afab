// AgentOS's `agent.toml` and `HAND.toml` as files of ours. What has no counterpart here is named in a warning, field by
// field, and what would allow more than a person has written down is never carried over. The text is foreign.
import { parse, TomlError } from 'smol-toml';
import { stringify } from 'yaml';
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { resolveFunction } from '../functions.js';

/** Longest file, in characters. */
const MAX_LENGTH = 1024 * 1024;
const MAX_TURNS = 100;

export interface Imported {
  readonly kind: 'agent' | 'hand';
  /** The file's name without `.yaml`. */
  readonly name: string;
  readonly yaml: string;
  /** What was not carried over, or needs a look. */
  readonly warnings: readonly string[];
}

/** `file` is for messages. Throws DOC_SYNTAX with line and column, DOC_INVALID for TOML that is neither, DOC_TOO_LARGE. */
export function importToml(text: string, file: string): Imported {
  const root = new Table(read(text, file), '');
  const agent = root.table('agent');
  if (agent !== null) return importAgent(root, agent);
  const hand = root.table('hand');
  if (hand !== null) return importHand(root, hand);
  throw new WritError(
    'DOC_INVALID',
    'this is neither an agent.toml nor a HAND.toml: it has no [agent] and no [hand]',
    {
      hint: 'name a file with a table [agent] or [hand]',
    },
  );
}

function importAgent(root: Table, agent: Table): Imported {
  const warnings: string[] = [];
  const model = agent.table('model');
  const capabilities = agent.table('capabilities');
  const resources = agent.table('resources');
  const name = nameOf(agent.text('name'), 'agent.name');
  if (agent.text('module') !== null && agent.text('module') !== 'builtin:chat') {
    warnings.push('agent.module is not imported: an agent here is a model with a prompt');
  }
  const provider = model?.text('provider') ?? null;
  if (provider !== null) {
    warnings.push(
      `agent.model.provider: add "${provider}" to models.yaml, with its OpenAI-compatible baseUrl`,
    );
  }
  const tools = functionsOf(capabilities?.list('functions') ?? capabilities?.list('tools') ?? [], warnings);
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
  for (const field of root.unread()) warnings.push(unreadWarning(field));
  return { kind: 'agent', name, yaml: yamlOf(file), warnings };
}

function importHand(root: Table, hand: Table): Imported {
  const warnings: string[] = [];
  const agent = hand.table('agent');
  const id = nameOf(hand.text('id'), 'hand.id');
  // Older files say [hand.tools].
  const functions = hand.table('functions') ?? hand.table('tools');
  const allowed = functionsOf(functions?.list('allowed') ?? hand.list('tools') ?? [], warnings);
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
  for (const field of root.unread()) warnings.push(unreadWarning(field));
  return { kind: 'hand', name: id, yaml: yamlOf(file), warnings };
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

function unreadWarning(field: string): string {
  return `${field} is not imported${COUNTERPARTS.has(field) ? `: ${COUNTERPARTS.get(field) ?? ''}` : ''}`;
}

function nameOf(name: string | null, field: string): string {
  if (name !== null && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name)) return name;
  throw new WritError('DOC_INVALID', `${field} is no name: letters, digits, dots, hyphens and underscores`, {
    hint: 'correct it in the file',
  });
}

/** "Everything" is not a list of functions: a person writes one. */
function functionsOf(ids: readonly string[], warnings: string[]): readonly string[] {
  const found = new Set<string>();
  for (const id of ids) {
    const { functionId } = resolveFunction(id);
    if (/^[a-z][a-z0-9_]*(?:::[a-zA-Z0-9_.-]+)*::(?:[a-zA-Z0-9_.-]+|\*)$/.test(functionId))
      found.add(functionId);
    else
      warnings.push(
        `the function "${id}" is not imported: name the functions one by one, or a namespace as ns::*`,
      );
  }
  return [...found];
}

function turnsOf(turns: number | null, field: string, warnings: string[]): number | null {
  if (turns === null || turns <= MAX_TURNS) return turns;
  warnings.push(`${field} is ${turns}, imported as ${MAX_TURNS}, which is the most`);
  return MAX_TURNS;
}

/** Settings become the input's properties, with their defaults; null without any. */
function inputOf(settings: readonly Table[], warnings: string[]): JsonObject | null {
  const properties: [string, Json][] = [];
  for (const setting of settings) {
    const key = setting.text('key');
    if (key === null) {
      warnings.push('a setting without a key is not imported');
      continue;
    }
    const type = setting.text('type') ?? 'text';
    const options = setting.list('options') ?? [];
    const preset = setting.text('default');
    switch (type) {
      case 'select':
        properties.push([key, { enum: [...options], ...(preset === null ? {} : { default: preset }) }]);
        break;
      case 'number': {
        const choices = options.map(numberOf).filter((choice) => choice !== null);
        const chosen = preset === null ? null : numberOf(preset);
        properties.push([
          key,
          {
            type: 'number',
            ...(choices.length === 0 ? {} : { enum: choices }),
            ...(chosen === null ? {} : { default: chosen }),
          },
        ]);
        break;
      }
      case 'boolean':
        properties.push([
          key,
          { type: 'boolean', ...(preset === null ? {} : { default: preset === 'true' }) },
        ]);
        break;
      default:
        if (options.length > 0) warnings.push(`the options of the setting ${key} are not imported`);
        if (type !== 'text') warnings.push(`the setting ${key} has the type ${type}, imported as text`);
        properties.push([key, { type: 'string', ...(preset === null ? {} : { default: preset }) }]);
    }
  }
  if (properties.length === 0) return null;
  // Left open: what a step gives besides, a topic say, is in no HAND.toml.
  return { type: 'object', properties: Object.fromEntries(properties) };
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

/** A table that knows which of its fields have been read. */
class Table {
  private readonly seen = new Set<string>();
  private readonly inner: Table[] = [];

  constructor(
    private readonly value: JsonObject,
    private readonly path: string,
  ) {}

  text(key: string): string | null {
    return this.take(key, (value) => typeof value === 'string');
  }

  number(key: string): number | null {
    return this.take(key, (value) => typeof value === 'number');
  }

  boolean(key: string): boolean | null {
    return this.take(key, (value) => typeof value === 'boolean');
  }

  list(key: string): readonly string[] | null {
    return this.take(
      key,
      (value): value is readonly string[] =>
        Array.isArray(value) && value.every((item) => typeof item === 'string'),
    );
  }

  table(key: string): Table | null {
    const value = this.take(key, isObject);
    return value === null ? null : this.open(value, this.pathOf(key));
  }

  tables(key: string): readonly Table[] {
    const list = this.take(
      key,
      (value): value is readonly JsonObject[] => Array.isArray(value) && value.every(isObject),
    );
    return (list ?? []).map((value, at) => this.open(value, `${this.pathOf(key)}[${at}]`));
  }

  /** Paths of the values that nobody has asked for, or that have another type than was asked for. */
  *unread(): Generator<string> {
    for (const [key, value] of Object.entries(this.value)) {
      if (!this.seen.has(key)) yield* leavesOf(value, this.pathOf(key));
    }
    for (const table of this.inner) yield* table.unread();
  }

  private take<Value extends Json>(key: string, fits: (value: Json) => value is Value): Value | null {
    if (!Object.hasOwn(this.value, key)) return null;
    const value = this.value[key] ?? null;
    if (!fits(value)) return null;
    this.seen.add(key);
    return value;
  }

  private open(value: JsonObject, path: string): Table {
    const table = new Table(value, path);
    this.inner.push(table);
    return table;
  }

  private pathOf(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }
}

function* leavesOf(value: Json, path: string): Generator<string> {
  if (!isObject(value) || Object.keys(value).length === 0) {
    yield path;
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, `${path}.${key}`);
}
