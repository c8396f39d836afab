// Values a path of dialect 2 means in the data it is read from. Data is attacker-controlled: own keys only, never a
// prototype; nothing recurses by the depth of the data; every value looked at counts against one budget.
import { WritError } from '../../errors.js';
import { isList, isObject, type Json, type JsonObject } from '../../json.js';
import { holds, type Seen } from './filter.js';
import { type ManySegment, type Path, PATH_MAX_VISITS, type PathFunction, type Segment } from './shape.js';
import type { Sources } from '../sources.js';
import { put } from '../value.js';

/** One reading of a path: what it may look at, and how many values it has looked at. */
interface Reading {
  readonly sources: Sources;
  readonly source: string;
  /** What `$` means inside a filter. */
  readonly root: Json;
  visits: number;
}

/**
 * The value at a path that gives one, undefined when it is not there; else the list of matches. Throws
 * STEP_PATH_UNRESOLVED when more than PATH_MAX_VISITS values would be looked at, or a function has nothing to work on.
 */
export function valueAt(path: Path, sources: Sources): Json | undefined {
  const root = rootOf(path, sources);
  if (root === undefined) return path.single ? undefined : [];
  if (path.definite) {
    const value = walk(root, path.segments);
    return path.function === null || value === undefined ? value : apply(path.function, value, path.source);
  }
  const matches = evaluate(path, root, { sources, source: path.source, root, visits: 0 });
  return path.single && isList(matches) ? matches[0] : matches;
}

/** What the path starts from; undefined for a variable that is not set. */
export function rootOf(path: Path, sources: Sources): Json | undefined {
  if (path.root === 'input') return sources.input;
  if (path.root === 'context') return sources.context();
  return path.root === 'current' ? undefined : sources.variable(path.root.variable);
}

/** The own member of a value: a name in an object, an index in a list; undefined when there is none. */
export function child(value: Json, segment: string | number): Json | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (isList(value)) return typeof segment === 'number' ? value.at(segment) : undefined;
  return typeof segment === 'string' && Object.hasOwn(value, segment) ? value[segment] : undefined;
}

function walk(root: Json, segments: readonly Segment[]): Json | undefined {
  let value: Json | undefined = root;
  for (const segment of segments) {
    if (typeof segment === 'object') return undefined; // not in a definite path
    value = child(value, segment);
    if (value === undefined) return undefined;
  }
  return value;
}

function evaluate(path: Path, root: Json, reading: Reading): Json {
  let values: readonly Json[] = [root];
  for (const segment of path.segments) {
    const next: Json[] = [];
    for (const value of values) select(value, segment, next, reading);
    values = next;
  }
  return path.function === null ? values : apply(path.function, values, path.source);
}

function seenFrom(current: Json, reading: Reading): Seen {
  return { read: (path) => inFilter(path, current, reading), look: (values) => visit(reading, values) };
}

// The path of a filter, seen from `current`. It shares the budget of the reading around it.
function inFilter(path: Path, current: Json, reading: Reading): Json | undefined {
  visit(reading, 1);
  let root: Json | undefined = reading.root;
  if (path.root === 'current') root = current;
  else if (path.root !== 'input') root = rootOf(path, reading.sources);
  if (root === undefined) return path.definite ? undefined : [];
  const value = path.definite ? walk(root, path.segments) : undefined;
  if (!path.definite) return evaluate(path, root, reading);
  if (path.function === null || value === undefined) return value;
  return measured(path.function, value); // nothing to work on is no fault in a filter: it just doesn't match
}

function select(value: Json, segment: Segment, into: Json[], reading: Reading): void {
  if (typeof segment === 'object') return selectMany(value, segment, into, reading);
  visit(reading, 1);
  const found = child(value, segment);
  if (found !== undefined) into.push(found);
}

function selectMany(value: Json, segment: ManySegment, into: Json[], reading: Reading): void {
  switch (segment.kind) {
    case 'wildcard':
      for (const one of childrenOf(value, reading)) into.push(one);
      return;
    case 'union':
      for (const one of segment.of) select(value, one, into, reading);
      return;
    case 'part':
      visit(reading, segment.of.length);
      if (isObject(value)) into.push(partOf(value, segment.of));
      return;
    case 'slice':
      if (isList(value)) sliced(value, segment, into, reading);
      return;
    case 'filter':
      for (const one of candidates(value, reading)) {
        if (holds(segment.test, seenFrom(one, reading))) into.push(one);
      }
      return;
    case 'scan':
      scan(value, segment.of, into, reading);
      return;
  }
}

