// The one road to a side effect. The order is fixed: authorize, ceilings, approval, anchor, intent, act, outcome. The
// intent is durable before the act and the outcome after it. Nothing here retries, and nothing else calls a
// function or a sandbox.
import { hexOf } from '../audit/hex.js';
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
import type { ConversationState } from '../engine/state.js';
import { isDeclared } from '../workflow/data-class.js';
import type { Attempt, AttemptChange, Settle } from './attempt.js';
import type { ProvidedCallable } from './callable.js';
import { settleCharges } from './charges.js';
import { editedRequest, type EditedRequest } from './edited-request.js';
import { draft, sandboxExited, stepFinished, stepIntended, type EntryContext } from './entries.js';
import { decisionEntries, judge, mountsJson, recordedAttempt, type Guard, type Judged } from './judge.js';
import { isRefusedEntry } from './journal.js';
import { limitsJson } from './limits.js';
import {
  errorText,
  failed,
  hintOf,
  isFree,
  outcomeOf,
  readFunctionOutput,
  readTurn,
  readSandboxResult,
  stepEnd,
  STOPPED,
  thrown,
  resultWithoutSecrets,
  withoutSecrets,
  type Acted,
  type Failed,
} from './outcome.js';
import { problemOf } from './function-schema.js';
import { openTask, type OpenedTask } from './task-open.js';
import { sealBytes, sealJson } from './payload.js';
import type {
  AttemptRecord,
  Conversation,
  EntryDraft,
  FunctionProvider,
  FunctionRequest,
  Payload,
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
  stop: AbortController,
): Promise<void> {
  const edited = await editedRequest(guard, attempt);
  if (edited !== null) {
    await adopt(edited, settle);
    return;
  }
  let judged: Judged;
  let intent: Intent | 'ended' | 'outdated';
  do {
    const context = contextOf(guard, attempt);
    try {
      judged = await judge(guard, attempt, context);
      intent = await pass(guard, judged, settle, stop.signal);
    } catch (error) {
      return refuseToStart(guard, attempt, context, error, settle);
    }
  } while (intent === 'outdated');
  if (intent === 'ended') return;
  const { task } = intent;
  // A person with a form is waited for; nothing is called.
  if (task !== null && task.told === null)
    return suspend(guard, judged, intent, task, NOTHING_CALLED, settle);
  // Whoever is called is given the token, which stands in nothing that comes back.
  const told = task?.told ?? { guard, judged };
  const { acted, sandbox } = await act(told.guard, told.judged, intent.startedAtMs, stop);
  // The secrets as they are now that the act is over: nobody gets a turn before its outcome is sealed.
  const redact = told.guard.redact.now();
  const done = { acted: withoutSecrets(acted, redact), sandbox, redact };
  try {
    if (task !== null && done.acted.ok) await suspend(told.guard, judged, intent, task, done, settle);
    else await conclude(told.guard, judged, intent, done, settle);
  } catch (error) {
    if (!(error instanceof WritError) || !isRefusedEntry(error)) throw error;
    // It has happened: an outcome that the log can't hold is recorded as one that it can.
    const { usage } = done.acted;
    const acted = {
      ...failed('STEP_OUTPUT_INVALID', 'the outcome of the step could not be recorded'),
      ...(usage === undefined ? {} : { usage }),
    };
    await conclude(guard, judged, intent, { acted, sandbox: null, redact: guard.redact }, settle);
  }
}

/**
 * Verdict, approval, witnesses where policy requires them, intent. `ended`: the attempt ends or waits here. `outdated`:
 * nothing is written, other policies have come into force while it was judged.
 */
