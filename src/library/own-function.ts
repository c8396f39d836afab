// A function of the embedding program. Its schemas are checked when it is registered, its requests and responses by
// the guard; policy and ceilings are asked about it as about any other. It runs in this program, outside every sandbox.
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { WritError } from '../errors.js';
import { nearest } from '../expression/nearest.js';
import type { Json, JsonObject } from '../json.js';
import type { FunctionProvider } from '../runtime/ports.js';
import { readDeclaration, type DataDeclaration } from '../runtime/run/data.js';
import { FUNCTION_ID } from '../workflow/functions.js';

/** What a function takes and gives, as JSON Schema (2020-12). */
export interface FunctionDefinition {
  /** Of the request: a step's `config` as rendered, with `message` where the step has a `promptTemplate`. */
  readonly input: JsonObject;
  /** Of the response, which becomes the step's output; another one fails the step. */
  readonly output: JsonObject;
  /** For models that may call it as a tool, and for people. */
  readonly description?: string;
  /**
   * The handler does a thing once however often it is called with one `idempotencyKey`: then a call whose outcome was
   * lost in a crash is made again by itself, as if the step said `idempotent: true`. Counts for runs that start after.
   */
  readonly idempotent?: boolean;
  /** What its answers carry besides what it was given, as ceilings judge it; absent = nothing more. */
  readonly data?: DataDeclaration;
}

/** Around the input of one call. */
export interface FunctionCall {
  /** Aborts at the step's time limit, and when the run is cancelled; what is answered after that is discarded. */
  readonly signal: AbortSignal;
  /** The same for every call of one attempt, also after a crash, and for its retries. */
  readonly idempotencyKey: string;
  readonly run: string;
  readonly stepPath: string;
  /** `agent:<name>`: who acts in this step. */
  readonly agent: string | null;
}

/**
 * `In` and `Out` are what the schemas describe; TypeScript does not compare the two. What it throws fails the step,
 * which may be retried; the message is kept with the run's data.
 */
export type FunctionHandler<In, Out> = (input: In, call: FunctionCall) => Out | Promise<Out>;

const MAX_ID_LENGTH = 200;
const MAX_SCHEMA_BYTES = 65_536;

/** Namespaces of writ's own functions, of MCP servers, and those that documents use as other names for them. */
const RESERVED: ReadonlySet<string> = new Set(
  ['agent', 'audit', 'hand', 'http', 'mcp', 'security', 'tool', 'workflow'].concat(['fn', 'health', 'wasm']),
);

const FIELDS: readonly string[] = ['input', 'output', 'description', 'idempotent', 'data'];

/** Throws USAGE for an id that is none or is reserved, an unknown field, what is no JSON Schema, and no handler. */
export function ownFunction<In, Out>(
  id: string,
  definition: FunctionDefinition,
  handler: FunctionHandler<In, Out>,
): FunctionProvider {
  checkFunctionId(id);
  checkParts(id, definition, handler);
  const { description, idempotent } = definition;
  const input = schemaOf(id, 'input', definition.input);
  const output = schemaOf(id, 'output', definition.output);
  const schemas = { input, output };
  const { data } = definition;
  const returns = data === undefined ? [] : [readDeclaration(data)];
  const reach = { network: [], credentials: [], tools: [], returns };
  return {
    functionIds: [id],
    idempotent: idempotent === true ? [id] : [],
    describe: () => description ?? null,
    schemas: () => schemas,
    reach: () => Promise.resolve(reach),
    async invoke({ input: request, idempotencyKey, run, stepPath, agent }, signal) {
      try {
        // The guard has checked the one against the input schema, and does so with the other and the output schema.
        const given = request as In;
        return (await handler(given, { signal, idempotencyKey, run, stepPath, agent })) as Json;
      } catch (error) {
        throw asFailure(id, error);
      }
    },
  };
}

/** Throws USAGE. */
export function checkFunctionId(id: string): void {
  if (id.length > MAX_ID_LENGTH || !FUNCTION_ID.test(id)) {
    throw new WritError('USAGE', `"${id.slice(0, MAX_ID_LENGTH)}" is no function id`, {
      hint: 'for example claims::score: a name of a-z, 0-9 and _, "::", and one of letters, digits, _ . and -',
    });
  }
  const [namespace = ''] = id.split('::', 1);
  if (!RESERVED.has(namespace)) return;
  throw new WritError('USAGE', `${id}: names that begin with ${namespace}:: are writ's own`, {
    hint: 'name it after what it is about, for example claims::score',
  });
}

/** For programs that no compiler has looked at: `idempotnt: true` would leave a lost call to a person. */
function checkParts(id: string, definition: unknown, handler: unknown): void {
  const isObject = typeof definition === 'object' && definition !== null;
  const unknown = isObject ? Object.keys(definition).find((field) => !FIELDS.includes(field)) : undefined;
  const problem = !isObject
    ? `the definition of ${id} is no object`
    : unknown !== undefined
      ? `the definition of ${id} knows no field ${JSON.stringify(unknown.slice(0, 80))}`
      : typeof handler === 'function'
        ? null
        : `${id} has no handler`;
  if (problem === null) return;
  const near = unknown === undefined ? undefined : nearest(unknown, FIELDS);
  throw new WritError('USAGE', problem, {
    hint: near ?? "writ.function('claims::score', {input, output}, (request, call) => …)",
  });
}

/** A copy, so that nothing changes what was checked. */
function schemaOf(id: string, which: 'input' | 'output', given: JsonObject): JsonObject {
  const problem = (message: string): WritError =>
    new WritError('USAGE', `the ${which} schema of ${id} ${message}`, {
      hint: 'JSON Schema 2020-12, in the strict mode of ajv: no unknown keyword or format, and none without effect',
    });
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw problem('is no object');
  const text = JSON.stringify(given);
  if (Buffer.byteLength(text) > MAX_SCHEMA_BYTES) throw problem(`is longer than ${MAX_SCHEMA_BYTES} bytes`);
  const schema = JSON.parse(text) as JsonObject;
  // Its answer would come later, and so count as yes.
  if (text.includes('"$async"')) throw problem('uses $async');
  const ajv = new Ajv2020({ strict: true, logger: false });
  addFormats.default(ajv);
  try {
    ajv.compile(schema);
  } catch (error) {
    throw problem(`is not valid: ${error instanceof Error ? error.message : String(error)}`);
  }
  return schema;
}

/** Whatever a handler throws is a failure of the function: it can't refuse, stop the runner, or look like policy. */
function asFailure(id: string, error: unknown): WritError {
  if (error instanceof WritError && error.kind === 'failure') return error;
  const message = error instanceof Error ? error.message : String(error);
  return new WritError('FUNCTION_FAILED', `${id}: ${message}`, { cause: error });
}
