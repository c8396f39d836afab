// Reads the plain part of YAML that most policies and workflows are written in, some ten times faster than a whole YAML
// parser. It gives exactly what that parser gives, value and places, or it gives nothing and the parser reads the file:
// what is not plain, wrong or doubtful is never judged here. Property tests of both rooms compare the two.
// Plain: mappings and lists by indentation, {} and [] on one line or as a whole document, words, whole numbers, true and false, quotes without
// escapes, comments. Everything is bounded by the file's length, which the caller bounds.
import type { Json } from './json.js';

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

/**
 * The document, or null where it is not plain. `isTaken` is asked about a text with more than printable ASCII, without its
 * line ends: what it says yes to holds no other control character. Of mappings and lists inside more than `markedDepth`
 * others only the place of the whole is told: the places of all words are as much to keep as the words. Never throws.
 */
export function readPlain(
  text: string,
  isTaken: (text: string) => boolean,
  markedDepth = MAX_DEPTH,
): PlainDocument | null {
  // Line ends are the only control characters; a tab is none that indents.
  if (!PRINTABLE.test(text) && !isTaken(text.replaceAll('\n', ''))) return null;
  return new PlainReader(text, markedDepth).read();
}

/** Nearly every file: told without looking up properties of characters. */
const PRINTABLE = /^[\n -~]*$/;
/** A longer text is not plain. */
export const MAX_PLAIN_LENGTH = 2048;
const MAX_DEPTH = 16;

interface Line {
  /** Offset of its first character that is no blank. */
  readonly from: number;
  readonly indent: number;
}

interface Found {
  readonly value: Json;
  readonly mark: Mark;
}

class PlainReader {
  readonly #lines: readonly Line[];
  /** The line that is read next. */
  #line = 0;
  /** The character that is read next, inside a line. */
  #pos = 0;
  /** The whole document is one {} or []: line ends in it are blanks. */
  #isWhole = false;

  constructor(
    readonly text: string,
    readonly markedDepth: number,
  ) {
    this.#lines = linesOf(text);
  }

  read(): PlainDocument | null {
    const [first] = this.#lines;
    if (first === undefined || this.#lines.some((line) => this.#isMark(line))) return null;
    const opens = this.text.charCodeAt(first.from);
    if (opens === OPEN_MAP || opens === OPEN_LIST) return this.#wholeFlow(first.from);
    const found = this.#block(first.indent, first.from, 0);
    return found === null || this.#line < this.#lines.length ? null : found;
  }

  /** A document that is all {} or [], such as one of JSON: over as many lines as it likes. */
  #wholeFlow(from: number): Found | null {
    this.#isWhole = true;
    this.#pos = from;
    const found = this.#flow(0);
    return this.#skipInFlow(this.#pos) < this.text.length ? null : found;
  }

  /** What begins at `from`, in column `column` of the line that is read next. */
  #block(column: number, from: number, depth: number): Found | null {
    if (depth > MAX_DEPTH) return null;
    if (this.#isItem(from)) return this.#sequence(column, from, depth);
    this.#pos = from;
    const key = this.#key();
    if (key !== null) return this.#mapping(column, from, depth);
    return this.#inline(from, depth);
  }

  #sequence(column: number, from: number, depth: number): Found | null {
    const items: Json[] = [];
    const parts = this.#partsAt(depth);
    for (;;) {
      const line = this.#lines[this.#line];
      if (line === undefined || line.indent < column) break;
      const at = line.from;
      if (line.indent !== column) return null;
      if (!this.#isItem(at)) break;
      const content = this.#skipBlanks(at + 1);
      // A dash alone, or one dash after another: rare.
      if (this.#endsLine(content) || this.#isItem(content)) return null;
      const found = this.#block(column + (content - at), content, depth + 1);
      if (found === null) return null;
      items.push(found.value);
      parts?.push(found.mark);
    }
    return foundWhole(from, items, parts);
  }

  /** `from` is the first key; the keys that follow stand in the same column of their lines. */
  #mapping(column: number, from: number, depth: number): Found | null {
    const object: Record<string, Json> = {};
    const parts = this.#partsAt(depth);
    for (let at = from; ;) {
      this.#pos = at;
      const key = this.#key();
      if (key === null || Object.hasOwn(object, key)) return null;
      const content = this.#skipBlanks(this.#pos);
      const found = this.#endsLine(content) ? this.#below(column, depth) : this.#inline(content, depth + 1);
      if (found === null) return null;
      object[key] = found.value;
      parts?.push(at, found.mark);
      const line = this.#lines[this.#line];
      if (line === undefined || line.indent < column) break;
      if (line.indent !== column) return null;
      if (this.#isItem(line.from)) break;
      at = line.from;
    }
    return foundWhole(from, object, parts);
  }

  #partsAt(depth: number): Mark[] | null {
    return depth > this.markedDepth ? null : [];
  }

