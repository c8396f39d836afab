// Rule 1: whom this verification trusts. Everything comes from outside the log: pinned keys, a policy, witnesses and a
// quorum, or what this machine trusted before.
import { WritError } from '../../errors.js';
import { parseCheckpoint } from '../checkpoint.js';
import {
  parsePolicy,
  policyOfWitnesses,
  quorumMet,
  describeQuorum,
  type TlogPolicy,
} from '../tlog-policy.js';
import type { Cosignature } from '../cosignature.js';
import { parseNote } from '../note.js';
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

/** A checkpoint of the log that somebody kept, a whole note, and the words for it. */
export interface SeenNote {
  readonly note: string;
  readonly what: string;
  /** `what` with the size that the note says: which of many it is. */
  readonly named: string;
}

/** What the checkpoint in a trust store is called in findings. */
export const REMEMBERED = 'the checkpoint this machine verified before';

/**
 * What was kept of the log from before: the checkpoints given, then this machine's own. Throws AUDIT_NOTE_INVALID or
 * AUDIT_CHECKPOINT_INVALID on one that can't be read, since what was asked for is checked, or refused.
 */
export function seenNotes(
  old: readonly string[] | undefined,
  trust: KnownLog | null | undefined,
): readonly SeenNote[] {
  const seen = (old ?? []).map((note, i) => ({ note, what: `old checkpoint ${i + 1}` }));
  const own = trust?.checkpoint ?? null;
  if (own !== null) seen.push({ note: own, what: REMEMBERED });
  return seen.map(({ note, what }) => {
    const { size } = parseCheckpoint(parseNote(note).text);
    return { note, what, named: `${what} (size ${size})` };
  });
}

export interface Trust {
  /** Log keys of type 1; empty = unpinned. */
  readonly pinned: readonly Vkey[];
  /** Witnesses and quorum; null = none were given. */
  readonly policy: TlogPolicy | null;
}

/**
 * Throws AUDIT_KEY_INVALID, AUDIT_POLICY_INVALID, and USAGE on a quorum without witnesses or beside a policy, and on
 * keys of another log than the policy's: what was asked for is checked, or refused.
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
  refuseOtherLog(options.vkeys ?? [], policy);
  return { pinned, policy };
}

/** Both would be trusted: a key given for one log must not be joined by that of another. */
function refuseOtherLog(vkeys: readonly string[], policy: TlogPolicy | null): void {
  if (vkeys.length === 0 || policy === null || policy.logs.length === 0) return;
  const given = new Set(vkeys.map((vkey) => parseVkey(vkey).name));
  const named = new Set(policy.logs.map(({ key }) => key.name));
  if (given.size === named.size && [...given].every((name) => named.has(name))) return;
  throw new WritError('USAGE', 'the policy is about another log than the pinned key', {
    hint: 'give the key, or a policy whose log lines are about the same log',
  });
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
