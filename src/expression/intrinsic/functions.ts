// The 18 intrinsic functions of the States Language. Pure; randomness is a value that comes in. Arguments are
// attacker-controlled data: sizes are bounded before work is done, and an argument of the wrong type is a fault.
import { isRecordable } from '../../canonical-json.js';
import { isList, isObject, readJson, type Json, type JsonObject } from '../../json.js';
import { decodeBase64, encodeBase64, hashHex } from './bytes.js';
import { IntrinsicFault, withinData } from './fault.js';
import { formatText } from './format.js';
import { randomBetween, seededBetween, uuid4 } from './random.js';
import { equal, put } from '../value.js';

export { IntrinsicFault };

export interface Argument {
  readonly value: Json;
  /** A text as the document writes it, with its escapes; undefined for what comes from data. */
  readonly format?: string;
}

interface Intrinsic {
  /** Number of arguments. */
  readonly least: number;
  readonly most: number;
  readonly run: (args: readonly Argument[], random: () => Uint8Array) => Json;
}

/** Base64Encode, Base64Decode and Hash take texts up to this many UTF-16 units. */
const MAX_TEXT = 10_000;
const MAX_RANGE = 1000;
/** MathAdd and MathRandom: 32-bit integers. */
const LEAST_INTEGER = -(2 ** 31);
const MOST_INTEGER = 2 ** 31 - 1;

// A function of the values alone.
function of(least: number, most: number, run: (...values: Json[]) => Json): Intrinsic {
  return { least, most, run: (args) => run(...args.map(({ value }) => value)) };
}

export const INTRINSICS = {
  Format: { least: 1, most: Infinity, run: (args) => formatText(args) },
  StringToJson: of(1, 1, (text = null) => parseText(text)),
  JsonToString: of(1, 1, (value = null) => jsonOf(value)),
  Array: of(0, Infinity, (...values) => values),
  ArrayPartition: of(2, 2, (list = null, size = null) =>
    partition(listOf(list), whole(size, 'the chunk size')),
  ),
  ArrayContains: of(2, 2, (list = null, value = null) => listOf(list).some((one) => equal(one, value))),
  ArrayRange: of(3, 3, (from = null, to = null, step = null) =>
    range(whole(from, 'the first number'), whole(to, 'the last number'), whole(step, 'the step')),
  ),
  ArrayGetItem: of(2, 2, (list = null, index = null) => itemOf(listOf(list), whole(index, 'the index'))),
  ArrayLength: of(1, 1, (list = null) => listOf(list).length),
  ArrayUnique: of(1, 1, (list = null) => unique(listOf(list))),
  Base64Encode: of(1, 1, (text = null) => encodeBase64(boundedText(text))),
  Base64Decode: of(1, 1, (text = null) => decodeBase64(boundedText(text))),
  Hash: of(2, 2, (data = null, algorithm = null) => hashHex(hashable(data), textOf(algorithm))),
  JsonMerge: of(3, 3, (first = null, second = null, deep = null) => merge(first, second, deep)),
  MathAdd: of(2, 2, (a = null, b = null) =>
    within32(rounded(a, 'the first number') + rounded(b, 'the second number'), 'the sum'),
  ),
  MathRandom: {
    least: 2,
    most: 3,
    run: (args, random) => {
      const [first, last, seed] = args.map(({ value }) => value);
      const from = within32(whole(first ?? null, 'the first number'), 'the first number');
      const to = within32(whole(last ?? null, 'the last number'), 'the last number');
      if (from >= to) throw new IntrinsicFault('the first number must be less than the last');
      if (seed === undefined) return randomBetween(from, to, random());
      return seededBetween(from, to, whole(seed, 'the seed'));
    },
  },
  StringSplit: of(2, 2, (text = null, splitters = null) => split(textOf(text), textOf(splitters))),
  UUID: { least: 0, most: 0, run: (_args, random) => uuid4(random()) },
} as const satisfies Record<string, Intrinsic>;

export type IntrinsicName = keyof typeof INTRINSICS;

export function isIntrinsicName(name: string): name is IntrinsicName {
  return Object.hasOwn(INTRINSICS, name);
}

/** There may be a number that is more than a double holds. */
const HUGE_NUMBER = /[eE]\+?\d{3}|\d{309}/;

