// RFC 8785 (JCS): the one text of a JSON value. Hashes of subjects, decisions, policies, workflows and log
// entries are made over it, so it lives where every room can reach it.
import { WritError } from './errors.js';
import type { Json } from './json.js';

const MAX_DEPTH = 64;

/**
 * RFC 8785 text. Throws AUDIT_JSON_INVALID for what JSON can't say: NaN, Infinity, undefined, holes in lists, class
 * instances, symbol keys, an unpaired surrogate, more than 64 lists and objects inside one another, of which `depth` are
 * around `value`.
 */
export function canonicalJson(value: Json, depth = 0): string {
  return write(value, depth);
}

/** Is there such a text? JSON.parse takes `1e999` and half a character, and no record has a form for either. */
export function isRecordable(value: Json): boolean {
  try {
    canonicalJson(value);
    return true;
  } catch (error) {
    if (error instanceof WritError) return false;
    throw error;
  }
}

interface Shared {
  readonly text: string;
  /** Lists and objects inside one another, itself among them. */
  readonly height: number;
}

const shared = new WeakMap<object, Shared>();

/**
 * The same value, frozen all through, whose text is made once: for what stands in the entries of thousands of attempts.
 * Throws as `canonicalJson`.
 */
export function sharedJson<Value extends Json>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    const text = canonicalJson(value);
    shared.set(value, { text, height: freeze(value) });
  }
  return value;
}

/** Whether it came from `sharedJson`: it can't change any more, so what was found out about it once stays true. */
export function isShared(value: object): boolean {
  return Object.isFrozen(value) && shared.has(value);
}

/** Its height. What has a text is not deep. */
function freeze(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  Object.freeze(value);
  return 1 + Object.values(value).reduce<number>((most, one) => Math.max(most, freeze(one)), 0);
}

// Recursion is bounded, so neither a hostile nor a cyclic value can exhaust the stack.
function write(value: unknown, depth: number): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return writeString(value);
  if (typeof value === 'number') return writeNumber(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') throw invalid(`${typeof value} is not JSON`);
  if (depth >= MAX_DEPTH) throw invalid(`JSON is nested deeper than ${MAX_DEPTH}`);
  if (Object.isFrozen(value)) {
    const known = shared.get(value);
    if (known !== undefined && depth + known.height <= MAX_DEPTH) return known.text;
  }
  if (Array.isArray(value)) return writeList(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) throw invalid('a class instance is not JSON');
  if (Object.getOwnPropertySymbols(value).length > 0) throw invalid('a symbol is no JSON key');
  return writeObject(value as Readonly<Record<string, unknown>>, depth);
}

function writeList(list: readonly unknown[], depth: number): string {
  let text = '[';
  // By index, because iteration methods leave holes out; a hole reads as undefined, which is not JSON.
  for (let i = 0; i < list.length; i++) text += (i === 0 ? '' : ',') + write(list[i], depth + 1);
  return `${text}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, depth: number): string {
  let text = '{';
  let comma = '';
  for (const key of sortedKeys(object)) {
    text += comma + writeKey(key) + write(object[key], depth + 1);
    comma = ',';
  }
  return `${text}}`;
}

/** By UTF-16 code units, which is what the default order of strings is. Mostly they come so, and looking costs less. */
function sortedKeys(object: object): readonly string[] {
  const keys = Object.keys(object);
  let before = '';
  for (const key of keys) {
    if (key < before) return keys.sort();
    before = key;
  }
  return keys;
}

/** Keys as they are written: those of entries, calls and answers, which come again and again. */
const written = new Map<string, string>();
const MAX_WRITTEN = 1_000;
const MAX_WRITTEN_LENGTH = 64;

function writeKey(key: string): string {
  const known = written.get(key);
  if (known !== undefined) return known;
  const text = `${writeString(key)}:`;
  if (key.length <= MAX_WRITTEN_LENGTH && written.size < MAX_WRITTEN) written.set(key, text);
  return text;
}

function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw invalid(`${String(value)} is not a JSON number`);
  // ECMAScript's own shortest form is RFC 8785's (section 3.2.2.3); -0 is written 0.
  return JSON.stringify(value);
}

/** Printable ASCII that stands for itself: nearly every key and value of a log. */
const PLAIN = /^[ !#-[\]-~]*$/;

function writeString(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  if (!value.isWellFormed()) throw invalid('a string holds an unpaired surrogate');
  // For well-formed text JSON.stringify escapes exactly what RFC 8785 section 3.2.2.2 asks for.
  return JSON.stringify(value);
}

function invalid(message: string): WritError {
  return new WritError('AUDIT_JSON_INVALID', message);
}
