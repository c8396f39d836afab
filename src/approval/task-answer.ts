// A signed answer to a task: what a person's key signs, and its verification. It is bound to this attempt, to what was
// asked (the form and the input) and to this answer by its commitment, so that checking it needs no payload. The names in
// it are believed only because the key that signs is enrolled for that person.
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from '../canonical-json.js';
import { verifyEd25519, type VerifySignature } from '../ed25519.js';
import type { Commitment, Hex } from '../json.js';

/** What a task asks, as its `step.intended` and `task.opened` tell it. */
export interface TaskQuestion {
  readonly taskId: string;
  readonly run: string;
  readonly stepPath: string;
  readonly attempt: number;
  /** SHA-256 of the RFC 8785 form of the form; null where any answer will do. */
  readonly form: Hex | null;
  /** Commitment of the step's input. */
  readonly input: Commitment | null;
  /** RFC 3339, UTC, milliseconds, `Z`. */
  readonly expiresAt: string;
}

export interface SignedTaskAnswer extends TaskQuestion {
  readonly answer: 'success' | 'failure';
  /** `user:bob` */
  readonly by: string;
  /** As `expiresAt`. */
  readonly at: string;
  /** Of the output, or of `{error, cause}`: salted, so that a small answer can't be guessed from it. */
  readonly commitment: Commitment;
}

const DOMAIN = utf8ToBytes('writ.task-answer.v1\0');

/** The message a person signs: `"writ.task-answer.v1\0"` and the RFC 8785 form of the answer. */
export function taskAnswerBytes(given: SignedTaskAnswer): Uint8Array {
  const { taskId, run, stepPath, attempt, form, input, expiresAt, answer, by, at, commitment } = given;
  const exact = { taskId, run, stepPath, attempt, form, input, expiresAt, answer, by, at, commitment };
  return concatBytes(DOMAIN, utf8ToBytes(canonicalJson(exact)));
}

/**
 * Ed25519 (RFC 8032), by the portable code unless the platform's is given. False for a key or signature of the wrong
 * length too; never throws.
 */
export function verifyTaskAnswer(
  answer: SignedTaskAnswer,
  signature: Uint8Array,
  publicKey: Uint8Array,
  verify: VerifySignature = verifyEd25519,
): boolean {
  try {
    return verify(publicKey, taskAnswerBytes(answer), signature);
  } catch {
    // An answer that can't be written as JSON was signed by nobody.
    return false;
  }
}
