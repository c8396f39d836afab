// Who answered what: each form or token that a run waited for, and the answers to it.
import type { JsonObject } from '../../json.js';
import { groupsOf } from './entry-groups.js';
import { proofOf, type ShownProof } from './shown-proof.js';
import { countOf, listOf, optional, shown } from './shown-value.js';
import type { ShownEntry } from './report.js';

/** An answer from outside to a step that waited for one. */
export interface ShownAnswer extends ShownProof {
  readonly index: string;
  readonly by: string;
  readonly answer: string;
  /** Commitment of what was answered. */
  readonly data: string | null;
}

export interface ShownTask {
  readonly id: string;
  readonly step: string;
  readonly attempt: number | null;
  /** In words: a form with its digest, or a token. */
  readonly asked: string;
  /** In words: the roles, and who is barred. */
  readonly who: string;
  readonly openedAt: string;
  readonly expiresAt: string;
  readonly answers: readonly ShownAnswer[];
}

/** An answer is to one attempt: another one with the same task id was not asked this. */
export function tasksOf(
  opened: readonly ShownEntry[],
  answered: readonly ShownEntry[],
): readonly ShownTask[] {
  const keyOf = ({ taskId, stepPath, attempt }: JsonObject): string =>
    JSON.stringify([shown(taskId), shown(stepPath), shown(attempt)]);
  const answers = groupsOf(answered, keyOf);
  return opened.map((one) => taskOf(one, answers.get(keyOf(one.entry.data)) ?? []));
}

function taskOf({ entry: { data, time } }: ShownEntry, answers: readonly ShownEntry[]): ShownTask {
  const isForm = data.kind === 'person';
  const roles = listOf(data.roles).map(shown);
  const barred =
    data.separationOfDuties === true ? `, not who started the run${optional(', nor ', data.redriver)}` : '';
  return {
    id: shown(data.taskId),
    step: shown(data.stepPath),
    attempt: countOf(data.attempt),
    asked: isForm ? `a form, SHA-256 ${shown(data.form)}` : 'its token with an answer',
    who: `${roles.length === 0 ? 'whom policy lets answer' : roles.join(' or ')}${barred}`,
    openedAt: time,
    expiresAt: shown(data.expiresAt),
    answers: answers.map(answerOf),
  };
}

function answerOf(one: ShownEntry): ShownAnswer {
  const { data, commit } = one.entry;
  return {
    index: one.index.toString(),
    by: shown(data.by),
    answer: shown(data.answer),
    ...proofOf(one),
    data: commit['output'] ?? commit['error'] ?? null,
  };
}
