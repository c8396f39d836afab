// The bytes of tiles and entry bundles (C2SP tlog-tiles). Decoding is exact: the width decides the length.
import { WritError } from '../errors.js';

/** Longest entry: its length is a uint16 in the bundle. */
export const MAX_ENTRY_BYTES = 65_535;

/** Before each entry of a bundle. */
export const LENGTH_BYTES = 2;

/** Hashes one after another, 32 bytes each. */
export function encodeTile(hashes: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * 32);
  hashes.forEach((hash, i) => bytes.set(hash, i * 32));
  return bytes;
}

/** null unless `bytes` (attacker-controlled) are exactly `width` hashes. */
export function decodeTile(bytes: Uint8Array, width: number): Uint8Array[] | null {
  if (bytes.length !== width * 32) return null;
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += 32) hashes.push(bytes.subarray(at, at + 32));
  return hashes;
}

/** uint16 big-endian length and bytes of each entry. Throws AUDIT_ENTRY_INVALID on one beyond 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0));
  let at = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new WritError('AUDIT_ENTRY_INVALID', `an entry of ${entry.length} bytes does not fit a bundle`);
    }
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length & 255;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** Where the entry ends whose length stands at `at` of a bundle that `decodeBundle` accepts. */
export function entryEnd(bundle: Uint8Array, at: number): number {
  return at + LENGTH_BYTES + (bundle[at] ?? 0) * 256 + (bundle[at + 1] ?? 0);
}

/** null unless `bytes` (attacker-controlled) are exactly `width` entries and nothing more. */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] | null {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const high = bytes[at];
    const low = bytes[at + 1];
    if (entries.length === width || high === undefined || low === undefined) return null;
    const end = at + 2 + high * 256 + low;
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries.length === width ? entries : null;
}
