// Reads the plain part of YAML, JSON among it, quickly (plain-yaml.ts): what most workflows are written in. The YAML parser
// would give the same document; what is not plain, wrong or doubtful is read by it.
import { isList, type Json } from '../json.js';
import { type Mark, readPlain } from '../plain-yaml.js';
import type { Located } from './located.js';

/** In characters. No text of this length meets the parser's bounds on words and values (document.ts). */
export const MAX_PLAIN_DOCUMENT = 200_000;

/** The document, or null where the parser has to read it. Never throws. */
export function readPlainDocument(text: string): Located | null {
  if (text.length > MAX_PLAIN_DOCUMENT) return null;
  // Printable ASCII only: about other characters the parser is asked.
  const plain = readPlain(text, () => false);
  return plain === null ? null : located(plain.value, plain.mark);
}

function located(value: Json, mark: Mark): Located {
  if (typeof mark === 'number') {
    if (typeof value === 'object' && value !== null)
      throw new TypeError('a list or mapping has marks of its own');
    return { kind: 'scalar', value, offset: mark };
  }
  const { at: offset, of, parts } = mark;
  const partOf = (index: number): Mark => parts[index] ?? offset;
  if (isList(of)) {
    return { kind: 'list', offset, items: of.map((item, index) => located(item, partOf(index))) };
  }
  const entries = Object.entries(of).map(([key, one], index) => ({
    key,
    keyOffset: offsetOf(partOf(2 * index)),
    value: located(one, partOf(2 * index + 1)),
  }));
  return { kind: 'map', offset, entries };
}

function offsetOf(mark: Mark): number {
  return typeof mark === 'number' ? mark : mark.at;
}