/** What the object does not have is left out. */
function partOf(object: JsonObject, names: readonly string[]): Json {
  const part: Record<string, Json> = {};
  for (const name of names) {
    const value = child(object, name);
    if (value !== undefined) put(part, name, value);
  }
  return part;
}

// A filter looks at the items of a list; at an object it looks as a whole (Jayway).
function candidates(value: Json, reading: Reading): readonly Json[] {
  if (typeof value !== 'object' || value === null) return [];
  if (isList(value)) return childrenOf(value, reading);
  visit(reading, 1);
  return [value];
}

// Parents before children, in document order.
function scan(
  value: Json,
  segment: Exclude<Segment, { readonly kind: 'scan' }>,
  into: Json[],
  reading: Reading,
): void {
  const waiting: Json[] = [value];
  for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
    if (typeof current !== 'object' || current === null) continue;
    if (typeof segment === 'object' && segment.kind === 'filter') scanned(current, segment, into, reading);
    else if (hasAll(current, segment, reading)) select(current, segment, into, reading);
    const children = childrenOf(current, reading);
    for (let i = children.length - 1; i >= 0; i--) waiting.push(children[i] ?? null);
  }
}

// Of a part only an object that has all of it is a match (Jayway).
function hasAll(value: Json, segment: Segment, reading: Reading): boolean {
  if (typeof segment !== 'object' || segment.kind !== 'part') return true;
  visit(reading, segment.of.length);
  return segment.of.every((name) => child(value, name) !== undefined);
}

// Objects are met one by one on the way down, so in a list only what is no object is looked at.
function scanned(
  value: Json,
  segment: Extract<ManySegment, { readonly kind: 'filter' }>,
  into: Json[],
  reading: Reading,
): void {
  for (const one of candidates(value, reading)) {
    if (one !== value && typeof one === 'object' && one !== null && !isList(one)) continue;
    if (holds(segment.test, seenFrom(one, reading))) into.push(one);
  }
}

// RFC 9535 section 2.3.4.
function sliced(
  list: readonly Json[],
  { from, to, step }: Extract<ManySegment, { readonly kind: 'slice' }>,
  into: Json[],
  reading: Reading,
): void {
  const { length } = list;
  const place = (index: number): number => (index < 0 ? length + index : index);
  if (step > 0) {
    const end = Math.min(Math.max(place(to ?? length), 0), length);
    for (let i = Math.min(Math.max(place(from ?? 0), 0), length); i < end; i += step) push(list[i]);
  } else if (step < 0) {
    const end = Math.min(Math.max(to === null ? -1 : place(to), -1), length - 1);
    for (let i = Math.min(Math.max(place(from ?? length - 1), -1), length - 1); i > end; i += step)
      push(list[i]);
  }

  function push(item: Json | undefined): void {
    visit(reading, 1);
    if (item !== undefined) into.push(item);
  }
}

function childrenOf(value: Json, reading: Reading): readonly Json[] {
  if (typeof value !== 'object' || value === null) return [];
  const children = isList(value) ? value : Object.values(value);
  visit(reading, children.length);
  return children;
}

function visit(reading: Reading, count: number): void {
  reading.visits += count;
  if (reading.visits > PATH_MAX_VISITS) {
    throw new WritError(
      'STEP_PATH_UNRESOLVED',
      `Invalid path '${reading.source}' : it looks at more than ${PATH_MAX_VISITS} values`,
      { hint: 'narrow the path, or do this in a task', details: { path: reading.source } },
    );
  }
}

function apply(name: PathFunction, value: Json, source: string): Json {
  const result = measured(name, value);
  if (result !== undefined) return result;
  const needs = name === 'length' ? 'a list or an object' : 'a list with numbers in it';
  throw new WritError('STEP_PATH_UNRESOLVED', `Invalid path '${source}' : ${name}() needs ${needs}`, {
    hint: 'guard it with a Choice rule, or check the state before it',
    details: { path: source },
  });
}

function measured(name: PathFunction, value: Json): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (name === 'length') return isList(value) ? value.length : Object.keys(value).length;
  const numbers = isList(value) ? value.filter((one) => typeof one === 'number') : [];
  if (numbers.length === 0) return undefined;
  switch (name) {
    case 'min':
      return numbers.reduce((a, b) => Math.min(a, b));
    case 'max':
      return numbers.reduce((a, b) => Math.max(a, b));
    case 'sum':
      return finite(numbers.reduce((a, b) => a + b));
    case 'avg':
      return finite(numbers.reduce((a, b) => a + b) / numbers.length);
  }
}

// JSON has no infinity.
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
