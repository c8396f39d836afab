// What the log says was asked of whom and answered, against what the rows of the store say: who changes a row of a task,
// or of its attempt, changes nothing of who may answer, what, until when, or what was answered.
import { parseEntry, type Entry } from '../../audit/entry.js';
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import type { Commitment, Json } from '../../json.js';
import { asJson, timeText } from '../log/entries.js';
import type { RunRecord, Store, TaskAnswer, TaskRecord } from '../ports.js';
import { formDigest, formOf } from './question.js';

type Log = Pick<Store, 'task' | 'entries' | 'entriesOfTask' | 'entriesOfRun'>;

/** Where a task stands: its row, the run's, and the input that the attempt's row names. */
export interface StoredTask {
  readonly run: RunRecord;
  readonly task: TaskRecord;
  readonly input: Commitment | null;
}

/** Why the rows do not say what was asked; null = they do. */
export async function changedQuestion(store: Log, stored: StoredTask): Promise<WritError | null> {
  const [opened] = await store.entriesOfTask(stored.task.id);
  const [started] = await store.entriesOfRun(stored.run.id, { from: 0, limit: 1 });
  if (opened === undefined || started === undefined) return changed(stored.task);
  const [before] = await store.entries(opened.index - 1n, opened.index, 1);
  if (before === undefined) return changed(stored.task);
  const [asked, intent] = [parseEntry(opened.bytes), parseEntry(before.bytes)];
  const { initiator } = parseEntry(started.bytes).data;
  const isSame =
    asked.type === 'task.opened' &&
    intent.type === 'step.intended' &&
    intent.run === asked.run &&
    // Else the plan has no form to be compared.
    asked.data['kind'] === stored.task.kind &&
    canonicalJson(loggedQuestion(asked, intent, initiator ?? null, stored.task)) ===
      canonicalJson(storedQuestion(stored));
  return isSame ? null : changed(stored.task);
}

/**
 * Why the rows do not say what was asked, or not what was answered: what the log does not say nobody answered. Null = they
 * do. Throws STORE_CONFLICT when the row has changed meanwhile: look at it again.
 */
export async function changedTask(store: Log, stored: StoredTask): Promise<WritError | null> {
  const { task } = stored;
  const [, ...answers] = (await store.entriesOfTask(task.id)).map(({ bytes }) => parseEntry(bytes));
  const given = task.answer === null ? [] : [storedAnswer(task.answer)];
  const isSame =
    (task.state !== 'open' || task.answer === null) &&
    canonicalJson(answers.map(loggedAnswer)) === canonicalJson(given);
  const why = isSame ? await changedQuestion(store, stored) : changed(task);
  // What differs from the log may have been written between the two looks.
  if (why !== null && (await store.task(task.id))?.version !== task.version)
    throw new WritError('STORE_CONFLICT', `${task.id} was changed meanwhile`);
  return why;
}

function changed({ id }: TaskRecord): WritError {
  return new WritError('TASK_CHANGED', `the stored task ${id} is not what was asked and answered`, {
    hint: 'answer nothing; find out who changed the store: writ audit verify',
  });
}

/** Logs of earlier versions say neither the hash of a token nor how large an answer may be. */
function loggedQuestion(asked: Entry, intent: Entry, initiator: Json, task: TaskRecord): Json {
  const { run, tenant, data } = asked;
  const { taskId, stepPath, attempt, kind, expiresAt, heartbeatMs } = data;
  const { form = null, roles = [], separationOfDuties = true, redriver = null } = data;
  const { tokenHash = kind === 'token' ? task.tokenHash : null, outputBytes = task.outputBytes } = data;
  return asJson({
    ...{ taskId, run, tenant, stepPath, attempt, kind, expiresAt, heartbeatMs, tokenHash, outputBytes },
    ...{ form, roles, separationOfDuties, redriver, initiator },
    functionId: intent.data['function'],
    input: intent.commit['input'],
    // What was judged is what was asked.
    ofIntent: [intent.data['stepPath'], intent.data['attempt']],
  });
}

function storedQuestion({ run, task, input }: StoredTask): Json {
  const { id: taskId, tenant, stepPath, attempt, kind, expiresAtMs, heartbeatMs, tokenHash } = task;
  const { roles, separationOfDuties, redriver = null, initiator, functionId, outputBytes } = task;
  const form = kind === 'person' ? formDigest(formOf(run, task)) : null;
  return asJson({
    ...{ taskId, run: task.run, tenant, stepPath, attempt, kind, heartbeatMs, tokenHash, outputBytes },
    expiresAt: timeText(expiresAtMs),
    ...{ form, roles, separationOfDuties, redriver, initiator, functionId, input },
    ofIntent: [stepPath, attempt],
  });
}

function loggedAnswer({ data, commit }: Entry): Json {
  const { answer, by, assurance, keyId, signature, at } = data;
  const payload = commit[answer === 'success' ? 'output' : 'error'];
  return asJson({ answer, by, assurance, keyId, signature, at, payload });
}

function storedAnswer({ kind, atMs, ...said }: TaskAnswer): Json {
  return asJson({ ...said, answer: kind, at: timeText(atMs) });
}
