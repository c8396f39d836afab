// Who has to stand for the policies of a machine: keys that are named outside the policy directory, and how many of them
// must have signed its lock. In production two: nobody changes a rule alone, nor brings back what was replaced, whose
// signatures hold for ever: the log is what remembers that.
import { WritError } from './errors.js';
import { signedBy } from './policy/file/lock.js';
import type { PolicyLock } from './policy/file/lock.js';
import type { PolicySnapshot } from './policy/snapshot.js';
import { wasReplaced } from './runtime/log/policy-record.js';
import type { Store } from './runtime/ports.js';
import { verifyWithNode } from './verify-trust.js';

export interface PolicySigners {
  /** Distinct signers needed; 0 = none. */
  readonly quorum: number;
  /** `ed25519:<base64 of the raw 32 bytes>`. */
  readonly signers: readonly string[];
  /** A policy hash that was replaced, and may be in force again all the same. */
  readonly mayReturnTo?: string;
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

/** Throws POLICY_UNSIGNED for policies that the log of this machine has seen replaced by others. */
export async function requireNotReplaced(
  store: Pick<Store, 'ownEntries'>,
  { policyHash }: Pick<PolicySnapshot, 'policyHash'>,
  { quorum, mayReturnTo }: Pick<PolicySigners, 'quorum' | 'mayReturnTo'>,
  root: string,
): Promise<void> {
  if (quorum === 0 || mayReturnTo === policyHash || !(await wasReplaced(store, policyHash))) return;
  throw new WritError(
    'POLICY_UNSIGNED',
    `the policies of ${root} (${policyHash.slice(0, 12)}) were replaced by others: nobody stands for them any more`,
    {
      hint: `bring back the newer ones; to return on purpose: "mayReturnTo": "${policyHash}" in policySigners of config.json`,
    },
  );
}
