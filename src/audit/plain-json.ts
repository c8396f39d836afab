// Recognises JSON text that is its own RFC 8785 form, as long as no string needs an escape: one look at each
// character, and no value is made before somebody asks for it. What it accepts, the strict reader and the canonical
// writer accept too.
import type { Json, JsonObject } from '../json.js';
import { MAX_JSON_DEPTH } from './json-reader.js';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const NUMBER = /-?[0-9.eE+-]+/y;

/** A plain object in its text, with the places that `plainObjectEnd` found. */
export class PlainObject {
  constructor(
    private readonly text: string,
    private readonly start: number,
    /** The position behind it. */
    private readonly end: number,
    /** From `first` to `last`: where the value of each member begins and ends, in order; their keys stand between. */
    private readonly places: Int32Array,
    private readonly first: number,
    private readonly last: number,
  ) {}

  /** The value of that member, undefined without one. It keeps nothing of the text alive. */
  get(key: string): Json | undefined {
    const { text, places, last } = this;
    // Behind `{"`, later behind `,"`; a key and its value stand apart by `":`.
    let from = this.start + 2;
    for (let i = this.first; i < last; i += 2) {
      const at = places[i] ?? 0;
      const end = places[i + 1] ?? 0;
      if (at - from === key.length + 2 && text.startsWith(key, from)) return valueOf(key, text, at, end);
      from = end + 2;
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
  const recent = RECENT.get(key);
  if (recent?.text.length === end - at && text.startsWith(recent.text, at)) return recent.value;
  const value = JSON.parse(text.slice(at, end)) as Json;
  // Objects are the caller's own.
  if (typeof value !== 'string' || value.length > MAX_RECENT_LENGTH) return value;
  if (recent !== undefined || RECENT.size < MAX_RECENT_KEYS) RECENT.set(key, { text: `"${value}"`, value });
  return value;
}

/** Gets where each value of an object begins and ends, in order. */
export interface Places {
  pushValue(from: number, to: number): void;
}

/**
 * The position behind the object that begins at `start` of `text` (attacker-controlled, decoded from strict UTF-8), if
 * it is plain: keys in strictly ascending order of UTF-16 code units (so none occurs twice), no white space, no escape,
 * numbers as ECMAScript prints them, integers up to 2^53-1, at most MAX_JSON_DEPTH levels, of which `depth` is the
 * object's own. -1 says nothing. `places` gets its own values, not those inside them.
 */
export function plainObjectEnd(text: string, start: number, depth: number, places: Places): number {
  return text.charAt(start) === '{' ? objectEnd(text, start + 1, depth, places) : -1;
}

/** From behind the opening quote: the position behind the closing one, or -1 when something would need an escape. */
export function plainStringEnd(text: string, from: number): number {
  for (let at = from; ; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    // Written so that NaN, the end of the text, is refused too.
    if (!(code >= 0x20) || code === BACKSLASH) return -1;
  }
}

// Each function gets the position behind an opening mark and returns the one behind the closing mark, or -1.
// Recursion is bounded by MAX_JSON_DEPTH.

function valueEnd(text: string, at: number, depth: number): number {
  switch (text.charAt(at)) {
    case '"':
      return plainStringEnd(text, at + 1);
    case '{':
      return objectEnd(text, at + 1, depth);
    case '[':
      return listEnd(text, at + 1, depth);
    case 'n':
      return text.startsWith('null', at) ? at + 4 : -1;
    case 't':
      return text.startsWith('true', at) ? at + 4 : -1;
    case 'f':
      return text.startsWith('false', at) ? at + 5 : -1;
    default:
      return numberEnd(text, at);
  }
}

function objectEnd(text: string, from: number, depth: number, places?: Places): number {
  if (depth > MAX_JSON_DEPTH) return -1;
  if (text.charAt(from) === '}') return from + 1;
  let before = -1;
  for (let at = from; ; at++) {
    if (text.charCodeAt(at) !== QUOTE) return -1;
    const key = at + 1;
    if (before >= 0 && !isBefore(text, before, key)) return -1;
    before = key;
    at = plainStringEnd(text, key);
    if (at < 0 || text.charCodeAt(at) !== COLON) return -1;
    const value = at + 1;
    at = valueEnd(text, value, depth + 1);
    if (at < 0) return -1;
    places?.pushValue(value, at);
    if (text.charCodeAt(at) !== COMMA) return text.charAt(at) === '}' ? at + 1 : -1;
  }
}

/** Whether the string behind quote `a` sorts before the one behind quote `b`; `a` is known to end. */
function isBefore(text: string, a: number, b: number): boolean {
  for (let i = 0; ; i++) {
    const left = text.charCodeAt(a + i);
    const right = text.charCodeAt(b + i);
    if (left === QUOTE) return right !== QUOTE;
    if (right === QUOTE) return false;
    if (left !== right) return left < right;
  }
}

function listEnd(text: string, from: number, depth: number): number {
  if (depth > MAX_JSON_DEPTH) return -1;
  if (text.charAt(from) === ']') return from + 1;
  for (let at = from; ; at++) {
    at = valueEnd(text, at, depth + 1);
    if (at < 0) return -1;
    if (text.charCodeAt(at) !== COMMA) return text.charAt(at) === ']' ? at + 1 : -1;
  }
}

function numberEnd(text: string, from: number): number {
  NUMBER.lastIndex = from;
  const literal = NUMBER.exec(text)?.[0];
  if (literal === undefined) return -1;
  const value = Number(literal);
  const isExact = String(value) === literal && (Number.isSafeInteger(value) || !Number.isInteger(value));
  return isExact ? from + literal.length : -1;
}
