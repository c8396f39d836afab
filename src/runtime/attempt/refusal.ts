// An attempt that never acts: it could not start, or policy, a ceiling or a person said no. Recorded, never run.
import { WritError } from '../../errors.js';
import { endOpenApproval } from '../approval/gate.js';
import type { EndedApproval } from '../approval/passage.js';
import { attemptRecord, known, publicError } from './record.js';
import type { Attempt, Settle } from './attempt.js';
import { decisionEntries } from './decision-entries.js';
import { draft, type EntryContext } from '../log/entries.js';
import { isRefusedEntry } from '../log/journal.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { recordedAttempt } from './judge.js';
import { failed, outcomeOf, type Failed } from './outcome.js';

/**
 * The attempt never got as far as an intent: a missing package, an unknown module, bytes that don't match, a record
 * that the log can't hold.
 */
export async function refuseToStart(
  guard: Guard,
  attempt: Attempt,
  context: EntryContext,
  error: unknown,
  settle: Settle,
): Promise<void> {
  if (!(error instanceof WritError) || isStoreFault(error)) throw error;
  const { stepPath, node, run } = attempt;
  const { call } = node;
  const entry = draft(context, 'authz.decided', {
    stepPath,
    attempt: attempt.attempt,
    subject: run.initiator,
    agent: null,
    domain: guard.tenant,
    action: call.kind === 'agent' ? 'agent.invoke' : 'function.invoke',
    resource: call.kind === 'agent' ? `${call.name}@${call.digest}` : call.functionId,
    verdict: 'deny',
    ruleId: null,
    code: error.code,
  });
  const earlier = await recordedAttempt(guard, attempt);
  const ended = await endOpenApproval(guard, context, earlier, 'the step can no longer start');
  const record = attemptRecord(attempt, {
    input: earlier?.input ?? null,
    approvalId: earlier?.approvalId ?? null,
    status: error.kind === 'refusal' ? 'refused' : 'failed',
    error: publicError(error.code, error.message, error.hint),
    finishedAtMs: guard.clock.nowMs(),
  });
  await settle(outcomeOf(failed(error.code, error.message)), {
    entries: ended === null ? [entry] : [entry, ended.entry],
    payloads: [],
    record,
    approvals: ended === null ? [] : [ended.write],
  });
}

/** Denied by policy, a ceiling or a person: recorded, never run. */
export async function refuse(
  guard: Guard,
  judged: Judged,
  refusal: Failed,
  ended: EndedApproval | null,
  settle: Settle,
): Promise<void> {
  const record = attemptRecord(judged.attempt, {
    ...known(judged),
    status: 'refused',
    error: publicError(refusal.error.code, refusal.summary, refusal.hint),
    finishedAtMs: guard.clock.nowMs(),
  });
  const entries = judged.decision.verdict === 'deny' ? decisionEntries(judged) : [];
  if (ended !== null) entries.push(ended.entry);
  const approvals = ended === null ? [] : [ended.write];
  await settle(outcomeOf(refusal), { entries, payloads: [], record, approvals });
}

/** A broken store or log, or a log without its witnesses, stops the run here; anything else is an outcome. */
function isStoreFault(error: WritError): boolean {
  if (isRefusedEntry(error)) return false;
  return error.code.startsWith('STORE_') || error.code.startsWith('AUDIT_') || error.code === 'INTERNAL';
}
