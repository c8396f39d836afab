// Where proofs take their hashes from: a list of leaf hashes, or a function that knows the perfect subtrees.
import { WritError } from '../errors.js';
import { perfectRoot } from './compact-range.js';
import { nodeHash } from './tree-hash.js';

/** Root of the perfect subtree of 2^level leaves that starts at leaf index * 2^level. */
export type HashReader = (level: number, index: bigint) => Uint8Array;

/** Leaf hashes from 0 on, or a reader. */
export type Hashes = readonly Uint8Array[] | HashReader;

/** A reader over either form. Throws AUDIT_PROOF_INVALID when the list is shorter than `size`. */
export function hashReader(hashes: Hashes, size: bigint): HashReader {
  if (typeof hashes === 'function') return hashes;
  if (BigInt(hashes.length) < size) {
    throw new WritError(
      'AUDIT_PROOF_INVALID',
      `${hashes.length} leaf hashes can't make a tree of size ${size}`,
    );
  }
  return (level, index) => {
    const start = Number(index << BigInt(level));
    return perfectRoot(hashes.slice(start, start + 2 ** level));
  };
}

/** MTH(D[start:end]) of RFC 6962 section 2.1; `start` is a multiple of a power of two >= end - start. */
export function rangeHash(read: HashReader, start: bigint, end: bigint): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let from = start; from < end;) {
    let level = 0;
    while (2n << BigInt(level) <= end - from) level += 1;
    parts.push(read(level, from >> BigInt(level)));
    from += 1n << BigInt(level);
  }
  return parts.reduceRight((right, left) => nodeHash(left, right));
}

/** Largest power of two smaller than n, n >= 2. */
export function splitPoint(n: bigint): bigint {
  let k = 1n;
  while (k * 2n < n) k *= 2n;
  return k;
}
