// A task as people see it: what is asked, in which form, and until when. What was answered stands in the run's results.
import { WritError } from '../errors.js';
import { stepNode } from '../engine/step-path.js';
import type { Json } from '../json.js';
import { checkAccess } from '../policy/access.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Guard } from './judge.js';
import { openJson } from './payload.js';
import type { RunRecord, TaskRecord } from './ports.js';
import { load } from './run-context.js';
import { planOf } from './run-state.js';
import type { TaskView } from './writ.js';

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

/** At this time no answer counts any more, unless there is a sign of life before. */
export function taskEndsAtMs({ expiresAtMs, heartbeatMs, aliveAtMs }: TaskRecord): number {
  return heartbeatMs === null ? expiresAtMs : Math.min(expiresAtMs, aliveAtMs + heartbeatMs);
}

/** Throws NOT_FOUND. */
export async function taskView(guard: Guard, id: string): Promise<TaskView> {
  const record = await guard.store.task(id);
  if (record === null)
    throw new WritError('NOT_FOUND', `no task ${id}`, { hint: 'list them: writ task list' });
  const run = await load(guard, record.run);
  const attempt = await guard.store.attempt(record.run, record.stepPath, record.attempt);
  const input = attempt?.input == null ? null : openJson(await guard.store.payload(attempt.input));
  const node = stepNode(planOf(run), record.stepPath);
  return {
    record,
    step: node?.name ?? record.stepPath,
    workflow: run.workflowId,
    input,
    form: formOf(run, record),
  };
}

/** Who started the run, who may answer, who may read the run's log; to anybody else it is as if it were not there. */
export function mayReadTask(snapshot: PolicySnapshot, task: TaskRecord, id: string): boolean {
  if (id === task.initiator) return true;
  const asked = { subject: id, domain: task.tenant };
  return (
    checkAccess(snapshot, { ...asked, action: 'task.answer', resource: task.functionId }).allowed ||
    checkAccess(snapshot, { ...asked, action: 'audit.read', resource: task.run }).allowed
  );
}
