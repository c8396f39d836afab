// The HTTP interface of approvals and tasks. Nothing is decided here: each call proves who asks, reads strictly, and goes through
// the same gate as the command line. GET never changes anything. What a caller may not read is not there for them.
import { Hono, type Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import type { ApprovalFilter, ApprovalRecord, ApprovalState } from '../runtime/ports.js';
import { madeBy } from '../runtime/edit-approval.js';
import type { Principal, VoteRequest, Writ } from '../runtime/writ.js';
import { errorAnswer, HttpProblem } from './answer.js';
import { addCallbackRoutes } from './callback-page.js';
import {
  isApprovalId,
  MAX_BODY_BYTES,
  readDecision,
  readRelayed,
  type DecisionBody,
} from './decision-body.js';
import type { Bindings } from './bindings.js';
import { openStreams } from './streams.js';
import { clientAddress } from './client-address.js';
import { detail, summary } from './approval-json.js';
import { approvalEvents } from './events.js';
import type { Authenticate, Caller } from './identity.js';
import type { RateLimit } from './rate.js';
import type { Channel } from './serve-config.js';
import { sha256 } from './sha256.js';
import { addTaskRoutes } from './task-api.js';
import type { ServeState } from '../adapters/store/serve-state.js';
import { verifyChannel } from './webhook-in.js';

export type ApiWrit = Pick<
  Writ,
  | 'approval'
  | 'approvalRecord'
  | 'approvals'
  | 'decide'
  | 'editApproval'
  | 'mayRead'
  | 'receipt'
  | 'entries'
  | 'changeCounter'
  | 'principalOfOidc'
  | 'principalOfToken'
  | 'principalOfSignature'
  | 'tasks'
  | 'task'
  | 'mayReadTask'
  | 'answerTask'
>;

export interface ApiParts {
  readonly writ: ApiWrit;
  readonly authenticate: Authenticate;
  /** By address; by person, once that is proven. */
  readonly rate: RateLimit;
  readonly ratePerson: RateLimit;
  readonly trustedProxies: readonly string[];
  /** Who the bearer of a task token is who proves nothing else; null = nobody. */
  readonly tokenBearer: string | null;
  readonly channels: ReadonlyMap<string, Channel>;
  /** A key by the name of its secret; null = there is none. */
  readonly secret: (name: string) => Uint8Array | null;
  readonly state: ServeState;
  /** A decision is durable: its run may go on. */
  readonly decided: (run: string) => void;
  /** A fault that is not the caller's, for the operator. */
  readonly failed: (error: unknown, what: string) => void;
  readonly stopping: AbortSignal;
  readonly nowMs: () => number;
}

type Env = { Bindings: Bindings };
type Ctx = Context<Env>;

const MAX_LISTED = 100;
const STATES: readonly string[] = [
  'pending',
  'approved',
  'denied',
  'expired',
  'withdrawn',
  'revoked',
  'consumed',
];
const HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

export function openApi(given: ApiParts): Hono<Env> {
  const app = new Hono<Env>();
  const streams = openStreams();
  const parts: ApiParts = { ...given, authenticate: countedByPerson(given) };

  app.use(async (c, next) => {
    takeTurn(parts.rate, clientAddress(c.env.incoming, parts.trustedProxies), parts);
    await next();
    for (const [name, value] of Object.entries(HEADERS))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.onError((error, c) => {
    const { status, body } = errorAnswer(error);
    if (status >= 500) parts.failed(error, `${c.req.method} ${c.req.routePath}`);
    const extra = error instanceof HttpProblem ? error.headers : {};
    const challenge = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    return json(status, body, { ...extra, ...challenge });
  });
  app.notFound(() => json(404, errorAnswer(notFound()).body));

  app.get('/v1/health', () => json(200, { ok: true }));

  app.get('/v1/approvals', async (c) => {
    const { principal } = await caller(c, parts);
    const { state, run, cursor } = c.req.query();
    const states = state === undefined ? undefined : state.split(',');
    if (states?.some((one) => !STATES.includes(one)) === true)
      throw malformed('state is a list of states of a request');
    const after = cursor === undefined ? null : /^(\d{1,15})-(apr_[a-z2-7]{1,64})$/u.exec(cursor);
    if (cursor !== undefined && after === null) throw malformed('cursor is one that an answer gave');
    const [, ms, id = ''] = after ?? [];
    const found = readableAfter(parts.writ, principal, {
      ...(run === undefined ? {} : { run }),
      // Checked against the list above.
      ...(states === undefined ? {} : { states: states as ApprovalState[] }),
      ...(after === null ? {} : { after: { createdAtMs: Number(ms), id } }),
    });
    const seen: ApprovalRecord[] = [];
    for await (const record of found) if (seen.push(record) > MAX_LISTED) break;
    const page = seen.slice(0, MAX_LISTED);
    const last = page.at(-1);
    const next = seen.length > page.length && last !== undefined ? `${last.createdAtMs}-${last.id}` : null;
    return json(200, { approvals: page.map(summary), cursor: next });
  });

  app.get('/v1/approvals/:id', async (c) => {
    const { record } = await readable(c, parts);
    const view = await parts.writ.approval(record.id);
    return json(200, {
      ...summary(view.record),
      ...detail(view.record),
      subject: view.subject,
      display: view.display,
    });
  });

  app.get('/v1/approvals/:id/events', async (c) => {
    const { record, principal, untilMs } = await readable(c, parts);
    const from = lastEventId(c.req.header('last-event-id'));
    // Nobody would read it, and nobody would end it.
    if (c.req.method === 'HEAD')
      return new Response(null, { headers: { 'content-type': 'text/event-stream' } });
    const end = streams.begin(principal.id);
    if (end === null) throw new HttpProblem(503, 'STORE_BUSY', 'too many streams', { 'retry-after': '5' });
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, parts.stopping]);
    return streamSSE(
      c,
      async (stream) => {
        stream.onAbort(() => {
          ended.abort();
        });
        try {
          const events = approvalEvents(parts.writ, record, {
            from,
            untilMs,
            signal,
            nowMs: () => parts.nowMs(),
          });
          for await (const event of events) {
            if (event === null) await stream.write(': waiting\n\n');
            else
              await stream.writeSSE({
                id: String(event.seq),
                event: event.type,
                data: JSON.stringify(event.data),
              });
          }
        } finally {
          end();
        }
      },
      async (error) => {
        parts.failed(error, 'events');
        await Promise.resolve();
      },
    );
  });

  app.post('/v1/approvals/:id/decisions', async (c) => {
    const key = c.req.header('idempotency-key') ?? '';
    if (!/^[!-~]{1,255}$/u.test(key)) throw malformed('Idempotency-Key is 1 to 255 visible ASCII characters');
    const bytes = await bodyOf(c);
    const body = readDecision(bytes);
    const id = c.req.param('id');
    const bearer = bearerOf(c);
    const called = bearer === null ? null : await parts.authenticate(bearer);
    const principal = deciderOf(parts.writ, body, called?.principal ?? null);
    if (called !== null) await requireReadable(parts.writ, id, called.principal);
    const receipt = {
      source: `http:${principal.id}`,
      id: key,
      digest: sha256(Buffer.from(`${id}\n`), bytes),
    };
    if (body.changes !== null) {
      if (called === null)
        throw new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', 'a change of the input needs a bearer token');
      const edit = { digest: body.digest, input: body.changes.input, receipt };
      const { status, made } = await change(parts.writ, id, edit, called.principal);
      return json(status, { approval: summary(made), supersedes: id });
    }
    const { status, answer } = await decide(parts, id, body, principal, receipt);
    return json(status, answer);
  });

  app.post('/v1/webhooks/approvals/:channel', async (c) => {
    const bytes = await bodyOf(c);
    const channel = parts.channels.get(c.req.param('channel'));
    const pairs = headerPairs(c.env.incoming.rawHeaders);
    const verdict = verifyChannel(channel?.in ?? null, parts.secret, {
      headers: pairs,
      body: bytes,
      nowMs: parts.nowMs(),
    });
    // The same words whatever was wrong: a sender without the key learns nothing.
    if (channel === undefined || !verdict.ok) {
      if (!verdict.ok) parts.failed(new WritError('APPROVAL_WEBHOOK_INVALID', verdict.code), 'webhook');
      throw new WritError('APPROVAL_WEBHOOK_INVALID', 'the webhook is not accepted');
    }
    const body = readRelayed(bytes);
    const receipt = { source: `webhook:${channel.name}`, id: verdict.id, digest: sha256(bytes) };
    // Before anything is looked at: a message counts once, whatever came of it.
    if ((await parts.writ.receipt(receipt.source, receipt.id)) !== null) throw replayed();
    const { principal, once } = await relayedBy(parts, body, verdict.publicKey);
    if (body.signature === null) await requireReadable(parts.writ, body.approvalId, principal);
    const { status, answer } = await decide(parts, body.approvalId, body, principal, receipt, once);
    if (status === 200) throw replayed();
    return json(201, answer);
  });

  addCallbackRoutes(app, {
    ...parts,
    bodyOf,
    decide: (id, body, principal, receipt) => decide(parts, id, body, principal, receipt),
  });

  addTaskRoutes(app, {
    ...parts,
    json,
    bodyOf,
    callerOf: async (c) => (bearerOf(c) === null ? null : caller(c, parts)),
  });

  // A path of ours with another method.
  app.all('/v1/*', (c) => {
    return c.req.method === 'GET' || c.req.method === 'HEAD'
      ? json(404, errorAnswer(notFound()).body)
      : json(405, { error: { code: 'USAGE', message: 'no such method here' } });
  });
  return app;
}

/** Throws 429. */
function takeTurn(rate: RateLimit, who: string, { nowMs }: Pick<ApiParts, 'nowMs'>): void {
  const wait = rate.take(who, nowMs());
  if (wait > 0) throw new HttpProblem(429, 'USAGE', 'too many requests', { 'retry-after': String(wait) });
}

/** Counted once a token has proven the person: nobody uses up the turns of somebody whom they merely name. */
function countedByPerson(parts: ApiParts): Authenticate {
  return async (token) => {
    const called = await parts.authenticate(token);
    takeTurn(parts.ratePerson, called.principal.id, parts);
    return called;
  };
}

type Receipt = NonNullable<VoteRequest['receipt']>;

/** 201 and what was recorded; 200 and the first answer, when the same message came before. */
async function decide(
  { writ, decided }: ApiParts,
  id: string,
  body: DecisionBody,
  principal: Principal,
  receipt: Receipt,
  once: Receipt | null = null,
): Promise<{ readonly status: 200 | 201; readonly answer: Json }> {
  const { decision, digest, reason, signature, delegation, breakGlass } = body;
  const vote: VoteRequest = {
    ...{ decision, digest, reason, receipt },
    ...(once === null ? {} : { also: once }),
    ...(delegation === null ? {} : { delegation }),
    ...(breakGlass ? { breakGlass: true } : {}),
    ...(signature === null ? {} : { signed: { atMs: signature.atMs, reasonSalt: signature.reasonSalt } }),
  };
  try {
    const record = await writ.decide(id, vote, principal);
    decided(record.run);
    const answer = (await writ.receipt(receipt.source, receipt.id))?.answer ?? null;
    return { status: 201, answer };
  } catch (error) {
    // A signature alone that does not hold, or is over a request that is not there, proves nobody: no difference.
    if (
      signature !== null &&
      error instanceof WritError &&
      (error.code === 'APPROVAL_SIGNATURE_INVALID' || error.code === 'NOT_FOUND')
    ) {
      throw new HttpProblem(
        401,
        'APPROVAL_SIGNATURE_INVALID',
        'the signature does not hold for this decision',
      );
    }
    if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    const before = await writ.receipt(receipt.source, receipt.id);
    if (before === null) throw once === null ? error : tokenInvalid();
    if (before.digest === receipt.digest) return { status: 200, answer: before.answer };
    throw otherRequest();
  }
}

/** 201 and the new request; 200 and the same as it was first told, when the same message came before. */
async function change(
  writ: ApiWrit,
  id: string,
  edit: Parameters<ApiWrit['editApproval']>[1] & { readonly receipt: Receipt },
  editor: Principal,
): Promise<{ readonly status: 200 | 201; readonly made: ApprovalRecord }> {
  try {
    return { status: 201, made: await writ.editApproval(id, edit, editor) };
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'STORE_CONFLICT') throw error;
    const before = await writ.receipt(edit.receipt.source, edit.receipt.id);
    if (before === null) throw error;
    const made = before.digest === edit.receipt.digest ? madeBy(before.answer) : null;
    const record = made === null ? null : await writ.approvalRecord(made);
    if (record === null) throw otherRequest();
    return { status: 200, made: { ...record, state: 'pending' } };
  }
}

