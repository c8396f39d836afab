// An approver's decision as a log entry tells it: every field is attacker-controlled text. The same in Node and in a
// browser, so that the command line and an evidence page judge alike.
import { isHex64 } from '../json.js';
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

/** True only for a good signature (writ.decision.v1) by the key the claim names; never throws. */
export function verifyClaimedDecision({ keyId, signature, ...claim }: ClaimedDecision): boolean {
  const key = /^ed25519:([A-Za-z0-9+/]{43}=)$/.exec(keyId)?.[1];
  const { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } = claim;
  const { delegation, breakGlass } = claim;
  const [publicKey, signed] = [decode(key ?? ''), decode(signature)];
  if (publicKey === null || signed === null || !isHex64(subjectDigest)) return false;
  if (decision !== 'approve' && decision !== 'deny' && decision !== 'revoke') return false;
  if (reasonCommitment !== null && !isHex64(reasonCommitment)) return false;
  const exact = { approvalId, subjectDigest, decision, approver, at, expiresAt, reasonCommitment } as const;
  return verifyDecision({ ...exact, delegation, breakGlass }, signed, publicKey);
}

const BASE64 = /^[A-Za-z0-9+/]{1,128}={0,2}$/;

/** null unless `text` is the canonical base64 of its bytes. */
function decode(text: string): Uint8Array | null {
  if (!BASE64.test(text) || text.length % 4 !== 0) return null;
  const binary = atob(text);
  return btoa(binary) === text ? Uint8Array.from(binary, (character) => character.charCodeAt(0)) : null;
}
