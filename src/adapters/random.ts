// The operating system's cryptographic random source.
import { randomFillSync } from 'node:crypto';
import type { Random } from '../runtime/ports.js';

/** Fresh bytes on every call, from the kernel's generator through OpenSSL. */
export const systemRandom: Random = {
  bytes: (n) => randomFillSync(new Uint8Array(n)),
};
