// Operator-owned configuration files (http.yaml, mcp.yaml, ...): one YAML 1.2 document each, read whole and strictly.
// A file that is not there is no configuration; one with any problem is an error that names every problem with
// file:line:column, and nothing of it is used. No anchors, tags, or duplicate keys.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { closest, distance } from 'fastest-levenshtein';
import { isScalar, LineCounter, parseDocument, visit, type Document, type Node } from 'yaml';
import { WritError } from '../../errors.js';

/** Largest configuration file. */
export const MAX_CONFIG_BYTES = 256 * 1024;
const MAX_SHOWN = 20;

/** A check against a JSON Schema (2020-12) of this product; `T` is what fits it. Compiled when it is first used. */
export interface Schema<T> {
  accepts(value: unknown): value is T;
  /** Of the last value that was not accepted. */
  errors(): readonly ErrorObject[];
}

/** A schema that is wrong throws when it is first used. */
export function schemaOf<T>(schema: object): Schema<T> {
  let compiled: ValidateFunction<T> | null = null;
  return {
    accepts(value): value is T {
      compiled ??= new Ajv2020({
        ...{ allErrors: true, allowUnionTypes: true, strictTypes: false },
        // Errors say which names were possible.
        verbose: true,
      }).compile<T>(schema);
      return compiled(value);
    },
    errors: () => compiled?.errors ?? [],
  };
}

/** The file's text, null when there is none. Throws CONFIG_INVALID: unreadable, too large, no file, not UTF-8. */
export async function readConfigText(file: string): Promise<string | null> {
  let handle;
  try {
    // Non-blocking: a FIFO somebody put there must not stop every command.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw new WritError('CONFIG_INVALID', `${file} can't be read`, { cause: error });
  }
  try {
    if (!(await handle.stat()).isFile()) throw new WritError('CONFIG_INVALID', `${file} is no file`);
    const buffer = new Uint8Array(MAX_CONFIG_BYTES + 1);
    let length = 0;
    for (let read = 1; read > 0 && length < buffer.length; length += read) {
      read = (await handle.read(buffer, length, buffer.length - length)).bytesRead;
    }
    if (length > MAX_CONFIG_BYTES) {
      throw new WritError('CONFIG_INVALID', `${file} is larger than ${MAX_CONFIG_BYTES} bytes`);
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    } catch (cause) {
      throw new WritError('CONFIG_INVALID', `${file} is not UTF-8`, { cause });
    }
  } finally {
    await handle.close();
  }
}

/** The file as a value that fits `fits`; null when there is none. Throws CONFIG_INVALID with every problem. */
export async function readConfig<T>(file: string, fits: Schema<T>): Promise<T | null> {
  const text = await readConfigText(file);
  return text === null ? null : parseConfig(file, text, fits);
}

/** `text` as a value that fits `fits`. Throws CONFIG_INVALID with every problem. */
export function parseConfig<T>(file: string, text: string, fits: Schema<T>): T {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    lineCounter: lines,
    prettyErrors: false,
  });
  const problems = [...document.errors, ...document.warnings].map(
    (error) => `${at(error.pos[0])}: ${error.message}`,
  );
  visit(document, {
    Alias: (_, node) => void problems.push(`${at(node.range?.[0] ?? 0)}: aliases are not read`),
    Node(_, node) {
      if (node.tag !== undefined) problems.push(`${at(node.range?.[0] ?? 0)}: tags are not read`);
      if ('anchor' in node && node.anchor !== undefined) {
        problems.push(`${at(node.range?.[0] ?? 0)}: anchors are not read`);
      }
    },
  });
  if (problems.length > 0) throw invalid(file, problems);
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  if (fits.accepts(value)) return value;
  if (value === null) throw invalid(file, [`${at(0)}: it says nothing; write {} where that is meant`]);
  // A union adds an error of its own to those of its branches; the more exact ones are shown.
  const errors = fits.errors().filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'oneOf');
  const shown = errors.length > 0 ? errors : fits.errors();
  throw invalid(
    file,
    shown.map((error) => `${at(offsetOf(document, error))}: ${words(error)}`),
  );
}

function invalid(file: string, problems: readonly string[]): WritError {
  const all = [...new Set(problems)];
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return new WritError('CONFIG_INVALID', `${all[0] ?? `${file} can't be read`}${more}`, {
    hint:
      all.length > 1
        ? all.slice(1, MAX_SHOWN).join('\n')
        : 'correct the file; nothing of it is used until then',
    details: { problems: all.slice(0, MAX_SHOWN) },
  });
}

/** Where the value stands that an error is about; the key itself where the key is the problem. */
function offsetOf(document: Document, error: ErrorObject): number {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = keyOf(error);
  const holder = path.length === 0 ? document.contents : document.getIn(path, true);
  if (key !== undefined && holder !== null && typeof holder === 'object' && 'items' in holder) {
    const items: unknown = holder.items;
    for (const pair of Array.isArray(items) ? (items as readonly { readonly key?: unknown }[]) : []) {
      if (isScalar(pair.key) && pair.key.value === key) return pair.key.range?.[0] ?? 0;
    }
  }
  return (holder as Node | null | undefined)?.range?.[0] ?? document.contents?.range?.[0] ?? 0;
}

/** The key an error is about, where it is about a key. */
function keyOf({ keyword, params, propertyName }: ErrorObject): string | undefined {
  const named: Readonly<Record<string, unknown>> = params;
  if (keyword === 'additionalProperties') return String(named['additionalProperty']);
  if (keyword === 'unevaluatedProperties') return String(named['unevaluatedProperty']);
  if (keyword === 'propertyNames') return String(named['propertyName']);
  return propertyName;
}

function words(error: ErrorObject): string {
  const { keyword, params, parentSchema, message = 'is not valid' } = error;
  const named: Readonly<Record<string, unknown>> = params;
  const path = error.instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  const where = path === '' ? '' : `${path}: `;
  if (keyword === 'additionalProperties') {
    const key = String(named['additionalProperty']);
    const known = Object.keys((parentSchema?.['properties'] ?? {}) as object);
    const near = known.length === 0 ? '' : closest(key, known);
    const hint = near !== '' && distance(key, near) <= 3 ? `; did you mean "${near}"?` : '';
    return `${where}unknown field "${key}"${hint}`;
  }
  if (keyword === 'enum') return `${where}must be one of ${JSON.stringify(named['allowedValues'])}`;
  if (keyword === 'propertyNames') return `${where}"${String(named['propertyName'])}" can't be a name here`;
  return `${where}${message}`;
}