/** The signer, or who the token names; both say the same person when both are there. Throws 401, 403. */
function deciderOf(writ: ApiWrit, body: DecisionBody, bearer: Principal | null): Principal {
  const { signature } = body;
  if (signature === null) {
    if (bearer === null)
      throw new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', 'a bearer token or a signed decision is needed');
    return bearer;
  }
  const signer = writ.principalOfSignature(signature.keyId, signature.value);
  if (bearer !== null && bearer.id !== signer.id) {
    throw new HttpProblem(
      403,
      'APPROVAL_SIGNATURE_INVALID',
      'the bearer token and the signature are of two people',
    );
  }
  return signer;
}

/** The signature of a webhook is the relay's: the person proves themselves in the body, or the relay's key is theirs. */
async function relayedBy(
  parts: ApiParts,
  body: ReturnType<typeof readRelayed>,
  publicKey: string | null,
): Promise<{ readonly principal: Principal; readonly once: Receipt | null }> {
  const { writ, authenticate, state } = parts;
  if (body.signature !== null) return { principal: deciderOf(writ, body, null), once: null };
  if (body.idToken !== null) return { principal: (await authenticate(body.idToken)).principal, once: null };
  if (body.token !== null) {
    const hash = sha256(Buffer.from(body.token));
    const token = state.callback(hash);
    const isFor =
      token !== null &&
      token.approval === body.approvalId &&
      token.subjectDigest === body.digest &&
      token.decision === body.decision &&
      token.untilMs > parts.nowMs();
    if (!isFor) throw tokenInvalid();
    return {
      principal: writ.principalOfToken(token.approver),
      once: { source: 'callback', id: hash, digest: hash },
    };
  }
  if (publicKey === null)
    throw new WritError('APPROVAL_NOT_ELIGIBLE', 'this relay decides for nobody by itself');
  const owner = writ.principalOfSignature(`ed25519:${publicKey}`, new Uint8Array());
  return { principal: writ.principalOfToken(owner.id), once: null };
}

