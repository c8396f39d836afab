// An answer from outside to an attempt that waits for one. Policy says who may give it, at this moment; a token says
// which attempt is meant and that its bearer was asked. It counts once, in time, and is durable before it is
// acknowledged; whoever advances the run goes on with it (wait.ts).
import { taskAnswerBytes, type TaskQuestion } from '../../approval/task-answer.js';
import { WritError } from '../../errors.js';
import type { Commitment, Json, JsonObject } from '../../json.js';
import { checkAccess } from '../../policy/rbac/access.js';
import { checkValue } from '../../workflow/input.js';
import { isFatalName, isRefusalName } from '../../workflow/error-match.js';
import { policyRefusal } from '../authorize.js';
import { draft, timeText } from '../log/entries.js';
import type { Guard } from '../guard-parts.js';
import { isConflict } from '../run/live-run.js';
import { notFound } from '../not-found.js';
import { sealJson } from '../log/payload.js';
import type { AttemptRecord, EntryDraft, RunRecord, TaskAnswer, TaskRecord } from '../ports.js';
import { recordedBytes } from '../run/recordable.js';
import { entryContext, load, logTimeMs } from '../run/context.js';
import { isFinished } from '../run/state.js';
import { requireFresh, requireRecent, saltedBy } from '../approval/signed-elsewhere.js';
import { changedTask } from './origin.js';
import { ineligible, isAnswerProven, signedAnswerOf, unproven } from './proof.js';
import { formOf, questionOf } from './question.js';
import { hashOfToken, isSameHash } from './token.js';
import { taskEndsAtMs } from './view.js';
import type { Principal, TaskReference, TaskReply } from '../writ.js';

const MAX_ERROR = 256;
const MAX_CAUSE = 32_768;
/** What a person's refusal is called where they call it nothing else. */
const REFUSED = 'Approval.Denied';

/** The task after the answer, durable. Throws TASK_*, POLICY_*, NOT_FOUND, INPUT_INVALID (then it still waits), USAGE. */
export async function answerTask(
  guard: Guard,
  { which, reply, by }: { readonly which: TaskReference; readonly reply: TaskReply; readonly by: Principal },
): Promise<TaskRecord> {
  for (;;) {
    const task = await findTask(guard, which);
    try {
      return await answerOnce(await askedOf(guard, task, by), reply);
    } catch (error) {
      // Somebody else answered, or its time has ended, at this moment: judge this one against the new state.
      if (!isConflict(error)) throw error;
    }
  }
}

/**
 * Nothing when this person may answer the form, before anything is asked of them. Throws TASK_*, POLICY_*, NOT_FOUND, and
 * what was refused stands in the log: they were about to answer.
 */
export async function requireMayAnswer(guard: Guard, id: string, by: Principal): Promise<void> {
  const asked = await askedOf(guard, await findTask(guard, { id }), by);
  await requireAllowed(asked);
  await requireAsLogged(asked, await attemptOf(asked));
}

/** What somebody is about to answer. */
interface Asked {
  readonly guard: Guard;
  readonly run: RunRecord;
  readonly task: TaskRecord;
  readonly by: Principal;
}

async function askedOf(guard: Guard, task: TaskRecord, by: Principal): Promise<Asked> {
  return { guard, run: await load(guard, task.run), task, by };
}

/** Which token it was is not told: not that there is another, not how much of it was right. */
async function findTask({ store }: Guard, which: TaskReference): Promise<TaskRecord> {
  if ('token' in which) {
    const hash = hashOfToken(which.token);
    const found = hash === null ? null : await store.taskOfToken(hash);
    if (hash !== null && found?.tokenHash != null && isSameHash(found.tokenHash, hash)) return found;
    throw new WritError('TASK_TOKEN_INVALID', 'this token answers nothing', {
      hint: 'take the token as the step was given it',
    });
  }
  const found = await store.task(which.id);
  if (found === null) throw notFound('task', which.id);
  if (found.kind === 'person') return found;
  throw new WritError('USAGE', `${found.id} is answered with its token`, {
    hint: 'give the token that its step was called with; nobody else has it',
  });
}

