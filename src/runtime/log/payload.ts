// Data of a run outside the log: stored bytes, a fresh salt each, and the commitment that an entry carries.
import { commitment } from '../../audit/commitment.js';
import type { Sha256 } from '../../audit/sha256.js';
import { canonicalJson } from '../../canonical-json.js';
import { readJson, type Json } from '../../json.js';
import type { Payload, Random, StoredPayload } from '../ports.js';
import type { Redactor } from '../redaction.js';

const SALT_BYTES = 32;
const UTF8 = new TextEncoder();

/** What sealing needs: salts, and the secrets that are never stored. */
export interface Sealing {
  readonly random: Random;
  readonly redact: Redactor;
  /** The platform's; absent = the portable one, which is slower. */
  readonly sha256?: Sha256 | undefined;
}

/** A payload over the RFC 8785 bytes of `value` without secrets, salted with 32 fresh random bytes. */
export function sealJson(run: string, label: string, value: Json, by: Sealing): Payload {
  const text = canonicalJson(by.redact.json(value));
  return seal(run, label, UTF8.encode(text), 'application/json', by);
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
  { random, sha256 }: Sealing,
): Payload {
  const salt = random.bytes(SALT_BYTES);
  return { commitment: commitment(salt, label, bytes, sha256), label, salt, bytes, mediaType, run };
}

/** Whether the stored bytes are those that were committed to; true of an erased one, which has none. */
export function isIntact({ commitment: named, label, salt, bytes }: StoredPayload): boolean {
  return salt === null || bytes === null || commitment(salt, label, bytes) === named;
}

/** The value of a stored JSON payload; null when it was erased. */
export function openJson(payload: Pick<StoredPayload, 'bytes'> | null): Json {
  // Bytes of our own store, written by sealJson.
  return payload?.bytes == null ? null : readJson(new TextDecoder().decode(payload.bytes));
}