async function pass(
  guard: Guard,
  judged: Judged,
  settle: Settle,
  signal: AbortSignal,
): Promise<Intent | 'ended' | 'outdated'> {
  if (judged.decision.verdict === 'deny') {
    const { code, message, hint } = judged.decision;
    const refusal = { ...failed(code ?? 'POLICY_ERROR', message), ...(hint === null ? {} : { hint }) };
    const ended = await endOpenApproval(guard, judged.context, judged.earlier, 'policy now denies the step');
    await refuse(guard, judged, refusal, ended, settle);
    return 'ended';
  }
  const gate = await openGate(guard, judged);
  if (gate.kind === 'waiting') {
    await wait(judged, gate, settle);
    return 'ended';
  }
  if (gate.kind === 'refused') {
    await refuse(guard, judged, failed(gate.code, gate.message), gate.ended, settle);
    return 'ended';
  }
  if (judged.decision.effective.audit === 'anchored') {
    // Witnesses see all that came before.
    await guard.written?.();
    await guard.requireAnchor(judged.attempt.run.id, signal);
  }
  // What takes time ends here. What policy says now is what counts, and how fresh it is.
  const isOutdated = guard.policy().policyHash !== judged.context.policy || guard.stalePolicy() !== null;
  return isOutdated ? 'outdated' : ((await intend(guard, judged, gate, settle)) ?? 'ended');
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
async function refuse(
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

async function wait(judged: Judged, gate: WaitingGate, settle: Settle): Promise<void> {
  const { approval } = gate;
  if (gate.writes.length === 0) return;
  const { id: approvalId, expiresAtMs, mode } = approval;
  const outcome = {
    kind: 'waiting',
    approval: { approvalId, expiresAtMs, isAsync: mode === 'async' },
  } as const;
  const before = decisionEntries(judged);
  const record = attemptRecord(judged.attempt, {
    ...known(judged),
    status: 'waiting',
    input: gate.input,
    approvalId: approval.id,
  });
  const payloads = gate.payloads.map(({ payload, entry }) => ({ payload, entry: entry + before.length }));
  await settle(outcome, { entries: [...before, ...gate.entries], payloads, record, approvals: gate.writes });
}

/** The run hears of the request that took the place of the one it knew; the next look at the step judges that one. */
async function adopt({ approval, row, input }: EditedRequest, settle: Settle): Promise<void> {
  const { id: approvalId, expiresAtMs, mode } = approval;
  const known = { approvalId, expiresAtMs, isAsync: mode === 'async' };
  const nothing = { entries: [], payloads: [], approvals: [] };
  await settle({ kind: 'waiting', approval: known, input }, { ...nothing, record: row });
}

/** The act is done; the attempt ends with an answer from outside, or because none comes (task-wait.ts). */
async function suspend(
  guard: Guard,
  judged: Judged,
  intent: Intent,
  { record: task }: OpenedTask,
  { acted, sandbox }: Act,
  settle: Settle,
): Promise<void> {
  const { attempt, context, charges } = judged;
  const { id: taskId, kind: by, expiresAtMs: untilMs, heartbeatMs, createdAtMs } = task;
  const silentUntilMs = heartbeatMs === null ? null : createdAtMs + heartbeatMs;
  const stderr =
    sandbox === null || sandbox.stderr.bytes.length === 0
      ? null
      : sealBytes(attempt.run.id, 'stderr', sandbox.stderr.bytes, 'text/plain', guard);
  const commit = stderr === null ? {} : { stderr: stderr.commitment };
  const durationMs = guard.clock.nowMs() - intent.startedAtMs;
  await settle(
    { kind: 'handed', waiting: { taskId, by, untilMs, silentUntilMs } },
    {
      entries: sandbox === null ? [] : [{ ...sandboxExited(context, attempt, sandbox), commit }],
      payloads: stderr === null ? [] : [{ payload: stderr, entry: 0 }],
      record: { ...intent.record, status: 'suspended' },
      approvals: [],
      charges: settleCharges(charges, durationMs, acted.usage ?? null),
      ...carriedBy(judged),
    },
  );
}

interface Intent {
  /** What ends the attempt in place of the call; null when the call does. */
  readonly task: OpenedTask | null;
  readonly leafHash: Uint8Array;
  readonly record: AttemptRecord;
  readonly startedAtMs: number;
}

/** Durable before the act. An approval is consumed in this very transaction, directly before the intent. Null: not now. */
async function intend(
  guard: Guard,
  judged: Judged,
  { consume, approvalId, ended }: OpenGate,
  settle: Settle,
): Promise<Intent | null> {
  const { attempt, callable, context, request, evidence, limits } = judged;
  const { stepPath, idempotencyKey } = attempt;
  const task = await openTask(guard, judged);
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
        iteration: attempt.iteration,
        item: attempt.item,
        functionId: callable.resource,
        agentDigest: judged.subject.agentDigest,
        sandbox: callable.kind === 'sandbox' ? callable.driver.kind : null,
        idempotencyKey,
        approvalId,
      },
      input,
    ),
  );
  if (task !== null) entries.push(task.entry);
  if (callable.kind === 'sandbox' && request !== null) {
    entries.push(
      draft(context, 'sandbox.started', {
        stepPath,
        attempt: attempt.attempt,
        driver: callable.driver.kind,
        imageDigest: callable.request.program.digest,
        limits: limitsJson(limits),
        mounts: mountsJson(request.mounts ?? []),
        network: [...(request.egress?.hosts ?? [])].sort(),
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
  const committed = await settle(
    { kind: 'started' },
    {
      entries,
      payloads: sealed === null ? [] : [{ payload: sealed, entry: intentEntry }],
      record,
      intentEntry,
      approvals,
      charges: judged.charges,
      ...(task === null ? {} : { tasks: [{ op: 'insert', record: task.record }] }),
    },
  );
  if (committed === null) return null;
  const intent = committed.entries[intentEntry];
  if (intent === undefined)
    throw new WritError('INTERNAL', `the store did not place the intent of ${stepPath}`);
  return { task, leafHash: intent.leafHash, record: { ...record, intentIndex: intent.index }, startedAtMs };
}

/** The act itself, under its own deadline; never rejects for what the program does. */
async function act(guard: Guard, judged: Judged, intendedAtMs: number, stop: AbortController): Promise<Act> {
  const { callable, attempt } = judged;
  if (callable.kind === 'sandbox' && judged.request !== null) {
    const { deterministic: fixed } = judged.request;
    // A fixed clock shows the time that the intent names.
    const at = fixed === undefined ? {} : { deterministic: { ...fixed, nowMs: intendedAtMs } };
    const request = { ...judged.request, ...at };
    const { signal } = stop;
    // Before anything is read of it, or cut: half a secret is not found any more.
    const result = resultWithoutSecrets(await callable.driver.run(request, signal), guard.redact);
    return { acted: readSandboxResult(result, callable.result, signal.aborted), sandbox: result };
  }
  if (callable.kind !== 'function')
    throw new WritError('INTERNAL', `no sandbox request for ${attempt.stepPath}`);
  return { acted: await call(guard, judged, callable, stop), sandbox: null };
}

/** Why a call is stopped that is over. There already: the platform's own reason is made with a stack trace each time. */
const OVER = new WritError('STEP_CANCELLED', 'the call is over');

/** A provider's function, under a deadline of its own. */
async function call(
  guard: Guard,
  judged: Judged,
  callable: ProvidedCallable,
  stop: AbortController,
): Promise<Acted> {
  const { signal } = stop;
  const isStopped = (): boolean => signal.aborted && signal.reason !== OVER;
  let answer: Acted | null = null;
  const asked = askProvider(guard, judged, callable, signal)
    .catch((error: unknown) => thrown(error, isStopped()))
    .then((acted) => (answer = acted));
  // A function of this process often has its answer already: nothing could have ended it before.
  for (let turn = 0; turn < TURNS && answer === null; turn += 1) await Promise.resolve();
  // A late result of a timed-out or cancelled call is discarded: the attempt has ended by then.
  const acted = answer ?? (await Promise.race([asked, deadline(guard, judged, signal, isStopped)]));
  stop.abort(OVER);
  return acted;
}

/** Turns of the microtask queue that an answer without any waiting takes, and some more. */
const TURNS = 16;

async function deadline(
  { clock }: Guard,
  { limits: { timeoutMs } }: Judged,
  signal: AbortSignal,
  isStopped: () => boolean,
): Promise<Acted> {
  await clock.sleepUntil(clock.nowMs() + timeoutMs, signal);
  return isStopped()
    ? failed('STEP_CANCELLED', STOPPED)
    : failed('STEP_TIMEOUT', `no answer within ${timeoutMs} ms`);
}

async function askProvider(
  guard: Guard,
  { attempt, limits }: Judged,
  { provider, functionId, agent }: ProvidedCallable,
  signal: AbortSignal,
): Promise<Acted> {
  const { idempotencyKey, stepPath, conversation } = attempt;
  const run = attempt.run.id;
  const watching = guard.progress();
  const request: FunctionRequest = {
    functionId,
    // A copy of its own: what the function does to it changes neither a retry nor the run's data.
    input: structuredClone(attempt.input),
    run,
    stepPath,
    agent,
    idempotencyKey,
    timeoutMs: limits.timeoutMs,
    ...(watching === null
      ? {}
      : { progress: (text) => watching({ run, stepPath, text: guard.redact.text(text) }) }),
  };
  const checked = (acted: Acted): Acted => checkResponse(provider, functionId, acted);
  if (provider.converse === undefined || provider.converses?.includes(functionId) !== true) {
    return checked(readFunctionOutput(await provider.invoke(request, signal), limits.outputBytes));
  }
  const so = structuredClone(soFar(guard, conversation));
  const turn = await provider.converse(request, so, signal);
  const read = readTurn(turn, limits.outputBytes);
  return turn.kind === 'done' ? checked(read) : read;
}

function soFar(guard: Guard, conversation: ConversationState | null): Conversation {
  if (conversation === null) return { transcript: null, answers: [] };
  const { transcript, answers } = conversation;
  return {
    transcript: guard.redact.json(transcript),
    answers: answers.flatMap((one) =>
      one === null ? [] : [{ ...one, output: guard.redact.json(one.output) }],
    ),
  };
}

/** What a function gives has to be what it says that it gives. */
function checkResponse(provider: FunctionProvider, functionId: string, acted: Acted): Acted {
  if (!acted.ok) return acted;
  const problem = problemOf(provider.schemas?.(functionId).output ?? null, acted.output);
  if (problem === null) return acted;
  const { usage } = acted;
  const refused = failed('STEP_OUTPUT_INVALID', `the response of ${functionId}: ${problem}`);
  return usage === undefined ? refused : { ...refused, usage };
}

interface Act {
  readonly acted: Acted;
  readonly sandbox: SandboxResult | null;
}

const NOTHING_CALLED: Act = { acted: { ok: true, output: null }, sandbox: null };

/** The outcome, the run's next record and everything that ends with it: one commit. */
async function conclude(
  guard: Guard,
  judged: Judged,
  intent: Intent,
  { acted, sandbox, redact }: Act & Pick<Guard, 'redact'>,
  settle: Settle,
): Promise<void> {
  const { attempt, context } = judged;
  const sealing = { random: guard.random, sha256: guard.sha256, redact };
  const finishedAtMs = guard.clock.nowMs();
  const entries: EntryDraft[] = sandbox === null ? [] : [sandboxExited(context, attempt, sandbox)];
  const payloads: { payload: Payload; entry: number }[] = [];
  const commit: Record<string, Commitment> = {};
  const seal = (payload: Payload): Commitment => {
    payloads.push({ payload, entry: entries.length });
    commit[payload.label] = payload.commitment;
    return payload.commitment;
  };
  const said = acted.ok ? null : errorText(acted);
  const output = acted.ok
    ? seal(sealJson(attempt.run.id, 'output', acted.output, sealing))
    : said === null
      ? null
      : seal(sealJson(attempt.run.id, 'error', { message: said, ...hintOf(acted) }, sealing));
  if (sandbox !== null && sandbox.stderr.bytes.length > 0) {
    seal(sealBytes(attempt.run.id, 'stderr', sandbox.stderr.bytes, 'text/plain', sealing));
  }
  const status = stepEnd(acted);
  entries.push(
    stepFinished(
      context,
      attempt,
      {
        status,
        intent: hexOf(intent.leafHash),
        code: acted.ok ? null : acted.error.code,
        durationMs: finishedAtMs - intent.startedAtMs,
        ...(acted.usage === undefined || isFree(acted.usage) ? {} : { usage: acted.usage }),
        ...(acted.ok && acted.turn !== undefined ? { calls: acted.turn.calls.length } : {}),
      },
      commit,
    ),
  );
  const record: AttemptRecord = {
    ...intent.record,
    status:
      acted.ok && acted.turn !== undefined
        ? 'asked'
        : !acted.ok && acted.error.kind === 'refusal'
          ? 'refused'
          : status,
    output,
    error: acted.ok ? null : publicError(acted.error.code, acted.summary),
    finishedAtMs,
  };
  const durationMs = finishedAtMs - intent.startedAtMs;
  const charges = settleCharges(judged.charges, durationMs, acted.usage ?? null);
  const { task } = intent;
  // What could not be called will not be answered; nor is an answer that came before waited for.
  const tasks = task === null ? [] : [{ op: 'close', id: task.record.id, state: 'withdrawn' } as const];
  const change = { entries, payloads, record, approvals: [], charges, tasks, ...carriedBy(judged) };
  await settle(outcomeOf(acted), change);
}

/** Of an act that has ended, well or not: what is said of a failure may tell of the data too. */
function carriedBy({ returns }: Judged): Pick<AttemptChange, 'carries'> {
  return isDeclared(returns) ? { carries: returns } : {};
}

/** A broken store or log, or a log without its witnesses, stops the run here; anything else is an outcome. */
function isStoreFault(error: WritError): boolean {
  if (isRefusedEntry(error)) return false;
  return error.code.startsWith('STORE_') || error.code.startsWith('AUDIT_') || error.code === 'INTERNAL';
}