  /** What stands on the lines below a key: further in, or a list in the key's own column. */
  #below(column: number, depth: number): Found | null {
    this.#line += 1;
    const line = this.#lines[this.#line];
    if (line === undefined) return null;
    const isDeeper = line.indent > column;
    const isListHere = line.indent === column && this.#isItem(line.from);
    return isDeeper || isListHere ? this.#block(line.indent, line.from, depth + 1) : null;
  }

  /** A value that ends with its line. */
  #inline(from: number, depth: number): Found | null {
    this.#pos = from;
    const first = this.text.charCodeAt(from);
    let found: Found | null;
    if (first === OPEN_MAP || first === OPEN_LIST || first === DOUBLE || first === SINGLE) {
      found = this.#flow(depth);
    } else {
      found = this.#plainToEnd();
    }
    if (found === null || !this.#endsLine(this.#skipBlanks(this.#pos), this.#pos)) return null;
    this.#line += 1;
    return found;
  }

  /** A plain scalar up to the end of the line or a comment. */
  #plainToEnd(): Found | null {
    const from = this.#pos;
    const end = this.text.indexOf('\n', from);
    let words = end < 0 ? this.text.slice(from) : this.text.slice(from, end);
    const comment = words.indexOf(' #');
    if (comment >= 0) words = words.slice(0, comment);
    // Blanks only: to YAML other spaces are letters.
    let length = words.length;
    while (words.charCodeAt(length - 1) === BLANK) length -= 1;
    words = words.slice(0, length);
    this.#pos = from + words.length;
    if (words.includes(': ') || words.endsWith(':')) return null;
    return scalar(words, from);
  }

  /** A value inside {} or [], or a quoted one anywhere. */
  #flow(depth: number): Found | null {
    if (depth > MAX_DEPTH) return null;
    const from = this.#pos;
    switch (this.text.charCodeAt(from)) {
      case OPEN_MAP:
        return this.#flowMap(from, depth);
      case OPEN_LIST:
        return this.#flowList(from, depth);
      case DOUBLE:
      case SINGLE: {
        const words = this.#quoted();
        return words === null || words.length > MAX_PLAIN_LENGTH ? null : { value: words, mark: from };
      }
      default: {
        const words = this.#match(FLOW_WORDS)?.trimEnd();
        if (words === undefined || words.includes(': ') || words.endsWith(':')) return null;
        this.#pos = from + words.length;
        return scalar(words, from);
      }
    }
  }

  #flowList(from: number, depth: number): Found | null {
    const items: Json[] = [];
    const parts = this.#partsAt(depth);
    this.#pos = this.#skipInFlow(from + 1);
    if (this.text.charCodeAt(this.#pos) !== CLOSE_LIST) {
      for (;;) {
        const found = this.#flow(depth + 1);
        if (found === null) return null;
        items.push(found.value);
        parts?.push(found.mark);
        const next = this.#separator(CLOSE_LIST);
        if (next === null) return null;
        if (next === CLOSE_LIST) break;
      }
    }
    this.#pos += 1;
    return foundWhole(from, items, parts);
  }

  #flowMap(from: number, depth: number): Found | null {
    const object: Record<string, Json> = {};
    const parts = this.#partsAt(depth);
    this.#pos = this.#skipInFlow(from + 1);
    if (this.text.charCodeAt(this.#pos) !== CLOSE_MAP) {
      for (;;) {
        const at = this.#pos;
        const key = this.#key(true);
        if (key === null || Object.hasOwn(object, key)) return null;
        this.#pos = this.#skipInFlow(this.#pos);
        const found = this.#flow(depth + 1);
        if (found === null) return null;
        object[key] = found.value;
        parts?.push(at, found.mark);
        const next = this.#separator(CLOSE_MAP);
        if (next === null) return null;
        if (next === CLOSE_MAP) break;
      }
    }
    this.#pos += 1;
    return foundWhole(from, object, parts);
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

  /** A key and its colon; the next character is the one behind the colon. Null where there is none. */
  #key(inFlow = false): string | null {
    const first = this.text.charCodeAt(this.#pos);
    const isQuoted = first === DOUBLE || first === SINGLE;
    const key = isQuoted ? this.#quoted() : this.#match(inFlow ? FLOW_KEY : KEY);
    // Objects put keys of digits first, so their order would not be that of the text.
    if (key === null || key.length > MAX_KEY_LENGTH || key === '__proto__' || /^[0-9]*$/.test(key))
      return null;
    if (this.text.charCodeAt(this.#pos) !== COLON) return null;
    this.#pos += 1;
    const next = this.text.charCodeAt(this.#pos);
    // Behind a quoted key of {} the blank may be left out, as in JSON.
    const isApart = next === BLANK || next === LINE_END || Number.isNaN(next);
    if (!isApart && !(isQuoted && inFlow)) return null;
    return !isQuoted && key.length <= 5 && SPECIAL.test(key) ? null : key;
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
    return Number.isNaN(code) || code === LINE_END || (code === HASH && at !== after);
  }

  /** Directives and document marks begin at the margin. */
  #isMark({ from, indent }: Line): boolean {
    if (indent > 0) return false;
    return ['%', '---', '...'].some((mark) => this.text.startsWith(mark, from));
  }

  #isItem(at: number): boolean {
    if (this.text.charCodeAt(at) !== DASH) return false;
    const next = this.text.charCodeAt(at + 1);
    return next === BLANK || next === LINE_END || Number.isNaN(next);
  }
}

function foundWhole(at: number, of: Marks['of'], parts: readonly Mark[] | null): Found {
  return { value: of, mark: parts === null ? at : { at, of, parts } };
}

/** Lines that hold something. */
function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length;) {
    let from = start;
    while (text.charCodeAt(from) === BLANK) from += 1;
    const first = text.charCodeAt(from);
    if (first !== LINE_END && first !== HASH && !Number.isNaN(first))
      lines.push({ from, indent: from - start });
    const end = text.indexOf('\n', from);
    if (end < 0) break;
    start = end + 1;
  }
  return lines;
}

