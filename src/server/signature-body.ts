// A person's own signature in a body. Attacker-controlled: every value of its exact form; whose key it is, and whether it
// holds, is judged elsewhere.
import type { Json, JsonObject } from '../json.js';
import { malformed } from './json-body.js';

export interface KeySignature {
  /** `ed25519:<base64>`. */
  readonly keyId: string;
  readonly atMs: number;
  /** 64 bytes. */
  readonly value: Uint8Array;
}

/** Of exactly `keyId`, `at` and `value`; `known` names what else the caller has taken out of it. Throws 400. */
export function readSignature(signature: JsonObject, known: string): KeySignature {
  const { keyId, at, value: text, ...others } = signature;
  if (Object.keys(others).length > 0) throw malformed(`signature has keyId, at, value and ${known} only`);
  if (typeof keyId !== 'string' || !/^ed25519:[A-Za-z0-9+/]{43}=$/u.test(keyId)) {
    throw malformed('signature.keyId is ed25519: and the base64 of the public key');
  }
  if (typeof at !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u.test(at) || !isTime(at)) {
    throw malformed('signature.at is a time like 2026-01-31T12:00:00.000Z');
  }
  const value = bytesOf(text, 64);
  if (value === null) throw malformed('signature.value is the base64 of 64 bytes');
  return { keyId, atMs: Date.parse(at), value };
}

/** Its own spelling: no 31 February, which would be read as another day. */
function isTime(text: string): boolean {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text;
}

/** The bytes of canonical base64 of just this length; else null. */
export function bytesOf(value: Json | undefined, length: number): Uint8Array | null {
  if (typeof value !== 'string' || value.length > 128) return null;
  const bytes = Buffer.from(value, 'base64');
  return bytes.length === length && bytes.toString('base64') === value ? bytes : null;
}
