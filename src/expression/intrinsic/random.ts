// Random numbers and UUIDs of the intrinsic functions, from bytes that come in: the engine records them.
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** Uniform in [from, to); `bytes`: 32 nobody can foresee. The bias of 256 bits over a 32-bit range is below 2^-220. */
export function randomBetween(from: number, to: number, bytes: Uint8Array): number {
  return from + Number(BigInt(`0x${bytesToHex(bytes)}`) % BigInt(to - from));
}

/** The same number for the same seed, everywhere and always; not the service's own sequence, which is unpublished. */
export function seededBetween(from: number, to: number, seed: number): number {
  return randomBetween(from, to, sha256(new TextEncoder().encode(`writ.random.v1\0${seed}`)));
}

/** RFC 9562 version 4. */
export function uuid4(bytes: Uint8Array): string {
  const id = bytes.slice(0, 16);
  id[6] = ((id[6] ?? 0) & 0x0f) | 0x40;
  id[8] = ((id[8] ?? 0) & 0x3f) | 0x80;
  return bytesToHex(id).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
