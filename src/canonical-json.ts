// RFC 8785 (JCS): the one text of a JSON value. Hashes of subjects, decisions, policies, workflows and log
// entries are made over it, so it lives where every room can reach it.
import { WritError } from './errors.js';
import type { Json } from './json.js';

const MAX_DEPTH = 64;

/**
 * RFC 8785 text. Throws AUDIT_JSON_INVALID for what JSON can't say: NaN, Infinity, undefined, an unpaired
 * surrogate, nesting deeper than 64.
 */
export function canonicalJson(value: Json): string {
  return write(value, 0);
}

function write(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw new WritError('AUDIT_JSON_INVALID', `JSON is nested deeper than ${MAX_DEPTH}`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'string') return writeString(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => write(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') throw new WritError('AUDIT_JSON_INVALID', `${typeof value} is not JSON`);
  // Keys sort by UTF-16 code units, which is what the default comparison of strings does.
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, item]) => `${writeString(key)}:${write(item, depth + 1)}`).join(',')}}`;
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value))
    throw new WritError('AUDIT_JSON_INVALID', `${String(value)} is not a JSON number`);
  // ECMAScript's own shortest form is RFC 8785's (section 3.2.2.3); -0 is written 0.
  return JSON.stringify(value);
}

function writeString(value: string): string {
  if (!value.isWellFormed())
    throw new WritError('AUDIT_JSON_INVALID', 'a string holds an unpaired surrogate');
  // For well-formed text JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 asks for.
  return JSON.stringify(value);
}
