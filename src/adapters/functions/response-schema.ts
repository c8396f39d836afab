// JSON Schemas for answers and inputs. A schema may come from a document, so it is bounded, and keywords that could run
// for ever are refused before it is compiled. What is checked is attacker-controlled.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { WritError } from '../../errors.js';
import { isList, isObject, type Json } from '../../json.js';
import { DATA_KEYWORDS, NAME_KEYWORDS, REFUSED_KEYWORDS } from '../../schema-keywords.js';

/** Longest schema, in characters of its JSON. */
const MAX_SCHEMA_LENGTH = 64 * 1024;
const MAX_DEPTH = 32;

/** What is wrong with a value, named by place and rule, never by value; null when it fits. */
export type SchemaCheck = (value: Json) => string | null;

/** `what` names the schema in messages; with `defaults` the check fills them into its value. Throws FUNCTION_REQUEST_INVALID. */
export function compileSchema(schema: Json, what: string, { defaults } = { defaults: false }): SchemaCheck {
  const invalid = (why: string): WritError =>
    new WritError('FUNCTION_REQUEST_INVALID', `${what} ${why}`, {
      hint: 'a JSON Schema of plain keywords: type, properties, required, enum, minLength and the like',
    });
  if (!isObject(schema)) throw invalid('is no JSON Schema: it must be an object');
  const refused = refusedKeyword(schema, false, 0);
  if (refused !== null) throw invalid(refused);
  if (JSON.stringify(schema).length > MAX_SCHEMA_LENGTH) throw invalid(`is longer than ${MAX_SCHEMA_LENGTH}`);
  let check: ValidateFunction;
  try {
    // A new instance each time: it would keep every schema it has seen.
    const ajv = new Ajv2020({
      strictTypes: false,
      strictRequired: false,
      strictTuples: false,
      logger: false,
      useDefaults: defaults,
    });
    addFormats.default(ajv);
    check = ajv.compile(schema);
  } catch (error) {
    throw invalid(`is no JSON Schema: ${error instanceof Error ? error.message : String(error)}`);
  }
  return (value) => {
    if (check(value) === true) return null;
    const [error] = check.errors ?? [];
    return `${error?.instancePath === '' ? 'it' : (error?.instancePath ?? 'it')} ${error?.message ?? 'does not fit'}`;
  };
}

/** `pattern` below `properties` is a field's name, anywhere else it is the keyword. */
function refusedKeyword(node: Json, names: boolean, depth: number): string | null {
  if (depth > MAX_DEPTH) return `is nested deeper than ${MAX_DEPTH}`;
  if (isList(node)) {
    for (const item of node) {
      const found = refusedKeyword(item, false, depth + 1);
      if (found !== null) return found;
    }
    return null;
  }
  if (!isObject(node)) return null;
  for (const [key, value] of Object.entries(node)) {
    if (!names && REFUSED_KEYWORDS.has(key)) return `uses "${key}", which is not run here`;
    if (!names && DATA_KEYWORDS.has(key)) continue;
    const found = refusedKeyword(value, !names && NAME_KEYWORDS.has(key), depth + 1);
    if (found !== null) return found;
  }
  return null;
}
