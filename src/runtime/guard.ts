// The one road to a side effect. The order is fixed: authorize, ceilings, approval, anchor, intent, act, outcome. The
// intent is durable before the act and the outcome after it. Nothing here retries, and nothing else calls a
// function or a sandbox.
import { WritError } from '../errors.js';
import type { ConversationState } from '../engine/state.js';
import { endOpenApproval, openGate } from './approval/gate.js';
import { refuse, refuseToStart } from './attempt/refusal.js';
import { adopt, suspend, wait } from './attempt/wait.js';
import type { Attempt, Settle } from './attempt/attempt.js';
import type { ProvidedCallable } from './call/callable.js';
import { conclude, type Act } from './attempt/conclusion.js';
import { editedRequest } from './approval/edited-request.js';
import type { EntryContext } from './log/entries.js';
import { problemOf } from './call/function-schema.js';
import type { Guard } from './guard-parts.js';
import { intend, type Intent } from './attempt/intent.js';
import { isRefusedEntry } from './log/journal.js';
import { judge } from './attempt/judge.js';
import type { Judged } from './attempt/judged-attempt.js';
import { readFunctionOutput, readTurn } from './attempt/function-answer.js';
import { failed, stopped, thrown, withoutSecrets, type Acted } from './attempt/outcome.js';
import { readSandboxResult, resultWithoutSecrets } from './attempt/sandbox-answer.js';
import type { Conversation, FunctionProvider, FunctionRequest } from './ports.js';

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
    const acted = readSandboxResult(result, {
      shape: callable.result,
      whyStopped: signal.aborted ? whyStopped(guard, attempt) : null,
      wholeTime: wholeTime(judged),
      isIdempotent: attempt.node.idempotent,
    });
    return { acted, sandbox: result };
  }
  if (callable.kind !== 'function')
    throw new WritError('INTERNAL', `no sandbox request for ${attempt.stepPath}`);
  return { acted: await call(guard, judged, callable, stop), sandbox: null };
}

/** Why the runner has stopped the attempt: it knows what became of the run. */
function whyStopped(guard: Guard, { stepPath }: Attempt): string {
  return guard.whyStopped?.(stepPath) ?? 'its process was told to end';
}

/** Said of a time that is over, where it was not the step's own. */
function wholeTime({ attempt: { timeLeftMs }, limits: { timeoutMs } }: Judged): string {
  return timeLeftMs === timeoutMs ? ', all the time that its run had left' : '';
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
  const why = (): string | null =>
    signal.aborted && signal.reason !== OVER ? whyStopped(guard, judged.attempt) : null;
  let answer: Acted | null = null;
  const asked = askProvider(guard, judged, callable, signal)
    .catch((error: unknown) => thrown(error, why()))
    .then((acted) => (answer = acted));
  // A function of this process often has its answer already: nothing could have ended it before.
  for (let turn = 0; turn < TURNS && answer === null; turn += 1) await Promise.resolve();
  // A late result of a timed-out or cancelled call is discarded: the attempt has ended by then.
  const acted = answer ?? (await Promise.race([asked, deadline(guard, judged, signal, why)]));
  stop.abort(OVER);
  return acted;
}

/** Turns of the microtask queue that an answer without any waiting takes, and some more. */
const TURNS = 16;

async function deadline(
  { clock }: Guard,
  judged: Judged,
  signal: AbortSignal,
  whyStopped: () => string | null,
): Promise<Acted> {
  const { timeoutMs } = judged.limits;
  await clock.sleep(timeoutMs, signal);
  const why = whyStopped();
  return why === null
    ? failed('STEP_TIMEOUT', `no answer within ${timeoutMs} ms${wholeTime(judged)}`)
    : stopped('STEP_CANCELLED', why);
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

const NOTHING_CALLED: Act = { acted: { ok: true, output: null }, sandbox: null };
