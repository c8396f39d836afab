// A signed decision: what an approver's key signs, and its verification. The names in it are believed only
// because the key that signs is enrolled for that person.
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../canonical-json.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import type { Commitment, SubjectDigest } from '../json.js';

export interface Decision {
  readonly approvalId: string;
  readonly subjectDigest: SubjectDigest;
  readonly decision: 'approve' | 'deny' | 'revoke';
  /** `user:bob` */
  readonly approver: string;
  /** RFC 3339, UTC, milliseconds, `Z`. */
  readonly at: string;
  readonly expiresAt: string;
  readonly reasonCommitment: Commitment | null;
  /** Who delegated the vote to the approver; absent = nobody. */
  readonly delegation?: string | null;
  /** Cast under the emergency role; absent = not. */
  readonly breakGlass?: true | null;
}

/** Of a reason, in UTF-16 units. */
export const MAX_REASON_CHARACTERS = 2_000;

const DOMAIN = utf8ToBytes('writ.decision.v1\0');

/** Whether `text` (attacker-controlled) can be kept as a reason: not too long, and no half character in it. */
export function isReason(text: string): boolean {
  return text.length <= MAX_REASON_CHARACTERS && text.isWellFormed();
}

/** The message an approver signs: `"writ.decision.v1\0"` and the RFC 8785 form of the decision. */
export function decisionBytes(decision: Decision): Uint8Array {
  const { approvalId, subjectDigest, approver, at, expiresAt, reasonCommitment } = decision;
  const exact = {
    approvalId,
    subjectDigest,
    decision: decision.decision,
    approver,
    at,
    expiresAt,
    reasonCommitment,
    delegation: decision.delegation ?? null,
    breakGlass: decision.breakGlass ?? null,
  };
  return concatBytes(DOMAIN, utf8ToBytes(canonicalJson(exact)));
}

/**
 * Ed25519 (RFC 8032), by the portable code unless the platform's is given. False for a key or signature of the wrong
 * length too; never throws.
 */
export function verifyDecision(
  decision: Decision,
  signature: Uint8Array,
  publicKey: Uint8Array,
  verify: VerifySignature = verifyEd25519,
): boolean {
  try {
    return verify(publicKey, decisionBytes(decision), signature);
  } catch {
    // A decision that can't be written as JSON was signed by nobody.
    return false;
  }
}
