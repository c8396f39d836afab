// Hashes as the log writes them.

const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const ASCII = new TextDecoder();
const HASH_BYTES = 32;
const room = new Uint8Array(2 * HASH_BYTES);

/** 64 lower-case hex digits, in one piece: text put together from pieces of two costs twice the time and the memory. */
export function hexOf(hash: Uint8Array): string {
  for (let i = 0; i < HASH_BYTES; i++) {
    const byte = hash[i] ?? 0;
    room[2 * i] = DIGITS[byte >> 4] ?? 0;
    room[2 * i + 1] = DIGITS[byte & 15] ?? 0;
  }
  return ASCII.decode(room);
}