async function answerOnce(asked: Asked, reply: TaskReply): Promise<TaskRecord> {
  const { guard, run, task, by } = asked;
  await requireAllowed(asked);
  const nowMs = await logTimeMs(guard);
  const row = await attemptOf(asked);
  await requireAsLogged(asked, row);
  await requireOpen(asked, row, nowMs);
  if (reply.kind === 'heartbeat') return alive(guard, task, nowMs);
  const data = reply.kind === 'success' ? outputOf(run, task, reply.output) : refusalOf(task, reply);
  const label = reply.kind === 'success' ? 'output' : 'error';
  const payload = sealJson(task.run, label, data, saltedBy(reply.signed?.salt ?? null, guard));
  const { id: who, assurance, publicKey: keyId } = by;
  const atMs = reply.signed?.atMs ?? nowMs;
  const said = { kind: reply.kind, by: who, assurance, keyId, atMs, payload: payload.commitment };
  if (reply.signed !== undefined) {
    requireRecent(atMs, nowMs, 'the answer', 'TASK_SIGNATURE_INVALID');
    await requireFresh(guard.store, payload.commitment, 'this answer');
  }
  const answer = signed(asked, questionOf(run, task, row?.input ?? null), said);
  if (answer === null) return refuse(asked, unproven(who));
  const answered: TaskRecord = { ...task, state: 'answered', answer };
  const entry = answeredEntry(asked, answer, { [label]: payload.commitment });
  await guard.journal.commit({
    entries: [{ ...entry, beforeMs: taskEndsAtMs(task) }],
    payloads: [{ payload, entry: 0 }],
    tasks: [{ op: 'update', record: answered }],
  });
  return { ...answered, version: answered.version + 1 };
}

function answeredEntry(
  { guard, run, task }: Asked,
  { kind: answer, by, assurance, keyId, signature, atMs }: TaskAnswer,
  commit: Readonly<Record<string, Commitment>>,
): EntryDraft {
  const { id: taskId, stepPath, attempt } = task;
  const how = { by, assurance, keyId, signature, at: timeText(atMs) };
  const context = entryContext(guard, run, { id: by, via: guard.via });
  return draft(context, 'task.answered', { taskId, stepPath, attempt, answer, ...how }, commit);
}

/** The answer with the signature of whoever acts by a key; null when nothing proves that it is theirs. */
function signed(
  { guard, task, by: { assurance, sign } }: Asked,
  question: TaskQuestion,
  said: Omit<TaskAnswer, 'signature'>,
): TaskAnswer | null {
  const bytes =
    assurance === 'key' ? (sign?.(taskAnswerBytes(signedAnswerOf(question, said))) ?? null) : null;
  const answer = { ...said, signature: bytes === null ? null : Buffer.from(bytes).toString('base64') };
  return isAnswerProven(guard, task, question, answer) ? answer : null;
}

/** A sign of life: it moves the end of the silence, and leaves nothing in the log. */
async function alive(guard: Guard, task: TaskRecord, nowMs: number): Promise<TaskRecord> {
  if (task.kind === 'person') {
    throw new WritError('USAGE', `${task.id} is filled in by a person: it has no heartbeat`);
  }
  const record = { ...task, aliveAtMs: Math.max(task.aliveAtMs, nowMs) };
  await guard.journal.commit({ entries: [], tasks: [{ op: 'update', record }] });
  return { ...record, version: record.version + 1 };
}

/** Policy comes first: to somebody who may not answer, what has become of the task is none of their business. */
async function requireAllowed(asked: Asked): Promise<void> {
  const { guard, task, by } = asked;
  const { tenant: domain, functionId: resource } = task;
  const access = checkAccess(guard.policy(), { subject: by.id, domain, action: 'task.answer', resource });
  const refusal = access.allowed
    ? ineligible(guard.policy(), task, { by: by.id, assurance: by.assurance })
    : policyRefusal(access);
  if (refusal !== null) await refuse(asked, refusal, access.ruleId);
}

async function attemptOf({ guard, task: { run, stepPath, attempt } }: Asked): Promise<AttemptRecord | null> {
  return guard.store.attempt(run, stepPath, attempt);
}

