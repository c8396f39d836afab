// Filters of a path, `[?(@.x == 1 && @.y)]`, to their parsed form. `$` inside is the root the path reads from.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { type Filter, FILTER_MAX_DEPTH, type FilterOperator, type Operand, type Path } from './path-shape.js';
import { quotedName } from './quoted-name.js';

/** Reads a path; given as a value because paths hold filters and filters hold paths. */
export type PathReader = (
  text: string,
  at: number,
  place: 'filter',
  depth: number,
) => { readonly path: Path; readonly end: number };

const OPERATOR = /(?:==|!=|<=|>=|<|>|(?:in|nin)(?![\w]))/iy;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// A word without quotes is a text: definitions in use have it.
const WORD = /[A-Za-z_][\w-]*/y;
const WORDS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/** The filter from `start`, just after its `?`, and where it ends. Throws DOC_EXPRESSION with `details.offset`. */
export function parseFilter(
  text: string,
  start: number,
  depth: number,
  readPath: PathReader,
): { readonly filter: Filter; readonly end: number } {
  let at = start;
  const filter = either(depth);
  return { filter, end: at };

  function either(level: number): Filter {
    let left = both(level);
    while (take('||')) left = { kind: 'or', left, right: both(level) };
    return left;
  }

  function both(level: number): Filter {
    let left = one(level);
    while (take('&&')) left = { kind: 'and', left, right: one(level) };
    return left;
  }

  function one(level: number): Filter {
    if (level > FILTER_MAX_DEPTH) throw malformed(`filter is nested deeper than ${FILTER_MAX_DEPTH}`, at);
    if (take('!')) return { kind: 'not', of: one(level + 1) };
    if (take('(')) {
      const inner = either(level + 1);
      if (!take(')')) throw malformed('expected ")" in the filter', at);
      return inner;
    }
    const left = operand(level);
    const operator = operatorAt();
    if (operator !== null) return { kind: 'compare', operator, left, right: operand(level) };
    if ('path' in left) return { kind: 'exists', path: left.path };
    throw malformed('a value alone is no filter', at);
  }

  function operand(level: number): Operand {
    skip();
    const char = text[at];
    if (char === '@' || char === '$') {
      const { path, end } = readPath(text, at, 'filter', level);
      at = end;
      return { path };
    }
    return { value: literal() };
  }

  function literal(): Json {
    skip();
    if (text[at] === "'" || text[at] === '"') {
      const quoted = quotedName(text, at);
      if (quoted === null) throw malformed('text has no closing quote', at);
      at = quoted.end;
      return quoted.value;
    }
    const number = match(NUMBER);
    if (number !== null) return Number(number);
    const word = match(WORD);
    if (word !== null) return WORDS.get(word) ?? (word === 'null' ? null : word);
    if (take('[')) return list();
    throw malformed(`expected a path or a value in the filter, found ${JSON.stringify(text[at] ?? '')}`, at);
  }

  // Values only, and no lists in it: what `in` and `nin` look through.
  function list(): Json {
    const values: Json[] = [];
    if (take(']')) return values;
    do {
      skip();
      if (text[at] === '[') throw malformed('a list in a filter holds no lists', at);
      values.push(literal());
    } while (take(','));
    if (!take(']')) throw malformed('expected "]" after the list in the filter', at);
    return values;
  }

  function operatorAt(): FilterOperator | null {
    skip();
    if (text.startsWith('=~', at)) {
      throw malformed('a filter can not match patterns', at, 'compare with ==, or filter in a task');
    }
    const found = match(OPERATOR);
    return found === null ? null : (found.toLowerCase() as FilterOperator); // OPERATOR matches nothing else
  }

  function match(pattern: RegExp): string | null {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) return null;
    at += found.length;
    return found;
  }

  function take(word: string): boolean {
    skip();
    if (!text.startsWith(word, at)) return false;
    at += word.length;
    return true;
  }

  function skip(): void {
    while (text[at] === ' ') at++;
  }
}

function malformed(message: string, offset: number, hint?: string): WritError {
  return new WritError('DOC_EXPRESSION', message, {
    details: { offset },
    hint: hint ?? 'a filter looks like $.items[?(@.price < 10 && @.open)]',
  });
}
