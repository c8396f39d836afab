// What proves a vote: a signature that holds under a key enrolled for this very person, or their account on this
// machine where approvers.yaml says that it is enough. A name, a row or a state that merely says so proves nothing.
import { verifyDecision, type Decision } from '../../approval/decision.js';
import { seatsOf, whyBarred } from '../../approval/ballot.js';
import { quorumMet } from '../../approval/quorum.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import { timeText } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { ApprovalRecord, Vote } from '../ports.js';
import { SIGNED_WITHIN_MS } from './signed-elsewhere.js';
import { accessOf, holdsRoles } from './voice.js';
import type { Principal } from '../writ.js';

/** What the voter signs; `vote` without its signature. */
export function decisionOf(approval: ApprovalRecord, vote: Omit<Vote, 'signature'>): Decision {
  return {
    approvalId: approval.id,
    subjectDigest: approval.subjectDigest,
    decision: vote.decision,
    approver: vote.approver,
    at: timeText(vote.atMs),
    expiresAt: timeText(approval.expiresAtMs),
    reasonCommitment: vote.reason,
    delegation: vote.delegation ?? null,
    breakGlass: vote.breakGlass ?? null,
  };
}

/** Whether how a person was recognised is enough to have a say about this request; a key of their own always is. */
export function isAssured(
  snapshot: PolicySnapshot,
  { mode }: Pick<ApprovalRecord, 'mode'>,
  { id, assurance }: Pick<Principal, 'id' | 'assurance'>,
): boolean {
  if (assurance === 'key') return true;
  // Two people are two signatures: one account on one machine, or one relay, could be both.
  if (mode === 'two-person') return false;
  return snapshot.people.find((one) => one.id === id)?.assurance.includes(assurance) === true;
}

export function isProven(
  { verifySignature }: Pick<Guard, 'verifySignature'>,
  snapshot: PolicySnapshot,
  approval: ApprovalRecord,
  vote: Vote,
): boolean {
  const { approver, assurance, keyId, signature } = vote;
  if (assurance !== 'key')
    return keyId === null && signature === null && isAssured(snapshot, approval, { id: approver, assurance });
  if (keyId === null || signature === null || snapshot.personByKey(keyId)?.id !== approver) return false;
  const publicKey = Buffer.from(keyId.slice('ed25519:'.length), 'base64');
  return verifyDecision(
    decisionOf(approval, vote),
    Buffer.from(signature, 'base64'),
    publicKey,
    verifySignature,
  );
}

/**
 * The stored votes alone, of people who are not barred and whom policy lets decide, fill the quorum, and nobody has denied
 * it or taken it back, whatever the stored state says.
 */
export function isGranted(
  guard: Pick<Guard, 'policy' | 'verifySignature'>,
  approval: ApprovalRecord,
): boolean {
  const snapshot = guard.policy();
  if (approval.votes.some(({ decision }) => decision !== 'approve')) return false;
  const proven = approval.votes.filter((vote) => {
    const voices = [vote.approver, vote.delegation ?? vote.approver];
    const isBarred = voices.some((person) => whyBarred(approval, person) !== null);
    const mayDecide = !isBarred && accessOf(snapshot, approval, vote).allowed;
    return mayDecide && isOfItsTime(approval, vote) && isProven(guard, snapshot, approval, vote);
  });
  return quorumMet(approval.quorum, seatsOf(proven), holdsRoles(snapshot, approval, proven));
}

/** A signature over a time of which somebody may merely say so: by a delegation that has ended, say. */
function isOfItsTime({ createdAtMs, expiresAtMs }: ApprovalRecord, { atMs }: Vote): boolean {
  return atMs >= createdAtMs - SIGNED_WITHIN_MS && atMs < expiresAtMs + SIGNED_WITHIN_MS;
}
