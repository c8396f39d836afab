// Plain YAML (plain-yaml.ts), character by character: mappings and lists by indentation, {} and [], words, quotes without
// escapes, comments. It gives nothing where it would have to judge. Everything is bounded by the text's length.
import type { Json } from './json.js';
import { isKey, isSpecial, MAX_PLAIN_LENGTH, meaningOf } from './plain-scalar.js';

/**
 * Where a value stands, as an offset; of a mapping or list with its children, in the order of its keys or items, unless it
 * is deeper than places were asked for.
 */
export type Mark = number | Marks;

export interface Marks {
  readonly at: number;
  /** The mapping or list itself; its keys are in the order of the text. */
  readonly of: Readonly<Record<string, Json>> | readonly Json[];
  /** Of a list its items; of a mapping each key's offset and then its value. */
  readonly parts: readonly Mark[];
}

export interface PlainDocument {
  readonly value: Json;
  readonly mark: Mark;
}

/** Nesting that is plain. */
export const MAX_DEPTH = 16;

/** The key that came behind a key last time, and how it is written with its colon. */
type KeysBehind = Map<string, { readonly key: string; readonly written: string }>;

export class PlainReader {
  /** The character that is read next. */
  #pos = 0;
  /** Where the line that is read next begins to hold something, and how far in; -1 = there is none. */
  #from = 0;
  #indent = -1;
  /** Where what was read last stands. */
  #mark: Mark = 0;
  /** The whole document is one {} or []: line ends in it are blanks. */
  #isWhole = false;

  readonly #followed: KeysBehind = new Map();
  readonly #followedInFlow: KeysBehind = new Map();

  constructor(
    readonly text: string,
    readonly markedDepth: number,
  ) {
    this.#openLine(0);
  }

