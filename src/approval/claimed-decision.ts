// An approver's decision as a log entry tells it: every field is attacker-controlled text. The same in Node and in a
// browser, so that the command line and an evidence page judge alike.
// Its fields are those that audit/verify/approval-rules.ts reads out of an entry, which may not import them: where both
// are put together the compiler sees that they fit.
import type { VerifySignature } from '../ed25519.js';
import { isHex64 } from '../json.js';
import { claimedKey } from './claimed-key.js';
import { verifyDecision } from './decision.js';

export interface ClaimedDecision {
  readonly approvalId: string;
  readonly subjectDigest: string;
  readonly decision: string;
  readonly approver: string;
  readonly at: string;
  readonly expiresAt: string;
  readonly reasonCommitment: string | null;
  readonly delegation: string | null;
  readonly breakGlass: true | null;
  /** As in approvers.yaml: `ed25519:<base64>`. */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** True only for a good signature (writ.decision.v1) by the key the claim names; never throws. `verify` as `verifyDecision`. */
export function verifyClaimedDecision(
  { keyId, signature, ...claim }: ClaimedDecision,
  verify?: VerifySignature,
): boolean {
  const key = claimedKey(keyId, signature);
  const { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } = claim;
  const { delegation, breakGlass } = claim;
  if (key === null || !isHex64(subjectDigest)) return false;
  if (decision !== 'approve' && decision !== 'deny' && decision !== 'revoke') return false;
  if (reasonCommitment !== null && !isHex64(reasonCommitment)) return false;
  const exact = { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } as const;
  return verifyDecision({ ...exact, delegation, breakGlass }, key.signature, key.publicKey, verify);
}
