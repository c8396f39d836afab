// Who somebody is: the holder of an enrolled key, or the operating system's user where policy accepts that. A name
// that somebody merely states is never believed.
import { WritError } from '../errors.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Principal } from './writ.js';

export function personOfKey(
  policy: PolicySnapshot,
  publicKey: string,
  sign: (message: Uint8Array) => Uint8Array,
): Principal {
  const person = policy.personByKey(publicKey);
  if (person === null) {
    throw new WritError('POLICY_IDENTITY_UNKNOWN', `no person in approvers.yaml holds ${publicKey}`, {
      hint: "enrol the key: add it to the person's keys in policies/approvers.yaml",
    });
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
