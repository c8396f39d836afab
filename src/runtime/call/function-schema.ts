// Requests and responses against the JSON Schemas (2020-12) that a function declares. The schemas are the operator's or
// the embedding program's, the values are attacker-controlled: what is wrong is named by its path, never by its value.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { WritError } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';

/** Characters of a path that are told. */
const MAX_PATH = 200;
/** Characters of a field's name that are told. */
const MAX_NAME = 80;

/** A schema and what it compiles to, each part when it is first asked for. */
interface Compiled {
  readonly ajv: Ajv2020;
  check?: ValidateFunction;
}

/** By the schema itself: a provider that gives the same object again is not compiled again. */
const compiled = new WeakMap<object, Compiled>();

/**
 * The first thing that is wrong with `value`, in words; null when it fits, or when there is no schema. Throws
 * FUNCTION_FAILED for a schema that is none.
 */
export function problemOf(schema: Json, value: Json): string | null {
  return schema === null || schema === true ? null : problemBy(checkOf(schema), value);
}

/**
 * The same for one field that `properties` of the schema names, by what it says of that field alone: `#` in there is the
 * whole schema. Null also where it can't be applied.
 */
export function problemOfField(schema: JsonObject, field: string, value: Json): string | null {
  const pointer = encodeURIComponent(field.replaceAll('~', '~0').replaceAll('/', '~1'));
  let check: ValidateFunction | undefined;
  try {
    check = instanceOf(schema).ajv.getSchema(`${WHOLE}#/properties/${pointer}`);
    return check === undefined ? null : problemBy(check, value);
  } catch {
    // The run judges by the whole schema, and says what is wrong with it.
    return null;
  }
}

function problemBy(check: ValidateFunction, value: Json): string | null {
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
  const values = allowed.map((one) => JSON.stringify(one)).join(', ');
  return `must be ${allowed.length === 1 ? '' : 'one of '}${values.slice(0, MAX_PATH)}`;
}

/** What a schema is called in its own instance. */
const WHOLE = 'whole';

function instanceOf(schema: JsonObject): Compiled {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  // An instance each: one that is kept would keep every schema it has seen.
  const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: true });
  addFormats.default(ajv);
  ajv.addSchema(schema, WHOLE);
  const instance = { ajv };
  compiled.set(schema, instance);
  return instance;
}

function checkOf(schema: Json): ValidateFunction {
  if (!isObject(schema)) throw notASchema('it is no object');
  try {
    const instance = instanceOf(schema);
    return (instance.check ??= instance.ajv.compile(schema));
  } catch (error) {
    throw notASchema(error instanceof Error ? error.message : String(error));
  }
}

function notASchema(why: string): WritError {
  return new WritError('FUNCTION_FAILED', `the function's own schema can not be applied: ${why}`, {
    hint: 'the schema comes with the function: correct it there',
  });
}
