// The one hash function of the room. Everything the log commits to goes through here, or through a faster one of the
// platform that the caller hands in as a value.
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

/**
 * SHA-256 (FIPS 180-4) as a value: 32 fresh bytes for every input. It is done with `bytes` when it returns, because
 * callers use the same array again for the next message.
 */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** SHA-256 (FIPS 180-4) of `bytes`: 32 bytes. Portable: the same in Node and in a browser. */
export const sha256: Sha256 = (bytes) => nobleSha256(bytes);
