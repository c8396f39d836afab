// The body of a request as one JSON object with known keys. Attacker-controlled: read strictly, no key twice.
import { parseJson } from '../audit/json-reader.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { HttpProblem } from './answer.js';

/** Throws HttpProblem 400 on anything else than an object whose keys are among `known`. */
export function objectOf(bytes: Uint8Array, known: readonly string[]): JsonObject {
  let value: Json;
  try {
    value = parseJson(bytes);
  } catch {
    // The reader's words are about log entries.
    throw malformed('the body is no JSON (UTF-8, no key twice)');
  }
  if (!isObject(value)) throw malformed('the body is a JSON object');
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) throw malformed(`the body has an unknown field; known are ${known.join(', ')}`);
  return value;
}

/** The 400 that says what a body has to be. */
export function malformed(message: string): HttpProblem {
  return new HttpProblem(400, 'INPUT_INVALID', message);
}