  read(): PlainDocument | null {
    if (this.#indent < 0 || BEGINS_OR_ENDS.test(this.text)) return null;
    const opens = this.text.charCodeAt(this.#from);
    const isFlow = opens === OPEN_MAP || opens === OPEN_LIST;
    const value = isFlow ? this.#wholeFlow() : this.#block(this.#indent, this.#from, 0);
    return value === undefined || this.#indent >= 0 ? null : { value, mark: this.#mark };
  }

  /** A document that is all {} or [], such as one of JSON: over as many lines as it likes. */
  #wholeFlow(): Json | undefined {
    this.#isWhole = true;
    this.#pos = this.#from;
    this.#indent = -1;
    const value = this.#flow(0);
    return this.#skipInFlow(this.#pos) < this.text.length ? undefined : value;
  }

  // Each of these gives a value and leaves its mark; undefined = it is not plain.

  /** What begins at `from`, in column `column` of the line that is read next. */
  #block(column: number, from: number, depth: number): Json | undefined {
    if (depth > MAX_DEPTH) return undefined;
    if (this.#isItem(from)) return this.#sequence(column, from, depth);
    this.#pos = from;
    const key = this.#key('');
    return key === null ? this.#inline(from, depth) : this.#mapping(key, column, from, depth);
  }

  #sequence(column: number, from: number, depth: number): Json | undefined {
    const items: Json[] = [];
    const parts = this.#partsAt(depth);
    do {
      const at = this.#from;
      if (this.#indent !== column) return undefined;
      if (!this.#isItem(at)) break;
      const content = this.#skipBlanks(at + 1);
      // A dash alone, or one dash after another: rare.
      if (this.#endsLine(content) || this.#isItem(content)) return undefined;
      const value = this.#block(column + (content - at), content, depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
      parts?.push(this.#mark);
    } while (this.#indent >= column);
    return this.#whole(from, items, parts);
  }

  /** Behind its first key, which begins at `from`; the keys that follow stand in the same column of their lines. */
  #mapping(first: string, column: number, from: number, depth: number): Json | undefined {
    const object: Record<string, Json> = {};
    const parts = this.#partsAt(depth);
    let key = first;
    for (let at = from; ;) {
      if (Object.hasOwn(object, key)) return undefined;
      const content = this.#skipBlanks(this.#pos);
      const value = this.#endsLine(content)
        ? this.#below(content, column, depth)
        : this.#inline(content, depth + 1);
      if (value === undefined) return undefined;
      object[key] = value;
      parts?.push(at, this.#mark);
      if (this.#indent < column) break;
      if (this.#indent !== column) return undefined;
      at = this.#from;
      if (this.#isItem(at)) break;
      this.#pos = at;
      const next = this.#key(key);
      if (next === null) return undefined;
      key = next;
    }
    return this.#whole(from, object, parts);
  }

  #partsAt(depth: number): Mark[] | null {
    return depth > this.markedDepth ? null : [];
  }

  #whole(at: number, of: Marks['of'], parts: readonly Mark[] | null): Json {
    this.#mark = parts === null ? at : { at, of, parts };
    return of;
  }

  /** What stands on the lines below a key, whose own ends at `end`: further in, or a list in the key's own column. */
  #below(end: number, column: number, depth: number): Json | undefined {
    this.#closeLine(end);
    const isDeeper = this.#indent > column;
    const isListHere = this.#indent === column && this.#isItem(this.#from);
    return isDeeper || isListHere ? this.#block(this.#indent, this.#from, depth + 1) : undefined;
  }

  /** A value that ends with its line. */
  #inline(from: number, depth: number): Json | undefined {
    this.#pos = from;
    if (this.#skip(WORD_LINE)) return this.#wordLine(from);
    const first = this.text.charCodeAt(from);
    const isFlow = first === OPEN_MAP || first === OPEN_LIST || first === DOUBLE || first === SINGLE;
    const value = isFlow ? this.#flow(depth) : this.#plainToEnd();
    if (value === undefined || !this.#endsLine(this.#skipBlanks(this.#pos), this.#pos)) return undefined;
    this.#closeLine(this.#pos);
    return value;
  }

  /** Nothing but a word, as most values are. */
  #wordLine(from: number): Json | undefined {
    const word = this.text.slice(from, this.#pos - 1);
    this.#mark = from;
    this.#openLine(this.#pos);
    return word.length > MAX_PLAIN_LENGTH ? undefined : meaningOf(word);
  }

  /** A plain scalar up to the end of the line or a comment. */
  #plainToEnd(): Json | undefined {
    const from = this.#pos;
    let words = this.text.slice(from, this.text.indexOf('\n', from));
    const comment = words.indexOf(' #');
    if (comment >= 0) words = words.slice(0, comment);
    // Blanks only: to YAML other spaces are letters.
    let length = words.length;
    while (words.charCodeAt(length - 1) === BLANK) length -= 1;
    words = words.slice(0, length);
    return this.#scalar(words);
  }

  /** A value inside {} or [], or a quoted one anywhere. */
  #flow(depth: number): Json | undefined {
    if (depth > MAX_DEPTH) return undefined;
    const from = this.#pos;
    switch (this.text.charCodeAt(from)) {
      case OPEN_MAP:
        return this.#flowMap(from, depth);
      case OPEN_LIST:
        return this.#flowList(from, depth);
      case DOUBLE:
      case SINGLE: {
        const words = this.#quoted();
        this.#mark = from;
        return words === null || words.length > MAX_PLAIN_LENGTH ? undefined : words;
      }
      default: {
        const words = this.#match(FLOW_WORDS)?.trimEnd();
        this.#pos = from;
        return words === undefined ? undefined : this.#scalar(words);
      }
    }
  }

  /** What a plain scalar means; undefined where that takes more than a look. */
  #scalar(words: string): Json | undefined {
    this.#mark = this.#pos;
    this.#pos += words.length;
    const isWords = words.length <= MAX_PLAIN_LENGTH && !words.includes(': ') && !words.endsWith(':');
    return isWords ? meaningOf(words) : undefined;
  }

  #flowList(from: number, depth: number): Json | undefined {
    const items: Json[] = [];
    const parts = this.#partsAt(depth);
    this.#pos = this.#skipInFlow(from + 1);
    if (this.text.charCodeAt(this.#pos) !== CLOSE_LIST) {
      for (;;) {
        const value = this.#flow(depth + 1);
        if (value === undefined) return undefined;
        items.push(value);
        parts?.push(this.#mark);
        const next = this.#separator(CLOSE_LIST);
        if (next === null) return undefined;
        if (next === CLOSE_LIST) break;
      }
    }
    this.#pos += 1;
    return this.#whole(from, items, parts);
  }

  #flowMap(from: number, depth: number): Json | undefined {
    const object: Record<string, Json> = {};
    const parts = this.#partsAt(depth);
    this.#pos = this.#skipInFlow(from + 1);
    if (this.text.charCodeAt(this.#pos) !== CLOSE_MAP) {
      for (let before = ''; ;) {
        const at = this.#pos;
        const key = this.#key(before, true);
        if (key === null || Object.hasOwn(object, key)) return undefined;
        before = key;
        this.#pos = this.#skipInFlow(this.#pos);
        const value = this.#flow(depth + 1);
        if (value === undefined) return undefined;
        object[key] = value;
        parts?.push(at, this.#mark);
        const next = this.#separator(CLOSE_MAP);
        if (next === null) return undefined;
        if (next === CLOSE_MAP) break;
      }
    }
    this.#pos += 1;
    return this.#whole(from, object, parts);
  }

  /** After an item: at the closing bracket, or behind a comma and its blanks. */
  #separator(close: number): number | null {
    this.#pos = this.#skipInFlow(this.#pos);
    const found = this.text.charCodeAt(this.#pos);
    if (found === close) return close;
    if (found !== COMMA) return null;
    this.#pos = this.#skipInFlow(this.#pos + 1);
    return COMMA;
  }

  /**
   * A key and its colon; the next character is behind the colon. Null where there is none. Rows mostly have the keys of the
   * row before: what came behind the key `before` last time is looked for first, and is no new text.
   */
  #key(before: string, inFlow = false): string | null {
    const followed = inFlow ? this.#followedInFlow : this.#followed;
    const likely = followed.get(before);
    if (likely !== undefined && this.text.startsWith(likely.written, this.#pos)) {
      this.#pos += likely.written.length;
      return likely.key;
    }
    const from = this.#pos;
    const key = this.#newKey(inFlow);
    const isApart = this.text.charCodeAt(this.#pos) === BLANK;
    // Without a blank behind it only a quoted key of {} is one.
    if (key !== null && (isApart || (inFlow && this.text.charCodeAt(from) === DOUBLE)))
      followed.set(before, { key, written: this.text.slice(from, this.#pos + (isApart ? 1 : 0)) });
    return key;
  }

  #newKey(inFlow: boolean): string | null {
    const first = this.text.charCodeAt(this.#pos);
    const isQuoted = first === DOUBLE || first === SINGLE;
    const key = isQuoted ? this.#quoted() : this.#match(inFlow ? FLOW_KEY : KEY);
    if (key === null || !isKey(key) || this.text.charCodeAt(this.#pos) !== COLON) return null;
    this.#pos += 1;
    const next = this.text.charCodeAt(this.#pos);
    // Behind a quoted key of {} the blank may be left out, as in JSON.
    const isApart = next === BLANK || next === LINE_END;
    if (!isApart && !(isQuoted && inFlow)) return null;
    return !isQuoted && isSpecial(key) ? null : key;
  }

  #quoted(): string | null {
    const from = this.#pos;
    const quote = this.text.charCodeAt(from);
    // A doubled quote stands for one.
    if (
      !this.#skip(quote === DOUBLE ? DOUBLE_QUOTED : SINGLE_QUOTED) ||
      this.text.charCodeAt(this.#pos) === quote
    )
      return null;
    return this.text.slice(from + 1, this.#pos - 1);
  }

  #match(pattern: RegExp): string | null {
    const from = this.#pos;
    return this.#skip(pattern) ? this.text.slice(from, this.#pos) : null;
  }

  /** `test` and not `exec`: what that says of a match is thrown away for every word of a file. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#pos;
    if (!pattern.test(this.text)) return false;
    this.#pos = pattern.lastIndex;
    return true;
  }

  /** Goes on behind the line that `end` is in. */
  #closeLine(end: number): void {
    this.#openLine(this.text.indexOf('\n', end) + 1);
  }

  /** Goes on at the first line from `start` on that holds something. */
  #openLine(start: number): void {
    for (let at = start; at < this.text.length; at = this.text.indexOf('\n', at) + 1) {
      const from = this.#skipBlanks(at);
      const first = this.text.charCodeAt(from);
      if (first === LINE_END || first === HASH) continue;
      this.#from = from;
      this.#indent = from - at;
      return;
    }
    this.#indent = -1;
  }

  #skipBlanks(from: number): number {
    let at = from;
    while (this.text.charCodeAt(at) === BLANK) at += 1;
    return at;
  }

  #skipInFlow(from: number): number {
    let at = this.#skipBlanks(from);
    while (this.#isWhole && this.text.charCodeAt(at) === LINE_END) at = this.#skipBlanks(at + 1);
    return at;
  }

  /** Whether nothing but a comment follows; it begins behind a blank. */
  #endsLine(at: number, after = -1): boolean {
    const code = this.text.charCodeAt(at);
    return code === LINE_END || (code === HASH && at !== after);
  }

  #isItem(at: number): boolean {
    if (this.text.charCodeAt(at) !== DASH) return false;
    const next = this.text.charCodeAt(at + 1);
    return next === BLANK || next === LINE_END;
  }
}

/** Directives and document marks begin at the margin. */
const BEGINS_OR_ENDS = /^(?:%|---|\.\.\.)/m;

// Sticky: each is tried at one place only, and none can go back over what it has taken.
const KEY = /[A-Za-z][A-Za-z0-9_.-]*(?::[A-Za-z0-9_.-]+)*/y;
const FLOW_KEY = /[A-Za-z][A-Za-z0-9_.-]*/y;
const WORD_LINE = /[A-Za-z/_][A-Za-z0-9/_.*?@+$-]*(?::+[A-Za-z0-9/_.*?@+$-]+)*\n/y;
const FLOW_WORDS = /[A-Za-z0-9/_][A-Za-z0-9/_.:@*?+$ -]*/y;
const DOUBLE_QUOTED = /"[^"\\\n]*"/y;
const SINGLE_QUOTED = /'[^'\n]*'/y;

const BLANK = 0x20;
const LINE_END = 0x0a;
const HASH = 0x23;
const DASH = 0x2d;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const DOUBLE = 0x22;
const SINGLE = 0x27;
