// No secret that this installation knows by handle is stored or shown: wherever its value turns up, as it is or in
// one of the spellings below, the handle stands instead. It is done before anything is rendered, approved, run,
// committed to or logged, so that what is approved, run and stored stays one and the same.
// Not found: a value cut in two, compressed, encrypted, or spelled in a way not listed here.
import { isList, type Json } from '../json.js';
import type { Secret, SecretSource } from './ports.js';

/** Replaces secrets by their handles. Applied twice it changes nothing more. */
export interface Redactor {
  text(text: string): string;
  /** Strings and keys at any depth; the same value when nothing is found. */
  json(value: Json): Json;
  /** Any bytes: a value is found between others that are no text. */
  bytes(bytes: Uint8Array): Uint8Array;
  /** The same for one change: the secrets are read once, now. NO_REDACTION when there are none. */
  now(): Redactor;
}

/** What stands for the value of a secret. */
export function handleOf(name: string): string {
  return `«secret ${name}»`;
}

/** Reads the secrets anew at every call, so that one made meanwhile by another process counts at once. */
export function openRedactor(source: SecretSource): Redactor {
  let known: readonly Secret[] | null = null;
  let needles: readonly Needle[] = [];
  const current = (): readonly Needle[] => {
    const secrets = source.current();
    if (secrets !== known) needles = needlesOf(secrets);
    known = secrets;
    return needles;
  };
  return redactorOf(current);
}

function redactorOf(current: () => readonly Needle[]): Redactor {
  return {
    now() {
      const needles = current();
      return needles.length === 0 ? NO_REDACTION : redactorOf(() => needles);
    },
    text: (text) => redactText(text, current(), 'text'),
    json: (value) => redactJson(value, current()),
    bytes(bytes) {
      const needles = current();
      if (needles.length === 0) return bytes;
      // Latin-1 maps every byte to one character and back, whatever the bytes are.
      const text = Buffer.from(bytes).toString('latin1');
      const redacted = redactText(text, needles, 'latin1');
      return redacted === text ? bytes : new Uint8Array(Buffer.from(redacted, 'latin1'));
    },
  };
}

/** Knows no secret. */
export const NO_REDACTION: Redactor = {
  text: (text) => text,
  json: (value) => value,
  bytes: (bytes) => bytes,
  now: () => NO_REDACTION,
};

interface Needle {
  readonly text: string;
  /** The same bytes, one character each. */
  readonly latin1: string;
  readonly handle: string;
}

/** Longest first: a value that contains another one is replaced whole. */
function needlesOf(secrets: readonly Secret[]): readonly Needle[] {
  return secrets
    .flatMap(({ name, value }) =>
      spellings(value).map((text) => ({
        text,
        latin1: Buffer.from(text).toString('latin1'),
        handle: handleOf(name),
      })),
    )
    .toSorted((a, b) => b.text.length - a.text.length);
}

/** How a value may be written: as it is, in JSON (twice over), percent-encoded, in hex, in base64 at any offset. */
function spellings(value: Uint8Array): readonly string[] {
  const bytes = Buffer.from(value);
  const found = [bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64Spellings(bytes)];
  const text = bytes.toString('utf8');
  // What is no UTF-8 never stands in a text as it is.
  if (Buffer.from(text).equals(bytes)) {
    const escaped = inJson(text);
    const ascii = asciiJson(text);
    found.push(text, escaped, inJson(escaped), ascii, inJson(ascii), escaped.replaceAll('/', '\\/'));
  }
  found.push(...percentSpellings(bytes));
  return [...new Set(found)];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** As writers do that leave nothing but ASCII in JSON. */
function asciiJson(text: string): string {
  return inJson(text).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** The whole characters that the value alone decides, where 0, 1 or 2 bytes stand before it in its group of three. */
function base64Spellings(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const first = Math.ceil((offset * 8) / 6);
    const end = Math.floor(((offset + bytes.length) * 8) / 6);
    const sure = encoded.slice(first, end);
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

const UNRESERVED = /^[A-Za-z0-9_.~-]$/;
/** What encodeURIComponent leaves as it is besides. */
const COMPONENT = /^[A-Za-z0-9_.~!*'()-]$/;

function percentSpellings(bytes: Buffer): readonly string[] {
  return [UNRESERVED, COMPONENT].flatMap((plain) =>
    ['%20', '+'].flatMap((blank) => {
      const upper = Array.from(bytes, (byte) => percent(byte, plain, blank, true)).join('');
      const lower = Array.from(bytes, (byte) => percent(byte, plain, blank, false)).join('');
      return [upper, lower];
    }),
  );
}

function percent(byte: number, plain: RegExp, blank: string, upper: boolean): string {
  const character = String.fromCharCode(byte);
  if (byte === 0x20) return blank;
  if (byte < 0x80 && plain.test(character)) return character;
  const hex = byte.toString(16).padStart(2, '0');
  return `%${upper ? hex.toUpperCase() : hex}`;
}

function redactText(text: string, needles: readonly Needle[], spelling: 'text' | 'latin1'): string {
  let redacted = text;
  for (const needle of needles) {
    if (!redacted.includes(needle[spelling])) continue;
    const handle = spelling === 'text' ? needle.handle : Buffer.from(needle.handle).toString('latin1');
    redacted = redacted.replaceAll(needle[spelling], () => handle);
  }
  return redacted;
}

/** More than anything that can be stored has: canonical JSON refuses 65 levels. */
const MAX_DEPTH = 128;

function redactJson(value: Json, needles: readonly Needle[], depth = 0): Json {
  if (needles.length === 0 || depth > MAX_DEPTH) return value;
  if (typeof value === 'string') return redactText(value, needles, 'text');
  if (typeof value === 'number') return redactNumber(value, needles);
  if (value === null || typeof value !== 'object') return value;
  if (isList(value)) {
    const items = value.map((item) => redactJson(item, needles, depth + 1));
    const isSame = items.every((item, index) => item === value[index]);
    return isSame ? value : items;
  }
  const members = Object.entries(value).map(
    ([key, item]) =>
      [redactText(key, needles, 'text'), redactJson(item, needles, depth + 1), key, item] as const,
  );
  if (members.every(([key, item, before, was]) => key === before && item === was)) return value;
  return fromMembers(members);
}

/** A secret of digits alone may come as a number; part of a number is another number. */
function redactNumber(value: number, needles: readonly Needle[]): Json {
  const text = String(value);
  return needles.find((needle) => needle.text === text)?.handle ?? value;
}

/** Keeps a key `__proto__` a key. Two keys that become one keep the last value. */
function fromMembers(members: readonly (readonly [string, Json, ...unknown[]])[]): Json {
  const result: Record<string, Json> = {};
  for (const [key, value] of members) {
    Object.defineProperty(result, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return result;
}
