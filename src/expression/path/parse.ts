// Text of a path of dialect 2 to its parsed form (ASL: paths): Jayway's flavour of JSONPath, without
// scripts and patterns. Document text is attacker-controlled: every loop moves on, length and nesting are bounded.
import { WritError } from '../../errors.js';
import { parseFilter } from './filter-parse.js';
import {
  type ManySegment,
  type Path,
  PATH_FUNCTIONS,
  PATH_MAX_LENGTH,
  PATH_MAX_SEGMENTS,
  type PathFunction,
  type Segment,
} from './shape.js';
import { quotedName } from '../quoted-name.js';
import { matchAt } from '../text-cursor.js';

/** Where a path stands decides what ends it: a whole field, an argument of a function, or inside a filter. */
export type Place = 'field' | 'argument' | 'filter';

// Unquoted names run to the next character that has another meaning; hyphens, `@` and `:` belong to them (Jayway).
const NAMES: Readonly<Record<Place, RegExp>> = {
  field: /[^\s.[\]()*?,'"]+/y,
  argument: /[^\s.[\]()*?,'"]+/y,
  filter: /[^\s.[\]()*?,'"=<>!&|]+/y,
};
const VARIABLE = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}\p{Pc}]*/uy;
const INTEGER = /-?\d{1,15}(?!\d)/y;

/** The path that is the whole of `source`. Throws DOC_EXPRESSION with `details.offset`. */
export function parseWholePath(source: string): Path {
  if (source.length > PATH_MAX_LENGTH) {
    throw malformed(`path has ${source.length} characters, the limit is ${PATH_MAX_LENGTH}`, 0);
  }
  const { path, end } = parsePathAt(source, 0, 'field', 0);
  if (end < source.trimEnd().length) {
    throw malformed(`expected "." or "[", found ${JSON.stringify(source[end])}`, end);
  }
  return path;
}

/** The path that begins at `start`, and where it ends. `depth`: filters around it. */
export function parsePathAt(
  text: string,
  start: number,
  place: Place,
  depth: number,
): { readonly path: Path; readonly end: number } {
  const { root, end: afterRoot } = rootAt(text, start, place);
  const segments: Segment[] = [];
  let fn: PathFunction | null = null;
  let at = afterRoot;
  while (fn === null && (text[at] === '.' || text[at] === '[')) {
    const called = functionAt(text, at);
    if (called !== null) {
      fn = called.name;
      at = called.end;
      break;
    }
    const step = segmentAt(text, at, place, depth);
    segments.push(step.segment);
    at = step.end;
    if (segments.length > PATH_MAX_SEGMENTS) {
      throw malformed(`path has more than ${PATH_MAX_SEGMENTS} segments`, at);
    }
  }
  if (at - start > PATH_MAX_LENGTH) {
    throw malformed(`path has ${at - start} characters, the limit is ${PATH_MAX_LENGTH}`, start);
  }
  const source = text.slice(start, at);
  const definite = segments.every((segment) => typeof segment !== 'object');
  const last = segments.at(-1);
  const part = fn === null && place !== 'filter' && last !== undefined ? partOf(last) : null;
  if (part === null)
    return { path: { source, root, segments, definite, single: definite, function: fn }, end: at };
  const way = segments.slice(0, -1);
  const single = part.kind === 'part' && way.every((segment) => typeof segment !== 'object');
  return { path: { source, root, segments: [...way, part], definite, single, function: null }, end: at };
}

/** What a union of names alone means at the end of a path. */
function partOf(segment: Segment): ManySegment | null {
  if (typeof segment !== 'object') return null;
  const union = segment.kind === 'scan' ? segment.of : segment;
  if (typeof union !== 'object' || union.kind !== 'union') return null;
  const names = union.of.filter((one) => typeof one === 'string');
  if (names.length < union.of.length) return null;
  const part = { kind: 'part', of: names } as const;
  return segment.kind === 'scan' ? { kind: 'scan', of: part } : part;
}

function rootAt(
  text: string,
  at: number,
  place: Place,
): { readonly root: Path['root']; readonly end: number } {
  if (place === 'filter' && text[at] === '@') return { root: 'current', end: at + 1 };
  if (text[at] !== '$') {
    throw malformed(`path ${JSON.stringify(text.slice(at, at + 80))} does not begin with "$"`, at);
  }
  if (text[at + 1] === '$') return { root: 'context', end: at + 2 };
  const variable = matchAt(text, at + 1, VARIABLE);
  if (variable === null) return { root: 'input', end: at + 1 };
  return { root: { variable }, end: at + 1 + variable.length };
}

interface Step<S extends Segment = Segment> {
  readonly segment: S;
  readonly end: number;
}
type OneStep = Step<Exclude<Segment, { readonly kind: 'scan' }>>;

function segmentAt(text: string, at: number, place: Place, depth: number): Step {
  if (text[at] === '[') return bracketed(text, at, depth);
  if (text[at + 1] !== '.') return dotted(text, at + 1, place, depth);
  const { segment, end } = dotted(text, at + 2, place, depth);
  return { segment: { kind: 'scan', of: segment }, end };
}

// What follows a dot; Jayway takes `$.['a']` too.
function dotted(text: string, at: number, place: Place, depth: number): OneStep {
  if (text[at] === '[') return bracketed(text, at, depth);
  if (text[at] === '*') return { segment: { kind: 'wildcard' }, end: at + 1 };
  const name = matchAt(text, at, NAMES[place]);
  if (name === null) throw malformed('expected a name after "."', at);
  const end = at + name.length;
  if (text[end] === '(') {
    throw malformed(
      `path function ${name}() is not known or not at the end`,
      at,
      `the functions are ${PATH_FUNCTIONS.map((one) => `.${one}()`).join(' ')}, at the end of a path`,
    );
  }
  return { segment: name, end };
}

function functionAt(text: string, at: number): { readonly name: PathFunction; readonly end: number } | null {
  if (text[at] !== '.') return null;
  for (const name of PATH_FUNCTIONS) {
    const end = at + 1 + name.length + 2;
    if (text.startsWith(`${name}()`, at + 1) && text[end] !== '.' && text[end] !== '[') return { name, end };
  }
  return null;
}

function bracketed(text: string, open: number, depth: number): OneStep {
  const at = blanks(text, open + 1);
  if (text[at] === '*') return closed(text, at + 1, { kind: 'wildcard' });
  if (text[at] === '?') {
    const { filter, end } = parseFilter(text, at + 1, depth + 1, parsePathAt);
    return closed(text, end, { kind: 'filter', test: filter });
  }
  const first = selectorAt(text, at);
  const after = blanks(text, first?.end ?? at);
  if (text[after] === ':' && typeof first?.segment !== 'string') {
    return slice(text, after, first?.segment ?? null);
  }
  if (first === null) throw malformed('expected an index or a quoted name after "["', at);
  if (text[after] === ',') return union(text, after, first.segment);
  return closed(text, after, first.segment);
}

function union(text: string, comma: number, first: string | number): Step<ManySegment> & OneStep {
  const of = [first];
  let at = comma;
  while (text[at] === ',') {
    const start = blanks(text, at + 1);
    const next = selectorAt(text, start);
    if (next === null) throw malformed('expected an index or a quoted name after ","', start);
    of.push(next.segment);
    at = blanks(text, next.end);
  }
  return closed(text, at, { kind: 'union', of });
}

// `[from:to:step]` from its first colon.
function slice(text: string, colon: number, from: number | null): OneStep {
  const to = integerAt(text, blanks(text, colon + 1));
  let at = blanks(text, to?.end ?? colon + 1);
  let step = 1;
  if (text[at] === ':') {
    const given = integerAt(text, blanks(text, at + 1));
    step = given?.segment ?? 1;
    at = given?.end ?? at + 1;
  }
  return closed(text, at, { kind: 'slice', from, to: to?.segment ?? null, step });
}

function selectorAt(text: string, at: number): Step<string | number> | null {
  if (text[at] === "'" || text[at] === '"') {
    const name = quotedName(text, at);
    if (name === null) throw malformed('name has no closing quote', at);
    return { segment: name.value, end: name.end };
  }
  return integerAt(text, at);
}

function integerAt(text: string, at: number): Step<number> | null {
  const digits = matchAt(text, at, INTEGER);
  // `+ 0` because -0 is an index like 0
  return digits === null ? null : { segment: Number(digits) + 0, end: at + digits.length };
}

function closed<S extends Segment>(text: string, at: number, segment: S): Step<S> {
  const end = blanks(text, at);
  if (text[end] !== ']') throw malformed('expected "]"', end);
  return { segment, end: end + 1 };
}

function blanks(text: string, at: number): number {
  while (text[at] === ' ') at++;
  return at;
}

function malformed(message: string, offset: number, hint?: string): WritError {
  return new WritError('DOC_EXPRESSION', message, {
    details: { offset },
    hint: hint ?? "a path looks like $.claim.id, $['claim id'], $.items[0] or $.items[?(@.open == true)]",
  });
}
