// How large a run's data may grow. A loop that nests its data into itself doubles what JSON it stands for each round
// while memory hardly grows, so size is counted as it would be written, and the count stops at the limit.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';

/** Characters of JSON, as an upper bound for what is stored. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** Below the 64 levels that RFC 8785 text may have here, with room for what wraps the data. */
const MAX_DEPTH = 60;

/** The value itself when it is within limits; throws STEP_DATA_LIMIT. */
export function withinLimits(value: Json): Json {
  measure(value);
  return value;
}

const UTF8 = new TextEncoder();

/** `value` of this state, when its JSON has at most `maxBytes` of UTF-8; null = no bound. Throws STEP_DATA_LIMIT. */
export function withinBytes(state: string, value: Json, maxBytes: number | null): Json {
  if (maxBytes === null || isWithin(value, maxBytes)) return value;
  throw new WritError(
    'STEP_DATA_LIMIT',
    `The state/task '${state}' returned a result with a size exceeding the maximum number of bytes service limit.`,
    { hint: 'keep large data outside the run and pass a reference' },
  );
}

/** Has the JSON of the value at most `maxBytes` of UTF-8? Throws STEP_DATA_LIMIT beyond the limits of all data. */
export function isWithin(value: Json, maxBytes: number): boolean {
  // A character has at most three bytes, and six where it is escaped.
  return measure(value) * 6 <= maxBytes || UTF8.encode(JSON.stringify(value)).length <= maxBytes;
}

const measured = new WeakMap<object, number>();

/** Characters of the value's JSON, at least; throws STEP_DATA_LIMIT beyond the limits. A value is never changed, so it is measured once. */
export function measure(value: Json): number {
  if (value === null || typeof value !== 'object') return count(value);
  const known = measured.get(value) ?? count(value);
  measured.set(value, known);
  return known;
}

function count(value: Json): number {
  let left = MAX_CHARACTERS;
  const pending: { readonly value: Json; readonly depth: number }[] = [{ value, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { depth } = next;
    left -= typeof next.value === 'string' ? next.value.length + 3 : 4;
    if (depth > MAX_DEPTH) throw limit(`nested deeper than ${MAX_DEPTH}`);
    if (left < 0) throw limit(`larger than ${MAX_CHARACTERS} characters`);
    if (next.value === null || typeof next.value !== 'object') continue;
    for (const [key, item] of Object.entries<Json>(next.value)) {
      left -= key.length + 4;
      pending.push({ value: item, depth: depth + 1 });
    }
  }
  return MAX_CHARACTERS - left;
}

/** What a run may work through between two tasks, in characters of data: seconds. */
export const MAX_WORK = 256 * 1024 * 1024;

function limit(problem: string): WritError {
  return new WritError('STEP_DATA_LIMIT', `the run's data is ${problem}`, {
    hint: 'keep large data outside the run and pass a reference',
  });
}