async function caller(c: Ctx, { authenticate }: ApiParts): Promise<Caller> {
  const bearer = bearerOf(c);
  if (bearer === null) throw new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', 'a bearer token is needed');
  return authenticate(bearer);
}

async function readable(
  c: Ctx,
  parts: ApiParts,
): Promise<{ readonly record: ApprovalRecord; readonly principal: Principal; readonly untilMs: number }> {
  const { principal, untilMs } = await caller(c, parts);
  const record = await requireReadable(parts.writ, c.req.param('id') ?? '', principal);
  return { record, principal, untilMs };
}

/** Throws NOT_FOUND for a request that is not there, and in the same words for one that is not theirs to see. */
async function requireReadable(writ: ApiWrit, id: string, principal: Principal): Promise<ApprovalRecord> {
  if (!isApprovalId(id)) throw notFound();
  try {
    const { record } = await writ.approval(id);
    if (writ.mayRead(record, principal)) return record;
  } catch (error) {
    if (!(error instanceof WritError) || error.code !== 'NOT_FOUND') throw error;
  }
  throw notFound();
}

function notFound(): WritError {
  return new WritError('NOT_FOUND', 'there is no such thing here');
}

function replayed(): HttpProblem {
  return new HttpProblem(409, 'APPROVAL_WEBHOOK_INVALID', 'a webhook with this id was received before');
}

