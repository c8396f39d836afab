// Bytes of the intrinsic functions: UTF-8, Base64 (RFC 4648) and hashes. MD5 and SHA-1 are checksums a workflow asks
// for; nothing here is secured by them.
import { md5, sha1 } from '@noble/hashes/legacy.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { IntrinsicFault } from './fault.js';

const HASHES: ReadonlyMap<string, (bytes: Uint8Array) => Uint8Array> = new Map([
  ['MD5', md5],
  ['SHA-1', sha1],
  ['SHA-256', sha256],
  ['SHA-384', sha384],
  ['SHA-512', sha512],
]);
// What is no digit of Base64 is passed over, as the service does (measured).
const NO_DIGIT = /[^A-Za-z0-9+/]/g;

/** Lower-case hex of the UTF-8 bytes of `text`. */
export function hashHex(text: string, algorithm: string): string {
  const hash = HASHES.get(algorithm);
  if (hash === undefined) {
    throw new IntrinsicFault(`the algorithm must be one of ${[...HASHES.keys()].join(', ')}`);
  }
  return bytesToHex(hash(new TextEncoder().encode(text)));
}

export function encodeBase64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Up to the first padding, which may be left out. Bytes that are not UTF-8 become U+FFFD. Never throws. */
export function decodeBase64(text: string): string {
  const [given = ''] = text.split('=', 1);
  const digits = given.replace(NO_DIGIT, '');
  // A last digit alone is less than a byte.
  const binary = atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Uint8Array.from(binary, (char) => char.charCodeAt(0)),
  );
}
