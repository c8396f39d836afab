// Filters of a path, `[?(@.x == 1 && @.y)]`, to their parsed form. `$` inside is the root the path reads from.
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { type Filter, FILTER_MAX_DEPTH, type FilterOperator, type Operand, type Path } from './shape.js';
import { quotedName } from '../quoted-name.js';
import { TextCursor } from '../text-cursor.js';

/** Reads a path; given as a value because paths hold filters and filters hold paths. */
export type PathReader = (
  text: string,
  at: number,
  place: 'filter',
  depth: number,
) => { readonly path: Path; readonly end: number };

const OPERATOR = /(?:==|!=|<=|>=|<|>|(?:in|nin)(?![\w]))/iy;
const BLANKS = / */y;
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
  const cursor = new TextCursor(text, start, BLANKS);
  const filter = either(depth);
  return { filter, end: cursor.at };

  function either(level: number): Filter {
    let left = both(level);
    while (cursor.take('||')) left = { kind: 'or', left, right: both(level) };
    return left;
  }

  function both(level: number): Filter {
    let left = one(level);
    while (cursor.take('&&')) left = { kind: 'and', left, right: one(level) };
    return left;
  }

  function one(level: number): Filter {
    if (level > FILTER_MAX_DEPTH)
      throw malformed(`filter is nested deeper than ${FILTER_MAX_DEPTH}`, cursor.at);
    if (cursor.take('!')) return { kind: 'not', of: one(level + 1) };
    if (cursor.take('(')) {
      const inner = either(level + 1);
      if (!cursor.take(')')) throw malformed('expected ")" in the filter', cursor.at);
      return inner;
    }
    const left = operand(level);
    const operator = operatorAt();
    if (operator !== null) return { kind: 'compare', operator, left, right: operand(level) };
    if ('path' in left) return { kind: 'exists', path: left.path };
    throw malformed('a value alone is no filter', cursor.at);
  }

  function operand(level: number): Operand {
    cursor.space();
    const char = text[cursor.at];
    if (char === '@' || char === '$') {
      const { path, end } = readPath(text, cursor.at, 'filter', level);
      cursor.at = end;
      return { path };
    }
    return { value: literal() };
  }

  function literal(): Json {
    cursor.space();
    if (text[cursor.at] === "'" || text[cursor.at] === '"') {
      const quoted = quotedName(text, cursor.at);
      if (quoted === null) throw malformed('text has no closing quote', cursor.at);
      cursor.at = quoted.end;
      return quoted.value;
    }
    const number = cursor.match(NUMBER);
    if (number !== null) return Number(number);
    const word = cursor.match(WORD);
    if (word !== null) return WORDS.get(word) ?? (word === 'null' ? null : word);
    if (cursor.take('[')) return list();
    throw malformed(
      `expected a path or a value in the filter, found ${JSON.stringify(text[cursor.at] ?? '')}`,
      cursor.at,
    );
  }

  // Values only, and no lists in it: what `in` and `nin` look through.
  function list(): Json {
    const values: Json[] = [];
    if (cursor.take(']')) return values;
    do {
      cursor.space();
      if (text[cursor.at] === '[') throw malformed('a list in a filter holds no lists', cursor.at);
      values.push(literal());
    } while (cursor.take(','));
    if (!cursor.take(']')) throw malformed('expected "]" after the list in the filter', cursor.at);
    return values;
  }

  function operatorAt(): FilterOperator | null {
    cursor.space();
    if (text.startsWith('=~', cursor.at)) {
      throw malformed('a filter can not match patterns', cursor.at, 'compare with ==, or filter in a task');
    }
    const found = cursor.match(OPERATOR);
    return found === null ? null : (found.toLowerCase() as FilterOperator); // OPERATOR matches nothing else
  }
}

function malformed(message: string, offset: number, hint?: string): WritError {
  return new WritError('DOC_EXPRESSION', message, {
    details: { offset },
    hint: hint ?? 'a filter looks like $.items[?(@.price < 10 && @.open)]',
  });
}
