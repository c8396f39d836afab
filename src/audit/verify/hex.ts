// The text of hashes, as entries name them.

/** Codes of the two digits of every byte. */
const DIGITS = new Uint8Array(512);
for (let i = 0; i < 512; i++) DIGITS[i] = '0123456789abcdef'.charCodeAt(i % 2 === 0 ? i >> 5 : (i >> 1) & 15);
const ASCII = new TextDecoder();

/** The 64 lower-case hex digits of each hash, one after another: made at once, since a log is full of them. */
export function hexOf(hashes: readonly Uint8Array[]): string {
  const text = new Uint8Array(hashes.length * 64);
  let at = 0;
  for (const hash of hashes) {
    for (let i = 0; i < hash.length; i++) {
      const digit = 2 * (hash[i] ?? 0);
      text[at++] = DIGITS[digit] ?? 0;
      text[at++] = DIGITS[digit + 1] ?? 0;
    }
  }
  return ASCII.decode(text);
}
