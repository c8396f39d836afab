import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { WritError } from './errors.js';
import { lockMessage, type PolicyLock } from './policy/file/lock.js';
import { MODEL_HASH } from './policy/rbac/model.js';
import { checkSigners, requireSigned, signersOf } from './policy-signers.js';

const POLICY = 'a'.repeat(64);

interface Signer {
  readonly key: string;
  readonly privateKey: KeyObject;
}

function signer(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { key: `ed25519:${raw.toString('base64')}`, privateKey };
}

const [ann, ben] = [signer(), signer()];
const sigBy = ({ privateKey }: Signer, hash = POLICY): string =>
  sign(null, lockMessage(hash), privateKey).toString('base64');

const lockWith = (...signatures: PolicyLock['signatures']): PolicyLock => ({
  ...{ version: 1, modelHash: MODEL_HASH, files: {}, policyHash: POLICY },
  signatures,
});

/** Other texts of the same 32 bytes: a decoder that is not strict reads each of them. */
function otherSpellings(key: string): readonly string[] {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const encoded = key.slice('ed25519:'.length);
  const last = ALPHABET.indexOf(encoded.charAt(42));
  return [
    ...[1, 2, 3].map((bits) => `${encoded.slice(0, 42)}${ALPHABET.charAt(last + bits)}=`),
    encoded.slice(0, 43),
    `${encoded}=`,
    encoded.replaceAll('+', '-').replaceAll('/', '_').replace('=', ''),
    `${encoded}\n`,
  ].map((one) => `ed25519:${one}`);
}

function codeOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return error instanceof WritError ? error.code : 'other';
  }
}

describe('HOLE: one signer in two spellings is two people', () => {
  it('the spellings do stand for the same key, so nothing else would notice', () => {
    const bytes = (key: string) => Buffer.from(key.slice('ed25519:'.length), 'base64').toString('hex');
    for (const spelling of otherSpellings(ann.key)) expect(bytes(spelling)).toBe(bytes(ann.key));
  });

  it('a signer is named in one way only', () => {
    expect(checkSigners({ quorum: 1, signers: [ann.key] }).signers).toEqual([ann.key]);
    for (const spelling of otherSpellings(ann.key)) {
      expect(codeOf(() => checkSigners({ quorum: 2, signers: [ann.key, spelling] }))).toBe('USAGE');
    }
  });

  it('a signature under another spelling of a known key is nobody’s', () => {
    const sig = sigBy(ann);
    for (const keyId of otherSpellings(ann.key)) {
      const lock = lockWith({ keyId: ann.key, sig }, { keyId, sig });
      expect(signersOf(lock, [ann.key, ben.key])).toEqual([ann.key]);
      // Not even where somebody has come to name the spelling as a signer, past `checkSigners`.
      expect(signersOf(lock, [ann.key, keyId])).toEqual([ann.key]);
      expect(codeOf(() => requireSigned({ lock }, { quorum: 2, signers: [ann.key, keyId] }, 'p'))).toBe(
        'POLICY_UNSIGNED',
      );
    }
  });

  it('a signer counts once, however often the lock holds their signature', () => {
    const sig = sigBy(ann);
    const lock = lockWith({ keyId: ann.key, sig }, { keyId: ann.key, sig });
    expect(signersOf(lock, [ann.key, ben.key])).toEqual([ann.key]);
    const both = lockWith({ keyId: ben.key, sig: sigBy(ben) }, { keyId: ann.key, sig });
    expect(signersOf(both, [ann.key, ben.key])).toEqual([ann.key, ben.key].toSorted());
    expect(codeOf(() => requireSigned({ lock: both }, { quorum: 2, signers: [ann.key, ben.key] }, 'p'))).toBe(
      null,
    );
  });
});

describe('a signature of a lock', () => {
  it('is of this policy hash, by this key, in its one spelling', () => {
    const trusted = [ann.key, ben.key];
    const sig = sigBy(ann);
    const of = (keyId: string, text: string) => signersOf(lockWith({ keyId, sig: text }), trusted);
    expect(of(ann.key, sig)).toEqual([ann.key]);
    expect(of(ben.key, sig)).toEqual([]);
    expect(of(ann.key, sigBy(ann, 'b'.repeat(64)))).toEqual([]);
    for (const other of [sig.slice(0, 86), `${sig}\n`, sig.toLowerCase(), '']) {
      expect(of(ann.key, other)).toEqual([]);
    }
  });

  it('is required of more people than can be found only by mistake', () => {
    expect(codeOf(() => checkSigners({ quorum: 2, signers: [ann.key] }))).toBe('USAGE');
    expect(codeOf(() => requireSigned({ lock: null }, { quorum: 1, signers: [ann.key] }, 'p'))).toBe(
      'POLICY_UNSIGNED',
    );
    expect(codeOf(() => requireSigned({ lock: null }, { quorum: 0, signers: [] }, 'p'))).toBe(null);
  });

  it('HOLE: the same signer twice in the list of those who may, is no second person', () => {
    expect(codeOf(() => checkSigners({ quorum: 2, signers: [ann.key, ann.key] }))).toBe('USAGE');
  });
});
