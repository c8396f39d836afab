// What an attempt that ends by an answer from outside gets with its intent: a task by which it is answered, until when,
// and where it is answered by token, the token, which reaches the call and nothing else.
import { WritError } from '../../errors.js';
import type { Decision } from '../../policy/decision/decision.js';
import type { TaskNode } from '../../workflow/plan.js';
import { resolveCallable } from '../call/callable.js';
import { draft, timeText } from '../log/entries.js';
import { newId } from '../ids.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from '../attempt/judged-attempt.js';
import type { EntryDraft, TaskRecord } from '../ports.js';
import { formDigest } from './question.js';
import { hashOfToken, newToken, putToken, withoutToken } from './token.js';

/** What an attempt without a limit is given. */
export const NO_LIMIT_MS = 99_999_999_000;
/** Of a person's answer, where the document says nothing. */
const DEFAULT_EXPIRES_SECONDS = 3_600;

export interface OpenedTask {
  readonly record: TaskRecord;
  /** Stands directly behind the intent. */
  readonly entry: EntryDraft;
  /** The guard and what it judged, with the token in its place; null where a person answers and nothing is called. */
  readonly told: { readonly guard: Guard; readonly judged: Judged } | null;
}

/** Null when the attempt ends with the call itself. Throws FUNCTION_REQUEST_INVALID for a call that can't wait. */
export async function openTask(guard: Guard, judged: Judged): Promise<OpenedTask | null> {
  const { call } = judged.attempt.node;
  const waits = call.kind === 'function' ? call.waits : undefined;
  if (waits === 'person') return opened(guard, judged, null);
  if (waits !== 'token') return null;
  const { callable } = judged;
  if (callable.kind === 'function' && callable.provider.converses?.includes(callable.functionId) === true) {
    throw new WritError('FUNCTION_REQUEST_INVALID', `${callable.functionId} can't be given a task token`, {
      hint: 'a model is told no token: call a function that passes it on',
    });
  }
  return opened(guard, judged, newToken(guard.random));
}

async function opened(guard: Guard, judged: Judged, token: string | null): Promise<OpenedTask> {
  const { attempt, context, callable, limits, decision } = judged;
  const { run, stepPath, node, heartbeatMs, plan } = attempt;
  const nowMs = guard.clock.nowMs();
  const form = node.call.kind === 'function' ? (node.call.form ?? null) : null;
  const redriven = form === null || attempt.redriver === null ? {} : { redriver: attempt.redriver };
  const record: TaskRecord = {
    id: newId('tsk', guard.random),
    tenant: guard.tenant,
    run: run.id,
    stepPath,
    attempt: attempt.attempt,
    kind: token === null ? 'person' : 'token',
    tokenHash: token === null ? null : hashOfToken(token),
    functionId: callable.resource,
    initiator: run.initiator,
    roles: form?.approval.approverRoles ?? [],
    separationOfDuties: form?.approval.separationOfDuties ?? true,
    ...redriven,
    outputBytes: Math.min(limits.outputBytes, plan.maxDataBytes ?? limits.outputBytes),
    createdAtMs: nowMs,
    expiresAtMs: nowMs + answerMs(node, decision),
    heartbeatMs: token === null ? null : heartbeatMs,
    aliveAtMs: nowMs,
    state: 'open',
    answer: null,
    version: 0,
  };
  const { roles, separationOfDuties, tokenHash, outputBytes } = record;
  const entry = draft(context, 'task.opened', {
    taskId: record.id,
    stepPath,
    attempt: attempt.attempt,
    kind: record.kind,
    expiresAt: timeText(record.expiresAtMs),
    heartbeatMs: record.heartbeatMs,
    outputBytes,
    // By what it is known who was given the token: it is of 32 random bytes, which no hash gives back.
    ...(tokenHash === null ? {} : { tokenHash }),
    // Who may fill it in, and just what they were shown.
    ...(form === null ? {} : { form: formDigest(form.schema), roles, separationOfDuties, ...redriven }),
  });
  return { record, entry, told: token === null ? null : await told(guard, judged, token) };
}

/**
 * How long an answer is waited for. With a token: as the state says, under every ceiling. Of a person: as the form says,
 * and the time of the state counts too, where it is shorter.
 */
export function answerMs({ call, timeoutMs }: TaskNode, { effective }: Decision): number {
  if (call.kind !== 'function' || call.waits !== 'person')
    return Math.min(timeoutMs ?? NO_LIMIT_MS, effective.limits.timeoutMs ?? NO_LIMIT_MS);
  const expiresMs = (call.form?.approval.expiresSeconds ?? DEFAULT_EXPIRES_SECONDS) * 1000;
  return Math.min(expiresMs, timeoutMs ?? expiresMs);
}

/** What is called with the token, and a guard that keeps it out of all that comes back. */
async function told(guard: Guard, judged: Judged, token: string): Promise<NonNullable<OpenedTask['told']>> {
  const { attempt, request } = judged;
  const { plan, run, node } = attempt;
  const input = putToken(attempt.input, attempt.token ?? '\0', token);
  const silent = { ...guard, redact: withoutToken(guard.redact, token) };
  const inner = { ...judged, attempt: { ...attempt, input } };
  if (request === null) return { guard: silent, judged: inner };
  const callable = await resolveCallable(guard.callables, plan, run, node, input);
  if (callable.kind !== 'sandbox') throw new WritError('INTERNAL', `"${node.name}" lost its sandbox`);
  // What it runs in was judged and logged; the token is in what it is given alone.
  const { argv, env, stdin, files } = callable.request;
  const given = { argv, env, stdin, ...(files === undefined ? {} : { files }) };
  return { guard: silent, judged: { ...inner, request: { ...request, ...given } } };
}
