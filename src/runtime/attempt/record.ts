// The stored row of an attempt: what `status` and `results` show of it, data only by commitment.
import { errorName, isErrorCode } from '../../errors.js';
import type { Attempt } from './attempt.js';
import { principalOf } from '../call/callable.js';
import type { Judged } from './judged-attempt.js';
import { referenceOf } from '../plan/outline.js';
import type { AttemptRecord } from '../ports.js';

/** What an attempt's row says at least; the guard fills in what has become true. */
export function attemptRecord(
  attempt: Attempt,
  facts: Partial<AttemptRecord> & { status: AttemptRecord['status'] },
): AttemptRecord {
  const { node, run } = attempt;
  return {
    run: run.id,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    functionId: referenceOf(node.call),
    principal: principalOf(attempt.plan, run, node),
    idempotencyKey: attempt.idempotencyKey,
    input: null,
    output: null,
    approvalId: null,
    error: null,
    startedAtMs: null,
    finishedAtMs: null,
    intentIndex: null,
    iteration: attempt.iteration,
    item: attempt.item,
    turn: attempt.conversation?.turns ?? null,
    converged: null,
    ...facts,
  };
}

/** What judging has found out: who acts, and what an earlier look at this attempt left behind. */
export function known(judged: Judged): Partial<AttemptRecord> {
  const { earlier, callable, attempt } = judged;
  return {
    principal: callable.agent ?? attempt.run.initiator,
    input: earlier?.input ?? null,
    approvalId: earlier?.approvalId ?? null,
  };
}

/** Codes and sizes: a message and a hint that hold no payload. */
export function publicError(code: string, message: string, hint?: string | null): AttemptRecord['error'] {
  const error = { code, name: isErrorCode(code) ? errorName(code) : 'States.TaskFailed', message };
  return hint == null ? error : { ...error, hint };
}
