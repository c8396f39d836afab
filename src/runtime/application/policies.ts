// The policies in force: whom they name, and how others take their place.
import { logContext } from '../log/entries.js';
import { personOfKey, personOfOidc, personOfSignature, personOfToken, personOfUser } from '../identity.js';
import { recordPolicy } from '../log/policy-record.js';
import type { Identities, Writ } from '../writ.js';
import type { Core } from './core.js';

export function identityCalls({ live, guard }: Core): Identities {
  return {
    principalOfKey: (publicKey, sign) => personOfKey(live.current(), publicKey, sign, guard),
    principalOfUser: (osUser) => personOfUser(live.current(), osUser),
    principalOfOidc: (iss, sub) => personOfOidc(live.current(), iss, sub),
    principalOfToken: (id) => personOfToken(live.current(), id),
    principalOfSignature: (publicKey, signature) => personOfSignature(live.current(), publicKey, signature),
  };
}

export function reloadCall({ parts, live, cadence }: Core): Writ['reloadPolicies'] {
  const { store, tenant, clock } = parts;
  return () =>
    live.reload({
      load: parts.loadPolicies,
      record: ({ snapshot, files }) => recordPolicy(store, logContext(tenant), snapshot, files),
      publish: () =>
        cadence.now().catch((error: unknown) => {
          cadence.soon();
          throw error;
        }),
      nowMs: () => clock.nowMs(),
    });
}
