// Who has to stand for the policies of a machine: keys that are named outside the policy directory, and how many of them
// must have signed its lock. In production two: nobody changes a rule alone.
import { WritError } from './errors.js';
import { signedBy } from './policy/lock.js';
import type { PolicyLock } from './policy/lock.js';
import type { PolicySnapshot } from './policy/snapshot.js';
import { verifyWithNode } from './verify-trust.js';

export interface PolicySigners {
  /** Distinct signers needed; 0 = none. */
  readonly quorum: number;
  /** `ed25519:<base64 of the raw 32 bytes>`. */
  readonly signers: readonly string[];
}

// One spelling for one key: the last character before the padding carries two zero bits. Two would be two people.
const KEY = /^ed25519:([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/;
const SIGNATURE = /^[A-Za-z0-9+/]{86}==$/;

/** The same, when it can be met at all. Throws USAGE. */
export function checkSigners({ quorum, signers }: PolicySigners): PolicySigners {
  const wrong = signers.find((key) => !KEY.test(key));
  if (wrong !== undefined) {
    throw new WritError('USAGE', `${JSON.stringify(wrong.slice(0, 80))} is no public key`, {
      hint: 'ed25519:<base64>, as writ keys show prints it',
    });
  }
  const known = new Set(signers).size;
  if (quorum > known) {
    throw new WritError('USAGE', `${quorum} signatures are required and ${known} signers are known`, {
      hint: 'name the keys that may sign: --signer, or policySigners in config.json',
    });
  }
  return { quorum, signers };
}

/** Known signers whose signature of this very lock holds, each once. */
export function signersOf(lock: PolicyLock, signers: readonly string[]): readonly string[] {
  return signedBy(lock, signers, (key, message, signature) => {
    const encoded = KEY.exec(key)?.[1];
    if (encoded === undefined || !SIGNATURE.test(signature)) return false;
    return verifyWithNode(Buffer.from(encoded, 'base64'), message, Buffer.from(signature, 'base64'));
  });
}

/** Throws POLICY_UNSIGNED unless enough of them signed what was loaded. */
export function requireSigned(
  { lock }: Pick<PolicySnapshot, 'lock'>,
  { quorum, signers }: PolicySigners,
  root: string,
): void {
  if (quorum === 0) return;
  const found = lock === null ? [] : signersOf(lock, signers);
  if (found.length >= quorum) return;
  throw new WritError(
    'POLICY_UNSIGNED',
    `${root} is signed by ${found.length} of the people who may, ${quorum} are required`,
    { hint: 'each of them looks at it and signs: writ policy lock --sign --key FILE' },
  );
}
