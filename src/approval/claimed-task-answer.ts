// A person's signed answer to a task as log entries tell it: every field is attacker-controlled text. Its fields are those
// that audit/verify/task-rules.ts reads: where both are put together the compiler sees that they fit.
import type { VerifySignature } from '../ed25519.js';
import { isHex64 } from '../json.js';
import { claimedKey } from './claimed-key.js';
import { verifyTaskAnswer } from './task-answer.js';

export interface ClaimedTaskAnswer {
  readonly taskId: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  readonly form: string | null;
  readonly input: string | null;
  readonly expiresAt: string;
  readonly answer: 'success' | 'failure';
  readonly by: string;
  readonly at: string;
  readonly commitment: string;
  /** As in approvers.yaml: `ed25519:<base64>`. */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** True only for a good signature (writ.task-answer.v1) by the key the claim names; never throws. `verify` as `verifyTaskAnswer`. */
export function verifyClaimedTaskAnswer(
  { keyId, signature, ...claim }: ClaimedTaskAnswer,
  verify?: VerifySignature,
): boolean {
  const { form, input, commitment, ...rest } = claim;
  const key = claimedKey(keyId, signature);
  if (key === null || !isHex64(commitment)) return false;
  if ((form !== null && !isHex64(form)) || (input !== null && !isHex64(input))) return false;
  return verifyTaskAnswer({ ...rest, form, input, commitment }, key.signature, key.publicKey, verify);
}
