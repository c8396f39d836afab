// Rule 1: whom this verification trusts. Everything comes from outside the log: pinned keys, a policy, witnesses and a
// quorum, or what this machine trusted before.
import { WritError } from '../../errors.js';
import {
  parsePolicy,
  policyOfWitnesses,
  quorumMet,
  describeQuorum,
  type TlogPolicy,
} from '../tlog-policy.js';
import type { Cosignature } from '../cosignature.js';
import { parseVkey, type Vkey } from '../vkey.js';

export interface TrustOptions {
  /** Pinned log keys. */
  readonly vkeys?: readonly string[];
  /** Text of a tlog-policy: its logs are pins, its quorum is asked for. */
  readonly policy?: string;
  /** Witness keys, instead of a policy. */
  readonly witnesses?: readonly string[];
  /** How many of `witnesses` must have cosigned; default all. */
  readonly quorum?: number;
  /** What this machine saw of the log; its key is a pin when there is no other. */
  readonly trust?: KnownLog | null;
}

/** What a trust store holds of one log. */
export interface KnownLog {
  readonly vkey: string;
  readonly checkpoint: string | null;
  /** Keys that `vkey` replaced. */
  readonly former?: readonly string[];
}

export interface Trust {
  /** Log keys of type 1; empty = unpinned. */
  readonly pinned: readonly Vkey[];
  /** Witnesses and quorum; null = none were given. */
  readonly policy: TlogPolicy | null;
}

/**
 * Throws AUDIT_KEY_INVALID, AUDIT_POLICY_INVALID, and USAGE on a quorum without witnesses or beside a policy: what
 * was asked for is checked, or refused.
 */
export function trustOf(options: TrustOptions): Trust {
  const policy = policyOf(options);
  const given = [...(options.vkeys ?? []), ...(policy?.logs.map((log) => log.vkey) ?? [])];
  const texts = given.length > 0 ? given : options.trust ? [options.trust.vkey] : [];
  const pinned = [...new Set(texts)].map(parseVkey);
  const other = pinned.find((key) => key.type !== 1);
  if (other !== undefined) {
    throw new WritError('AUDIT_KEY_INVALID', `the key ${other.name} is a witness's, not a log's`, {
      hint: 'pin the key that writ audit vkey prints; a witness key goes into --witness or a policy',
    });
  }
  return { pinned, policy };
}

function policyOf({ policy, witnesses = [], quorum }: TrustOptions): TlogPolicy | null {
  if (policy !== undefined) {
    if (witnesses.length === 0 && quorum === undefined) return parsePolicy(policy);
    throw new WritError('USAGE', 'a policy already says which witnesses and how many', {
      hint: 'give a policy, or witnesses with a quorum',
    });
  }
  if (witnesses.length > 0) return policyOfWitnesses(witnesses, quorum);
  if (quorum === undefined) return null;
  throw new WritError('USAGE', 'a quorum is asked for without witnesses', {
    hint: 'name their keys with --witness, or give a policy with --policy',
  });
}

/** Rule 3: why these cosignatures are not enough, naming who cosigned and who did not; null when they are. */
export function quorumFault(policy: TlogPolicy, cosignatures: readonly Cosignature[]): string | null {
  const cosigners = cosignatures.map(({ key }) => key);
  if (quorumMet(policy, cosigners)) return null;
  const signed = new Set(cosigners.map((key) => `${key.name}+${key.keyId}`));
  const names = (cosigned: boolean): string =>
    policy.witnesses
      .filter(({ key }) => signed.has(`${key.name}+${key.keyId}`) === cosigned)
      .map(({ name }) => name)
      .join(', ') || 'nobody';
  return `too few witnesses: cosigned by ${names(true)}; missing ${names(false)}; needed: ${describeQuorum(policy)}`;
}
