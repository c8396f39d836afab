// The log's canonical form: RFC 8785 of a value, or of JSON text that is read strictly first.
import { canonicalJson } from '../canonical-json.js';
import type { Json } from '../json.js';
import { parseJson } from './json-reader.js';

/**
 * JCS text of a JSON value; a `Uint8Array` is JSON text and is parsed strictly first. Throws AUDIT_JSON_INVALID on
 * what JSON can't say and on nesting deeper than 64.
 */
export function canonicalize(value: Json | Uint8Array): string {
  return canonicalJson(value instanceof Uint8Array ? parseJson(value) : value);
}

/** The canonical form as UTF-8 bytes. Throws as `canonicalize`. */
export function canonicalBytes(value: Json): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}
