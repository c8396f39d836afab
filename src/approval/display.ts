// The text an approver sees: produced from the subject alone, the same bytes give the same text and other bytes
// another. Every character that could hide or reorder text is written out, nothing is cut.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { isObject, type Hex, type Json } from '../json.js';

// Control, bidi, zero-width, other format, surrogate, private-use and unassigned characters, line separators, what
// fonts draw as nothing (fillers, variation selectors), and every blank that is not the plain space.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/gu;
// A key like this stands bare; any other could pass for an indent, a list mark or a key with its value.
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** Makes each hidden character visible as an escape, e.g. `\u202e`; tabs and line ends too. */
export function revealHidden(text: string): string {
  return text.replace(HIDDEN, (character) => {
    if (character === '\t') return '\\t';
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    const point = character.codePointAt(0) ?? 0;
    return point > 0xffff ? `\\u{${point.toString(16)}}` : `\\u${point.toString(16).padStart(4, '0')}`;
  });
}

/** The same value as `json`, in which each hidden character but line ends stands as an escape of JSON. */
export function escapeHidden(json: string): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return json.replace(HIDDEN, (character) =>
    character === '\n' ? character : character.split('').map(escape).join(''),
  );
}

/** One line per element; values indented under their key, in the order of the subject. */
export function displaySubject(subject: Json): readonly string[] {
  return lines(subject, '');
}

/** What was shown, in one value: lower-case hex SHA-256 over `"writ.display.v1\0"` and the lines, each with a line end. */
export function displayHash(display: readonly string[]): Hex {
  const text = display.map((line) => `${line}\n`).join('');
  // 32 bytes as 64 hex digits.
  return bytesToHex(sha256(utf8ToBytes(`writ.display.v1\0${text}`))) as Hex;
}

function lines(value: Json, indent: string): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${indent}[]`];
    return value.flatMap((item: Json) => nested(`${indent}-`, item, indent));
  }
  if (isObject(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0) return [`${indent}{}`];
    return entries.flatMap(([key, item]) => nested(`${indent}${keyText(key)}:`, item, indent));
  }
  return [`${indent}${scalar(value)}`];
}

function nested(head: string, item: Json, indent: string): string[] {
  const empty = Array.isArray(item) ? item.length === 0 : isObject(item) && Object.keys(item).length === 0;
  if (item !== null && typeof item === 'object' && !empty) return [head, ...lines(item, `${indent}  `)];
  return [`${head} ${lines(item, '').join('')}`];
}

function keyText(key: string): string {
  return PLAIN_KEY.test(key) ? key : scalar(key);
}

/** As JSON, so that `"true"` and `true` differ and a written `\\u202e` is not taken for the character. */
function scalar(value: Json): string {
  return revealHidden(JSON.stringify(value));
}
