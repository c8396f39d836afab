// The one road to a side effect. The order is fixed: authorize, ceilings, approval, anchor, intent, act, outcome. The
// intent is durable before the act and the outcome after it. Nothing here retries, and nothing else calls a
// function or a sandbox.
import { WritError } from '../errors.js';
import type { Commitment } from '../json.js';
import {
  endOpenApproval,
  openGate,
  type EndedApproval,
  type OpenGate,
  type WaitingGate,
} from './approval-gate.js';
import { attemptRecord, known, publicError } from './attempt-record.js';
import type { Attempt, Settle, Settlement } from './attempt.js';
import type { ProvidedCallable } from './callable.js';
import { draft, sandboxExited, stepFinished, stepIntended, type EntryContext } from './entries.js';
import { decisionEntries, judge, limitsJson, recordedAttempt, type Guard, type Judged } from './judge.js';
import { isRefusedEntry } from './journal.js';
import {
  failed,
  outcomeOf,
  readFunctionOutput,
  readSandboxResult,
  stepEnd,
  thrown,
  resultWithoutSecrets,
  withoutSecrets,
  type Acted,
  type Failed,
} from './outcome.js';
import { sealBytes, sealJson } from './payload.js';
import type {
  ApprovalRecord,
  AttemptRecord,
  EntryDraft,
  Payload,
  RunRecord,
  SandboxResult,
} from './ports.js';

/**
 * Carries one attempt to its outcome and commits it together with the run's next record. Rejects only for fatal
 * errors (store, log), with AUDIT_WITNESS_UNAVAILABLE, and with STORE_CONFLICT when somebody changed the run before
 * the intent: then nothing ran.
 */
export async function govern(
  guard: Guard,
  attempt: Attempt,
  settle: Settle,
  signal: AbortSignal,
): Promise<RunRecord> {
  const context = contextOf(guard, attempt);
  let judged: Judged;
  let next: RunRecord | Intent;
  try {
    judged = await judge(guard, attempt, context);
    next = await pass(guard, judged, settle, signal);
  } catch (error) {
    return refuseToStart(guard, attempt, context, error, settle);
  }
  if (!('leafHash' in next)) return next;
  const { acted, sandbox } = await act(guard, judged, signal);
  const done = { acted: withoutSecrets(acted, guard.redact), sandbox };
  try {
    return await conclude(guard, judged, next, done, settle);
  } catch (error) {
    if (!(error instanceof WritError) || !isRefusedEntry(error)) throw error;
    // It has happened: an outcome that the log can't hold is recorded as one that it can.
    const acted = failed('STEP_OUTPUT_INVALID', 'the outcome of the step could not be recorded');
    return conclude(guard, judged, next, { acted, sandbox: null }, settle);
  }
}

/**
 * Verdict, approval, witnesses where policy requires them, intent. The run's next record where the attempt ends or
 * waits here.
 */
async function pass(
  guard: Guard,
  judged: Judged,
  settle: Settle,
  signal: AbortSignal,
): Promise<RunRecord | Intent> {
  if (judged.decision.verdict === 'deny') {
    const { code, message } = judged.decision;
    const refusal = failed(code ?? 'POLICY_ERROR', message);
    const ended = await endOpenApproval(guard, judged.context, judged.earlier, 'policy now denies the step');
    return refuse(guard, judged, refusal, ended, settle);
  }
  const gate = await openGate(guard, judged);
  if (gate.kind === 'waiting') return wait(guard, judged, gate, settle);
  if (gate.kind === 'refused') {
    return refuse(guard, judged, failed(gate.code, gate.message), gate.ended, settle);
  }
  if (judged.decision.effective.audit === 'anchored')
    await guard.requireAnchor(judged.attempt.run.id, signal);
  return intend(guard, judged, gate, settle);
}

function contextOf(guard: Guard, attempt: Attempt): EntryContext {
  return {
    tenant: guard.tenant,
    run: attempt.run.id,
    workflow: attempt.workflow,
    policy: guard.policy().policyHash,
    actor: { id: attempt.run.initiator, via: 'runner' },
  };
}

/**
 * The attempt never got as far as an intent: a missing package, an unknown module, bytes that don't match, a record
 * that the log can't hold.
 */
async function refuseToStart(
  guard: Guard,
  attempt: Attempt,
  context: EntryContext,
  error: unknown,
  settle: Settle,
): Promise<RunRecord> {
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
    error: publicError(error.code, error.message),
    finishedAtMs: guard.clock.nowMs(),
  });
  const settlement = settle(outcomeOf(failed(error.code, error.message)), run);
  const entries = ended === null ? [entry] : [entry, ended.entry];
  return finish(guard, entries, [], record, settlement, ended === null ? [] : [ended.write]);
}

