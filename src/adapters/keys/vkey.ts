// The public name of a key (C2SP signed-note, "Verifier keys"). Name, id and key are one thing.
import { createHash } from 'node:crypto';

/** Signature type bytes: an Ed25519 log key, and an Ed25519 witness key (tlog-cosignature). */
export const ED25519_LOG = 0x01;
export const ED25519_WITNESS = 0x04;

const KEY_ID_BYTES = 4;
const MAX_NAME_CHARACTERS = 255;

/** `<name>+<key id>+base64(type || public key)`. */
export function vkeyOf(name: string, type: number, publicKey: Uint8Array): string {
  const typed = Buffer.concat([Buffer.of(type), publicKey]);
  const digest = createHash('sha256').update(name).update('\n').update(typed).digest();
  return `${name}+${digest.subarray(0, KEY_ID_BYTES).toString('hex')}+${typed.toString('base64')}`;
}

/** 1 to 255 characters, no space, no control character, no `+`. */
export function isKeyName(name: string): boolean {
  return (
    name.length > 0 && name.length <= MAX_NAME_CHARACTERS && name.isWellFormed() && !/[\s+\p{Cc}]/u.test(name)
  );
}
