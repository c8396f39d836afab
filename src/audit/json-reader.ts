// A strict JSON reader for bytes we did not write (RFC 8259 with the refusals of RFC 7493). JSON.parse keeps the
// last of two equal keys and rounds integers, both silently; here either is an error, as is everything that could
// let two readers see two values in the same bytes.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { ownText } from './own-text.js';

/** Deepest nesting of arrays and objects that is read or written. */
export const MAX_JSON_DEPTH = 64;

/** Most values in one text: three bytes of it can cost a hundred of memory. */
const MAX_JSON_VALUES = 4_194_304;

/**
 * The value of a JSON text (attacker-controlled). Throws AUDIT_JSON_INVALID on invalid UTF-8, a byte order mark,
 * duplicate keys (compared after unescaping), unpaired surrogates, integers a double can't hold exactly, numbers
 * that overflow or vanish to 0, nesting beyond 64, more than MAX_JSON_VALUES values, and bytes after the value. A key `__proto__` is a key.
 */
export function parseJson(bytes: Uint8Array): Json {
  return new Reader(decodeUtf8(bytes)).read();
}

/** As `parseJson`, for text that was decoded by `decodeUtf8`. */
export function parseJsonText(text: string): Json {
  return new Reader(text).read();
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict UTF-8: no replacement characters, and a byte order mark stays visible. Throws AUDIT_JSON_INVALID. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new WritError('AUDIT_JSON_INVALID', 'the bytes are not valid UTF-8', { cause });
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LONE_SURROGATE = /\p{Surrogate}/u;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Reader {
  private at = 0;
  private values = 0;

  constructor(private readonly text: string) {}

  read(): Json {
    this.skipSpace();
    const value = this.value(0);
    this.skipSpace();
    if (this.at < this.text.length) throw this.invalid('more text after the value');
    return value;
  }

  // Recursion is bounded by MAX_JSON_DEPTH.
  private value(depth: number): Json {
    this.values += 1;
    if (this.values > MAX_JSON_VALUES) throw this.invalid(`more than ${MAX_JSON_VALUES} values`);
    switch (this.text.charAt(this.at)) {
      case '{':
        return this.object(depth + 1);
      case '[':
        return this.array(depth + 1);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): Json {
    this.open(depth);
    const object: Record<string, Json> = {};
    if (this.take('}')) return object;
    for (;;) {
      if (this.text.charAt(this.at) !== '"') throw this.invalid('a key was expected');
      const key = this.string();
      if (Object.hasOwn(object, key)) throw this.invalid(`the key ${JSON.stringify(key)} occurs twice`);
      this.skipSpace();
      if (!this.take(':')) throw this.invalid('":" was expected');
      this.skipSpace();
      const value = this.value(depth);
      // Plain assignment to __proto__ would set the prototype and lose the key.
      if (key === '__proto__') {
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      } else {
        object[key] = value;
      }
      this.skipSpace();
      if (this.take('}')) return object;
      if (!this.take(',')) throw this.invalid('"," or "}" was expected');
      this.skipSpace();
    }
  }

  private array(depth: number): Json {
    this.open(depth);
    const array: Json[] = [];
    if (this.take(']')) return array;
    for (;;) {
      array.push(this.value(depth));
      this.skipSpace();
      if (this.take(']')) return array;
      if (!this.take(',')) throw this.invalid('"," or "]" was expected');
      this.skipSpace();
    }
  }

  private open(depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw this.invalid(`nested deeper than ${MAX_JSON_DEPTH}`);
    this.at += 1;
    this.skipSpace();
  }

  private string(): string {
    this.at += 1;
    let start = this.at;
    let built = '';
    let escaped = false;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) break;
      if (Number.isNaN(code)) throw this.invalid('the string does not end');
      if (code < 0x20) throw this.invalid('a control character stands in a string');
      if (code === BACKSLASH) {
        built += this.text.slice(start, this.at) + this.escape();
        escaped = true;
        start = this.at;
      } else {
        this.at += 1;
      }
    }
    built += this.text.slice(start, this.at);
    this.at += 1;
    // Text decoded from UTF-8 has no lone surrogates; only an escape can make one.
    if (escaped && LONE_SURROGATE.test(built)) throw this.invalid('an unpaired surrogate stands in a string');
    // What is kept of a value must not keep the whole text it was read from.
    return ownText(built);
  }

  private escape(): string {
    const letter = this.text.charAt(this.at + 1);
    if (letter === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      if (!HEX4.test(hex)) throw this.invalid('\\u needs four hex digits');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (meant === undefined) throw this.invalid('an unknown escape');
    this.at += 2;
    return meant;
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.invalid('a value was expected');
    const [literal, fraction, exponent] = match;
    const value = Number(literal);
    if (!Number.isFinite(value)) throw this.invalid('the number is too large for a double');
    if (fraction === undefined && exponent === undefined) {
      // Up to 15 digits are always exact; longer ones are compared digit by digit.
      if (literal.length > 15 && (literal.length > 310 || BigInt(value) !== BigInt(literal))) {
        throw this.invalid('the integer is not exact as a double');
      }
    } else if (value === 0 && /[1-9]/.test(literal.split(/[eE]/)[0] ?? '')) {
      throw this.invalid('the number is too small for a double');
    }
    this.at += literal.length;
    return value;
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.invalid('a value was expected');
    this.at += word.length;
    return value;
  }

  private take(char: string): boolean {
    if (this.text.charAt(this.at) !== char) return false;
    this.at += 1;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at += 1;
    }
  }

  private invalid(reason: string): WritError {
    return new WritError('AUDIT_JSON_INVALID', `invalid JSON at character ${this.at}: ${reason}`, {
      hint: 'the bytes were not written by a strict JSON writer, or were changed',
    });
  }
}