/** Denied by policy, a ceiling or a person: recorded, never run. */
async function refuse(
  guard: Guard,
  judged: Judged,
  refusal: Failed,
  ended: EndedApproval | null,
  settle: Settle,
): Promise<RunRecord> {
  const record = attemptRecord(judged.attempt, {
    ...known(judged),
    status: 'refused',
    error: publicError(refusal.error.code, refusal.summary),
    finishedAtMs: guard.clock.nowMs(),
  });
  const entries = judged.decision.verdict === 'deny' ? decisionEntries(judged) : [];
  if (ended !== null) entries.push(ended.entry);
  const settlement = settle(outcomeOf(refusal), judged.attempt.run);
  return finish(guard, entries, [], record, settlement, ended === null ? [] : [ended.write]);
}

async function wait(guard: Guard, judged: Judged, gate: WaitingGate, settle: Settle): Promise<RunRecord> {
  const { approval } = gate;
  const outcome = { kind: 'waiting', approvalId: approval.id, expiresAtMs: approval.expiresAtMs } as const;
  const settlement = settle(outcome, judged.attempt.run);
  if (gate.writes.length === 0) return settlement.run;
  const before = decisionEntries(judged);
  const record = attemptRecord(judged.attempt, {
    ...known(judged),
    status: 'waiting',
    input: gate.input,
    approvalId: approval.id,
  });
  const payloads = gate.payloads.map(({ payload, entry }) => ({ payload, entry: entry + before.length }));
  return finish(guard, [...before, ...gate.entries], payloads, record, settlement, gate.writes);
}

interface Intent {
  readonly leafHash: Uint8Array;
  readonly run: RunRecord;
  readonly record: AttemptRecord;
  readonly startedAtMs: number;
}

/** Durable before the act. An approval is consumed in this very transaction, directly before the intent. */
async function intend(
  guard: Guard,
  judged: Judged,
  { consume, approvalId, ended }: OpenGate,
  settle: Settle,
): Promise<Intent> {
  const { attempt, callable, context, request, evidence, limits } = judged;
  const { stepPath, idempotencyKey } = attempt;
  const startedAtMs = guard.clock.nowMs();
  const entries = decisionEntries(judged);
  const approvals = ended === null ? [] : [ended.write];
  if (ended !== null) entries.push(ended.entry);
  if (consume !== null) {
    approvals.push({ op: 'update', record: { ...consume, state: 'consumed' } });
    const { id, subjectDigest } = consume;
    const data = { approvalId: id, subjectDigest, stepPath, attempt: attempt.attempt };
    entries.push({ ...draft(context, 'approval.consumed', data), beforeMs: consume.expiresAtMs });
  }
  const sealed =
    judged.earlier?.input == null ? sealJson(attempt.run.id, 'input', attempt.input, guard) : null;
  const input = judged.earlier?.input ?? sealed?.commitment;
  if (input === undefined) throw new WritError('INTERNAL', `no input commitment for ${stepPath}`);
  const intentEntry = entries.length;
  entries.push(
    stepIntended(
      context,
      {
        stepPath,
        attempt: attempt.attempt,
        functionId: callable.resource,
        agentDigest: callable.agentDigest,
        sandbox: callable.kind === 'sandbox' ? callable.driver.kind : null,
        idempotencyKey,
        approvalId,
      },
      input,
    ),
  );
  if (callable.kind === 'sandbox' && request !== null) {
    entries.push(
      draft(context, 'sandbox.started', {
        stepPath,
        attempt: attempt.attempt,
        driver: callable.driver.kind,
        imageDigest: callable.module.digest,
        limits: limitsJson(limits),
        mounts: [],
        network: [],
        evidence: evidence ?? {},
      }),
    );
  }
  const record = attemptRecord(attempt, {
    ...known(judged),
    status: 'intended',
    input,
    approvalId,
    startedAtMs,
  });
  const { run, committed } = await guard.journal.commitRun(
    {
      entries,
      payloads: sealed === null ? [] : [{ payload: sealed, entry: intentEntry }],
      attempts: [{ record, intentEntry }],
      approvals,
    },
    settle({ kind: 'started' }, attempt.run).run,
  );
  const intent = committed.entries[intentEntry];
  if (intent === undefined)
    throw new WritError('INTERNAL', `the store did not place the intent of ${stepPath}`);
  return { leafHash: intent.leafHash, run, record: { ...record, intentIndex: intent.index }, startedAtMs };
}

