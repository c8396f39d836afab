// Names of runs, approvals and tasks: 128 random bits in base32, so that nobody guesses one. They name, they don't authorise.
import type { Random } from './ports.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** `<prefix>_` and 26 base32 characters (RFC 4648 alphabet, lower case, no padding). */
export function newId(prefix: 'run' | 'apr' | 'tsk', random: Random): string {
  let bits = 0n;
  for (const byte of random.bytes(16)) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < 26; i++) {
    text = (ALPHABET[Number(bits & 31n)] ?? '') + text;
    bits >>= 5n;
  }
  return `${prefix}_${text}`;
}

/** A random UUID (RFC 9562 version 4). */
export function newUuid(random: Random): string {
  const bytes = random.bytes(16);
  const hex = Array.from(bytes, (byte, index) => {
    const fixed = index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte;
    return fixed.toString(16).padStart(2, '0');
  }).join('');
  const [a, b, c, d, e] = [0, 8, 12, 16, 20, 32].map((from, at, all) => hex.slice(from, all[at + 1]));
  return `${a}-${b}-${c}-${d}-${e}`;
}

/** Uniform in [0, 1) with 32 bits: the jitter of a retry. */
export function drawUnit(random: Random): number {
  return random.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32;
}
