// A witness's signing key: `{v: 1, kind: "witness", vkey, privateKey}` in a file of mode 0600. Its public key is of
// type 4 and must be of no other use: a cosignature does not say the witness's name.
import { WritError } from '../../errors.js';
import type { Signer } from '../../runtime/ports.js';
import {
  decodeKeyPair,
  generateKeyPair,
  invalid,
  type KeyFileCodes,
  readKeyFile,
  signEd25519,
  writeKeyFile,
} from './key-file.js';
import { ED25519_WITNESS, isKeyName, vkeyOf } from './vkey.js';

const CODES: KeyFileCodes = {
  what: 'witness key',
  missing: 'NOT_FOUND',
  taken: 'USAGE',
  invalid: 'AUDIT_KEY_INVALID',
  make: 'make one with writ audit witness key FILE --name NAME',
};

/**
 * Makes the key of a new witness called `name` (no space, no control character, no `+`; INPUT_INVALID) and its file.
 * Throws USAGE when the file exists, AUDIT_KEY_INVALID when it can't be written.
 */
export function createWitnessKey(file: string, name: string): Signer {
  if (!isKeyName(name)) {
    throw new WritError('INPUT_INVALID', `${JSON.stringify(name)} can not be the name of a witness`, {
      hint: 'use a name like witness.example.com/w1, without space and +, at most 255 characters',
    });
  }
  const { privateKey, publicKey, encoded } = generateKeyPair();
  const vkey = vkeyOf(name, ED25519_WITNESS, publicKey);
  writeKeyFile(file, { v: 1, kind: 'witness', vkey, privateKey: encoded }, CODES);
  return { vkey, sign: (message) => signEd25519(privateKey, message) };
}

/** Throws NOT_FOUND; AUDIT_KEY_INVALID when others may read the file or it isn't one witness key. */
export function loadWitnessKey(file: string): Signer {
  const fields = readKeyFile(file, ['v', 'kind', 'vkey', 'privateKey'], CODES);
  const { v, kind, vkey } = fields;
  if (v !== 1 || kind !== 'witness') throw invalid(file, CODES, 'is not a witness key of version 1');
  const { privateKey, publicKey } = decodeKeyPair(fields['privateKey'], file, CODES);
  const name = typeof vkey === 'string' ? vkey.slice(0, Math.max(0, vkey.indexOf('+'))) : '';
  if (typeof vkey !== 'string' || !isKeyName(name) || vkey !== vkeyOf(name, ED25519_WITNESS, publicKey)) {
    throw invalid(file, CODES, 'has a vkey that does not belong to its private key');
  }
  return { vkey, sign: (message) => signEd25519(privateKey, message) };
}
