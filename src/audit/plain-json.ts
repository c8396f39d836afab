// Recognises JSON text that is its own RFC 8785 form, as long as no string needs an escape: one look at each
// character, and no value is made before somebody asks for it. What it accepts, the strict reader and the canonical
// writer accept too.
import { readJson, type Json, type JsonObject } from '../json.js';
import { digitsEnd, literal, literalEnd, unitAt, type CodeUnits } from './code-units.js';
import { MAX_JSON_DEPTH } from './json-reader.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const COLON = 0x3a;
const LIST = 0x5b;
const BACKSLASH = 0x5c;
const LIST_END = 0x5d;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
const NULL = literal('null');
const TRUE = literal('true');
const FALSE = literal('false');
/** All marks of a number that is more than a few digits, and how many of them ECMAScript prints at most. */
const IN_NUMBER = new Set(literal('0123456789.eE+-'));
const MAX_NUMBER_LENGTH = 25;
/** So many digits are always a safe integer. */
const SAFE_DIGITS = 15;

/** From `first` to `last`: where the value of each member begins and ends, in order; their keys stand between. */
export interface Members {
  readonly places: Int32Array;
  /** What the places are counted from. */
  readonly from: number;
  readonly first: number;
  readonly last: number;
}

/** A plain object in its text, with the places that `plainObjectEnd` found. */
export class PlainObject {
  constructor(
    private readonly text: string,
    private readonly start: number,
    /** The position behind it. */
    private readonly end: number,
    private readonly members: Members,
  ) {}

  /** The value of that member, undefined without one. It keeps nothing of the text alive. */
  get(key: string): Json | undefined {
    const { text } = this;
    const { places, from, first, last } = this.members;
    // Behind `{"`, later behind `,"`; a key and its value stand apart by `":`.
    let before = this.start + 2;
    for (let i = first; i < last; i += 2) {
      const at = from + (places[i] ?? 0);
      const end = from + (places[i + 1] ?? 0);
      if (at - before === key.length + 2 && text.startsWith(key, before)) return valueOf(key, text, at, end);
      before = end + 2;
    }
    return undefined;
  }

  /** All of it. */
  all(): JsonObject {
    return JSON.parse(this.text.slice(this.start, this.end)) as JsonObject;
  }
}

/** What members said last, by key: one step is the subject of several entries in a row. */
const RECENT = new Map<string, { readonly text: string; readonly value: Json }>();
const MAX_RECENT_KEYS = 64;
const MAX_RECENT_LENGTH = 128;

/** The value that `text` holds from `at` to `end`; `key` is one of those that rules ask for. */
function valueOf(key: string, text: string, at: number, end: number): Json {
  // Nothing else is said in one character.
  if (end - at === 1) return text.charCodeAt(at) - ZERO;
  const recent = RECENT.get(key);
  if (recent?.text.length === end - at && text.startsWith(recent.text, at)) return recent.value;
  const value = readJson(text.slice(at, end));
  // Objects are the caller's own.
  if (typeof value !== 'string' || value.length > MAX_RECENT_LENGTH) return value;
  if (recent !== undefined || RECENT.size < MAX_RECENT_KEYS) RECENT.set(key, { text: `"${value}"`, value });
  return value;
}

/** Gets where each value of an object begins and ends, in order. */
export interface Places {
  pushValue(from: number, to: number): void;
}

/** What is looked through, and which of its marks may stand in a string: those below `limit`. */
export interface Marks {
  readonly units: CodeUnits;
  readonly limit: number;
}

/**
 * The position behind the object that begins at `start` of `marks` (attacker-controlled, well-formed text), if it is
 * plain: keys in strictly ascending order of UTF-16 code units (so none occurs twice), no white space, no escape,
 * numbers as ECMAScript prints them, integers up to 2^53-1, at most MAX_JSON_DEPTH levels, of which `depth` is the
 * object's own. -1 says nothing. `places` gets its own values, not those inside them.
 */
