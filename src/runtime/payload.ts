// Data of a run outside the log: stored bytes, a fresh salt each, and the commitment that an entry carries.
import { commitment } from '../audit/commitment.js';
import { canonicalJson } from '../canonical-json.js';
import type { Json } from '../json.js';
import type { Payload, Random, StoredPayload } from './ports.js';
import type { Redactor } from './redaction.js';

const SALT_BYTES = 32;

/** What sealing needs: salts, and the secrets that are never stored. */
export interface Sealing {
  readonly random: Random;
  readonly redact: Redactor;
}

/** A payload over the RFC 8785 bytes of `value` without secrets, salted with 32 fresh random bytes. */
export function sealJson(run: string, label: string, value: Json, by: Sealing): Payload {
  const text = canonicalJson(by.redact.json(value));
  return seal(run, label, new TextEncoder().encode(text), 'application/json', by);
}

/** As `sealJson`, over any bytes. */

export function sealBytes(
  run: string,
  label: string,
  bytes: Uint8Array,
  mediaType: string,
  by: Sealing,
): Payload {
  return seal(run, label, by.redact.bytes(bytes), mediaType, by);
}

function seal(
  run: string,
  label: string,
  bytes: Uint8Array,
  mediaType: string,
  { random }: Sealing,
): Payload {
  const salt = random.bytes(SALT_BYTES);
  return { commitment: commitment(salt, label, bytes), label, salt, bytes, mediaType, run };
}

/** The value of a stored JSON payload; null when it was erased. */
export function openJson(payload: StoredPayload | null): Json {
  // Bytes of our own store, written by sealJson.
  return payload?.bytes == null ? null : (JSON.parse(new TextDecoder().decode(payload.bytes)) as Json);
}
