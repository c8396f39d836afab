// The log's signing key: `{v: 1, kind: "log", vkey, privateKey}` in a file of mode 0600. The vkey names the log for
// the rest of its life, so a file whose vkey doesn't belong to its private key is refused.
import { WritError } from '../../errors.js';
import type { LogKeys, Signer } from '../../runtime/ports.js';
import {
  decodeKeyPair,
  generateKeyPair,
  invalid,
  type KeyFileCodes,
  type KeyPair,
  readKeyFile,
  removeKeyFile,
  replaceKeyFile,
  signEd25519,
  writeKeyFile,
} from './key-file.js';
import { ED25519_LOG, isKeyName, vkeyOf } from './vkey.js';

const CODES: KeyFileCodes = {
  what: 'log key',
  missing: 'AUDIT_KEY_MISSING',
  invalid: 'AUDIT_KEY_INVALID',
  make: 'restore it from a backup, or make a new data directory with writ init',
  directory: 'private',
};

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
  const vkey = vkeyOf(origin, ED25519_LOG, pair.publicKey);
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
  if (!isKeyName(name) || vkey !== vkeyOf(name, ED25519_LOG, pair.publicKey)) {
    throw invalid(file, CODES, 'has a vkey that does not belong to its private key');
  }
  return signer(vkey, pair);
}

/**
 * The key in `file` and its successor beside it (`<file>.next`). The signer follows the file: after `reload`, and
 * after `promoteSuccessor`, it is what lies there. Throws as `loadLogKey`.
 */
export function openLogKeys(file: string): LogKeys {
  let current = loadLogKey(file);
  const next = `${file}.next`;
  const name = (): string => current.vkey.slice(0, current.vkey.indexOf('+'));
  return {
    signer: {
      get vkey() {
        return current.vkey;
      },
      sign: (message) => current.sign(message),
      reload() {
        current = loadLogKey(file);
      },
    },
    successor() {
      try {
        return loadLogKey(next);
      } catch (error) {
        if (error instanceof WritError && error.code === CODES.missing) return null;
        throw error;
      }
    },
    makeSuccessor: () => createLogKey(next, name()),
    promoteSuccessor() {
      const promoted = loadLogKey(next);
      replaceKeyFile(next, file, CODES);
      current = promoted;
    },
    discardSuccessor() {
      removeKeyFile(next, CODES);
    },
  };
}

function signer(vkey: string, pair: KeyPair): Signer {
  return { vkey, sign: (message) => signEd25519(pair.privateKey, message) };
}
