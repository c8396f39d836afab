// The policy hash: SHA-256 over the canonical form of everything that decides, made in pieces, because ten thousand rules
// at once would hold a process up that goes on meanwhile. It is the same as of the whole.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hex, Json, JsonObject } from '../json.js';
import { rowOf } from './rule.js';
import type { RowRule } from './rule.js';

/** Rules in a piece. */
export const PIECE = 500;

/** Of `{...others, rules}`, each rule as its row. `others` has one key at least, and all of them sort before `rules` (RFC 8785). */
export async function policyHashOf(
  others: JsonObject,
  rules: readonly RowRule[],
  {
    canonicalize,
    pause,
  }: { readonly canonicalize: (value: Json) => string; readonly pause?: () => Promise<void> },
): Promise<Hex> {
  const late = Object.keys(others).find((key) => !(key < 'rules'));
  if (late !== undefined) throw new TypeError(`${late} does not stand before rules`);
  const hash = sha256.create();
  const add = (text: string): void => {
    hash.update(utf8ToBytes(text));
  };
  add(`${canonicalize(others).slice(0, -1)},"rules":[`);
  for (let at = 0; at < rules.length; at += PIECE) {
    await pause?.();
    const piece = rules.slice(at, at + PIECE).map(rowOf);
    const text = JSON.stringify(piece);
    // Of strings JSON.stringify writes what RFC 8785 asks for, but half a character: that is refused in its words.
    add((at === 0 ? '' : ',') + (text.includes('\\ud') ? canonicalize(piece) : text).slice(1, -1));
  }
  add(']}');
  return bytesToHex(hash.digest()) as Hex;
}
