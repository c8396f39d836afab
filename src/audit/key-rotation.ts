// Replacing the log's key: what both keys sign. The old key says who follows it, the new key that it takes over, so
// neither a thief of one key nor a forger of the other can make this entry alone. It proves a succession between two
// keys; it pins nothing: whoever trusts only the old key has to be told the new one from outside the log.
import { concatBytes } from '@noble/hashes/utils.js';
import { WritError } from '../errors.js';
import { isObject, type Json, type JsonObject } from '../json.js';
import { decodeBase64, encodeBase64 } from './base64.js';
import { canonicalBytes } from './canonical.js';
import { verifyEd25519, type Sign, type VerifySignature } from './ed25519.js';
import { parseVkey, type Vkey } from './vkey.js';

const DOMAIN = new TextEncoder().encode('writ.key-rotation.v1\0');

/** `"writ.key-rotation.v1\0"` ‖ JCS of {newVkey, oldVkey, origin}: the bytes that both keys sign. */
export function rotationMessage(origin: string, oldVkey: string, newVkey: string): Uint8Array {
  return concatBytes(DOMAIN, canonicalBytes({ origin, oldVkey, newVkey }));
}

/** The data of `key.rotated`, signed by both. Throws AUDIT_KEY_INVALID unless they are two log keys of `origin`. */
export function rotationData(
  origin: string,
  old: { readonly vkey: string; readonly sign: Sign },
  next: { readonly vkey: string; readonly sign: Sign },
): JsonObject {
  const message = rotationMessage(origin, old.vkey, next.vkey);
  const data = {
    oldVkey: old.vkey,
    newVkey: next.vkey,
    signatureByOld: encodeBase64(old.sign(message)),
    signatureByNew: encodeBase64(next.sign(message)),
  };
  if (verifyRotation(data, origin, verifyEd25519)) return data;
  throw new WritError('AUDIT_KEY_INVALID', `these are not two different keys of the log ${origin}`, {
    hint: 'a log key is replaced by a new one of the same name',
  });
}

/**
 * True when `data` (of a `key.rotated` entry, attacker-controlled) names two different log keys of `origin` and
 * both signed the succession. Never throws; base64 in its canonical form only.
 */
export function verifyRotation(
  data: Json | undefined,
  origin: string,
  verifySignature: VerifySignature,
): boolean {
  if (!isObject(data)) return false;
  const { oldVkey, newVkey, signatureByOld, signatureByNew } = data;
  const [old, next] = [logKey(oldVkey, origin), logKey(newVkey, origin)];
  const [byOld, byNew] = [signature(signatureByOld), signature(signatureByNew)];
  if (old === null || next === null || byOld === null || byNew === null) return false;
  if (typeof oldVkey !== 'string' || typeof newVkey !== 'string' || oldVkey === newVkey) return false;
  const message = rotationMessage(origin, oldVkey, newVkey);
  return verifySignature(old.publicKey, message, byOld) && verifySignature(next.publicKey, message, byNew);
}

function logKey(vkey: Json | undefined, origin: string): Vkey | null {
  if (typeof vkey !== 'string') return null;
  try {
    const key = parseVkey(vkey);
    return key.type === 1 && key.name === origin ? key : null;
  } catch (error) {
    // Attacker-controlled: a text that is no vkey is no rotation.
    if (error instanceof WritError) return null;
    throw error;
  }
}

function signature(text: Json | undefined): Uint8Array | null {
  const bytes = typeof text === 'string' && text.length <= 88 ? decodeBase64(text) : null;
  return bytes?.length === 64 ? bytes : null;
}
