// Reads the plain part of YAML that most policies and workflows are written in, some ten times faster than a whole YAML
// parser. It gives exactly what that parser gives, value and places, or it gives nothing and the parser reads the file:
// what is not plain, wrong or doubtful is never judged here. Property tests of both rooms compare the two.
// Plain: mappings and lists by indentation, {} and [] on one line or as a whole document, words, whole numbers, true
// and false, quotes without escapes, comments. Everything is bounded by the file's length, which the caller bounds.
import { readJson, type Json, type JsonObject } from './json.js';
import { MAX_DEPTH, PlainReader, type PlainDocument } from './plain-reader.js';
import { isKey, isWhole, MAX_PLAIN_LENGTH } from './plain-scalar.js';

export type { Mark, PlainDocument } from './plain-reader.js';

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
  // A last line that ends as the others do: nothing has to ask whether the text ends there.
  const lines = text.endsWith('\n') ? text : `${text}\n`;
  const read = (): PlainDocument | null => new PlainReader(lines, markedDepth).read();
  const value = ofProgram(text);
  if (value === undefined) return read();
  return {
    value,
    get mark() {
      return read()?.mark ?? 0;
    },
  };
}

/**
 * A mapping or list as JSON.stringify writes it: the platform's reader is several times faster. That it comes out the same
 * says that no key stood twice and nothing was written in another way; the rest is what the other reader takes.
 */
function ofProgram(text: string): Json | undefined {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text;
  if (!ONE_LINE.test(line)) return undefined;
  try {
    const value = readJson(line);
    return JSON.stringify(value) === line && isPlain(value, 0) ? value : undefined;
  } catch {
    // Neither is what nests deeper than the platform's stack.
    return undefined;
  }
}

const ONE_LINE = /^[{[][^\n\\]*$/;

function isPlain(value: Json, depth: number): boolean {
  if (value === null || depth > MAX_DEPTH) return false;
  if (typeof value === 'string') return value.length <= MAX_PLAIN_LENGTH;
  if (typeof value === 'number') return isWhole(value);
  if (typeof value === 'boolean') return true;
  if (Array.isArray(value)) return value.every((item: Json) => isPlain(item, depth + 1));
  const object = value as JsonObject;
  return Object.keys(object).every((key) => isKey(key) && isPlain(object[key] ?? null, depth + 1));
}

/** Nearly every file: told without looking up properties of characters. */
const PRINTABLE = /^[\n -~]*$/;
