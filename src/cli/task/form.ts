// A form, which is a JSON Schema, as lines for people: its fields with their types and bounds. Text of the document is
// shown with what hides in it written out.
import { isObject, type Json, type JsonObject } from '../../json.js';
import { printable } from '../output.js';

const MAX_FIELDS = 200;
/** Deeper ones are told as their type. */
const MAX_DEPTH = 4;
const BOUNDS: Readonly<Record<string, string>> = {
  minimum: 'from',
  exclusiveMinimum: 'above',
  maximum: 'to',
  exclusiveMaximum: 'below',
  minLength: 'characters from',
  maxLength: 'characters to',
  minItems: 'items from',
  maxItems: 'items to',
  multipleOf: 'multiple of',
  format: 'as',
};

/** One line a field; a schema that is no object is one line itself. */
export function formLines(schema: Json): readonly string[] {
  const rows = isObject(schema) ? fieldsOf(schema, '', 0) : [];
  if (rows.length === 0) return [`  ${typeOf(schema)}${detailOf(schema)}`];
  const width = rows.reduce((most, [name]) => Math.max(most, name.length), 0);
  const lines = rows.slice(0, MAX_FIELDS).map(([name, what]) => `  ${name.padEnd(width)}  ${what}`);
  return rows.length > MAX_FIELDS ? [...lines, `  and ${rows.length - MAX_FIELDS} more`] : lines;
}

type Row = readonly [name: string, what: string];

function fieldsOf(schema: JsonObject, prefix: string, depth: number): readonly Row[] {
  const properties = schema['properties'];
  if (!isObject(properties) || depth > MAX_DEPTH) return [];
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return Object.entries(properties).flatMap(([name, field]): readonly Row[] => {
    const path = `${prefix}${printable(name)}`;
    const need = required.includes(name) ? ', required' : '';
    const own: Row = [path, `${typeOf(field)}${need}${detailOf(field)}`];
    return isObject(field) ? [own, ...fieldsOf(field, `${path}.`, depth + 1)] : [own];
  });
}

/** In words: `number`, `list of string`, `one of "a", "b"`. */
export function typeOf(schema: Json): string {
  if (!isObject(schema)) return 'anything';
  const { enum: choices, const: only, type, items } = schema;
  if (only !== undefined) return shownValue(only);
  if (Array.isArray(choices)) return `one of ${choices.map((one: Json) => shownValue(one)).join(', ')}`;
  const types = Array.isArray(type) ? type : [type];
  const names = types.filter((one) => typeof one === 'string').map((one) => printable(one));
  if (names.length === 0) return 'anything';
  if (names.includes('array') && items !== undefined) return `list of ${typeOf(items)}`;
  return names.join(' or ');
}

/** Its bounds, title and description, each behind a comma; '' without any. */
export function detailOf(schema: Json): string {
  if (!isObject(schema)) return '';
  const bounds = Object.entries(BOUNDS).flatMap(([keyword, word]) => {
    const value = schema[keyword];
    return typeof value === 'number' || typeof value === 'string' ? [`${word} ${shownValue(value)}`] : [];
  });
  const { title, description } = schema;
  const words = [title, description].filter((one) => typeof one === 'string').map((one) => printable(one));
  return `${bounds.map((one) => `, ${one}`).join('')}${words.length === 0 ? '' : `: ${words.join('; ')}`}`;
}

/** A value of the document, cut at 200 characters. */
export function shownValue(value: Json): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 200);
}