/** Nobody answers what was not asked, or asked of others: the rows decide whose answer counts, to what, and until when. */
async function requireAsLogged(asked: Asked, attempt: AttemptRecord | null): Promise<void> {
  const { guard, run, task } = asked;
  const changed = await changedTask(guard.store, { run, task, input: attempt?.input ?? null });
  if (changed !== null) await refuse(asked, changed);
}

async function requireOpen(asked: Asked, attempt: AttemptRecord | null, nowMs: number): Promise<void> {
  const { run, task } = asked;
  if (task.state === 'answered' || task.state === 'used') {
    const error = new WritError(
      'TASK_ANSWERED',
      `${task.id} was answered by ${task.answer?.by ?? 'somebody'}`,
      { hint: `see what was answered: writ task show ${task.id}` },
    );
    return refuse(asked, error);
  }
  const isWaitedFor =
    task.state === 'open' &&
    !isFinished(run) &&
    (attempt?.status === 'suspended' || attempt?.status === 'intended') &&
    nowMs < taskEndsAtMs(task);
  if (isWaitedFor) return;
  const why =
    task.state === 'withdrawn' || isFinished(run) ? 'nothing waits for it any more' : 'it is too late';
  const error = new WritError('TASK_CLOSED', `${task.id} takes no answer: ${why}`, {
    hint: `see what became of it: writ workflow status ${task.run}`,
  });
  return refuse(asked, error);
}

/** What was refused stands in the log, too; the task is as it was. */
async function refuse(
  { guard, run, task, by }: Asked,
  error: WritError,
  ruleId: string | null = null,
): Promise<never> {
  const entry = draft(entryContext(guard, run, { id: by.id, via: guard.via }), 'authz.decided', {
    stepPath: task.stepPath,
    attempt: null,
    subject: by.id,
    agent: null,
    domain: task.tenant,
    action: 'task.answer',
    resource: task.functionId,
    verdict: 'deny',
    ruleId,
    code: error.code,
    taskId: task.id,
  });
  await guard.journal.commit({ entries: [entry] });
  throw error;
}

/** `output` is attacker-controlled. Everything that is wrong with it is said at once. */
function outputOf(run: RunRecord, task: TaskRecord, output: Json): Json {
  const bytes = recordedBytes(output, 'the output');
  if (bytes > task.outputBytes) {
    throw new WritError(
      'INPUT_INVALID',
      `the output has ${bytes} bytes, at most ${task.outputBytes} are taken`,
      {
        hint: 'keep what is large elsewhere, and answer with where it is',
      },
    );
  }
  const form = formOf(run, task);
  const problems = form === null ? [] : checkValue(form, output, 'output');
  if (problems.length === 0) return output;
  throw new WritError('INPUT_INVALID', problems.map(({ message }) => message).join('; '), {
    hint: `see the form: writ task show ${task.id}`,
    details: { problems: problems.map(({ path, message }) => ({ path, message })) },
  });
}

/** `error` and `cause` are attacker-controlled: no answer passes for a refusal of policy or a fault of the log. */
function refusalOf(task: TaskRecord, reply: Extract<TaskReply, { kind: 'failure' }>): JsonObject {
  const error = reply.error ?? (task.kind === 'person' ? REFUSED : 'States.TaskFailed');
  const cause = reply.cause ?? '';
  const isOurs = isRefusalName(error) || isFatalName(error) || error === 'States.ALL';
  if (isOurs && !(task.kind === 'person' && error === REFUSED)) {
    throw new WritError('INPUT_INVALID', 'the name of this error is kept for what Writ itself refuses', {
      hint: 'give it a name of your own, such as Payment.Refused',
    });
  }
  if (!/^[!-~][ -~]*$/.test(error) || error.length > MAX_ERROR)
    throw new WritError(
      'INPUT_INVALID',
      `the name of an error is 1 to ${MAX_ERROR} visible ASCII characters`,
    );
  if (cause.length > MAX_CAUSE)
    throw new WritError('INPUT_INVALID', `a cause has at most ${MAX_CAUSE} characters`);
  recordedBytes(cause, 'the cause');
  return { error, cause };
}
