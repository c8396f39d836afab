// Fields, types and ranges of a document against its published JSON Schema, told in the words of diagnostics. All
// errors of a document in one pass; each points at the author's own line.
import type { ErrorObject } from 'ajv/dist/2020.js';
import { nearest } from '../expression/nearest.js';
import type { Finding, Findings } from './diagnostic.js';
import { type Located, type Segments, toJson } from './located.js';
import { type SchemaName, validatorOf } from './shape-validator.js';

export type { SchemaName };

/** A dialect's own reading of an error: a finding, `skip`, or null for the usual one. */
export type Translate = (error: ErrorObject, at: Segments) => Finding | 'skip' | null;

/** Adds a finding for every error; `at` is where `value` stands in the document. */
export function checkShape(
  value: Located,
  schema: SchemaName,
  findings: Findings,
  at: Segments,
  translate: Translate = () => null,
): void {
  const check = validatorOf(schema);
  if (check(toJson(value))) return;
  for (const error of check.errors ?? []) {
    if (findings.full) return;
    // The branch that failed has said what is wrong.
    if (error.keyword === 'if') continue;
    const place = [...at, ...segmentsOf(error.instancePath, value)];
    const finding = translate(error, place) ?? usualFinding(error, place);
    if (finding !== 'skip') findings.add(finding);
  }
}

function usualFinding(error: ErrorObject, at: Segments): Finding | 'skip' {
  const schema = error.parentSchema as
    { description?: string; properties?: Record<string, { description?: string }> } | undefined;
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String((error.params as { additionalProperty: string }).additionalProperty);
      return unknownField(name, at, Object.keys(schema?.properties ?? {}));
    }
    case 'required': {
      const name = String((error.params as { missingProperty: string }).missingProperty);
      // What only demands a field says itself what that is.
      const said = schema?.properties === undefined ? schema : schema.properties[name];
      return {
        code: 'DOC_MISSING_FIELD',
        message: `${place(at)} has no ${JSON.stringify(name)}`,
        hint: hintOf(said?.description),
        at,
        onKey: true,
      };
    }
    case 'type': {
      const wanted = [(error.params as { type: string | string[] }).type]
        .flat()
        .map((type) => TYPES[type] ?? type);
      return {
        code: 'DOC_WRONG_TYPE',
        message: `${place(at)} must be ${wanted.join(' or ')}, not ${describe(error.data)}`,
        hint: hintOf(schema?.description),
        at,
      };
    }
    case 'pattern':
      return {
        code: 'DOC_BAD_VALUE',
        message: `${place(at)} can't be ${describe(error.data)}`,
        hint: hintOf(schema?.description),
        at,
      };
    case 'enum':
    case 'const': {
      const params = error.params as { allowedValues?: unknown[]; allowedValue?: unknown };
      const allowed = (params.allowedValues ?? [params.allowedValue]).map(String);
      return {
        code: 'DOC_BAD_VALUE',
        message: `${place(at)} can't be ${describe(error.data)}`,
        hint: nearChoice(error.data, allowed) ?? `one of ${allowed.join(', ')}`,
        at,
      };
    }
    case 'minItems':
    case 'minLength':
    case 'minProperties':
    case 'maxItems':
    case 'maxLength':
    case 'maxProperties': {
      const { limit } = error.params as { limit: number };
      const isLess = error.keyword.startsWith('min');
      return {
        code: 'DOC_BAD_VALUE',
        message: isEmpty(error.data)
          ? `${place(at)} is empty`
          : `${place(at)} has ${isLess ? 'fewer' : 'more'} than ${limit} ${PARTS[error.keyword.slice(3)] ?? 'parts'}`,
        hint: hintOf(schema?.description),
        at,
      };
    }
    // The name itself has been found wanting already.
    case 'propertyNames':
      return 'skip';
    default:
      return {
        code: 'DOC_BAD_VALUE',
        message: `${place(at)} ${error.message ?? 'is not valid'}, not ${describe(error.data)}`,
        hint: hintOf(schema?.description),
        at,
      };
  }
}

/** An object is near no choice; asked to write itself, one with a `toString` of its own would throw. */
function nearChoice(value: unknown, allowed: readonly string[]): string | undefined {
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return isPlain ? nearest(String(value), allowed) : undefined;
}

const PARTS: Readonly<Record<string, string>> = {
  Items: 'items',
  Length: 'characters',
  Properties: 'fields',
};

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** What the schema says of a field, as a hint is written. */
function hintOf(description: string | undefined): string | undefined {
  return description?.replace(/^[A-Z](?=[a-z ])/, (first) => first.toLowerCase()).replace(/\.$/, '');
}

/** DOC_UNKNOWN_FIELD with the nearest of `known`; `at` is the object that holds the field. */
export function unknownField(name: string, at: Segments, known: readonly string[]): Finding {
  return {
    code: 'DOC_UNKNOWN_FIELD',
    message: `${place(at)} knows no field ${JSON.stringify(name)}`,
    hint:
      nearest(name, known) ??
      related(name, known) ??
      (known.length > 0 && known.length <= 12 ? `fields: ${known.join(', ')}` : undefined),
    at: [...at, name],
    onKey: true,
  };
}

/** Fields that the name is a part of: `prompt`, `retries`. */
function related(name: string, known: readonly string[]): string | undefined {
  const stem = name
    .slice(0, 80)
    .toLowerCase()
    .replace(/(?:ies|y|s)$/, '');
  const found = stem.length < 4 ? [] : known.filter((one) => one.toLowerCase().includes(stem));
  if (found.length === 0) return undefined;
  return `did you mean ${found.map((one) => JSON.stringify(one)).join(' or ')}?`;
}

/** How a message names a place: its last name, or "the document". */
function place(at: Segments): string {
  const last = at.at(-1);
  if (last === undefined) return 'the document';
  return typeof last === 'number' ? `${String(at.at(-2) ?? 'item')}[${last}]` : JSON.stringify(last);
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
};

/** A short naming of a value in a document. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

// A JSON Pointer does not say whether `0` is a key or an index; the document does.
function segmentsOf(pointer: string, root: Located): Segments {
  const segments: (string | number)[] = [];
  let node: Located | undefined = root;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (node?.kind === 'list') {
      segments.push(Number(name));
      node = node.items[Number(name)];
    } else {
      segments.push(name);
      node = node?.kind === 'map' ? node.entries.find((entry) => entry.key === name)?.value : undefined;
    }
  }
  return segments;
}
