// What proves an answer to a task: a signature that holds under a key enrolled for this very person, or for a form their
// account where approvers.yaml says that it is enough; and that the log holds it. A name, a row or a state that merely says
// so proves nothing, so it is asked when the answer comes, and again when its run goes on with it.
import { verifyTaskAnswer, type SignedTaskAnswer, type TaskQuestion } from '../../approval/task-answer.js';
import { WritError } from '../../errors.js';
import { fillsRole } from '../../policy/ceiling/approval-duty.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import { timeText } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import type { TaskAnswer, TaskRecord } from '../ports.js';
import { changedTask, type StoredTask } from './origin.js';
import { questionOf } from './question.js';

/** What whoever answers signs. */
export function signedAnswerOf(
  question: TaskQuestion,
  { kind, by, atMs, payload }: Omit<TaskAnswer, 'signature'>,
): SignedTaskAnswer {
  return { ...question, answer: kind, by, at: timeText(atMs), commitment: payload };
}

/** Whether it is theirs whom it names. */
export function isAnswerProven(
  { policy, verifySignature }: Pick<Guard, 'policy' | 'verifySignature'>,
  task: Pick<TaskRecord, 'kind'>,
  question: TaskQuestion,
  answer: TaskAnswer,
): boolean {
  const { by, assurance, keyId, signature } = answer;
  const snapshot = policy();
  if (assurance !== 'key') {
    if (keyId !== null || signature !== null) return false;
    if (task.kind === 'token') return true;
    return snapshot.people.find(({ id }) => id === by)?.assurance.includes(assurance) === true;
  }
  if (keyId === null || signature === null || snapshot.personByKey(keyId)?.id !== by) return false;
  const publicKey = Buffer.from(keyId.slice('ed25519:'.length), 'base64');
  const signed = signedAnswerOf(question, answer);
  return verifyTaskAnswer(signed, Buffer.from(signature, 'base64'), publicKey, verifySignature);
}

/** Why `by` may not fill in the form, whatever rules say of the right to; null = they may, or there is no form. */
export function ineligible(
  snapshot: PolicySnapshot,
  task: TaskRecord,
  { by, assurance }: Pick<TaskAnswer, 'by' | 'assurance'>,
): WritError | null {
  if (task.kind === 'token') return null;
  const hint = 'ask a person who may answer it';
  const not = (why: string): WritError => new WritError('TASK_NOT_ELIGIBLE', why, { hint });
  if (!by.startsWith('user:')) return not(`${by} is no person; only people fill in ${task.id}`);
  const person = snapshot.people.find(({ id }) => id === by);
  if (person?.assurance.some((accepted) => accepted === assurance) !== true)
    return not(`approvers.yaml does not accept "${assurance}" as proof of ${by}`);
  const roles = snapshot.rolesOf(by, task.tenant);
  if (task.roles.length > 0 && !fillsRole(roles, task.roles.join('|')))
    return not(`${by} may not fill in ${task.id}; it needs ${task.roles.join(' or ')}`);
  if (task.separationOfDuties && by === task.initiator)
    return not(`${by} started this run and may not fill in ${task.id}`);
  if (task.separationOfDuties && by === task.redriver)
    return not(`${by} redrove this run and may not fill in ${task.id}`);
  return null;
}

/** Why the stored answer does not count now; null = it does. Throws STORE_CONFLICT as `changedTask`. */
export async function answerFault(
  guard: Pick<Guard, 'policy' | 'store' | 'verifySignature'>,
  stored: StoredTask,
): Promise<WritError | null> {
  const { run, task, input } = stored;
  const { answer } = task;
  if (answer === null) return new WritError('STORE_IO', `task ${task.id} was answered with nothing`);
  const changed = await changedTask(guard.store, stored);
  if (changed !== null) return changed;
  if (isAnswerProven(guard, task, questionOf(run, task, input), answer))
    return ineligible(guard.policy(), task, answer);
  return unproven(answer.by);
}

export function unproven(by: string): WritError {
  return new WritError('TASK_SIGNATURE_INVALID', `nothing proves that this is the answer of ${by}`, {
    hint: 'sign with a key that policies/approvers.yaml holds for this person',
  });
}
