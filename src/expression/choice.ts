// Choice rules of dialect 2 (ASL: Choice). A wrong type on either side is false, never an error; a
// value that is not there is an error, except under isPresent.
import type { Json } from '../json.js';
import { parsePath, type Path, tryReadPath } from './path/path.js';
import { unresolvedAs } from './path/fault.js';
import type { Sources } from './sources.js';
import { timestampNs } from './timestamp.js';

/** `operator` in lowerCamelCase as ASL names it (`stringEquals`, `numericGreaterThanPath`, `isPresent`). */
export type ChoiceRule =
  | { readonly and: readonly ChoiceRule[] }
  | { readonly or: readonly ChoiceRule[] }
  | { readonly not: ChoiceRule }
  | { readonly variable: string; readonly operator: string; readonly operand: Json };

/** What a rule's operand must be: checked when the document is loaded. */
export type OperandKind = 'string' | 'number' | 'boolean' | 'timestamp' | 'path';

/** Every operator with the kind of its operand. */
export const CHOICE_OPERATORS: ReadonlyMap<string, OperandKind> = new Map(operators());

function* operators(): Generator<[string, OperandKind]> {
  const orders = ['Equals', 'LessThan', 'GreaterThan', 'LessThanEquals', 'GreaterThanEquals'];
  const families: readonly [string, OperandKind][] = [
    ['string', 'string'],
    ['numeric', 'number'],
    ['timestamp', 'timestamp'],
  ];
  for (const [family, kind] of families) {
    for (const order of orders) {
      yield [family + order, kind];
      yield [`${family}${order}Path`, 'path'];
    }
  }
  yield ['booleanEquals', 'boolean'];
  yield ['booleanEqualsPath', 'path'];
  yield ['stringMatches', 'string'];
  for (const type of ['Null', 'Present', 'Numeric', 'String', 'Boolean', 'Timestamp']) {
    yield [`is${type}`, 'boolean'];
  }
}

/**
 * Is the rule true? `sources.input` is the state's input after inputPath. Throws STEP_PATH_UNRESOLVED (`States.Runtime`),
 * in the words of the States Language service, when a variable or an operand path is not there.
 */
export function evaluateChoice(rule: ChoiceRule, sources: Sources): boolean {
  if ('and' in rule) return rule.and.every((inner) => evaluateChoice(inner, sources));
  if ('or' in rule) return rule.or.some((inner) => evaluateChoice(inner, sources));
  if ('not' in rule) return !evaluateChoice(rule.not, sources);
  const { operator, operand } = rule;
  const variable = parsePath(rule.variable);
  if (operator === 'isPresent') return tryReadPath(variable, sources).found === operand;
  const value = present(variable, sources);
  const isType = TYPE_TESTS.get(operator);
  if (isType !== undefined) return isType(value) === operand;
  if (operator === 'stringMatches') {
    return typeof value === 'string' && typeof operand === 'string' && matches(operand, value);
  }
  const comparison = COMPARISONS.get(operator);
  if (comparison === undefined) return false; // no document with another operator gets past the schema
  const { compare, holds, byPath } = comparison;
  const other = byPath && typeof operand === 'string' ? present(parsePath(operand), sources) : operand;
  const sign = compare(value, other);
  return sign !== null && holds(sign);
}

function present(path: Path, sources: Sources): Json {
  const found = tryReadPath(path, sources);
  if (found.found) return found.value;
  throw unresolvedAs(
    path,
    `Invalid path '${path.source}': The choice state's condition path references an invalid value.`,
  );
}

const TYPE_TESTS: ReadonlyMap<string, (value: Json) => boolean> = new Map([
  ['isNull', (value) => value === null],
  ['isNumeric', (value) => typeof value === 'number'],
  ['isString', (value) => typeof value === 'string'],
  ['isBoolean', (value) => typeof value === 'boolean'],
  ['isTimestamp', (value) => typeof value === 'string' && timestampNs(value) !== null],
]);

interface Comparison {
  /** -1, 0, 1; null when a side has the wrong type. */
  readonly compare: (a: Json, b: Json) => number | null;
  readonly holds: (sign: number) => boolean;
  readonly byPath: boolean;
}

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map(comparisons());

function* comparisons(): Generator<[string, Comparison]> {
  const orders: readonly [string, (sign: number) => boolean][] = [
    ['Equals', (sign) => sign === 0],
    ['LessThan', (sign) => sign < 0],
    ['GreaterThan', (sign) => sign > 0],
    ['LessThanEquals', (sign) => sign <= 0],
    ['GreaterThanEquals', (sign) => sign >= 0],
  ];
  const families: readonly [string, Comparison['compare'], typeof orders][] = [
    ['string', stringSign, orders],
    ['numeric', numericSign, orders],
    ['timestamp', timestampSign, orders],
    ['boolean', booleanSign, orders.slice(0, 1)],
  ];
  for (const [family, compare, its] of families) {
    for (const [order, holds] of its) {
      yield [family + order, { compare, holds, byPath: false }];
      yield [`${family}${order}Path`, { compare, holds, byPath: true }];
    }
  }
}

// By UTF-16 code unit, as the service compares them.
function stringSign(a: Json, b: Json): number | null {
  if (typeof a !== 'string' || typeof b !== 'string') return null;
  return a === b ? 0 : a < b ? -1 : 1;
}

function numericSign(a: Json, b: Json): number | null {
  return typeof a === 'number' && typeof b === 'number' ? Math.sign(a - b) : null;
}

function booleanSign(a: Json, b: Json): number | null {
  return typeof a === 'boolean' && typeof b === 'boolean' ? Number(a) - Number(b) : null;
}

function timestampSign(a: Json, b: Json): number | null {
  if (typeof a !== 'string' || typeof b !== 'string') return null;
  const left = timestampNs(a);
  const right = timestampNs(b);
  if (left === null || right === null) return null;
  return left === right ? 0 : left < right ? -1 : 1;
}

/** `*` any text, `\*` a star, `\\` a backslash. Pieces are searched left to right: no backtracking. */
function matches(pattern: string, text: string): boolean {
  const pieces: string[] = [];
  let piece = '';
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === '*') {
      pieces.push(piece);
      piece = '';
      continue;
    }
    if (pattern[i] === '\\' && (pattern[i + 1] === '*' || pattern[i + 1] === '\\')) i++;
    piece += pattern[i];
  }
  pieces.push(piece);
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return text === first;
  const last = pieces[pieces.length - 1] ?? '';
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const middle of pieces.slice(1, -1)) {
    const found = text.indexOf(middle, at);
    if (found < 0) return false;
    at = found + middle.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
