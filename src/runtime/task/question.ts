// What a task asks, as whoever answers it signs it: this attempt, until when, the form, and the input by its commitment.
import type { TaskQuestion } from '../../approval/task-answer.js';
import { sha256 } from '../../audit/sha256.js';
import { canonicalJson } from '../../canonical-json.js';
import { stepNode } from '../../engine/step-path.js';
import { WritError } from '../../errors.js';
import type { Commitment, Hex, Json } from '../../json.js';
import { timeText } from '../log/entries.js';
import type { RunRecord, TaskRecord } from '../ports.js';
import { planOf } from '../run/state.js';

/** The JSON Schema that an answer has to fit; null where none is asked for. */
export function formOf(run: RunRecord, { kind, stepPath }: TaskRecord): Json | null {
  if (kind !== 'person') return null;
  const node = stepNode(planOf(run), stepPath);
  const form = node?.call.kind === 'function' ? node.call.form : undefined;
  // Without its form anything would be an answer.
  if (form === undefined)
    throw new WritError('STORE_IO', `the plan of ${run.id} lost the form of ${stepPath}`);
  return form.schema;
}

/** SHA-256 over the RFC 8785 form of a form. */
export function formDigest(form: Json): Hex {
  const bytes = new TextEncoder().encode(canonicalJson(form));
  return Buffer.from(sha256(bytes)).toString('hex') as Hex;
}

/** `input`: as the attempt's intent commits to it. */
export function questionOf(run: RunRecord, task: TaskRecord, input: Commitment | null): TaskQuestion {
  const { id: taskId, stepPath, attempt, expiresAtMs } = task;
  const form = task.kind === 'person' ? formDigest(formOf(run, task)) : null;
  return { taskId, run: run.id, stepPath, attempt, form, input, expiresAt: timeText(expiresAtMs) };
}
