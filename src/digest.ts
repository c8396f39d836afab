// The SHA-256 digest of a value.
import { platformSha256 } from './adapters/hash.js';
import { canonicalJson } from './canonical-json.js';
import type { Digest, Json } from './json.js';

/** Over the value's canonical form. */
export function digestOf(value: Json): Digest {
  const bytes = new TextEncoder().encode(canonicalJson(value));
  return `sha256:${Buffer.from(platformSha256(bytes)).toString('hex')}` as Digest;
}
