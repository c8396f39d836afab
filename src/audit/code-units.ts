// Text as the numbers it is made of. An entry is looked through once, mark by mark, and most entries are ASCII, whose
// bytes are its UTF-16 code units already: no text has to be made to find out that they are in order.

/** UTF-16 code units of a text; of one that is ASCII, its bytes. */
export type CodeUnits = Uint8Array | Uint16Array;

/** The mark at `at`; behind the end a 0, which nothing that is looked for contains. */
export function unitAt(units: CodeUnits, at: number): number {
  return units[at] ?? 0;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** The code units of `text`. */
export function unitsOf(text: string): Uint16Array {
  return Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

/** The code units of `ascii`, for `literalEnd`. */
export function literal(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (mark) => mark.charCodeAt(0));
}

// Each function gets a position (-1 = something before it was refused) and returns the one behind what it looks for,
// or -1 without it.

export function literalEnd(units: CodeUnits, at: number, expected: Uint8Array): number {
  if (at < 0) return -1;
  for (let i = 0; i < expected.length; i++) if (unitAt(units, at + i) !== expected[i]) return -1;
  return at + expected.length;
}

const HEX = new Uint8Array(0x80);
for (const digit of literal('0123456789abcdef')) HEX[digit] = 1;

/** `count` lower-case hex digits. */
export function hexEnd(units: CodeUnits, at: number, count: number): number {
  if (at < 0) return -1;
  const end = at + count;
  for (let i = at; i < end; i++) if (HEX[unitAt(units, i)] !== 1) return -1;
  return end;
}

/** Lower-case ASCII letters, 1 to `most`. */
export function lettersEnd(units: CodeUnits, at: number, most: number): number {
  if (at < 0) return -1;
  let end = at;
  while (end < at + most && unitAt(units, end) >= 0x61 && unitAt(units, end) <= 0x7a) end += 1;
  return end === at ? -1 : end;
}

/** A decimal number without leading zeros, of 1 to `most` digits. */
export function digitsEnd(units: CodeUnits, at: number, most: number): number {
  if (at < 0) return -1;
  if (unitAt(units, at) === 0x30) return at + 1;
  let end = at;
  while (end < at + most && isDigit(unitAt(units, end))) end += 1;
  return end === at ? -1 : end;
}
