// What one word of plain YAML is (plain-yaml.ts): a text, a whole number, true or false, within the bounds; a key or none.
import type { Json } from './json.js';

/** A longer text is not plain. */
export const MAX_PLAIN_LENGTH = 2048;
const MAX_KEY_LENGTH = 512;
const NUMBER = /^(?:0|[1-9][0-9]{0,14})$/;
/** Words that the schema may read as something else. */
const SPECIAL = /^(?:null|Null|NULL|true|True|TRUE|false|False|FALSE)$/;

/** Objects put keys of digits first, so their order would not be that of the text. */
export function isKey(key: string): boolean {
  return key.length <= MAX_KEY_LENGTH && key !== '__proto__' && !/^[0-9]*$/.test(key);
}

/** Whether a number is written as plain YAML writes one. */
export function isWhole(value: number): boolean {
  return NUMBER.test(String(value));
}

/** Whether the schema may read it as something else than a text. */
export function isSpecial(word: string): boolean {
  return word.length <= 5 && SPECIAL.test(word);
}

/** What a plain scalar means, were it short enough; undefined where that takes more than a look. */
export function meaningOf(words: string): Json | undefined {
  const first = words.charCodeAt(0);
  // A letter or a slash first: no indicator, no number, nothing of the schema but a few short words.
  if (
    (first >= 0x61 && first <= 0x7a) ||
    (first >= 0x41 && first <= 0x5a) ||
    first === 0x2f ||
    first === 0x5f
  ) {
    if (words === 'true' || words === 'false') return words === 'true';
    return isSpecial(words) ? undefined : words;
  }
  return NUMBER.test(words) ? Number(words) : undefined;
}
