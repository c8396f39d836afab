// Strict YAML: YAML 1.2 core schema, one document, no anchors, aliases, tags, directives or duplicate keys, plain
// decimal numbers, visible text. The text is attacker-controlled in the sense that a mistake in it must never
// widen anything: whatever is not understood is a problem, nothing is skipped.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Node, Scalar } from 'yaml';
import type { Json } from '../../json.js';
import { readPlain } from '../../plain-yaml.js';
import type { Mark, PlainDocument } from '../../plain-yaml.js';
import type { Place, Problems } from './diagnostic.js';
import { isVisible, MAX_TEXT_LENGTH, quoted, unseenIn } from './text.js';

/** Longest file, in characters; the directory reader bounds bytes as well. */
const MAX_FILE_LENGTH = 1024 * 1024;
const MAX_DEPTH = 32;
const START: Place = { line: 1, column: 1 };
/** What turns the direction of a line, or ends it for the eye alone: behind it a comment looks like a rule. */
const MISLEADING = /[\u0085\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** A parsed file with the place of each value. Paths are JSON pointers (RFC 6901), '' is the whole document. */
export interface SourceDocument {
  readonly file: string;
  readonly value: Json;
  /** Place of the value at `pointer`, of its nearest ancestor when it is absent. */
  place(pointer: string): Place;
  /** Place of the key that introduces `pointer`. */
  keyPlace(pointer: string): Place;
  /** Lines of the items of the list at `pointer`, for a long one. */
  itemLines(pointer: string): (index: number) => number;
}

/** A file of a known shape, and where its values stand. */
export interface ReadFile<T> {
  readonly source: SourceDocument;
  readonly document: T;
}

/** Reads one file; null when a problem was added. Never throws for what the text holds. */
export function readDocument(file: string, text: string, problems: Problems): SourceDocument | null {
  if (text.length > MAX_FILE_LENGTH) {
    problems.add(file, START, `file has ${text.length} characters, at most ${MAX_FILE_LENGTH} are allowed`);
    return null;
  }
  const plain = readPlain(text, isVisible, ROWS);
  return plain === null ? readWithParser(file, text, problems) : plainSource(file, text, plain);
}

/** As `readDocument`, by the YAML parser whatever the text is. */
export function readWithParser(file: string, text: string, problems: Problems): SourceDocument | null {
  try {
    return new Reader(file, text, problems).read();
  } catch (error) {
    // Only the parser's own limits come here, such as nesting deeper than its stack.
    problems.add(file, START, `can't be read as YAML: ${error instanceof Error ? error.message : 'unknown'}`);
    return null;
  }
}

/** A file's lists and their items are marked at once, since each rule tells its line. */
const ROWS = 1;

function plainSource(file: string, text: string, plain: PlainDocument): SourceDocument {
  const { value } = plain;
  const lines = new LineCounting(text);
  let all: Mark | undefined;
  // Places inside a row are asked for where something is wrong with it: the text is read once more.
  const find = (pointer: string) =>
    findMark((all ??= readPlain(text, isVisible)?.mark ?? plain.mark), pointer);
  return {
    file,
    value,
    place: (pointer) => lines.place(offsetOf(find(pointer).mark)),
    keyPlace: (pointer) => {
      const { mark, key } = find(pointer);
      return lines.place(key ?? offsetOf(mark));
    },
    itemLines: (pointer) => {
      // What is all on one line need not be read once more for that.
      const end = text.indexOf('\n');
      if (end < 0 || end === text.length - 1) return () => 1;
      const row = findMark(plain.mark, pointer).mark;
      const list = typeof row === 'number' ? find(pointer).mark : row;
      return (index) =>
        lines.at(offsetOf((typeof list === 'number' ? undefined : list.parts[index]) ?? list));
    },
  };
}

function offsetOf(mark: Mark): number {
  return typeof mark === 'number' ? mark : mark.at;
}

/** The value at the pointer, its nearest ancestor when it is absent; the offset of its key when it is not. */
function findMark(root: Mark, pointer: string): { readonly mark: Mark; readonly key: number | null } {
  let mark = root;
  let key: number | null = null;
  for (const segment of pointer === '' ? [] : pointer.slice(1).split('/')) {
    if (typeof mark === 'number') return { mark, key: null };
    const name = segment.includes('~') ? segment.replaceAll('~1', '/').replaceAll('~0', '~') : segment;
    const { of, parts } = mark;
    const isList = Array.isArray(of);
    const index: number = isList ? Number(name) : Object.keys(of).indexOf(name) * 2 + 1;
    const child: Mark | undefined = parts[index];
    if (child === undefined) return { mark, key: null };
    const keyMark = isList ? undefined : parts[index - 1];
    key = typeof keyMark === 'number' ? keyMark : null;
    mark = child;
  }
  return { mark, key };
}

/** Lines and columns. They are asked for from the top of a file to its end, and counted on from the last one. */
class LineCounting {
  #line = 1;
  #start = 0;
  #end: number;

  constructor(readonly text: string) {
    this.#end = this.#endFrom(0);
  }

  place(offset: number): Place {
    return { line: this.at(offset), column: offset - this.#start + 1 };
  }

  /** The line alone. */
  at(offset: number): number {
    if (offset < this.#start) [this.#line, this.#start, this.#end] = [1, 0, this.#endFrom(0)];
    while (this.#end < offset) {
      this.#line += 1;
      this.#start = this.#end + 1;
      this.#end = this.#endFrom(this.#start);
    }
    return this.#line;
  }

  #endFrom(start: number): number {
    const end = this.text.indexOf('\n', start);
    return end < 0 ? Infinity : end;
  }
}

/** One segment of a JSON pointer. */
export function pointerSegment(key: string | number): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

class Reader {
  readonly #lines = new LineCounter();
  readonly #places = new Map<string, Place>();
  readonly #keys = new Map<string, Place>();
  #failed = false;

  constructor(
    readonly file: string,
    readonly text: string,
    readonly problems: Problems,
  ) {}

  read(): SourceDocument | null {
    const document = parseDocument(this.text, {
      version: '1.2',
      schema: 'core',
      strict: true,
      stringKeys: true,
      uniqueKeys: true,
      merge: false,
      prettyErrors: false,
      // Not `silent`: that would also hide the error about a second document.
      logLevel: 'error',
      lineCounter: this.#lines,
    });
    // A key that stands twice is a fault of its own; of text that is no YAML the first fault is told, and not what it does to
    // every line below it.
    let isBroken = false;
    for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
      if (code === 'DUPLICATE_KEY') this.#refuse(pos[0], `${this.#keyAt(pos[0])} is given twice`);
      else if (!isBroken) this.#refuse(pos[0], message);
      isBroken ||= code !== 'DUPLICATE_KEY';
    }
    if (isBroken) return null;
    const directives = document.directives;
    if (directives.yaml.explicit === true || Object.keys(directives.tags).some((tag) => tag !== '!!')) {
      this.#refuse(0, 'YAML directives are not allowed');
    }
    const contents = document.contents;
    if (contents === null) {
      if (!this.#failed) this.#refuse(0, 'file is empty');
      return null;
    }
    const value = this.#json(contents, '', 0);
    // What is left of these stands in comments: a text that holds one was refused.
    const misleading = this.#failed ? -1 : this.text.search(MISLEADING);
    if (misleading >= 0) {
      const which = unseenIn(this.text[misleading] ?? '') ?? '';
      this.#refuse(
        misleading,
        `a comment holds a character that makes it look like something else, ${which}`,
      );
    }
    if (this.#failed) return null;
    const place = (pointer: string): Place => nearest(this.#places, pointer);
    return {
      file: this.file,
      value,
      place,
      keyPlace: (pointer) => this.#keys.get(pointer) ?? place(pointer),
      itemLines: (pointer) => (index) => place(pointer + pointerSegment(index)).line,
    };
  }

  #json(node: Node, pointer: string, depth: number): Json {
    const offset = node.range?.[0] ?? 0;
    this.#places.set(pointer, this.#at(offset));
    if (depth > MAX_DEPTH) return this.#refuse(offset, `nested deeper than ${MAX_DEPTH}`);
    if (isAlias(node)) return this.#refuse(offset, 'aliases are not allowed', 'write the value out');
    const { anchor, tag } = node as { anchor?: string; tag?: string };
    if (anchor !== undefined) return this.#refuse(offset, 'anchors are not allowed', 'write the value out');
    if (tag !== undefined) return this.#refuse(offset, `tag ${tag} is not allowed`);
    if (isScalar(node)) return this.#scalar(node, offset);
    if (isSeq(node)) {
      return node.items.map((item, index) =>
        this.#json(item as Node, pointer + pointerSegment(index), depth + 1),
      );
    }
    if (!isMap(node)) return this.#refuse(offset, 'is neither a value, a list nor a mapping');
    const object: Record<string, Json> = {};
    for (const pair of node.items) {
      const key = pair.key;
      const keyOffset = isScalar(key) ? (key.range?.[0] ?? offset) : offset;
      if (
        !isScalar(key) ||
        typeof key.value !== 'string' ||
        key.anchor !== undefined ||
        key.tag !== undefined
      ) {
        this.#refuse(keyOffset, 'keys must be plain strings');
        continue;
      }
      if (this.#textProblem(key.value, keyOffset)) continue;
      if (key.value === '__proto__') {
        this.#refuse(keyOffset, 'unknown field "__proto__"');
        continue;
      }
      const child = pointer + pointerSegment(key.value);
      this.#keys.set(child, this.#at(keyOffset));
      if (pair.value === null) {
        this.#refuse(keyOffset, `"${key.value}" has no value`, 'leave the field out instead');
        continue;
      }
      object[key.value] = this.#json(pair.value as Node, child, depth + 1);
    }
    return object;
  }

  #scalar(node: Scalar, offset: number): Json {
    const value: unknown = node.value;
    if (typeof value === 'string') return this.#textProblem(value, offset) ? null : value;
    if (typeof value === 'boolean') return value;
    if (typeof value === 'number' && /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/.test(node.source ?? ''))
      return value;
    if (value === null) {
      return this.#refuse(offset, 'null is not allowed', 'leave the field out instead');
    }
    return this.#refuse(offset, `number ${node.source ?? ''} is not written as a plain decimal`);
  }

  /** A key as it is written, as far as one line shows it. */
  #keyAt(offset: number): string {
    const [key = ''] =
      /^(?:"[^"\n]*"|'[^'\n]*'|.*?(?=\s*:(?:\s|$)))/m.exec(
        this.text.slice(offset, offset + MAX_TEXT_LENGTH),
      ) ?? [];
    return quoted(key.replace(/^["']|["']$/g, ''));
  }

  #textProblem(text: string, offset: number): boolean {
    const unseen = unseenIn(text);
    if (unseen !== null) {
      this.#refuse(
        offset,
        `text holds a control or invisible character, ${unseen}`,
        'write it again by hand',
      );
      return true;
    }
    if (text.length > MAX_TEXT_LENGTH) {
      this.#refuse(offset, `text has ${text.length} characters, at most ${MAX_TEXT_LENGTH} are allowed`);
      return true;
    }
    return false;
  }

  #refuse(offset: number, message: string, hint?: string): null {
    this.#failed = true;
    this.problems.add(this.file, this.#at(offset), message, hint);
    return null;
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return line < 1 ? START : { line, column: col };
  }
}

function nearest(places: ReadonlyMap<string, Place>, pointer: string): Place {
  for (let path = pointer; ; path = path.slice(0, path.lastIndexOf('/'))) {
    const place = places.get(path);
    if (place !== undefined) return place;
    if (path === '') return START;
  }
}
