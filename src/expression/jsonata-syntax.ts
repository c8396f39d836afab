// Is a text a JSONata expression that a run may evaluate? It is parsed and never evaluated: that is for a process of its
// own (ASL: JSONata). The text is attacker-controlled: bounded, and the parser's own depth ends as a finding.
import jsonata from 'jsonata';
import { nestedRepeat } from './pattern-guard.js';

/** Longest expression, in UTF-16 units. */
export const JSONATA_MAX_LENGTH = 65_536;
const MAX_DEPTH = 500;

export interface JsonataFault {
  readonly message: string;
  readonly hint: string;
  /** In UTF-16 units from the start of the expression; null when the parser does not say. */
  readonly offset: number | null;
}

/**
 * What is wrong with the expression (the text between `{%` and `%}`); null = nothing. Refused are: what does not parse, a
 * reference to the input at the top level (there is none: everything goes through `$states` and variables), a regular
 * expression that repeats a repetition, and a member of `$states` that is `absent` where the expression stands.
 */
export function jsonataFault(expression: string, absent: readonly string[] = []): JsonataFault | null {
  if (expression.length > JSONATA_MAX_LENGTH) {
    const message = `it has ${expression.length} characters, the limit is ${JSONATA_MAX_LENGTH}`;
    return { message, hint: 'do this in a task', offset: JSONATA_MAX_LENGTH };
  }
  try {
    const tree: unknown = jsonata(expression).ast();
    return patternFault(tree, 0) ?? topLevelFault(tree, 0) ?? absentFault(tree, absent, 0);
  } catch (error) {
    return parseFault(error);
  }
}

// The parser recurses along the nesting, throws plain objects, and the engine's own SyntaxError for a pattern.
function parseFault(error: unknown): JsonataFault {
  const hint =
    'look the syntax up at docs.jsonata.org; an expression looks like {% $states.input.total > 10 %}';
  if (error instanceof RangeError) {
    return { message: 'it is nested too deeply', hint: 'assign parts of it to variables', offset: null };
  }
  const message = member(error, 'message');
  const position = member(error, 'position');
  return {
    message: typeof message === 'string' && message !== '' ? lowerFirst(message) : 'it is not JSONata',
    hint,
    offset: typeof position === 'number' ? position : null,
  };
}

function patternFault(node: unknown, depth: number): JsonataFault | null {
  if (typeof node !== 'object' || node === null) return null;
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
  const pattern = member(node, 'value');
  if (pattern instanceof RegExp && nestedRepeat(pattern.source) !== null) {
    return {
      message: `the regular expression /${pattern.source}/ repeats a repetition and may take exponential time`,
      hint: 'repeat the inner or the outer part, not both: a+ instead of (a+)+',
      offset: positionOf(node),
    };
  }
  for (const inner of Object.values(node)) {
    const found = patternFault(inner, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Only the first step of a path, and what is evaluated where the expression stands, sees the top level: not later steps,
 * predicates, sort terms, groups and transforms. The body of a function sees what the function's place sees.
 */
function topLevelFault(node: unknown, depth: number): JsonataFault | null {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
  const reference = referenceOf(node);
  if (reference !== null) {
    return {
      message: `reference to '${reference}' at the top level is not supported`,
      hint: 'write $states.input… for the input, $name for a variable',
      offset: positionOf(node),
    };
  }
  for (const inner of insideTopLevel(node)) {
    const found = Array.isArray(inner)
      ? topLevelFault({ type: 'list', items: inner }, depth + 1)
      : topLevelFault(inner, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

function absentFault(node: unknown, absent: readonly string[], depth: number): JsonataFault | null {
  if (typeof node !== 'object' || node === null || absent.length === 0) return null;
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply');
  const [first, second] = list(member(node, 'steps'));
  const name = member(second, 'value');
  const isStates = member(first, 'type') === 'variable' && member(first, 'value') === 'states';
  if (isStates && typeof name === 'string' && absent.includes(name)) {
    const hint =
      name === 'result'
        ? 'the result is there in output and assign'
        : 'it is there in output and assign of a catcher';
    return { message: `there is no $states.${name} here`, hint, offset: positionOf(second) };
  }
  for (const inner of Object.values(node)) {
    const found = absentFault(inner, absent, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

function referenceOf(node: unknown): string | null {
  const value = member(node, 'value');
  if (member(node, 'type') === 'name') return String(value);
  if (member(node, 'type') !== 'variable') return null;
  return value === '' ? '$' : value === '$' ? '$$' : null; // `$` has the name '', `$$` the name '$'
}

function insideTopLevel(node: unknown): readonly unknown[] {
  const of = (...names: readonly string[]): unknown[] => names.map((name) => member(node, name));
  switch (member(node, 'type')) {
    case 'list':
      return list(member(node, 'items'));
    case 'path':
      return list(member(node, 'steps')).slice(0, 1);
    case 'bind':
      return of('rhs');
    case 'binary':
    case 'apply':
      return of('lhs', 'rhs');
    case 'condition':
      return of('condition', 'then', 'else');
    case 'block':
      return of('expressions');
    case 'unary':
      return of('expressions', 'lhs', 'expression');
    case 'function':
    case 'partial':
      return of('arguments');
    case 'lambda':
      return of('body');
    default:
      return [];
  }
}

function positionOf(node: unknown): number | null {
  const position = member(node, 'position');
  return typeof position === 'number' ? position : null;
}

function member(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null ? Reflect.get(node, name) : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
