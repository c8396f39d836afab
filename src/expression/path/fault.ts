// Why a path is not in the data, in the words of the JSONPath library behind the States Language service: its message
// ends the recorded cause of a run. Names and types only; data is quoted where that service quotes it, cut short.
import { WritError } from '../../errors.js';
import { isList, type Json } from '../../json.js';
import { child, rootOf } from './evaluate.js';
import type { Path } from './shape.js';
import type { Sources } from '../sources.js';

/** Longest data quoted in a message, in UTF-16 units: a cause holds 32,768. */
const MAX_QUOTED = 16_384;

/** STEP_PATH_UNRESOLVED (`States.Runtime`) for a definite path without a value. */
export function unresolved(path: Path, sources: Sources): WritError {
  return unresolvedAs(path, `Invalid path '${path.source}' : ${whyMissing(path, sources)}`);
}

/** The same in the words of the field the path is in. */
export function unresolvedAs(path: Path, message: string): WritError {
  return new WritError('STEP_PATH_UNRESOLVED', message, {
    hint: 'guard it with a Choice rule on isPresent, or check the state before it',
    details: { path: path.source },
  });
}

/** The first place of a definite path that the data does not have. */
export function whyMissing(path: Path, sources: Sources): string {
  let value = rootOf(path, sources);
  if (value === undefined) return `variable ${path.source} is not set`;
  let at = '$';
  for (const [i, segment] of path.segments.entries()) {
    if (typeof segment === 'object') break;
    const here = at;
    at += bracket(segment);
    const next = child(value, segment);
    if (next !== undefined) {
      value = next;
      continue;
    }
    if (typeof segment === 'number' && !isList(value)) {
      if (value === null) return `The path ${here} is null`;
      return `Filter: [${segment}] can only be applied to arrays. Current context is: ${javaText(value).slice(0, MAX_QUOTED)}`;
    }
    const isObject = typeof value === 'object' && value !== null && !isList(value);
    if (typeof segment === 'string' && !isObject) return `Property ['${segment}'] not found in path ${here}`;
    if (typeof segment === 'string' && i < path.segments.length - 1) return `Missing property in path ${at}`;
    break;
  }
  return `No results for path: ${normalized(path)}`;
}

/** What a message quotes of the data: compact JSON, cut short; data nested deeper than the stack can follow gives `…`. */
export function quoted(value: Json): string {
  try {
    return JSON.stringify(value).slice(0, MAX_QUOTED);
  } catch (error) {
    if (error instanceof RangeError) return '…'; // depth, or longer than a string can be
    throw error;
  }
}

function normalized(path: Path): string {
  const places = path.segments.map((one) => {
    if (typeof one !== 'object') return bracket(one);
    return one.kind === 'part' ? `[${one.of.map((name) => `'${name}'`).join(',')}]` : '[*]';
  });
  return `$${places.join('')}`;
}

function bracket(segment: string | number): string {
  return typeof segment === 'number' ? `[${segment}]` : `['${segment}']`;
}

/** As Java prints it: `{a=1, b=[x, null]}`. Data nested deeper than 64 gives `…`. */
export function javaText(value: Json, depth = 0): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (depth >= 64) return '…';
  if (isList(value)) return `[${value.map((one) => javaText(one, depth + 1)).join(', ')}]`;
  const members = Object.entries(value).map(([key, one]) => `${key}=${javaText(one, depth + 1)}`);
  return `{${members.join(', ')}}`;
}
