// SHA-256 in hex, of what comes over HTTP.
import { createHash } from 'node:crypto';
import { WritError } from '../errors.js';
import { isHex64, type Hex } from '../json.js';

/** Of all `parts`, one behind the other. */
export function sha256(...parts: readonly Uint8Array[]): Hex {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  const text = hash.digest('hex');
  if (!isHex64(text)) throw new WritError('INTERNAL', 'SHA-256 has 64 hex digits');
  return text;
}
