// Evaluates the expressions of one query at a time, in the child. Expressions and data are attacker-controlled; whatever
// an expression does, its answer is JSON or a problem in AWS's words. Compiled expressions are kept.
import type jsonata from 'jsonata';
import type { Json } from '../../json.js';
import type { QueryAnswer } from '../../runtime/ports.js';
import { addFunctions, MAX_ITEMS } from './functions.js';
import type { Order } from './protocol.js';
import { GuardedRegExp } from './regex-guard.js';
import type { SeededRandom } from './seeded-random.js';
import { fill } from './template.js';
import { topLevelReference } from './top-level.js';

export type Compile = (source: string, options: jsonata.JsonataOptions) => jsonata.Expression;

/** Longest expression. */
const MAX_EXPRESSION = 64 * 1024;
/** Expressions that are kept compiled; the one longest unused goes. */
const MAX_COMPILED = 1_000;
/** Calls in one another (ASL: JSONata). */
const MAX_STACK = 500;
/** Lists and objects in one another in a result. */
const MAX_DEPTH = 200;

/** The guards of the library that mean "too much", and their AWS wording. */
const LIMITS: Readonly<Record<string, string>> = {
  D1011:
    'Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive.',
  D1012: 'Expression evaluation timeout: Check for infinite loop',
  D2014: 'Expression evaluation memory limit exceeded: Check for excessive memory usage',
  D2015: 'Expression evaluation memory limit exceeded: Check for excessive memory usage',
};

type Failure = Extract<QueryAnswer, { ok: false }>;

/** Carries the answer out of the walk over a template. */
class Failed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** `random` gives the numbers of the query that is being answered; a query is answered before the next one is asked. */
export function evaluatorOf(
  compile: Compile,
  random: () => SeededRandom,
): (order: Order) => Promise<QueryAnswer> {
  const options: jsonata.JsonataOptions = {
    stack: MAX_STACK,
    sequence: MAX_ITEMS,
    // Only ever called with `new`.
    RegexEngine: GuardedRegExp as unknown as RegExpConstructor,
  };
  const compiled = new Map<string, jsonata.Expression>();

  const expressionOf = (source: string): jsonata.Expression => {
    let expression = compiled.get(source);
    if (expression === undefined) {
      if (source.length > MAX_EXPRESSION)
        throw new Error(`an expression has ${source.length} characters; ${MAX_EXPRESSION} are allowed`);
      expression = compile(source, options);
      const reference = topLevelReference(expression.ast());
      if (reference !== null)
        throw new Error(`Reference to '${reference}' at the top level is not supported.`);
      addFunctions(expression, random);
      const oldest = compiled.size < MAX_COMPILED ? undefined : compiled.keys().next().value;
      if (oldest !== undefined) compiled.delete(oldest);
    }
    compiled.delete(source);
    compiled.set(source, expression);
    return expression;
  };

  return async (order) => {
    const started = Date.now();
    const bindings = { ...order.variables, states: order.states };
    const evaluate = async (source: string, field: string, at: string): Promise<Json> => {
      options.timeout = Math.max(1, order.timeoutMs - (Date.now() - started));
      const says = (problem: Failure['problem'], rest: string): Failed =>
        new Failed({
          ok: false,
          field: `${field}${at}`,
          expression: source,
          problem,
          message: sentence(`${field}${at}`, source, rest),
        });
      let result: unknown;
      try {
        result = await expressionOf(source).evaluate(undefined, bindings);
      } catch (error) {
        const { problem, text } = faultOf(error);
        throw says(problem, `threw an error during evaluation${text}`);
      }
      if (result === undefined) throw says('undefined', 'returned nothing (undefined).');
      try {
        return toJson(result, 0);
      } catch {
        // What can't be said in JSON: a function, or lists without end.
        throw says('type', 'returned an unsupported result type.');
      }
    };
    try {
      const values: [string, Json][] = [];
      for (const [field, template] of Object.entries(order.fields))
        values.push([field, await fill(template, '', (source, at) => evaluate(source, field, at))]);
      return { ok: true, values: Object.fromEntries(values) };
    } catch (error) {
      if (error instanceof Failed) return error.failure;
      throw error;
    }
  };
}

/** The sentence AWS writes; also for what the child has no time to say itself. */
function sentence(field: string, expression: string, rest: string): string {
  return `The JSONata expression '${expression}' specified for the field '${field}' ${rest}`;
}

/** AWS puts a full stop before a message with a code, a colon before one without. */
function faultOf(error: unknown): { readonly problem: Failure['problem']; readonly text: string } {
  const { code, message } = asRecord(error);
  const limit = typeof code === 'string' && Object.hasOwn(LIMITS, code) ? LIMITS[code] : undefined;
  if (limit !== undefined) return { problem: 'limit', text: `: ${limit}` };
  if (error instanceof RangeError) {
    // The engine's own bounds: of its stack, or of a string or list.
    const own = /call stack/i.test(error.message) ? LIMITS['D1011'] : LIMITS['D2015'];
    return { problem: 'limit', text: `: ${own ?? ''}` };
  }
  const said = typeof message === 'string' ? message.slice(0, 2_000) : 'no reason given';
  return { problem: 'error', text: typeof code === 'string' ? `. ${code}: ${said}` : `: ${said}` };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** A copy in plain JSON. Of a number that JSON can't say (1/0) its name, as AWS has it. Throws where JSON has no word. */
function toJson(value: unknown, depth: number): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object') throw new TypeError(`no JSON: ${typeof value}`);
  if (depth >= MAX_DEPTH) throw new RangeError('too deep');
  if (Array.isArray(value)) {
    const items = value as readonly unknown[];
    return items.map((item) => (item === undefined ? null : toJson(item, depth + 1)));
  }
  if (Object.hasOwn(value, '_jsonata_function') || Object.hasOwn(value, '_jsonata_lambda'))
    throw new TypeError('a function');
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) =>
      item === undefined ? [] : [[key, toJson(item, depth + 1)]],
    ),
  );
}
