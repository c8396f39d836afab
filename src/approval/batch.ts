// Several requests that are approved together: each is shown, each keeps its own digest and gets its own vote. What is
// typed or given to confirm names all of them and no other: leave one out and it is another digest.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import type { SubjectDigest } from '../json.js';

/** More than so many are not read on one screen. */
export const MAX_BATCH = 50;

/** SHA-256, in hex, over the digests in ascending order, each followed by a line end. Throws USAGE. */
export function batchDigest(digests: readonly SubjectDigest[]): SubjectDigest {
  if (digests.length < 2 || digests.length > MAX_BATCH || new Set(digests).size !== digests.length) {
    throw new WritError(
      'USAGE',
      `a batch has 2 to ${MAX_BATCH} different requests, this one ${digests.length}`,
    );
  }
  const text = [...digests].sort().map((digest) => `${digest}\n`);
  // 32 bytes as 64 hex digits.
  return bytesToHex(sha256(utf8ToBytes(text.join('')))) as SubjectDigest;
}
