// The operating system's cryptographic random source.
import { randomFillSync } from 'node:crypto';
import type { Random } from '../runtime/ports.js';

/** Asking the generator costs as much as this many bytes of it, so small requests share a block. */
const BLOCK_BYTES = 4_096;

const block = new Uint8Array(BLOCK_BYTES);
let used = BLOCK_BYTES;

/** Fresh bytes on every call, from the kernel's generator through OpenSSL; what was given is kept nowhere. */
export const systemRandom: Random = {
  bytes(n) {
    if (n > BLOCK_BYTES / 8) return randomFillSync(new Uint8Array(n));
    if (used + n > BLOCK_BYTES) {
      randomFillSync(block);
      used = 0;
    }
    const bytes = block.slice(used, used + n);
    block.fill(0, used, used + n);
    used += n;
    return bytes;
  },
};
