// `until` of a loop (AgentOS page): read once at load, asked after every iteration. The output is
// attacker-controlled: it is searched and compared, and never becomes part of an expression or a pattern.
import { WritError, type ErrorCode } from '../../errors.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import { compare, evaluateWith, lookUp } from './evaluate.js';
import type { ConditionPath } from './condition.js';
import { parseCondition } from './parse.js';
import { nearest } from '../nearest.js';
import type { Scope } from '../scope.js';
import { descend, equal, opener } from '../value.js';
import { holdsWords } from '../whole-words.js';

/** When a loop ends. Source text, checked at load. */
export type Until =
  /** Occurs in the output's text as whole words, case-sensitive. */
  | { readonly kind: 'phrase'; readonly phrase: string }
  /** Occurs in the output's text, whatever its case. */
  | { readonly kind: 'contains'; readonly text: string }
  /** Paths are looked up in the output first, then in the step's scope. */
  | { readonly kind: 'expression'; readonly expression: string }
  /** `word`: the value's text holds the operand as whole words. */
  | {
      readonly kind: 'test';
      readonly path: string;
      readonly operator: UntilOperator;
      readonly operand: Json;
    };

export type UntilOperator = 'equals' | 'notEquals' | 'lt' | 'lte' | 'gt' | 'gte' | 'word';

const OPERATORS: readonly UntilOperator[] = ['equals', 'notEquals', 'lt', 'lte', 'gt', 'gte', 'word'];
const FIELDS: readonly string[] = ['contains', 'path', ...OPERATORS];

