// JSONata in a document: a string is an expression when it begins with `{%` and ends with `%}`; it is parsed at load, so
// that a run never meets one it can't read. Nothing is evaluated here.
import { jsonataFault } from '../../expression/jsonata-syntax.js';

import { isList, type Json } from '../../json.js';
import type { Finding } from '../diagnostic.js';
import type { Segments } from '../located.js';

export function isQuery(text: string): boolean {
  return text.startsWith('{%') && text.endsWith('%}') && text.length >= 4;
}

/** What is wrong with the expressions in a value, at any depth; `absent`: members of `$states` that are not there. */
export function* checkQueries(value: Json, at: Segments, absent: readonly string[] = []): Generator<Finding> {
  if (typeof value === 'string') {
    const finding = checkText(value, at, absent);
    if (finding !== null) yield finding;
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of isList(value) ? value.entries() : Object.entries(value)) {
      yield* checkQueries(inner, [...at, key], absent);
    }
  }
}

function checkText(text: string, at: Segments, absent: readonly string[]): Finding | null {
  if (!text.startsWith('{%')) return null;
  if (!isQuery(text)) {
    // With a blank behind its end it is a text like any other.
    if (isQuery(text.trimEnd())) return null;
    const message = 'the expression has no closing "%}"';
    return { code: 'DOC_EXPRESSION', message, hint: 'end it with %}', at };
  }
  const fault = jsonataFault(text.slice(2, -2), absent);
  if (fault === null) return null;
  const place = fault.offset === null ? '' : ` (at character ${fault.offset + 2})`;
  const message = `the JSONata expression can't be run: ${fault.message}${place}`;
  return { code: 'DOC_EXPRESSION', message, hint: fault.hint, at };
}
