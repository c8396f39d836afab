export { batchDigest, MAX_BATCH } from './batch.js';
export {
  castVote,
  isExpired,
  seatsOf,
  type Ballot,
  type BallotState,
  type BallotVote,
  type Voter,
} from './ballot.js';
export { verifyClaimedDecision, type ClaimedDecision } from './claimed-decision.js';
export { verifyClaimedTaskAnswer, type ClaimedTaskAnswer } from './claimed-task-answer.js';
export { decisionBytes, verifyDecision, type Decision } from './decision.js';
export { differenceLines } from './difference.js';
export { displayHash, displaySubject, revealHidden } from './display.js';
export { quorumMet, type Factor, type HoldsRole } from './quorum.js';
export { digestOfSubjectBytes, subjectBytes, subjectDigest, type Subject } from './subject.js';
export {
  taskAnswerBytes,
  verifyTaskAnswer,
  type SignedTaskAnswer,
  type TaskQuestion,
} from './task-answer.js';
export {
  PORTABLE_CRYPTO,
  signWebhook,
  verifyWebhook,
  WEBHOOK_TOLERANCE_SECONDS,
  type SignedHeaders,
  type SignWebhook,
  type VerifyWebhook,
  type WebhookCrypto,
  type WebhookFault,
  type WebhookHeaders,
  type WebhookVerdict,
} from './webhook.js';
export { webhookPublicKey } from './webhook-key.js';
