// Typed questions about values that came out of a step: member, truth, equality, order. Every value here is
// attacker-controlled data; nothing coerces, nothing reaches a prototype, nothing is parsed as an expression.
import { isList, readJson, type Json } from '../json.js';
import { BLOCKED_NAMES } from './names.js';

/** Text above this many UTF-16 units is not searched for JSON inside it. */
const JSON_TEXT_LIMIT = 1024 * 1024;
/** `equal` gives up (false) below this depth, so that deep data can't exhaust the stack. */
const DEPTH_LIMIT = 200;

/**
 * The member `key` of a value, or undefined when there is none. Lists answer to indices and `length`, objects to
 * their own keys, and a string that holds a JSON object or list to what it holds (AgentOS page).
 */
export function member(
  value: Json,
  key: string | number,
  open: (value: Json) => Json = structured,
): Json | undefined {
  const holder = open(value);
  if (isList(holder)) {
    if (key === 'length') return holder.length;
    if (typeof key === 'string' && !/^(0|[1-9]\d{0,9})$/.test(key)) return undefined;
    return holder[Number(key)];
  }
  if (typeof holder !== 'object' || holder === null) return undefined;
  const name = String(key);
  if (BLOCKED_NAMES.has(name) || !Object.hasOwn(holder, name)) return undefined;
  return holder[name];
}

/** Follows `segments` from `value`; undefined as soon as one is not there. */
export function descend(
  value: Json,
  segments: readonly (string | number)[],
  open: (value: Json) => Json = structured,
): Json | undefined {
  let current: Json | undefined = value;
  for (const segment of segments) {
    if (current === undefined) return undefined;
    current = member(current, segment, open);
  }
  return current;
}

/** The object or list a string holds as JSON text; any other value as it is. */
export function structured(value: Json): Json {
  if (typeof value !== 'string' || value.length > JSON_TEXT_LIMIT || !/^\s*[[{]/.test(value)) return value;
  try {
    return readJson(value);
  } catch {
    return value; // text that only looks like JSON stays text
  }
}

/** `structured` for whoever asks many times of the same values: a text is read once. What it gives is shared: nobody changes it. */
export function opener(): (value: Json) => Json {
  const opened = new Map<string, Json>();
  return (value) => {
    if (typeof value !== 'string') return value;
    const known = opened.get(value);
    if (known !== undefined) return known;
    const holder = structured(value);
    opened.set(value, holder);
    return holder;
  };
}

/** Sets an own member; `__proto__` becomes an ordinary key, which a plain assignment would not make of it. */
export function put(target: Record<string, Json>, key: string, value: Json): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Truth of a lone value: `true`, a number but 0, and text, lists and objects that are not empty. */
export function truthy(value: Json): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string') return value !== '';
  if (value === null) return false;
  return isList(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/**
 * Same type and equal, deep for lists and objects; key order does not matter. `1` and `'1'` differ. `look` is told how many
 * members are about to be compared, and may throw to end it.
 */
export function equal(a: Json, b: Json, depth = 0, look?: (members: number) => void): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (depth >= DEPTH_LIMIT) return false;
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b) || a.length !== b.length) return false;
    look?.(a.length);
    return a.every((item, i) => equal(item, b[i] ?? null, depth + 1, look));
  }
  const keys = Object.keys(a);
  look?.(keys.length);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key] ?? null, b[key] ?? null, depth + 1, look))
  );
}

/** Does the JSON text of `value` have at most about `most` characters? Looks no further than that, at any depth. */
export function fits(value: Json, most: number): boolean {
  let left = most;
  const waiting: Json[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    left -= typeof next === 'string' ? next.length + 3 : 4;
    if (left < 0) return false;
    if (next === null || typeof next !== 'object') continue;
    for (const [key, item] of Object.entries<Json>(next)) {
      left -= key.length + 4;
      waiting.push(item);
    }
  }
  return left >= 0;
}

/** Negative, 0 or positive for two numbers or two strings (by code point); null for anything else. */
export function order(a: Json, b: Json): number | null {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return orderText(a, b);
  return null;
}

// UTF-16 units order surrogates below U+E000; code points don't.
function orderText(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // Step back to the start of a pair that differs in its second half only.
    const at = i > 0 && isLowSurrogate(a.charCodeAt(i)) && isLowSurrogate(b.charCodeAt(i)) ? i - 1 : i;
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
  }
  return a.length - b.length;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
