// Consistency proofs: that a larger tree only appended to a smaller one (RFC 6962 section 2.1.2).
import { WritError } from '../errors.js';
import { hashReader, rangeHash, splitPoint, type Hashes } from './hash-reader.js';
import { emptyRoot, equalBytes, isHash, nodeHash } from './tree-hash.js';
import { toTreeSize, type TreeSizeInput } from './tree-size.js';

/**
 * Hashes bottom up; empty for equal sizes. Needs 1 <= size1 <= size2 (or 0 and 0); throws AUDIT_PROOF_INVALID:
 * nothing can be proven about the empty tree.
 */
export function consistencyProof(hashes: Hashes, size1: TreeSizeInput, size2: TreeSizeInput): Uint8Array[] {
  const old = toTreeSize(size1);
  const size = toTreeSize(size2);
  if (old === null || size === null || old > size || (old === 0n && size > 0n)) {
    throw new WritError('AUDIT_PROOF_INVALID', `no consistency proof from size ${size1} to size ${size2}`);
  }
  const read = hashReader(hashes, size);
  const proof: Uint8Array[] = [];
  let start = 0n;
  let end = size;
  while (old < end) {
    const middle = start + splitPoint(end - start);
    if (old <= middle) {
      proof.push(rangeHash(read, middle, end));
      end = middle;
    } else {
      proof.push(rangeHash(read, start, middle));
      start = middle;
    }
  }
  // The verifier knows the old root itself only when the old tree is one perfect left subtree.
  if (start > 0n) proof.push(rangeHash(read, start, end));
  return proof.reverse();
}

export interface ConsistencyClaim {
  readonly size1: TreeSizeInput;
  readonly size2: TreeSizeInput;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  /** null is the empty proof. */
  readonly proof: readonly Uint8Array[] | null;
}

/**
 * RFC 9162 section 2.1.4.2. All of `claim` is attacker-controlled; never throws, any doubt is false.
 * From size 0 only 0 to 0 holds, with the empty root twice and an empty proof.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const size1 = toTreeSize(claim.size1);
  const size2 = toTreeSize(claim.size2);
  const proof = claim.proof ?? [];
  if (size1 === null || size2 === null || size1 > size2) return false;
  if (!isHash(claim.root1) || !isHash(claim.root2) || !Array.isArray(proof) || !proof.every(isHash))
    return false;
  if (size1 === size2) {
    if (size1 === 0n && !equalBytes(claim.root1, emptyRoot())) return false;
    return proof.length === 0 && equalBytes(claim.root1, claim.root2);
  }
  if (size1 === 0n) return false;

  let place = size1 - 1n;
  let last = size2 - 1n;
  while ((place & 1n) === 1n) {
    place >>= 1n;
    last >>= 1n;
  }
  // place 0 here: the old tree is a perfect subtree, its root is the proof's first hash.
  const path = place === 0n ? [claim.root1, ...proof] : proof;
  const seed = path[0];
  if (seed === undefined) return false;
  let hash1 = seed;
  let hash2 = seed;
  for (const sibling of path.slice(1)) {
    if (last === 0n) return false;
    if ((place & 1n) === 1n || place === last) {
      hash1 = nodeHash(sibling, hash1);
      hash2 = nodeHash(sibling, hash2);
      while ((place & 1n) === 0n && place !== 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    place >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equalBytes(hash1, claim.root1) && equalBytes(hash2, claim.root2);
}
