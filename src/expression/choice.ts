// Choice rules of dialect 2 (states-dialect section 6). A wrong type on either side is false, never an error; a
// value that is not there is an error, except under isPresent.
import type { Json } from '../json.js';
import { parsePath, readPath, tryReadPath } from './path.js';
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
 * Is the rule true? `input` is the state's input after inputPath, `context` what `$$` names. Throws
 * STEP_PATH_UNRESOLVED (`States.Runtime`) when a variable or an operand path is not there.
 */
export function evaluateChoice(rule: ChoiceRule, input: Json, context: Json): boolean {
  if ('and' in rule) return rule.and.every((inner) => evaluateChoice(inner, input, context));
  if ('or' in rule) return rule.or.some((inner) => evaluateChoice(inner, input, context));
  if ('not' in rule) return !evaluateChoice(rule.not, input, context);
  const variable = parsePath(rule.variable);
  if (rule.operator === 'isPresent') {
    return tryReadPath(variable, input, context).found === rule.operand;
  }
  const value = readPath(variable, input, context);
  const type = typeTest(rule.operator, value);
  if (type !== null) return type === rule.operand;
  if (rule.operator.endsWith('Path') && typeof rule.operand === 'string') {
    const operand = readPath(parsePath(rule.operand), input, context);
    return compares(rule.operator.slice(0, -'Path'.length), value, operand);
  }
  return compares(rule.operator, value, rule.operand);
}

function typeTest(operator: string, value: Json): boolean | null {
  switch (operator) {
    case 'isNull':
      return value === null;
    case 'isNumeric':
      return typeof value === 'number';
    case 'isString':
      return typeof value === 'string';
    case 'isBoolean':
      return typeof value === 'boolean';
    case 'isTimestamp':
      return typeof value === 'string' && timestampNs(value) !== null;
    default:
      return null;
  }
}

function compares(operator: string, value: Json, operand: Json): boolean {
  if (operator === 'booleanEquals') return typeof value === 'boolean' && value === operand;
  if (operator === 'stringMatches') {
    return typeof value === 'string' && typeof operand === 'string' && matches(operand, value);
  }
  const sign = signOf(operator, value, operand);
  if (sign === null) return false;
  switch (operator.replace(/^(string|numeric|timestamp)/, '')) {
    case 'Equals':
      return sign === 0;
    case 'LessThan':
      return sign < 0;
    case 'GreaterThan':
      return sign > 0;
    case 'LessThanEquals':
      return sign <= 0;
    case 'GreaterThanEquals':
      return sign >= 0;
    default:
      return false;
  }
}

// Strings by UTF-16 code unit, as AWS compares them; null when a side has the wrong type.
function signOf(operator: string, a: Json, b: Json): number | null {
  if (operator.startsWith('numeric')) {
    return typeof a === 'number' && typeof b === 'number' ? Math.sign(a - b) : null;
  }
  if (typeof a !== 'string' || typeof b !== 'string') return null;
  if (operator.startsWith('string')) return a === b ? 0 : a < b ? -1 : 1;
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