/** What makes a string an expression; `=` too, because `score = 1` is a comparison that went wrong, not a phrase. */
const EXPRESSION = /[=<>!'"()[\]]|&&|\|\||\{\{/;

/**
 * A string: a phrase, or an expression when it holds an operator, quote, bracket or `{{`. An object: `{contains}`, or
 * `{path}` with one operator. Throws DOC_EXPRESSION with `details.offset`, or DOC_MISSING_FIELD, DOC_BAD_VALUE,
 * DOC_UNKNOWN_FIELD or DOC_WRONG_TYPE with `details.field` where it is about one field.
 */
export function parseUntil(value: Json, names: ReadonlySet<string> = new Set()): Until {
  if (isObject(value)) return parseTest(value, names);
  if (typeof value !== 'string') throw wrong('DOC_WRONG_TYPE', 'until is a text or an object');
  const text = value.trim();
  if (text === '') throw wrong('DOC_BAD_VALUE', 'until is empty');
  if (!EXPRESSION.test(text)) return { kind: 'phrase', phrase: text };
  try {
    parseCondition(value, names);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    throw new WritError(error.code, `until: ${error.message}`, {
      hint: error.hint ?? 'a phrase with such characters is written as until: {contains: "…"}',
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
  return { kind: 'expression', expression: value };
}

function parseTest(value: JsonObject, names: ReadonlySet<string>): Until {
  const fields = Object.keys(value).filter((name) => !name.startsWith('x-'));
  const unknown = fields.find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    const hint = nearest(unknown, FIELDS) ?? `fields: ${FIELDS.join(', ')}`;
    throw wrong('DOC_UNKNOWN_FIELD', `until knows no field ${JSON.stringify(unknown)}`, hint, unknown);
  }
  const { contains, path } = value;
  if (contains !== undefined) {
    if (fields.length > 1) {
      throw wrong('DOC_BAD_VALUE', 'until has "contains" and more', 'contains stands alone', 'contains');
    }
    if (typeof contains !== 'string')
      throw wrong('DOC_WRONG_TYPE', 'contains is a text', undefined, 'contains');
    if (contains === '') throw wrong('DOC_BAD_VALUE', 'contains is empty', undefined, 'contains');
    return { kind: 'contains', text: contains };
  }
  const given = OPERATORS.filter((name) => value[name] !== undefined);
  const [operator] = given;
  if (path === undefined) {
    const hint = 'such as until: {path: approved, equals: true}';
    throw wrong('DOC_MISSING_FIELD', 'until has neither "path" nor "contains"', hint);
  }
  if (typeof path !== 'string') throw wrong('DOC_WRONG_TYPE', 'path is a text', undefined, 'path');
  if (operator === undefined) {
    throw wrong(
      'DOC_MISSING_FIELD',
      'until compares its path with nothing',
      `add one of ${OPERATORS.join(', ')}`,
    );
  }
  if (given.length > 1) {
    const second = given[1] ?? operator;
    throw wrong('DOC_BAD_VALUE', `until has ${given.join(' and ')}`, 'keep one of them', second);
  }
  try {
    parseVariable(path, names);
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const details = { ...error.details, field: 'path' };
    throw new WritError(error.code, `path of until: ${error.message}`, { hint: PATH_HINT, details });
  }
  const written = value[operator] ?? null;
  const operand = operator === 'word' && typeof written === 'string' ? written.trim() : written;
  if (operator === 'word' && typeof operand !== 'string') {
    throw wrong('DOC_WRONG_TYPE', 'word is a text', undefined, operator);
  }
  if (operator === 'word' && operand === '')
    throw wrong('DOC_BAD_VALUE', 'word is empty', undefined, operator);
  if (ORDERED.has(operator) && typeof operand !== 'number' && typeof operand !== 'string') {
    throw wrong('DOC_WRONG_TYPE', `${operator} compares with a number or a text`, undefined, operator);
  }
  return { kind: 'test', path, operator, operand };
}

const PATH_HINT = 'a path looks like approved, review.score or checks[0].status';
const ORDERED: ReadonlyMap<UntilOperator, '<' | '<=' | '>' | '>='> = new Map([
  ['lt', '<'],
  ['lte', '<='],
  ['gt', '>'],
  ['gte', '>='],
]);

/** A lone path, with or without `{{ }}`. Throws DOC_EXPRESSION, `details.offset` from the start of `source`. */
export function parseVariable(source: string, names: ReadonlySet<string>): ConditionPath {
  const braced = source.trimStart().startsWith('{{');
  const shift = braced ? 0 : 2;
  try {
    // Inside braces the head may be a step name with blanks.
    const { root } = parseCondition(braced ? source : `{{${source}}}`, names);
    if (root.kind === 'path') return { ...root.path, offset: Math.max(0, root.path.offset - shift) };
  } catch (error) {
    if (!(error instanceof WritError)) throw error;
    const offset = error.details?.['offset'];
    throw new WritError(error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      details: { offset: typeof offset === 'number' ? Math.max(0, offset - shift) : 0 },
    });
  }
  throw new WritError('DOC_EXPRESSION', `${JSON.stringify(source.slice(0, 80))} is not one path`, {
    hint: PATH_HINT,
    details: { offset: 0 },
  });
}

export interface UntilResult {
  readonly holds: boolean;
  /** One sentence for `feedback` and the log; it names what the document says, never what the output holds. */
  readonly why: string;
}

/** Has the loop come to its end with this output of the iteration? Never throws for what the output holds. */
export function untilHolds(until: Until, output: Json, scope: Scope): UntilResult {
  switch (until.kind) {
    case 'phrase': {
      const holds = holdsWords(textOf(output), until.phrase);
      return told(
        holds,
        `the output ${holds ? 'has' : 'does not have'} ${quoted(until.phrase)} as whole words`,
      );
    }
    case 'contains': {
      const wanted = until.text.normalize('NFC').toLowerCase();
      const holds = textOf(output).normalize('NFC').toLowerCase().includes(wanted);
      return told(holds, `the output ${holds ? 'contains' : 'does not contain'} ${quoted(until.text)}`);
    }
    case 'expression': {
      const condition = parseCondition(until.expression, scope.known);
      const open = opener();
      const result = evaluateWith(condition, (path) => resolve(path, output, scope, open));
      const what = quoted(until.expression.trim());
      if (result.value) return told(true, `${what} is true`);
      if (result.reason === 'path_unresolved') {
        const paths = result.unresolved.slice(0, 5).map(quoted).join(', ');
        return told(false, `${what} is not true: the output has no ${paths}`);
      }
      const mixed = result.reason === 'type_mismatch' ? ': it compares values of two types' : '';
      return told(false, `${what} is not true${mixed}`);
    }
    case 'test':
      return test(until, output, scope);
  }
}

function test(until: Extract<Until, { kind: 'test' }>, output: Json, scope: Scope): UntilResult {
  const { path, operator, operand } = until;
  const value = resolve(parseVariable(path, scope.known), output, scope);
  if (value === undefined) return told(false, `the output has no ${quoted(path)}`);
  const holds = compares(value, operator, operand);
  const what = `${quoted(path)} ${operator} ${shortened(JSON.stringify(operand))}`;
  return told(holds, `${what} is ${holds ? 'true' : 'not true'}`);
}

function compares(value: Json, operator: UntilOperator, operand: Json): boolean {
  switch (operator) {
    case 'equals':
      return equal(value, operand);
    case 'notEquals':
      return !equal(value, operand);
    case 'word':
      return holdsWords(textOf(value), textOf(operand));
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return compare(ORDERED.get(operator) ?? '<', value, operand) ?? false;
  }
}

// In the output, in the JSON its `content` holds, in `output` as a name for this very output, then in the scope.
function resolve(
  path: ConditionPath,
  output: Json,
  scope: Scope,
  open?: (value: Json) => Json,
): Json | undefined {
  const whole = [path.head, ...path.segments];
  const own = descend(output, whole, open);
  if (own !== undefined) return own;
  const content = contentOf(output);
  const inside = content === null ? undefined : descend(content, whole, open);
  if (inside !== undefined) return inside;
  return path.head === 'output' ? descend(output, path.segments, open) : lookUp(path, scope, open);
}

/** What a phrase is looked for in: a string, the `content` of an object, else JSON (AgentOS page). */
export function textOf(output: Json): string {
  if (typeof output === 'string') return output;
  const content = contentOf(output);
  if (content !== null) return content;
  try {
    return JSON.stringify(output);
  } catch {
    return ''; // nested too deeply to print: it holds no phrase that could be found
  }
}

function contentOf(output: Json): string | null {
  const content = isObject(output) ? output['content'] : undefined;
  return typeof content === 'string' ? content : null;
}

function told(holds: boolean, why: string): UntilResult {
  return { holds, why };
}

function quoted(text: string): string {
  return `"${shortened(text)}"`;
}

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

function wrong(code: ErrorCode, message: string, hint?: string, field?: string): WritError {
  return new WritError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(field === undefined ? {} : { details: { field } }),
  });
}
