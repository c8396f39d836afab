// The log's signing key: `{v: 1, kind: "log", vkey, privateKey}` in a file of mode 0600. The vkey names the log for
// the rest of its life, so a file whose vkey doesn't belong to its private key is refused.
import { createHash } from 'node:crypto';
import { WritError } from '../../errors.js';
import type { Signer } from '../../runtime/ports.js';
import {
  decodeKeyPair,
  generateKeyPair,
  invalid,
  type KeyFileCodes,
  type KeyPair,
  readKeyFile,
  signEd25519,
  writeKeyFile,
} from './key-file.js';

const CODES: KeyFileCodes = {
  what: 'log key',
  missing: 'AUDIT_KEY_MISSING',
  invalid: 'AUDIT_KEY_INVALID',
  make: 'restore it from a backup, or make a new data directory with writ init',
};
/** C2SP signed-note: the type byte of an Ed25519 log key. */
const ED25519_LOG = 0x01;
const KEY_ID_BYTES = 4;
const MAX_NAME_CHARACTERS = 255;

/**
 * Makes the key of a new log named `origin` (no space, no control character, no `+`; INPUT_INVALID) and its file.
 * Throws AUDIT_KEY_INVALID when the file exists or can't be written.
 */
export function createLogKey(file: string, origin: string): Signer {
  if (!isKeyName(origin)) {
    throw new WritError('INPUT_INVALID', `${JSON.stringify(origin)} can not be the origin of a log`, {
      hint: 'use a name like audit.example.com/claims, without space and +, at most 255 characters',
    });
  }
  const pair = generateKeyPair();
  const vkey = vkeyOf(origin, pair.publicKey);
  writeKeyFile(file, { v: 1, kind: 'log', vkey, privateKey: pair.encoded }, CODES);
  return signer(vkey, pair);
}

/** Throws AUDIT_KEY_MISSING; AUDIT_KEY_INVALID when others may read the file or it isn't one log key. */
export function loadLogKey(file: string): Signer {
  const fields = readKeyFile(file, ['v', 'kind', 'vkey', 'privateKey'], CODES);
  const { v, kind, vkey } = fields;
  if (v !== 1 || kind !== 'log') throw invalid(file, CODES, 'is not a log key of version 1');
  const pair = decodeKeyPair(fields['privateKey'], file, CODES);
  const name = typeof vkey === 'string' ? vkey.slice(0, Math.max(0, vkey.indexOf('+'))) : '';
  if (!isKeyName(name) || vkey !== vkeyOf(name, pair.publicKey)) {
    throw invalid(file, CODES, 'has a vkey that does not belong to its private key');
  }
  return signer(vkey, pair);
}

function signer(vkey: string, pair: KeyPair): Signer {
  return { vkey, sign: (message) => signEd25519(pair.privateKey, message) };
}

/** C2SP signed-note, "Verifier keys": `<name>+<key id>+base64(type || public key)`. */
function vkeyOf(name: string, publicKey: Uint8Array): string {
  const typed = Buffer.concat([Buffer.of(ED25519_LOG), publicKey]);
  const digest = createHash('sha256').update(name).update('\n').update(typed).digest();
  return `${name}+${digest.subarray(0, KEY_ID_BYTES).toString('hex')}+${typed.toString('base64')}`;
}

function isKeyName(name: string): boolean {
  return (
    name.length > 0 && name.length <= MAX_NAME_CHARACTERS && name.isWellFormed() && !/[\s+\p{Cc}]/u.test(name)
  );
}
