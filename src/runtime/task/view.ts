// A task as people see it: what is asked, in which form, and until when. What was answered stands in the run's results.
import { WritError } from '../../errors.js';
import { stepNode } from '../../engine/step-path.js';
import { checkAccess } from '../../policy/rbac/access.js';
import type { PolicySnapshot } from '../../policy/snapshot.js';
import type { Guard } from '../guard-parts.js';
import { notFound } from '../not-found.js';
import { isIntact, openJson } from '../log/payload.js';
import type { TaskRecord } from '../ports.js';
import { load } from '../run/context.js';
import { planOf } from '../run/state.js';
import { changedQuestion } from './origin.js';
import { formOf, questionOf } from './question.js';
import type { TaskView } from '../writ.js';

/** At this time no answer counts any more, unless there is a sign of life before. */
export function taskEndsAtMs({ expiresAtMs, heartbeatMs, aliveAtMs }: TaskRecord): number {
  return heartbeatMs === null ? expiresAtMs : Math.min(expiresAtMs, aliveAtMs + heartbeatMs);
}

/**
 * Throws NOT_FOUND, TASK_CHANGED when the rows are not what was asked, and INTEGRITY_DIGEST when the stored input is
 * not the one the log commits to.
 */
export async function taskView(guard: Guard, id: string): Promise<TaskView> {
  const record = await guard.store.task(id);
  if (record === null) throw notFound('task', id);
  const run = await load(guard, record.run);
  const attempt = await guard.store.attempt(record.run, record.stepPath, record.attempt);
  const committed = attempt?.input ?? null;
  const changed = await changedQuestion(guard.store, { run, task: record, input: committed });
  if (changed !== null) throw changed;
  const input = committed === null ? null : await guard.store.payload(committed);
  // Nobody is shown, and nobody signs for, another input than the step was given.
  if (input !== null && !isIntact(input)) {
    throw new WritError('INTEGRITY_DIGEST', `the stored input of task ${id} was changed`, {
      hint: 'compare the store with the log: writ audit verify --payloads',
    });
  }
  const node = stepNode(planOf(run), record.stepPath);
  return {
    record,
    step: node?.name ?? record.stepPath,
    workflow: run.workflowId,
    input: openJson(input),
    form: formOf(run, record),
    question: questionOf(run, record, committed),
  };
}

/** Who started or redrove the run, who may answer, who may read the run's log; to anybody else it is as if it were not there. */
export function mayReadTask(snapshot: PolicySnapshot, task: TaskRecord, id: string): boolean {
  if (id === task.initiator || id === task.redriver) return true;
  const asked = { subject: id, domain: task.tenant };
  return (
    checkAccess(snapshot, { ...asked, action: 'task.answer', resource: task.functionId }).allowed ||
    checkAccess(snapshot, { ...asked, action: 'audit.read', resource: task.run }).allowed
  );
}
