// Where in the document a place inside a text value is, whatever way the text is written: plain, in quotes with
// escapes, folded over lines or as a block. What folding changes is blanks, so places are counted in what is not blank.
import type { Located } from './located.js';

/** Offset in `source` of character `inner` of the text `node`; undefined when it can't be told. */
export function innerOffset(
  source: string,
  node: Located | undefined,
  inner: number | undefined,
): number | undefined {
  if (inner === undefined || node?.kind !== 'scalar' || typeof node.value !== 'string') return undefined;
  const { value } = node;
  let place = inner;
  while (place < value.length && isBlank(value[place])) place++;
  // Behind the last sign: the place right after it.
  const behind = place >= value.length;
  if (behind) {
    place = value.length - 1;
    while (place >= 0 && isBlank(value[place])) place--;
    if (place < 0) return undefined;
  }
  let left = 0;
  for (let i = 0; i < place; i++) if (!isBlank(value[i])) left++;
  const style = source[node.offset];
  let at = node.offset;
  if (style === '|' || style === '>') at = source.indexOf('\n', at) + 1;
  else if (style === '"' || style === "'") at++;
  while (at < source.length) {
    const unit = unitAt(source, at, style);
    if (unit.signs > left) {
      const same = unit.length > 1 || source[at] === value[place];
      return same ? at + (behind ? unit.length : 0) : undefined;
    }
    left -= unit.signs;
    at += unit.length;
  }
  return undefined;
}

interface Unit {
  /** In the source. */
  readonly length: number;
  /** UTF-16 units of the value that are not blank. */
  readonly signs: number;
}

const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function unitAt(source: string, at: number, style: string | undefined): Unit {
  const char = source[at];
  const next = source[at + 1] ?? '';
  if (style === "'" && char === "'" && next === "'") return { length: 2, signs: 1 };
  if (style !== '"' || char !== '\\') return { length: 1, signs: isBlank(char) ? 0 : 1 };
  const digits = HEX_DIGITS[next];
  if (digits === undefined) return { length: 2, signs: isBlank(next) || 'ntr'.includes(next) ? 0 : 1 };
  const code = Number.parseInt(source.slice(at + 2, at + 2 + digits), 16);
  const text = code <= 0x10ffff ? String.fromCodePoint(code) : '';
  return { length: 2 + digits, signs: isBlank(text) ? 0 : text.length };
}

function isBlank(char: string | undefined): boolean {
  return char === ' ' || char === '\n' || char === '\t' || char === '\r';
}
