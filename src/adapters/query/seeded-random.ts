// Random numbers that follow from a query's seed: the same query asked again gives the same values, and nobody who
// does not know the seed can foresee one. `javaRandom` is what the States Language makes of a seed of its own.
import { createHash } from 'node:crypto';

export interface SeededRandom {
  /** In [0, 1), 53 bits. */
  number(): number;
  /** RFC 9562 version 4. */
  uuid(): string;
}

/** `seed` = 32 bytes in hex, or any text. */
export function seededRandom(seed: string): SeededRandom {
  let counter = 0;
  const block = (): Buffer => {
    counter += 1;
    return createHash('sha256').update(`writ.query.random.v1\0${seed}\0${counter}`).digest();
  };
  return {
    number: () => Number(block().readBigUInt64BE() >> 11n) / 2 ** 53,
    uuid: () => {
      const bytes = block().subarray(0, 16);
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      const hex = bytes.toString('hex');
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
        '-',
      );
    },
  };
}

/** The first `nextDouble()` of java.util.Random with this seed: `$random(42)` gives AWS's number. */
export function javaRandom(seed: number): number {
  const mask = (1n << 48n) - 1n;
  const step = (state: bigint): bigint => (state * 0x5deece66dn + 0xbn) & mask;
  const first = step((BigInt(seed) ^ 0x5deece66dn) & mask);
  const second = step(first);
  return Number(((first >> 22n) << 27n) + (second >> 21n)) / 2 ** 53;
}
