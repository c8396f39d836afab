// The canonical form: one value, one byte string (RFC 8785, JCS). Keys sort by UTF-16 code units; numbers and
// strings as ECMAScript prints them; nothing is normalised, nothing is dropped.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { MAX_JSON_DEPTH, parseJson } from './json-reader.js';

const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * JCS text of a JSON value; a `Uint8Array` is JSON text and is parsed strictly first.
 * Throws AUDIT_JSON_INVALID on what JSON can't say (undefined, NaN, Infinity, bigint, lone surrogates, class
 * instances, holes) and on nesting deeper than 64.
 */
export function canonicalize(value: Json | Uint8Array): string {
  return write(value instanceof Uint8Array ? parseJson(value) : value, 0);
}

/** The canonical form as UTF-8 bytes. Throws as `canonicalize`. */
export function canonicalBytes(value: Json): Uint8Array {
  return new TextEncoder().encode(canonicalize(value));
}

// Recursion is bounded by MAX_JSON_DEPTH, so neither a hostile nor a cyclic value can exhaust the stack.
function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      if (!Number.isFinite(value)) throw invalid(`${value} is no JSON number`);
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      break;
    default:
      throw invalid(`a value of type ${typeof value} is not JSON`);
  }
  if (value === null) return 'null';
  if (depth >= MAX_JSON_DEPTH) throw invalid(`the value is nested deeper than ${MAX_JSON_DEPTH}`);
  if (Array.isArray(value)) return `[${Array.from(value, (item) => write(item, depth + 1)).join(',')}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw invalid('a class instance is not JSON');
  if (Object.getOwnPropertySymbols(value).length > 0) throw invalid('a symbol is no JSON key');
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([key, member]) => `${writeString(key)}:${write(member, depth + 1)}`).join(',')}}`;
}

// JSON.stringify escapes exactly what JCS asks for, once lone surrogates are out.
function writeString(text: string): string {
  if (LONE_SURROGATE.test(text)) throw invalid('a string holds an unpaired surrogate');
  return JSON.stringify(text);
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_JSON_INVALID', `no canonical form: ${reason}`, {
    hint: 'write integers beyond 2^53-1, money and sizes as decimal strings, and absent values as null',
  });
}
