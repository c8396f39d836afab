// The text of hashes, as entries name them.

/** The two digits of every byte, as one number: a table of bytes pairs is read twice as fast as one of bytes. */
const PAIRS = new Uint16Array(256);
const DIGITS = new Uint8Array(PAIRS.buffer);
for (let i = 0; i < 512; i++) DIGITS[i] = '0123456789abcdef'.charCodeAt(i % 2 === 0 ? i >> 5 : (i >> 1) & 15);
const ASCII = new TextDecoder();

/** Two lower-case digits of each byte of many hashes: made at once, since a log is full of them. */
export function hexOf(hashes: Uint8Array): string {
  const text = new Uint16Array(hashes.length);
  for (let i = 0; i < hashes.length; i++) text[i] = PAIRS[hashes[i] ?? 0] ?? 0;
  return ASCII.decode(text);
}
