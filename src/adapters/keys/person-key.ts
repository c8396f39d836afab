// A person's key for signing approval decisions: `{v: 1, kind: "person", name, publicKey, privateKey}` in a file of
// mode 0600. The public key is what stands in approvers.yaml; the name is a label and proves nothing.
import { WritError } from '../../errors.js';
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
import { isAgentKey, loadAgentKey } from './ssh-agent.js';

const CODES: KeyFileCodes = {
  what: 'personal key',
  missing: 'NOT_FOUND',
  invalid: 'INPUT_INVALID',
  make: 'give the path of your key file, or make one',
};
const MAX_NAME_CHARACTERS = 255;

export interface PersonKey {
  /** A label, as it was given when the key was made. */
  readonly name: string;
  /** `ed25519:` and the base64 of the raw 32 bytes, as in approvers.yaml. */
  readonly publicKey: string;
  /** The 64-byte Ed25519 signature of `message`. */
  sign(message: Uint8Array): Uint8Array;
}

/** Makes a key and its file; INPUT_INVALID when the file exists or can't be written, or the name isn't one line. */
export function createPersonKey(file: string, name: string): PersonKey {
  if (!isName(name)) {
    throw new WritError('INPUT_INVALID', `${JSON.stringify(name)} can not be the name of a personal key`, {
      hint: 'use 1 to 255 characters without control characters',
    });
  }
  const pair = generateKeyPair();
  const publicKey = publicKeyOf(pair);
  writeKeyFile(file, { v: 1, kind: 'person', name, publicKey, privateKey: pair.encoded }, CODES);
  return personKey(name, publicKey, pair);
}

/**
 * Throws NOT_FOUND; INPUT_INVALID when others may read the file or it isn't one personal key. `ssh-agent…` names a key
 * that the person's ssh-agent holds (ssh-agent.ts), with its errors.
 */
export function loadPersonKey(file: string): PersonKey {
  if (isAgentKey(file)) return loadAgentKey(file, process.env['SSH_AUTH_SOCK']);
  const fields = readKeyFile(file, ['v', 'kind', 'name', 'publicKey', 'privateKey'], CODES);
  const { v, kind, name, publicKey } = fields;
  if (v !== 1 || kind !== 'person') throw invalid(file, CODES, 'is not a personal key of version 1');
  if (typeof name !== 'string' || !isName(name)) throw invalid(file, CODES, 'has no usable name');
  const pair = decodeKeyPair(fields['privateKey'], file, CODES);
  if (publicKey !== publicKeyOf(pair)) {
    throw invalid(file, CODES, 'has a public key that does not belong to its private key');
  }
  return personKey(name, publicKey, pair);
}

function personKey(name: string, publicKey: string, pair: KeyPair): PersonKey {
  return { name, publicKey, sign: (message) => signEd25519(pair.privateKey, message) };
}

function publicKeyOf(pair: KeyPair): string {
  return `ed25519:${Buffer.from(pair.publicKey).toString('base64')}`;
}

function isName(name: string): boolean {
  return (
    name.length > 0 && name.length <= MAX_NAME_CHARACTERS && name.isWellFormed() && !/\p{Cc}/u.test(name)
  );
}
