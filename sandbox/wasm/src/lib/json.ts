// JSON (RFC 8259) in and out. The input is attacker-controlled: depth and size are bounded, a key that stands twice
// is an error, and numbers stay text, so that an amount is never rounded on its way through a double.
import { EXIT_BAD_DATA, fail } from './process';

export const enum Kind {
  Null,
  False,
  True,
  Number,
  Text,
  List,
  Object,
}

const MAX_DEPTH: i32 = 32;
const MAX_MEMBERS: i32 = 1000;

/** One value. `text` is a string's value or a number's digits as written; objects keep `names` beside `items`. */
export class Json {
  text: string = '';
  names: string[] = [];
  items: Json[] = [];
  constructor(public kind: Kind) {}

  /** The member, or null when there is none or this is no object. */
  get(name: string): Json | null {
    if (this.kind != Kind.Object) return null;
    const at = this.names.indexOf(name);
    return at < 0 ? null : this.items[at];
  }

  /** The member's text, or '' when it is no string. */
  textOf(name: string): string {
    const member = this.get(name);
    return member !== null && member.kind == Kind.Text ? member.text : '';
  }
}

/** The value of `text`, or null when it is not one JSON value within bounds. */
export function tryParse(text: string): Json | null {
  const parser = new Parser(text);
  const value = parser.value(0);
  parser.space();
  return parser.failed || parser.at != text.length ? null : value;
}

/** As `tryParse`; ends the process with EXIT_BAD_DATA instead of null. */
export function parse(text: string): Json {
  const value = tryParse(text);
  if (value === null) fail(EXIT_BAD_DATA, 'input is not JSON');
  return value!;
}

/** Builds one JSON object, member by member, in the order of the calls. */
export class ObjectWriter {
  private parts: string[] = [];

  text(name: string, value: string): this {
    return this.raw(name, quote(value));
  }

  /** `json` must be JSON. */
  raw(name: string, json: string): this {
    this.parts.push(quote(name) + ':' + json);
    return this;
  }

  toString(): string {
    return '{' + this.parts.join(',') + '}';
  }
}

/** A JSON list of values that are JSON already. */
export function list(items: string[]): string {
  return '[' + items.join(',') + ']';
}

export function quote(value: string): string {
  const parts: string[] = ['"'];
  let from = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value.charCodeAt(i);
    if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
    parts.push(value.substring(from, i));
    if (c == 0x22 || c == 0x5c) parts.push('\\' + value.charAt(i));
    else parts.push('\\u00' + (c < 0x10 ? '0' : '') + c.toString(16));
    from = i + 1;
  }
  parts.push(value.substring(from));
  parts.push('"');
  return parts.join('');
}

/** Recursive descent; after the first fault `failed` stays set and every call returns at once. */
class Parser {
  at: i32 = 0;
  failed: bool = false;
  constructor(private source: string) {}

  value(depth: i32): Json {
    this.space();
    if (depth > MAX_DEPTH) return this.fault();
    const c = this.peek();
    if (c == 0x7b) return this.members(depth, true);
    if (c == 0x5b) return this.members(depth, false);
    if (c == 0x22) {
      const value = new Json(Kind.Text);
      value.text = this.string();
      return value;
    }
    if (c == 0x2d || isDigit(c)) return this.number();
    if (this.word('null')) return new Json(Kind.Null);
    if (this.word('true')) return new Json(Kind.True);
    if (this.word('false')) return new Json(Kind.False);
    return this.fault();
  }

  space(): void {
    while (true) {
      const c = this.peek();
      if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) return;
      this.at++;
    }
  }

  private members(depth: i32, named: bool): Json {
    const value = new Json(named ? Kind.Object : Kind.List);
    const close = named ? 0x7d : 0x5d;
    this.at++;
    this.space();
    if (this.peek() == close) {
      this.at++;
      return value;
    }
    while (!this.failed) {
      if (value.items.length == MAX_MEMBERS) return this.fault();
      if (named) {
        this.space();
        if (this.peek() != 0x22) return this.fault();
        const name = this.string();
        if (value.names.includes(name)) return this.fault();
        value.names.push(name);
        this.space();
        if (this.peek() != 0x3a) return this.fault();
        this.at++;
      }
      value.items.push(this.value(depth + 1));
      this.space();
      const c = this.peek();
      this.at++;
      if (c == close) return value;
      if (c != 0x2c) return this.fault();
    }
    return value;
  }

  private string(): string {
    const parts: string[] = [];
    this.at++;
    let from = this.at;
    while (true) {
      const c = this.peek();
      if (c < 0x20) break; // control character, or the end (-1)
      if (c == 0x22) {
        parts.push(this.source.substring(from, this.at));
        this.at++;
        return parts.join('');
      }
      this.at++;
      if (c != 0x5c) continue;
      parts.push(this.source.substring(from, this.at - 1));
      const escape = this.peek();
      this.at++;
      if (escape == 0x75) parts.push(String.fromCharCode(this.hex4()));
      else if (escape == 0x22 || escape == 0x5c || escape == 0x2f) parts.push(String.fromCharCode(escape));
      else if (escape == 0x62) parts.push('\b');
      else if (escape == 0x66) parts.push('\f');
      else if (escape == 0x6e) parts.push('\n');
      else if (escape == 0x72) parts.push('\r');
      else if (escape == 0x74) parts.push('\t');
      else break;
      if (this.failed) break;
      from = this.at;
    }
    this.failed = true;
    return '';
  }

  private hex4(): i32 {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const c = this.peek() | 0x20;
      const digit = isDigit(this.peek()) ? this.peek() - 0x30 : c >= 0x61 && c <= 0x66 ? c - 0x57 : -1;
      if (digit < 0) this.failed = true;
      value = (value << 4) | digit;
      this.at++;
    }
    return value;
  }

  private number(): Json {
    const from = this.at;
    if (this.peek() == 0x2d) this.at++;
    if (this.peek() == 0x30) this.at++;
    else if (!this.digits()) return this.fault();
    if (this.peek() == 0x2e) {
      this.at++;
      if (!this.digits()) return this.fault();
    }
    if ((this.peek() | 0x20) == 0x65) {
      this.at++;
      if (this.peek() == 0x2b || this.peek() == 0x2d) this.at++;
      if (!this.digits()) return this.fault();
    }
    const value = new Json(Kind.Number);
    value.text = this.source.substring(from, this.at);
    return value;
  }

  private digits(): bool {
    const from = this.at;
    while (isDigit(this.peek())) this.at++;
    return this.at > from;
  }

  private word(word: string): bool {
    if (!this.source.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** The code unit here, -1 at the end. */
  private peek(): i32 {
    return this.at < this.source.length ? this.source.charCodeAt(this.at) : -1;
  }

  private fault(): Json {
    this.failed = true;
    return new Json(Kind.Null);
  }
}

function isDigit(c: i32): bool {
  return c >= 0x30 && c <= 0x39;
}