// Blank text is null, -0 is 0 (recorded).
function parseText(value: Json): Json {
  const text = textOf(value);
  if (text.trim() === '') return null;
  let parsed: Json;
  try {
    parsed = readJson(text);
  } catch {
    throw new IntrinsicFault('the text is not valid JSON');
  }
  // But for `1e400`, which it reads as Infinity, and which no result may be.
  if (HUGE_NUMBER.test(text) && !isRecordable(parsed))
    throw new IntrinsicFault('the text holds a number that is too large');
  return parsed === 0 ? 0 : parsed;
}

function partition(list: readonly Json[], size: number): Json {
  if (size <= 0) throw new IntrinsicFault('the chunk size must be a positive integer');
  const chunks: Json[] = [];
  for (let i = 0; i < list.length; i += size) chunks.push(list.slice(i, i + size));
  return chunks;
}

function range(from: number, to: number, step: number): Json {
  if (step === 0) throw new IntrinsicFault('the step must not be 0');
  const count = Math.floor((to - from) / step) + 1;
  if (count > MAX_RANGE) throw new IntrinsicFault(`the range has more than ${MAX_RANGE} items`);
  return Array.from({ length: Math.max(count, 0) }, (_, i) => from + i * step);
}

function itemOf(list: readonly Json[], index: number): Json {
  // The service's own exception: a list without items has null anywhere (measured).
  if (list.length === 0 && index >= 0) return null;
  const item = list[index];
  if (item === undefined) throw new IntrinsicFault(`the list has ${list.length} items and none at ${index}`);
  return item;
}

function unique(list: readonly Json[]): Json {
  withinData(list);
  const seen = new Set<string>();
  return list.filter((value) => {
    const identity = JSON.stringify(value, sortedKeys);
    return !seen.has(identity) && seen.add(identity);
  });
}

function sortedKeys(_key: string, value: Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function merge(first: Json, second: Json, deep: Json): Json {
  if (!isObject(first) || !isObject(second))
    throw new IntrinsicFault('both arguments to merge must be objects');
  if (deep !== false)
    throw new IntrinsicFault('the third argument must be false: only shallow merging is supported');
  const merged: Record<string, Json> = {};
  for (const object of [first, second] satisfies JsonObject[]) {
    for (const [key, value] of Object.entries(object)) put(merged, key, value);
  }
  return merged;
}

// Every character of `splitters` separates; by code point, so that no pair is torn.
function split(text: string, splitters: string): Json {
  const separates = new Set(splitters);
  const pieces: string[] = [];
  let piece = '';
  for (const char of text) {
    if (!separates.has(char)) piece += char;
    else {
      if (piece !== '') pieces.push(piece);
      piece = '';
    }
  }
  if (piece !== '') pieces.push(piece);
  return pieces;
}

function listOf(value: Json): readonly Json[] {
  if (!isList(value)) throw new IntrinsicFault(`expected an array, found ${kindOf(value)}`);
  return value;
}

function textOf(value: Json): string {
  if (typeof value !== 'string') throw new IntrinsicFault(`expected a string, found ${kindOf(value)}`);
  return value;
}

function boundedText(value: Json): string {
  const text = textOf(value);
  if (text.length > MAX_TEXT) throw new IntrinsicFault(`the text has more than ${MAX_TEXT} characters`);
  return text;
}

function jsonOf(value: Json): string {
  return JSON.stringify(withinData(value));
}

// What is no text is hashed as its JSON text.
function hashable(value: Json): string {
  return boundedText(typeof value === 'string' ? value : jsonOf(value));
}

/** Fractions are cut off, as the service does wherever it takes a whole number, but for MathAdd (measured). */
function whole(value: Json, what: string): number {
  return safe(Math.trunc(numberOf(value, what)), what);
}

/** MathAdd: to the nearest, halves up, as Java's Math.round does. */
function rounded(value: Json, what: string): number {
  return within32(safe(Math.round(numberOf(value, what)), what), what);
}

function numberOf(value: Json, what: string): number {
  if (typeof value === 'number') return value;
  throw new IntrinsicFault(`${what} must be an integer, found ${kindOf(value)}`);
}

function safe(number: number, what: string): number {
  if (!Number.isSafeInteger(number)) throw new IntrinsicFault(`${what} is too large`);
  return number + 0; // -0 is 0
}

function within32(number: number, what: string): number {
  if (number < LEAST_INTEGER || number > MOST_INTEGER) {
    throw new IntrinsicFault(`${what} is not between ${LEAST_INTEGER} and ${MOST_INTEGER}`);
  }
  return number;
}

function kindOf(value: Json): string {
  if (value === null) return 'null';
  return isList(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
