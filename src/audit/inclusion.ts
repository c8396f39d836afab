// Inclusion proofs: that an entry stands at an index of the tree (RFC 6962 section 2.1.1).
import { WritError } from '../errors.js';
import { hashReader, rangeHash, splitPoint, type Hashes } from './hash-reader.js';
import { equalBytes, isHash, nodeHash } from './tree-hash.js';
import { toTreeSize, type TreeSizeInput } from './tree-size.js';

/**
 * Hashes from the leaf's sibling up. Needs index < size; throws AUDIT_PROOF_INVALID otherwise.
 * O(log size) reads with a reader, O(size) hashing with a list.
 */
export function inclusionProof(hashes: Hashes, index: TreeSizeInput, size: TreeSizeInput): Uint8Array[] {
  const leaf = toTreeSize(index);
  const end0 = toTreeSize(size);
  if (leaf === null || end0 === null || leaf >= end0) {
    throw new WritError(
      'AUDIT_PROOF_INVALID',
      `no inclusion proof of index ${index} in a tree of size ${size}`,
    );
  }
  const read = hashReader(hashes, end0);
  const proof: Uint8Array[] = [];
  let start = 0n;
  let end = end0;
  while (end - start > 1n) {
    const middle = start + splitPoint(end - start);
    if (leaf < middle) {
      proof.push(rangeHash(read, middle, end));
      end = middle;
    } else {
      proof.push(rangeHash(read, start, middle));
      start = middle;
    }
  }
  return proof.reverse();
}

export interface InclusionClaim {
  readonly index: TreeSizeInput;
  readonly size: TreeSizeInput;
  readonly leafHash: Uint8Array;
  readonly root: Uint8Array;
  /** null is the empty proof. */
  readonly proof: readonly Uint8Array[] | null;
}

/** RFC 9162 section 2.1.3.2. All of `claim` is attacker-controlled; never throws, any doubt is false. */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const index = toTreeSize(claim.index);
  const size = toTreeSize(claim.size);
  const proof = claim.proof ?? [];
  if (index === null || size === null || index >= size) return false;
  if (!isHash(claim.leafHash) || !isHash(claim.root) || !Array.isArray(proof)) return false;
  let place = index;
  let last = size - 1n;
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0n || !isHash(sibling)) return false;
    if ((place & 1n) === 1n || place === last) {
      hash = nodeHash(sibling, hash);
      // A right edge node without a right neighbour moves up until it has a left one.
      while ((place & 1n) === 0n && place !== 0n) {
        place >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    place >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equalBytes(hash, claim.root);
}
