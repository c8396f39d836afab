// Keys of Standard Webhooks as text: `whsec_` (HMAC secret, the prefix may be missing), `whpk_` and `whsk_` (Ed25519
// public and private). A key of one kind is never used as one of the other, whatever its bytes are.
import { ed25519 } from '@noble/curves/ed25519.js';

/** `v1`: HMAC-SHA-256. `v1a`: Ed25519, which the verifier holds the public half of. */
export type WebhookKey =
  | { readonly version: 'v1'; readonly secret: Uint8Array }
  | { readonly version: 'v1a'; readonly publicKey: Uint8Array };

export type WebhookSigningKey =
  | { readonly version: 'v1'; readonly secret: Uint8Array }
  | { readonly version: 'v1a'; readonly seed: Uint8Array };

const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
const MAX_KEY_CHARACTERS = 128;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Null when `text` is no key to verify with: wrong length, alphabet or padding, or a private key. */
export function readWebhookKey(text: string): WebhookKey | null {
  if (text.startsWith('whpk_')) {
    const publicKey = decodeWebhookBase64(text.slice('whpk_'.length), 32);
    return publicKey === null ? null : { version: 'v1a', publicKey };
  }
  const secret = secretOf(text);
  return secret === null ? null : { version: 'v1', secret };
}

/** Null when `text` is no key to sign with. `whsk_` holds a seed (32 bytes), or seed and public key (64 bytes). */
export function readWebhookSigningKey(text: string): WebhookSigningKey | null {
  if (!text.startsWith('whsk_')) {
    const secret = secretOf(text);
    return secret === null ? null : { version: 'v1', secret };
  }
  const encoded = text.slice('whsk_'.length);
  const both = decodeWebhookBase64(encoded, 64);
  const seed = both === null ? decodeWebhookBase64(encoded, 32) : both.subarray(0, 32);
  if (seed === null) return null;
  // A public half that is not this seed's would make signatures that nobody can check.
  const fits = both === null || sameBytes(ed25519.getPublicKey(seed), both.subarray(32));
  return fits ? { version: 'v1a', seed } : null;
}

/** `whpk_…` of a signing key, for whoever verifies; null for an HMAC secret, which has no public half. */
export function webhookPublicKey(text: string): string | null {
  const key = readWebhookSigningKey(text);
  return key?.version === 'v1a' ? `whpk_${encodeBase64(ed25519.getPublicKey(key.seed))}` : null;
}

function secretOf(text: string): Uint8Array | null {
  // `whpk_` and `whsk_` are no base64, so another kind of key never passes for a secret without its prefix.
  const secret = decodeWebhookBase64(text.startsWith('whsec_') ? text.slice('whsec_'.length) : text, null);
  return secret !== null && secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES
    ? secret
    : null;
}

/** Standard alphabet, padded, canonical; null otherwise, or when there are not `length` bytes. Attacker-controlled. */
export function decodeWebhookBase64(text: string, length: number | null): Uint8Array | null {
  if (text.length > MAX_KEY_CHARACTERS || text.length % 4 !== 0 || !BASE64.test(text)) return null;
  const binary = atob(text);
  if ((length !== null && binary.length !== length) || btoa(binary) !== text) return null;
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

export function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Takes the same time whatever the bytes are; only their number shows. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let at = 0; at < one.length; at++) difference |= (one[at] ?? 0) ^ (other[at] ?? 0);
  return difference === 0;
}