/** The act itself, under its own deadline; never rejects for what the program does. */
async function act(guard: Guard, judged: Judged, signal: AbortSignal): Promise<Act> {
  const { callable, request, attempt } = judged;
  if (callable.kind === 'sandbox' && request !== null) {
    // Before anything is read of it, or cut: half a secret is not found any more.
    const result = resultWithoutSecrets(await callable.driver.run(request, signal), guard.redact);
    return { acted: readSandboxResult(result, callable.result, signal.aborted), sandbox: result };
  }
  if (callable.kind !== 'function')
    throw new WritError('INTERNAL', `no sandbox request for ${attempt.stepPath}`);
  return { acted: await call(guard, judged, callable, signal), sandbox: null };
}

async function call(
  guard: Guard,
  { attempt, limits }: Judged,
  { provider, functionId }: ProvidedCallable,
  signal: AbortSignal,
): Promise<Acted> {
  const { idempotencyKey } = attempt;
  const { timeoutMs, outputBytes } = limits;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const answer = async (): Promise<Acted> => {
    try {
      // A copy of its own: what the function does to it changes neither a retry nor the run's data.
      const input = structuredClone(attempt.input);
      const output = await provider.invoke(
        { functionId, input, run: attempt.run.id, idempotencyKey, timeoutMs },
        either,
      );
      return readFunctionOutput(output, outputBytes);
    } catch (error) {
      return thrown(error, signal.aborted);
    }
  };
  // A late result of a timed-out or cancelled call is discarded: the attempt has ended by then.
  const late = guard.clock.sleepUntil(guard.clock.nowMs() + timeoutMs, either).then((): Acted => {
    if (signal.aborted) return failed('SANDBOX_CANCELLED', 'cancelled');
    return failed('STEP_TIMEOUT', `no answer within ${timeoutMs} ms`);
  });
  const acted = await Promise.race([answer(), late]);
  stop.abort();
  return acted;
}

interface Act {
  readonly acted: Acted;
  readonly sandbox: SandboxResult | null;
}

/** The outcome, the run's next record and everything that ends with it: one commit. */
async function conclude(
  guard: Guard,
  judged: Judged,
  intent: Intent,
  act: Act,
  settle: Settle,
): Promise<RunRecord> {
  const { attempt, context } = judged;
  const { acted, sandbox } = act;
  const finishedAtMs = guard.clock.nowMs();
  const entries: EntryDraft[] = sandbox === null ? [] : [sandboxExited(context, attempt, sandbox)];
  const payloads: { payload: Payload; entry: number }[] = [];
  const commit: Record<string, Commitment> = {};
  const seal = (payload: Payload): Commitment => {
    payloads.push({ payload, entry: entries.length });
    commit[payload.label] = payload.commitment;
    return payload.commitment;
  };
  const output = acted.ok ? seal(sealJson(attempt.run.id, 'output', acted.output, guard)) : null;
  if (sandbox !== null && sandbox.stderr.bytes.length > 0) {
    seal(sealBytes(attempt.run.id, 'stderr', sandbox.stderr.bytes, 'text/plain', guard));
  }
  const status = stepEnd(acted);
  entries.push(
    stepFinished(
      context,
      attempt,
      {
        status,
        intent: Buffer.from(intent.leafHash).toString('hex'),
        code: acted.ok ? null : acted.error.code,
        durationMs: finishedAtMs - intent.startedAtMs,
      },
      commit,
    ),
  );
  const record: AttemptRecord = {
    ...intent.record,
    status: acted.ok || acted.error.kind !== 'refusal' ? status : 'refused',
    output,
    error: acted.ok ? null : publicError(acted.error.code, acted.summary),
    finishedAtMs,
  };
  return finish(guard, entries, payloads, record, settle(outcomeOf(acted), intent.run));
}

/** One commit of entries, payloads, the attempt, its approval and the run. */
async function finish(
  guard: Guard,
  entries: readonly EntryDraft[],
  payloads: readonly { readonly payload: Payload; readonly entry: number }[],
  record: AttemptRecord,
  settlement: Settlement,
  approvals: readonly { readonly op: 'insert' | 'update'; readonly record: ApprovalRecord }[] = [],
): Promise<RunRecord> {
  const change = {
    entries: [...entries, ...settlement.entries],
    payloads: [
      ...payloads,
      ...settlement.payloads.map(({ payload, entry }) => ({ payload, entry: entry + entries.length })),
    ],
    attempts: [{ record }],
    approvals,
  };
  const { run } = await guard.journal.commitOutcome(change, settlement.run);
  return run;
}

/** A broken store or log, or a log without its witnesses, stops the run here; anything else is an outcome. */
function isStoreFault(error: WritError): boolean {
  if (isRefusedEntry(error)) return false;
  return error.code.startsWith('STORE_') || error.code.startsWith('AUDIT_') || error.code === 'INTERNAL';
}