function otherRequest(): HttpProblem {
  return new HttpProblem(422, 'INPUT_INVALID', 'this Idempotency-Key was used for another request');
}

function tokenInvalid(): WritError {
  return new WritError('APPROVAL_TOKEN_INVALID', 'this token decides nothing');
}

function malformed(message: string): HttpProblem {
  return new HttpProblem(400, 'INPUT_INVALID', message);
}

function bearerOf(c: Ctx): string | null {
  const header = c.req.header('authorization');
  if (header === undefined) return null;
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,16384})$/u.exec(header)?.[1];
  if (token === undefined)
    throw new HttpProblem(401, 'POLICY_IDENTITY_UNKNOWN', 'Authorization is Bearer and a token');
  return token;
}

/** At most 64 KiB, or `most`, however it is sent. Throws 413. */
async function bodyOf(c: Ctx, most = MAX_BODY_BYTES): Promise<Uint8Array> {
  const tooLarge = new HttpProblem(413, 'DOC_TOO_LARGE', `a body has at most ${most} bytes`, {
    connection: 'close',
  });
  if (Number(c.req.header('content-length') ?? '0') > most) throw tooLarge;
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of (c.req.raw.body ?? []) as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > most) throw tooLarge;
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw malformed('the body did not arrive whole');
  }
  return Buffer.concat(parts);
}

/** As they came: a name that is there twice is there twice. */
function headerPairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return pairs;
}

function lastEventId(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/u.test(text)) throw malformed('Last-Event-ID is the id of an event');
  return Number(text) + 1;
}

/** Read in parts: what stands behind the page that is asked for costs nothing. */
async function* readableAfter(
  writ: ApiWrit,
  principal: Principal,
  filter: ApprovalFilter,
): AsyncGenerator<ApprovalRecord> {
  const limit = 2 * MAX_LISTED;
  for (let part = filter; ;) {
    const found = await writ.approvals({ ...part, limit });
    for (const record of found) if (writ.mayRead(record, principal)) yield record;
    const last = found.at(-1);
    if (last === undefined || found.length < limit) return;
    part = { ...part, after: { createdAtMs: last.createdAtMs, id: last.id } };
  }
}

function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${JSON.stringify(body)}\n`, {
    status,
    headers: { ...HEADERS, 'content-type': 'application/json; charset=utf-8', ...headers },
  });
}
