// The policy hash: SHA-256 over the canonical form of everything that decides, written in pieces, because ten thousand
// rules at once would hold a process up that goes on meanwhile. It is the same as of the whole.
import { sha256 as portable } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hex, Json, JsonObject } from '../../json.js';
import { rowOf } from '../rbac/rule.js';
import type { RowRule } from '../rbac/rule.js';

/** Rules in a piece. */
export const PIECE = 500;

export interface Hashing {
  /** RFC 8785 form of a value (the audit room's). */
  readonly canonicalize: (value: Json) => string;
  /** The platform's; absent = the portable one, which is slower. */
  readonly sha256?: (bytes: Uint8Array) => Uint8Array;
  /** Awaited between files and steps, so that a process which goes on meanwhile is never held up for long. */
  readonly pause?: () => Promise<void>;
}

/** Of `{...others, rules}`, each rule as its row. `others` has one key at least, and all of them sort before `rules` (RFC 8785). */
export async function policyHashOf(
  others: JsonObject,
  rules: readonly RowRule[],
  { canonicalize, sha256 = portable, pause }: Hashing,
): Promise<Hex> {
  const late = Object.keys(others).find((key) => !(key < 'rules'));
  if (late !== undefined) throw new TypeError(`${late} does not stand before rules`);
  let whole = `${canonicalize(others).slice(0, -1)},"rules":[`;
  for (let at = 0; at < rules.length; at += PIECE) {
    await pause?.();
    const piece = rules.slice(at, at + PIECE).map(rowOf);
    const text = JSON.stringify(piece);
    // Of strings JSON.stringify writes what RFC 8785 asks for, but half a character: that is refused in its words.
    whole += (at === 0 ? '' : ',') + (text.includes('\\ud') ? canonicalize(piece) : text).slice(1, -1);
  }
  return bytesToHex(sha256(utf8ToBytes(`${whole}]}`))) as Hex;
}
