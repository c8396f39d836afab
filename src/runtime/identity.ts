// Who somebody is: the holder of an enrolled key, or the operating system's user where policy accepts that. A name
// that somebody merely states is never believed.
import { concatBytes } from '@noble/hashes/utils.js';
import { verifyEd25519 } from '../audit/ed25519.js';
import { WritError } from '../errors.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Guard } from './guard-parts.js';
import type { Principal } from './writ.js';

const CHALLENGE = new TextEncoder().encode('writ.identity.v1\0');

export function personOfKey(
  policy: PolicySnapshot,
  publicKey: string,
  sign: (message: Uint8Array) => Uint8Array,
  { random, verifySignature = verifyEd25519 }: Pick<Guard, 'random' | 'verifySignature'>,
): Principal {
  const person = policy.personByKey(publicKey);
  if (person === null) {
    throw new WritError('POLICY_IDENTITY_UNKNOWN', `no person in approvers.yaml holds ${publicKey}`, {
      hint: "enrol the key: add it to the person's keys in policies/approvers.yaml",
    });
  }
  // A public key is public: only a signature over something new shows that its private half is here.
  const challenge = concatBytes(CHALLENGE, random.bytes(32));
  const key = Buffer.from(publicKey.slice('ed25519:'.length), 'base64');
  if (!verifySignature(key, challenge, sign(challenge))) {
    throw new WritError('POLICY_IDENTITY_UNKNOWN', `the private key given is not that of ${publicKey}`);
  }
  return { id: person.id, assurance: 'key', publicKey, sign };
}

export function personOfUser(policy: PolicySnapshot, osUser: string): Principal {
  const person = policy.personByOsUser(osUser);
  if (person === null) {
    throw new WritError(
      'POLICY_IDENTITY_UNKNOWN',
      `no key given, and no person in approvers.yaml is "${osUser}" here`,
      {
        hint: 'use --key FILE (make one: writ keys create NAME), or set osUser in policies/approvers.yaml',
      },
    );
  }
  return { id: person.id, assurance: 'os', publicKey: null, sign: null };
}

/** Whom a verified token of an identity provider names, by issuer and subject; never by a name or an e-mail address. */
export function personOfOidc(policy: PolicySnapshot, iss: string, sub: string): Principal {
  const person = policy.personByOidc(iss, sub);
  if (person === null) {
    throw new WritError(
      'POLICY_IDENTITY_UNKNOWN',
      'no person in approvers.yaml has the issuer and subject of this token',
      {
        hint: "enrol them: add iss and sub to the person's row in policies/approvers.yaml",
      },
    );
  }
  return { id: person.id, assurance: 'oidc', publicKey: null, sign: null };
}

/** Whom a callback token was made for, which the caller has verified. */
export function personOfToken(policy: PolicySnapshot, id: string): Principal {
  const person = policy.people.find((one) => one.id === id);
  if (person === undefined) {
    throw new WritError('POLICY_IDENTITY_UNKNOWN', `${id} is not in approvers.yaml any more`);
  }
  return { id: person.id, assurance: 'token', publicKey: null, sign: null };
}

/** The holder of `publicKey`, who shows it by `signature` over the very decision: the vote is checked with it. */
export function personOfSignature(
  policy: PolicySnapshot,
  publicKey: string,
  signature: Uint8Array,
): Principal {
  const person = policy.personByKey(publicKey);
  if (person === null) {
    throw new WritError(
      'POLICY_IDENTITY_UNKNOWN',
      'no person in approvers.yaml holds the key of this signature',
      {
        hint: "enrol the key: add it to the person's keys in policies/approvers.yaml",
      },
    );
  }
  return { id: person.id, assurance: 'key', publicKey, sign: () => signature };
}
