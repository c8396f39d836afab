// Requests and responses against the JSON Schemas (2020-12) that a function declares. The schemas are the operator's or
// the embedding program's, the values are attacker-controlled: what is wrong is named by its path, never by its value.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { WritError } from '../../errors.js';
import { isObject, type Json } from '../../json.js';

/** Characters of a path that are told. */
const MAX_PATH = 200;
/** Characters of a field's name that are told. */
const MAX_NAME = 80;

/** By the schema itself: a provider that gives the same object again is not compiled again. */
const compiled = new WeakMap<object, ValidateFunction>();

/** The first thing that is wrong with `value`, in words; null when it fits, or when there is no schema. Throws FUNCTION_FAILED for a schema that is none. */
export function problemOf(schema: Json, value: Json): string | null {
  if (schema === null || schema === true) return null;
  const check = checkOf(schema);
  // An asynchronous schema answers later, which is no yes.
  if ((check(value) as unknown) === true) return null;
  const [error] = check.errors ?? [];
  const at = (error?.instancePath ?? '').slice(0, MAX_PATH);
  const { additionalProperty: extra } = (error?.params ?? {}) as { readonly additionalProperty?: unknown };
  const which = typeof extra === 'string' ? ` (${JSON.stringify(extra.slice(0, MAX_NAME))})` : '';
  const { allowedValues: allowed } = (error?.params ?? {}) as { readonly allowedValues?: unknown };
  const message = Array.isArray(allowed) ? oneOf(allowed) : (error?.message ?? 'is not valid');
  return `${at === '' ? 'it' : at} ${message}${which}`;
}

/** In the schema's own words. */
function oneOf(allowed: readonly unknown[]): string {
  const values = allowed.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(', ');
  return `must be ${allowed.length === 1 ? '' : 'one of '}${values.slice(0, MAX_PATH)}`;
}

function checkOf(schema: Json): ValidateFunction {
  if (!isObject(schema)) throw notASchema('it is no object');
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  // An instance each: one that is kept would keep every schema it has seen.
  const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: true });
  addFormats.default(ajv);
  try {
    const check = ajv.compile(schema);
    compiled.set(schema, check);
    return check;
  } catch (error) {
    throw notASchema(error instanceof Error ? error.message : String(error));
  }
}

function notASchema(why: string): WritError {
  return new WritError('FUNCTION_FAILED', `the function's own schema can not be applied: ${why}`, {
    hint: 'the schema comes with the function: correct it there',
  });
}
