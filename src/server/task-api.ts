// The HTTP interface of tasks: what waits for an answer from outside, and the answers, by the names that the States
// Language gives them (SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat). Each call proves who asks; a task token by
// itself proves only what serve.yaml says that its bearers are, and policy decides about that.
import type { Context, Hono } from 'hono';
import { WritError } from '../errors.js';
import type { JsonObject } from '../json.js';
import { timeText } from '../runtime/entries.js';
import type { TaskRecord, TaskState } from '../runtime/ports.js';
import type { Principal, TaskReference, TaskReply, Writ } from '../runtime/writ.js';
import { HttpProblem } from './answer.js';
import type { Bindings } from './bindings.js';
import type { Caller } from './identity.js';
import { malformed, objectOf } from './json-body.js';

type Env = { Bindings: Bindings };
type Ctx = Context<Env>;

export interface TaskApiParts {
  readonly writ: Pick<Writ, 'tasks' | 'task' | 'mayReadTask' | 'answerTask'>;
  /** Who the bearer of a task token is who proves nothing else: `service:…`; null = nobody. */
  readonly tokenBearer: string | null;
  /** Null where no bearer token came. Throws 401. */
  readonly callerOf: (c: Ctx) => Promise<Caller | null>;
  /** Throws 413. */
  readonly bodyOf: (c: Ctx, most: number) => Promise<Uint8Array>;
  readonly decided: (run: string) => void;
  readonly json: (status: number, body: unknown) => Response;
}

const MAX_LISTED = 100;
/** The largest output that any step may have, and what stands around it. */
const MAX_ANSWER_BYTES = 1_048_576 + 8_192;
/** From somebody who proves nothing but the task token, which only the body holds. */
const MAX_UNPROVEN_BYTES = 65_536;
const STATES: readonly string[] = ['open', 'answered', 'used', 'expired', 'withdrawn'] satisfies TaskState[];
const TASK_ID = /^tsk_[a-z2-7]{1,64}$/u;

export function addTaskRoutes(app: Hono<Env>, parts: TaskApiParts): void {
  const { writ, json } = parts;

  app.get('/v1/tasks', async (c) => {
    const { principal } = await proven(c, parts);
    const { state, run } = c.req.query();
    const states = state === undefined ? undefined : state.split(',');
    if (states?.some((one) => !STATES.includes(one)) === true)
      throw malformed('state is a list of states of a task');
    const found = await writ.tasks({
      ...(run === undefined ? {} : { run }),
      // Checked against the list above.
      ...(states === undefined ? {} : { states: states as TaskState[] }),
    });
    const seen = found.filter((record) => writ.mayReadTask(record, principal));
    return json(200, { tasks: seen.slice(0, MAX_LISTED).map(summary), more: seen.length > MAX_LISTED });
  });

  app.get('/v1/tasks/:id', async (c) => {
    const { principal } = await proven(c, parts);
    const { record, step, workflow, input, form } = await readable(writ, c.req.param('id'), principal);
    return json(200, { ...summary(record), step, workflow, input, form });
  });

  app.post('/v1/tasks/success', (c) =>
    answer(c, parts, ['output'], (body) => {
      if (!Object.hasOwn(body, 'output')) throw malformed('output is the result, any JSON');
      return { kind: 'success', output: body['output'] ?? null };
    }),
  );
  app.post('/v1/tasks/failure', (c) =>
    answer(c, parts, ['error', 'cause'], (body) => {
      return { kind: 'failure', error: textOf(body, 'error'), cause: textOf(body, 'cause') };
    }),
  );
  app.post('/v1/tasks/heartbeat', (c) => answer(c, parts, [], () => ({ kind: 'heartbeat' })));
}

async function answer(
  c: Ctx,
  parts: TaskApiParts,
  fields: readonly string[],
  replyOf: (body: JsonObject) => TaskReply,
): Promise<Response> {
  const { writ, tokenBearer } = parts;
  // Before a byte of the body is read: to read strictly what nobody answers for costs more than to send it.
  const called = tokenBearer === null ? await proven(c, parts) : await parts.callerOf(c);
  const most = called === null ? MAX_UNPROVEN_BYTES : MAX_ANSWER_BYTES;
  const body = objectOf(await parts.bodyOf(c, most), ['taskId', 'taskToken', ...fields]);
  const which = referenceOf(body);
  if (called === null && !('token' in which)) throw unproven();
  const principal: Principal = called?.principal ?? {
    id: tokenBearer ?? '',
    assurance: 'token',
    publicKey: null,
    sign: null,
  };
  const reply = replyOf(body);
  if ('id' in which) await readable(writ, which.id, principal);
  const record = await writ.answerTask(which, reply, principal);
  if (reply.kind !== 'heartbeat') parts.decided(record.run);
  return parts.json(200, summary(record));
}

async function proven(c: Ctx, { callerOf }: TaskApiParts): Promise<Caller> {
  const called = await callerOf(c);
  if (called !== null) return called;
  throw unproven();
}

function unproven(): HttpProblem {
  return new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', 'a bearer token is needed');
}

/** Throws NOT_FOUND for a task that is not there, and in the same words for one that is not theirs to see. */
async function readable(writ: TaskApiParts['writ'], id: string, principal: Principal) {
  if (TASK_ID.test(id)) {
    try {
      const view = await writ.task(id);
      if (writ.mayReadTask(view.record, principal)) return view;
    } catch (error) {
      if (!(error instanceof WritError) || error.code !== 'NOT_FOUND') throw error;
    }
  }
  throw new WritError('NOT_FOUND', 'there is no such thing here');
}

function referenceOf({ taskId, taskToken }: JsonObject): TaskReference {
  if (typeof taskToken === 'string' && taskId === undefined) return { token: taskToken };
  if (typeof taskId === 'string' && taskToken === undefined) return { id: taskId };
  throw malformed(
    'taskToken is the token that the step was called with; a form has its taskId in place of it',
  );
}

function textOf(body: JsonObject, key: string): string | null {
  const value = body[key];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw malformed(`${key} is text`);
  return value;
}

/** Neither what was asked nor what was answered: a list is shown where a task is not looked at. */
function summary(record: TaskRecord) {
  const { id, run, stepPath, attempt, kind, state, functionId, initiator, roles, separationOfDuties } =
    record;
  const { createdAtMs, expiresAtMs, heartbeatMs, answer: given } = record;
  return {
    ...{
      id,
      run,
      stepPath,
      attempt,
      kind,
      state,
      function: functionId,
      initiator,
      roles,
      separationOfDuties,
    },
    createdAt: timeText(createdAtMs),
    expiresAt: timeText(expiresAtMs),
    heartbeatSeconds: heartbeatMs === null ? null : heartbeatMs / 1000,
    answer: given === null ? null : { kind: given.kind, by: given.by, at: timeText(given.atMs) },
  };
}
