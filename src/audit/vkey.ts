// Verifier keys (C2SP signed-note). Name, id and key are one thing: the id is recomputed and must agree.
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { sha256 } from './sha256.js';

/** 1 Ed25519 log, 4 Ed25519 cosignature, 6 ML-DSA-44 cosignature (read, never verified). */
export type KeyType = 1 | 4 | 6;

export interface Vkey {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  readonly type: KeyType;
  readonly publicKey: Uint8Array;
}

const KEY_BYTES: Readonly<Record<KeyType, number>> = { 1: 32, 4: 32, 6: 1312 };
const MAX_VKEY_CHARS = 4096;
const NAME = /^[^\p{White_Space}\p{Cc}\p{Surrogate}+]+$/u;

/** Non-empty, no Unicode space, no control character, no `+`. */
export function isKeyName(name: string): boolean {
  return NAME.test(name);
}

/** The vkey text of a key: `<name>+<id>+base64(type ‖ key)`. Throws AUDIT_KEY_INVALID on a wrong name or length. */
export function formatVkey(name: string, type: KeyType, publicKey: Uint8Array): string {
  if (!isKeyName(name)) throw invalid('its name is empty or holds a space or "+"');
  if (publicKey.length !== KEY_BYTES[type])
    throw invalid(`a key of type ${type} has ${KEY_BYTES[type]} bytes`);
  return `${name}+${keyId(name, type, publicKey)}+${encodeBase64(concatBytes(Uint8Array.of(type), publicKey))}`;
}

/** The key in a vkey text (attacker-controlled). Throws AUDIT_KEY_INVALID; the message never repeats the text. */
export function parseVkey(text: string): Vkey {
  if (text.length > MAX_VKEY_CHARS) throw invalid('it is too long');
  const parts = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/su.exec(text);
  const [, name = '', id = '', key64 = ''] = parts ?? [];
  if (parts === null || !isKeyName(name)) throw invalid('it is not <name>+<8 hex digits>+<base64>');
  const key = decodeBase64(key64);
  const type = key?.[0];
  if (key === null || (type !== 1 && type !== 4 && type !== 6)) throw invalid('its key is of no known type');
  const publicKey = key.slice(1);
  if (publicKey.length !== KEY_BYTES[type])
    throw invalid(`a key of type ${type} has ${KEY_BYTES[type]} bytes`);
  if (keyId(name, type, publicKey) !== id) throw invalid('its id is not the one of its name and key');
  return { name, keyId: id, type, publicKey };
}

function keyId(name: string, type: KeyType, publicKey: Uint8Array): string {
  const message = concatBytes(new TextEncoder().encode(name), Uint8Array.of(0x0a, type), publicKey);
  return bytesToHex(sha256(message).subarray(0, 4));
}

function invalid(reason: string): WritError {
  return new WritError('AUDIT_KEY_INVALID', `invalid vkey: ${reason}`, {
    hint: 'copy the whole line that writ audit vkey prints',
  });
}
