// The run's input against the schema a workflow declares. The schema comes from the document, so it is bounded and
// compiled without what may run for ever. The input is attacker-controlled.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { isObject, type Json, type JsonObject } from '../json.js';
import { DATA_KEYWORDS, NAME_KEYWORDS, REFUSED_KEYWORDS } from '../schema-keywords.js';
import type { Finding, Findings } from './diagnostic.js';
import { defaultFaults } from './input-default.js';
import { type Located, pathText, type Segments, toJson } from './located.js';
import type { Plan } from './plan.js';

/** Longest schema, in characters of its JSON. */
const MAX_SCHEMA_LENGTH = 64 * 1024;

export interface InputProblem {
  readonly code: 'INPUT_INVALID';
  readonly severity: 'error';
  /** Names fields and rules, never the values given. */
  readonly message: string;
  /** Path in the input; empty for the input itself. */
  readonly path: string;
}

/** Everything that is wrong with a run's input; empty when it fits or when the workflow declares no inputs. */
export function checkInput(plan: Plan, input: Json): readonly InputProblem[] {
  return plan.inputs === null ? [] : checkValue(plan.inputs, input, 'input');
}

/** Everything that is wrong with `value` by a schema of the document; `what` names it in messages. */
export function checkValue(schema: Json, value: Json, what: string): readonly InputProblem[] {
  const problem = (message: string, path = ''): InputProblem => ({
    code: 'INPUT_INVALID',
    severity: 'error',
    message,
    path,
  });
  try {
    const check = compile(schema);
    if (check(value) === true) return [];
    return (check.errors ?? [])
      .filter((error) => error.keyword !== 'if')
      .slice(0, 100)
      .map((error) => {
        const path = pathText(error.instancePath.split('/').slice(1).map(unescape));
        const extra = (error.params as { additionalProperty?: unknown }).additionalProperty;
        const why = `${error.message ?? 'is not valid'}${typeof extra === 'string' ? ` (${extra})` : ''}`;
        return problem(`${path === '' ? `the ${what}` : path} ${why}`, path);
      });
  } catch (error) {
    // A schema that refers to itself without end, or one that was not checked at load.
    return [
      problem(
        `the schema of the ${what} can not be applied: ${error instanceof Error ? error.message : String(error)}`,
      ),
    ];
  }
}

/** Is `schema` a JSON Schema (2020-12) this version runs? Findings at its own lines; `what` names it in them. */
export function checkInputsSchema(schema: Located, at: Segments, findings: Findings, what = 'inputs'): void {
  const refused = [...patternsIn(schema, at, what, false)];
  for (const finding of refused) findings.add(finding);
  if (refused.length > 0) return;
  const json = toJson(schema);
  if (JSON.stringify(json).length > MAX_SCHEMA_LENGTH) {
    findings.add({
      code: 'DOC_TOO_LARGE',
      message: `${what} schema is longer than ${MAX_SCHEMA_LENGTH}`,
      at,
    });
    return;
  }
  try {
    const wrong = [...schemaFaults(json)];
    for (const { path, message, hint } of wrong) {
      const place = path.length === 0 ? '' : `${pathText(path)} `;
      const told = `${what} is no JSON Schema: ${place}${message}`;
      findings.add({ code: 'DOC_INVALID', message: told, hint, at: [...at, ...path] });
    }
    if (wrong.length > 0) return;
    compile(json);
    // What a person or a model gives is not filled in.
    if (what !== 'inputs') return;
    for (const finding of defaultFaults(schema, at, misfit)) findings.add(finding);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    findings.add({ code: 'DOC_INVALID', message: `${what} is no JSON Schema: ${message}`, at });
  }
}

/** The first thing that is wrong with a default. */
function misfit(schema: Json, value: Json): string | null {
  return checkValue(schema, value, 'value')[0]?.message ?? null;
}

interface SchemaFault {
  readonly path: Segments;
  readonly message: string;
  readonly hint: string | undefined;
}

/** What the meta-schema says against it, once for each place. */
function* schemaFaults(schema: Json): Generator<SchemaFault> {
  const ajv = newAjv();
  if (!isObject(schema) || ajv.validateSchema(schema) !== false) return;
  const told = new Set<string>();
  for (const { instancePath, message, params } of ajv.errors ?? []) {
    if (told.has(instancePath)) continue;
    told.add(instancePath);
    const parts = instancePath.split('/').slice(1).map(unescape);
    const { allowedValues } = params as { readonly allowedValues?: unknown };
    const allowed = Array.isArray(allowedValues) ? allowedValues.map(String) : [];
    yield {
      path: parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
      message: allowed.length > 0 ? 'has a value that it can not have' : (message ?? 'is not valid'),
      hint: allowed.length > 0 ? `one of ${allowed.join(', ')}` : undefined,
    };
  }
}

/** Names a schema's object input gives to templates; null when the schema leaves them open. */
export function declaredInputs(schema: Json | null): readonly string[] | null {
  if (schema === null || !isObject(schema)) return null;
  if (OPENING.some((keyword) => Object.hasOwn(schema, keyword))) return null;
  const properties = schema['properties'];
  if (isObject(properties)) return Object.keys(properties);
  const type = schema['type'];
  if (typeof type === 'string' && type !== 'object') return [];
  return schema['additionalProperties'] === false ? [] : null;
}

/**
 * Where `parts` leave what an input can have, by a schema that says of each object on the way there that it has no other
 * properties: how many of them it takes, and the names that are `known` there. Null when they lead to what may be there.
 */
export function undeclared(
  schema: Json,
  parts: readonly (string | number)[],
): { readonly count: number; readonly known: readonly string[] } | null {
  let inner = schema;
  for (const [at, part] of parts.entries()) {
    if (!isClosed(inner)) return null;
    const properties = isObject(inner['properties']) ? inner['properties'] : {};
    const next = Object.hasOwn(properties, part) ? properties[part] : undefined;
    if (next === undefined) return { count: at + 1, known: Object.keys(properties) };
    inner = next;
  }
  return null;
}

function isClosed(schema: Json): schema is JsonObject {
  return (
    isObject(schema) &&
    schema['type'] === 'object' &&
    schema['additionalProperties'] === false &&
    !OPENING.some((keyword) => Object.hasOwn(schema, keyword))
  );
}

/** Keywords that say of an object's properties what stands elsewhere. */
const OPENING = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas'];

function compile(schema: Json): ValidateFunction {
  const ajv = newAjv();
  if (!isObject(schema)) throw new TypeError('it must be an object');
  return ajv.compile(schema);
}

// A new instance each time: it would keep every schema it has seen.
function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    logger: false,
  });
  addFormats.default(ajv);
  return ajv;
}

// `pattern` below `properties` is a field's name, anywhere else it is the keyword.
function* patternsIn(node: Located, at: Segments, what: string, names: boolean): Generator<Finding> {
  if (node.kind === 'list') {
    for (const [i, item] of node.items.entries()) yield* patternsIn(item, [...at, i], what, false);
  }
  if (node.kind !== 'map') return;
  for (const { key, value } of node.entries) {
    if (!names && REFUSED_KEYWORDS.has(key)) {
      yield {
        code: 'DOC_UNSUPPORTED',
        message: `this version does not run ${JSON.stringify(key)} in ${what} yet`,
        hint: 'write the schema out, with enum, const, format, minLength, maxLength and the like',
        at: [...at, key],
        onKey: true,
      };
    } else if (names || !DATA_KEYWORDS.has(key)) {
      yield* patternsIn(value, [...at, key], what, !names && NAME_KEYWORDS.has(key));
    }
  }
}

function unescape(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}
