// The HTTP interface of tasks: what waits for an answer from outside, and the answers, by the names that the States
// Language gives them (SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat). Each call proves who asks; a task token by
// itself proves only what serve.yaml says that its bearers are, and policy decides about that.
import type { Hono } from 'hono';
import { WritError } from '../errors.js';
import { isObject, type JsonObject } from '../json.js';
import { timeText } from '../runtime/log/entries.js';
import { TASK_STATES, type TaskAnswer, type TaskRecord } from '../runtime/ports.js';
import type { Principal, SignedElsewhere, TaskReference, TaskReply, Writ } from '../runtime/writ.js';
import { HttpProblem } from './answer.js';
import { notFound } from './decide.js';
import type { Authenticate } from './identity.js';
import { malformed, objectOf } from './json-body.js';
import { afterOf, filterOf, readablePage } from './list-page.js';
import { bodyOf, callerOf, json, provenCaller, unproven, type Ctx, type Env } from './request.js';
import { bytesOf, readSignature, type KeySignature } from './signature-body.js';

export interface TaskApiParts {
  readonly writ: Pick<Writ, 'tasks' | 'task' | 'mayReadTask' | 'answerTask' | 'principalOfSignature'>;
  readonly authenticate: Authenticate;
  /** Who the bearer of a task token is who proves nothing else: `service:…`; null = nobody. */
  readonly tokenBearer: string | null;
  /** An answer is durable: its run may go on. */
  readonly decided: (run: string) => void;
}

/** The largest output that any step may have, and what stands around it. */
const MAX_ANSWER_BYTES = 1_048_576 + 8_192;
/** From somebody who proves nothing but the task token, which only the body holds. */
const MAX_UNPROVEN_BYTES = 65_536;
const TASK_ID = /^tsk_[a-z2-7]{1,64}$/u;

export function addTaskRoutes(app: Hono<Env>, parts: TaskApiParts): void {
  const { writ, authenticate } = parts;

  app.get('/v1/tasks', async (c) => {
    const { principal } = await provenCaller(c, authenticate);
    const query = c.req.query();
    const filter = filterOf(query, TASK_STATES);
    const { page, cursor } = await readablePage(
      afterOf(query['cursor'], 'tsk'),
      (part) => writ.tasks({ ...filter, ...part }),
      (record) => writ.mayReadTask(record, principal),
    );
    return json(200, { tasks: page.map(summary), cursor });
  });

  app.get('/v1/tasks/:id', async (c) => {
    const { principal } = await provenCaller(c, authenticate);
    const { record, ...view } = await readable(writ, c.req.param('id'), principal);
    const { step, workflow, input, form, question } = view;
    return json(200, { ...summary(record), step, workflow, input, form, question });
  });

  app.post('/v1/tasks/success', (c) => answer(c, parts, SUCCESS));
  app.post('/v1/tasks/failure', (c) => answer(c, parts, FAILURE));
  app.post('/v1/tasks/heartbeat', (c) => answer(c, parts, HEARTBEAT));
}

/** What a body may hold beside the task it is about, and what it says. */
interface ReplyForm {
  readonly fields: readonly string[];
  readonly reply: (body: JsonObject, signed: { readonly signed?: SignedElsewhere }) => TaskReply;
}

const SUCCESS: ReplyForm = {
  fields: ['output', 'signature'],
  reply(body, signed) {
    if (!Object.hasOwn(body, 'output')) throw malformed('output is the result, any JSON');
    return { kind: 'success', output: body['output'] ?? null, ...signed };
  },
};

const FAILURE: ReplyForm = {
  fields: ['error', 'cause', 'signature'],
  reply: (body, signed) => {
    return { kind: 'failure', error: textOf(body, 'error'), cause: textOf(body, 'cause'), ...signed };
  },
};

const HEARTBEAT: ReplyForm = { fields: [], reply: () => ({ kind: 'heartbeat' }) };

async function answer(c: Ctx, parts: TaskApiParts, { fields, reply: replyOf }: ReplyForm): Promise<Response> {
  const { writ, authenticate, tokenBearer, decided } = parts;
  // Before a byte of the body is read: to read strictly what nobody answers for costs more than to send it.
  const called = await callerOf(c, authenticate);
  const bearer = called?.principal ?? bearerOfToken(tokenBearer);
  const most = called === null ? MAX_UNPROVEN_BYTES : MAX_ANSWER_BYTES;
  const body = objectOf(await bodyOf(c, most), ['taskId', 'taskToken', ...fields]);
  const which = referenceOf(body);
  if (called === null && !('token' in which)) throw unproven();
  const signature = signatureOf(body);
  const principal = signature === null ? bearer : signerOf(writ, signature, called?.principal ?? null);
  const reply = replyOf(body, signature === null ? {} : { signed: signature });
  if ('id' in which) await readable(writ, which.id, principal);
  const record = await writ.answerTask(which, reply, principal);
  if (reply.kind !== 'heartbeat') decided(record.run);
  return json(200, summary(record));
}

/** Who has proved nothing yet, and may still do so with the token of a task. Throws 401 where such a token proves nobody. */
function bearerOfToken(tokenBearer: string | null): Principal {
  if (tokenBearer === null) throw unproven();
  return { id: tokenBearer, assurance: 'token', publicKey: null, sign: null };
}

/** The person's own signature over the answer (writ.task-answer.v1), and the salt of its commitment; null without one. */
function signatureOf({ signature }: JsonObject): (KeySignature & SignedElsewhere) | null {
  if (signature === undefined || signature === null) return null;
  if (!isObject(signature)) throw malformed('signature is an object');
  const { salt: given, ...rest } = signature;
  const salt = bytesOf(given, 32);
  if (salt === null) throw malformed('signature.salt is the base64 of 32 bytes');
  return { ...readSignature(rest, 'salt'), salt };
}

/** Who signs, which is whom the bearer token names: a signature by itself is no way in. Throws 401, 403. */
function signerOf(
  writ: TaskApiParts['writ'],
  { keyId, value }: KeySignature,
  bearer: Principal | null,
): Principal {
  if (bearer === null) throw unproven('a signed answer needs a bearer token');
  const signer = writ.principalOfSignature(keyId, value);
  if (signer.id === bearer.id) return signer;
  throw new HttpProblem(
    403,
    'TASK_SIGNATURE_INVALID',
    'the bearer token and the signature are of two people',
  );
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
  throw notFound();
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
  const { heartbeatMs, answer } = record;
  return {
    id: record.id,
    run: record.run,
    stepPath: record.stepPath,
    attempt: record.attempt,
    kind: record.kind,
    state: record.state,
    function: record.functionId,
    initiator: record.initiator,
    roles: record.roles,
    separationOfDuties: record.separationOfDuties,
    redriver: record.redriver ?? null,
    createdAt: timeText(record.createdAtMs),
    expiresAt: timeText(record.expiresAtMs),
    heartbeatSeconds: heartbeatMs === null ? null : heartbeatMs / 1000,
    answer: answer === null ? null : answerJson(answer),
  };
}

/** Who answered what, and what proves it; not the answer itself. */
function answerJson({ kind, by, assurance, keyId, signature, atMs }: TaskAnswer) {
  return { kind, by, assurance, keyId, signature, at: timeText(atMs) };
}