/** What a plain scalar means; null where that takes more than a look. */
function scalar(words: string, at: number): Found | null {
  if (words.length > MAX_PLAIN_LENGTH) return null;
  const first = words.charCodeAt(0);
  // A letter or a slash first: no indicator, no number, nothing of the schema but a few short words.
  if (
    (first >= 0x61 && first <= 0x7a) ||
    (first >= 0x41 && first <= 0x5a) ||
    first === 0x2f ||
    first === 0x5f
  ) {
    if (words === 'true' || words === 'false') return { value: words === 'true', mark: at };
    return words.length <= 5 && SPECIAL.test(words) ? null : { value: words, mark: at };
  }
  return NUMBER.test(words) ? { value: Number(words), mark: at } : null;
}

// Sticky: each is tried at one place only, and none can go back over what it has taken.
const KEY = /[A-Za-z][A-Za-z0-9_.-]*(?::[A-Za-z0-9_.-]+)*/y;
const FLOW_KEY = /[A-Za-z][A-Za-z0-9_.-]*/y;
const FLOW_WORDS = /[A-Za-z0-9/_][A-Za-z0-9/_.:@*?+$ -]*/y;
const DOUBLE_QUOTED = /"[^"\\\n]*"/y;
const SINGLE_QUOTED = /'[^'\n]*'/y;
const NUMBER = /^(?:0|[1-9][0-9]{0,14})$/;
/** Words that the schema may read as something else. */
const SPECIAL = /^(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;
const MAX_KEY_LENGTH = 512;

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
