// The compact range: the roots of the perfect subtrees that cover a tree of some size, largest first, one per
// one-bit of the size. It is all a writer needs to append (amortised two hashes an entry) and to give the root.
import { WritError } from '../errors.js';
import { emptyRoot, nodeHash, type NodeHash } from './tree-hash.js';

/** Called for every perfect subtree that becomes complete; it holds 2^level leaves, `index` counts such subtrees. */
export type NodeSeen = (level: number, index: bigint, hash: Uint8Array) => void;

/**
 * The range of size + 1, from the range of `size` and the next leaf hash.
 * Throws AUDIT_PROOF_INVALID when `range` is not a range of that size.
 */
export function appendLeaf(
  range: readonly Uint8Array[],
  size: bigint,
  leaf: Uint8Array,
  seen?: NodeSeen,
  hash: NodeHash = nodeHash,
): Uint8Array[] {
  const next = range.slice();
  let node = leaf;
  let level = 0;
  for (let rest = size; (rest & 1n) === 1n; rest >>= 1n) {
    const left = next.pop();
    if (left === undefined) throw wrongRange(range, size);
    node = hash(left, node);
    level += 1;
    seen?.(level, size >> BigInt(level), node);
  }
  next.push(node);
  return next;
}

/** Root of the tree of `size` whose compact range this is (RFC 6962 section 2.1). Throws AUDIT_PROOF_INVALID. */
export function rangeRoot(range: readonly Uint8Array[], size: bigint): Uint8Array {
  if (range.length !== popcount(size)) throw wrongRange(range, size);
  return range.length === 0 ? emptyRoot() : range.reduceRight((right, left) => nodeHash(left, right));
}

/** Root of a perfect subtree from its 2^k lower hashes, left to right. */
export function perfectRoot(hashes: readonly Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) above.push(nodeHash(at(row, i), at(row, i + 1)));
    row = above;
  }
  return at(row, 0);
}

/**
 * The compact range from the tree's right edge: `edge[L]` holds the floor(size / 256^L) mod 256 hashes of the
 * last, partial tile of level L.
 */
export function rangeFromEdge(edge: readonly (readonly Uint8Array[])[]): Uint8Array[] {
  const range: Uint8Array[] = [];
  for (const hashes of edge.toReversed()) {
    let start = 0;
    for (let width = 128; width >= 1; width /= 2) {
      if ((hashes.length & width) === 0) continue;
      range.push(perfectRoot(hashes.slice(start, start + width)));
      start += width;
    }
  }
  return range;
}

function at(row: readonly Uint8Array[], i: number): Uint8Array {
  const hash = row[i];
  if (hash === undefined) throw new WritError('INTERNAL', `no hash at position ${i} of ${row.length}`);
  return hash;
}

function popcount(size: bigint): number {
  let count = 0;
  for (let rest = size; rest > 0n; rest >>= 1n) if ((rest & 1n) === 1n) count += 1;
  return count;
}

function wrongRange(range: readonly Uint8Array[], size: bigint): WritError {
  return new WritError(
    'AUDIT_PROOF_INVALID',
    `a compact range of ${range.length} hashes is not one of a tree of size ${size}`,
    { hint: 'restore the store from a backup and run writ audit verify' },
  );
}
