// Definite JSONPath and reference paths of dialect 2 (states-dialect section 4): names and single indices only, so
// a path means one value. Anything that could mean several is refused at load. Pure data access: every key,
// `__proto__` too, is an ordinary own key; a prototype is never read or written.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { isList } from './value.js';

/** Longest path, in UTF-16 units. */
export const PATH_MAX_LENGTH = 1024;
export const PATH_MAX_SEGMENTS = 64;

export interface Path {
  readonly source: string;
  /** `$` = the value given, `$$` = the context object. */
  readonly root: 'input' | 'context';
  /** A number counts from the end when it is negative. */
  readonly segments: readonly (string | number)[];
}

/**
 * Parses `$.a-b['c'][0][-1]` and `$$.Execution.Id`. Throws DOC_EXPRESSION with `details.offset`, or
 * DOC_UNSUPPORTED for wildcards, slices, unions, filters, `..`, functions, variables and intrinsics.
 */
export function parsePath(source: string): Path {
  if (source.length > PATH_MAX_LENGTH) {
    throw malformed(`path has ${source.length} characters, the limit is ${PATH_MAX_LENGTH}`, 0);
  }
  if (/^States\.\w+\s*\(/.test(source)) throw unsupported(source, 'intrinsic functions', 0);
  if (!source.startsWith('$')) {
    throw malformed(`path ${JSON.stringify(source)} does not begin with "$"`, 0);
  }
  const root = source.startsWith('$$') ? 'context' : 'input';
  let at = root === 'context' ? 2 : 1;
  if (/^[\p{L}_]/u.test(source.slice(at))) throw unsupported(source, 'variables ($name)', at);
  const segments: (string | number)[] = [];
  while (at < source.length) {
    const step = source[at] === '.' ? dotted(source, at) : bracketed(source, at);
    segments.push(step.segment);
    at = step.end;
    if (segments.length > PATH_MAX_SEGMENTS) {
      throw malformed(`path has more than ${PATH_MAX_SEGMENTS} segments`, at);
    }
  }
  return { source, root, segments };
}

/** As parsePath, for `resultPath`: also refuses `$$`, which can't be written. */
export function parseReferencePath(source: string): Path {
  const path = parsePath(source);
  if (path.root === 'context') throw malformed('a result can not be written to the context "$$"', 0);
  return path;
}

/** The value at `path`. Throws STEP_PATH_UNRESOLVED, naming the path, when it is not there. */
export function readPath(path: Path, input: Json, context: Json): Json {
  const found = tryReadPath(path, input, context);
  if (found.found) return found.value;
  throw new WritError('STEP_PATH_UNRESOLVED', `path ${path.source} is not in the data`, {
    hint: 'guard it with a Choice rule on isPresent, or check the state before it',
    details: { path: path.source },
  });
}

/** As readPath, but a value that is not there is an answer. */
export function tryReadPath(
  path: Path,
  input: Json,
  context: Json,
): { readonly found: true; readonly value: Json } | { readonly found: false } {
  let value: Json = path.root === 'context' ? context : input;
  for (const segment of path.segments) {
    const next = child(value, segment);
    if (next === undefined) return { found: false };
    value = next;
  }
  return { found: true, value };
}

/**
 * A copy of `document` with `value` at `path`; `document` itself is not touched. Missing objects are created.
 * Throws STEP_RESULT_PATH when a segment would have to go into something that is not an object, or past a list.
 */
export function writePath(path: Path, document: Json, value: Json): Json {
  return writeAt(path, 0, document, value);
}

function writeAt(path: Path, depth: number, target: Json | undefined, value: Json): Json {
  const segment = path.segments[depth];
  if (segment === undefined) return value;
  if (typeof segment === 'number') {
    if (target === undefined || !isList(target)) throw unwritable(path);
    const index = segment < 0 ? target.length + segment : segment;
    const old = target[index];
    if (old === undefined) throw unwritable(path);
    return target.with(index, writeAt(path, depth + 1, old, value));
  }
  if (target !== undefined && (typeof target !== 'object' || target === null || isList(target))) {
    throw unwritable(path);
  }
  const old = target !== undefined && Object.hasOwn(target, segment) ? target[segment] : undefined;
  // A computed key defines an own property even when it reads `__proto__`.
  return { ...target, [segment]: writeAt(path, depth + 1, old, value) };
}

function child(value: Json, segment: string | number): Json | undefined {
  if (typeof segment === 'number') return isList(value) ? value.at(segment) : undefined;
  if (typeof value !== 'object' || value === null || isList(value)) return undefined;
  return Object.hasOwn(value, segment) ? value[segment] : undefined;
}

interface Step {
  readonly segment: string | number;
  readonly end: number;
}

// Unquoted names run to the next `.`, `[` or character that has another meaning; hyphens belong to them.
const UNQUOTED = /[^\s.[\]()*?,:'"@]+/y;

function dotted(source: string, at: number): Step {
  if (source[at + 1] === '.') throw unsupported(source, 'deep scans (..)', at);
  if (source[at + 1] === '*') throw unsupported(source, 'wildcards', at + 1);
  UNQUOTED.lastIndex = at + 1;
  const name = UNQUOTED.exec(source)?.[0];
  if (name === undefined) {
    if (source[at + 1] === '[') return bracketed(source, at + 1); // Jayway takes `$.['a']`
    throw malformed('expected a name after "."', at + 1);
  }
  const end = at + 1 + name.length;
  if (source[end] === '(') throw unsupported(source, `the path function ${name}()`, at);
  return { segment: name, end };
}

function bracketed(source: string, at: number): Step {
  if (source[at] !== '[') throw malformed(`expected "." or "[", found ${JSON.stringify(source[at])}`, at);
  let inside = at + 1;
  while (source[inside] === ' ') inside++;
  const char = source[inside];
  if (char === "'" || char === '"') {
    const text = quoted(source, inside);
    return { segment: text.value, end: close(source, text.end) };
  }
  if (char === '*') throw unsupported(source, 'wildcards', inside);
  if (char === '?') throw unsupported(source, 'filters', inside);
  if (char === ':') throw unsupported(source, 'slices', inside);
  const digits = /^-?\d{1,15}/.exec(source.slice(inside))?.[0];
  if (digits === undefined) throw malformed('expected an index or a quoted name after "["', inside);
  return { segment: Number(digits), end: close(source, inside + digits.length) };
}

function close(source: string, at: number): number {
  while (source[at] === ' ') at++;
  if (source[at] === ']') return at + 1;
  if (source[at] === ',') throw unsupported(source, 'unions', at);
  if (source[at] === ':') throw unsupported(source, 'slices', at);
  throw malformed('expected "]"', at);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

// Backslash escapes as in Java strings, which is what AWS's evaluator reads.
function quoted(source: string, at: number): { readonly value: string; readonly end: number } {
  const quote = source[at];
  let value = '';
  for (let i = at + 1; i < source.length; i++) {
    const char = source[i] ?? '';
    if (char === quote) return { value, end: i + 1 };
    if (char !== '\\') {
      value += char;
      continue;
    }
    const escaped = source[++i] ?? '';
    const hex = escaped === 'u' ? /^[0-9a-fA-F]{4}/.exec(source.slice(i + 1))?.[0] : undefined;
    if (hex !== undefined) {
      value += String.fromCharCode(Number.parseInt(hex, 16));
      i += 4;
    } else {
      value += Object.hasOwn(ESCAPES, escaped) ? ESCAPES[escaped] : escaped;
    }
  }
  throw malformed('name has no closing quote', at);
}

function malformed(message: string, offset: number): WritError {
  return new WritError('DOC_EXPRESSION', message, {
    details: { offset },
    hint: "a path looks like $.claim.id, $['claim id'] or $.items[0]",
  });
}

function unsupported(source: string, what: string, offset: number): WritError {
  return new WritError(
    'DOC_UNSUPPORTED',
    `path ${JSON.stringify(source)}: this version does not run ${what} yet`,
    { details: { offset }, hint: 'use names and single indices, such as $.claim.id or $.items[0]' },
  );
}

function unwritable(path: Path): WritError {
  return new WritError(
    'STEP_RESULT_PATH',
    `the result can not be written to ${path.source}: what is there is not an object`,
    { hint: 'choose a resultPath below an object', details: { path: path.source } },
  );
}