export function plainObjectEnd(marks: Marks, start: number, depth: number, places: Places): number {
  return unitAt(marks.units, start) === OBJECT ? objectEnd(marks, start + 1, depth, places) : -1;
}

/** From behind the opening quote: the position behind the closing one, or -1 when something would need an escape. */
export function plainStringEnd({ units, limit }: Marks, from: number): number {
  for (let at = from; ; at++) {
    const unit = unitAt(units, at);
    if (unit === QUOTE) return at + 1;
    // The end of the text is refused too.
    if (unit < 0x20 || unit === BACKSLASH || unit >= limit) return -1;
  }
}

// Each function gets the position behind an opening mark and returns the one behind the closing mark, or -1.
// Recursion is bounded by MAX_JSON_DEPTH.

function valueEnd(marks: Marks, at: number, depth: number): number {
  const { units } = marks;
  switch (unitAt(units, at)) {
    case QUOTE:
      return plainStringEnd(marks, at + 1);
    case OBJECT:
      return objectEnd(marks, at + 1, depth);
    case LIST:
      return listEnd(marks, at + 1, depth);
    case LETTER_N:
      return literalEnd(units, at, NULL);
    case LETTER_T:
      return literalEnd(units, at, TRUE);
    case LETTER_F:
      return literalEnd(units, at, FALSE);
    default:
      return numberEnd(units, at);
  }
}

function objectEnd(marks: Marks, from: number, depth: number, places?: Places): number {
  const { units } = marks;
  if (depth > MAX_JSON_DEPTH) return -1;
  if (unitAt(units, from) === OBJECT_END) return from + 1;
  let before = -1;
  for (let at = from; ; at++) {
    if (unitAt(units, at) !== QUOTE) return -1;
    const key = at + 1;
    at = plainStringEnd(marks, key);
    if (at < 0 || unitAt(units, at) !== COLON) return -1;
    if (before >= 0 && !isBefore(units, before, key)) return -1;
    before = key;
    const value = at + 1;
    at = valueEnd(marks, value, depth + 1);
    if (at < 0) return -1;
    places?.pushValue(value, at);
    if (unitAt(units, at) !== COMMA) return unitAt(units, at) === OBJECT_END ? at + 1 : -1;
  }
}

/** Whether the string behind quote `a` sorts before the one behind quote `b`; both are known to end. */
export function isBefore(units: CodeUnits, a: number, b: number): boolean {
  for (let i = 0; ; i++) {
    const left = unitAt(units, a + i);
    const right = unitAt(units, b + i);
    if (left === QUOTE) return right !== QUOTE;
    if (right === QUOTE) return false;
    if (left !== right) return left < right;
  }
}

function listEnd(marks: Marks, from: number, depth: number): number {
  const { units } = marks;
  if (depth > MAX_JSON_DEPTH) return -1;
  if (unitAt(units, from) === LIST_END) return from + 1;
  for (let at = from; ; at++) {
    at = valueEnd(marks, at, depth + 1);
    if (at < 0) return -1;
    if (unitAt(units, at) !== COMMA) return unitAt(units, at) === LIST_END ? at + 1 : -1;
  }
}

function numberEnd(units: CodeUnits, from: number): number {
  const isNegative = unitAt(units, from) === MINUS;
  const first = isNegative ? from + 1 : from;
  const end = digitsEnd(units, first, SAFE_DIGITS);
  if (end >= 0 && !IN_NUMBER.has(unitAt(units, end))) {
    return isNegative && unitAt(units, first) === ZERO ? -1 : end;
  }
  return longNumberEnd(units, from);
}

function longNumberEnd(units: CodeUnits, from: number): number {
  let text = '';
  for (let at = from; IN_NUMBER.has(unitAt(units, at)); at++) {
    if (text.length === MAX_NUMBER_LENGTH) return -1;
    text += String.fromCharCode(unitAt(units, at));
  }
  const value = Number(text);
  const isExact = String(value) === text && (Number.isSafeInteger(value) || !Number.isInteger(value));
  return isExact ? from + text.length : -1;
}
