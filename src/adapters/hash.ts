// SHA-256 by the platform: OpenSSL behind Node's one-shot `crypto.hash`, several times faster than portable code.
import { hash } from 'node:crypto';

const DIGEST_BYTES = 32;
const BLOCK_BYTES = 256 * DIGEST_BYTES;

let block = new Uint8Array(BLOCK_BYTES);
let used = 0;

/**
 * SHA-256 (FIPS 180-4) of `bytes`: 32 fresh bytes, which lie in a block with other digests: the driver of the store
 * would have to move a small array of its own out of the heap. Keeps nothing of `bytes`. The digest comes back as
 * text of one character a byte: half the time of asking Node for a Buffer of its own each time.
 */
export function platformSha256(bytes: Uint8Array): Uint8Array {
  if (used === BLOCK_BYTES) {
    block = new Uint8Array(BLOCK_BYTES);
    used = 0;
  }
  platformSha256Into(bytes, block, used);
  used += DIGEST_BYTES;
  return block.subarray(used - DIGEST_BYTES, used);
}

/** The same, written into `into` from `at` on. */
export function platformSha256Into(bytes: Uint8Array, into: Uint8Array, at: number): void {
  const digest = hash('sha256', bytes, 'binary');
  for (let i = 0; i < DIGEST_BYTES; i++) into[at + i] = digest.charCodeAt(i);
}
