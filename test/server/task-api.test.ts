// Tasks over HTTP, in process: the real interface before a real Writ; only who a bearer token proves is faked.
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { taskAnswerBytes, type SignedTaskAnswer, type TaskQuestion } from '../../src/approval/task-answer.js';
import { commitment } from '../../src/audit/commitment.js';
import { canonicalJson } from '../../src/canonical-json.js';
import type { ServeState } from '../../src/adapters/store/serve-state.js';
import { WritError } from '../../src/errors.js';
import type { Json, JsonObject } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { openApi } from '../../src/server/api.js';
import { openRateLimit } from '../../src/server/rate.js';
import { field, states, useTeam } from '../runtime/fixture.js';

const here = useTeam();
const BEARER = 'service:carrier';

const document = (state: JsonObject): string => states('Ask', { Ask: { type: 'Task', end: true, ...state } });
const FORM = document({
  human: { form: { type: 'object', required: ['ok'] }, approverRoles: ['role:reviewer'] },
});
const ORDER = document({
  resource: 'tool::test_one.waitForTaskToken',
  parameters: { 'token.$': '$$.Task.Token' },
  heartbeatSeconds: 60,
});

interface Answer {
  readonly status: number;
  readonly body: JsonObject;
}

/** Asks as `who`, a bearer token of whom proves that it is them; null sends none. */
function server(writ: Writ, tokenBearer: string | null = null) {
  const woken: string[] = [];
  const app = openApi({
    writ,
    authenticate: async (token) => {
      if (token === 'nobody') throw new WritError('POLICY_IDENTITY_UNKNOWN', 'proves nobody');
      // As a token of the own key does: it shows who asks, and can't sign.
      const person = await here.team.as(writ, token.replace('unsigned.', ''));
      const principal = token.startsWith('unsigned.') ? { ...person, sign: null } : person;
      return { principal, untilMs: Infinity };
    },
    rate: openRateLimit(1_000),
    ratePerson: openRateLimit(1_000),
    trustedProxies: [],
    tokenBearer,
    channels: new Map(),
    secret: () => null,
    // Links are not asked for here.
    state: {} as ServeState,
    decided: (run) => woken.push(run),
    failed: (error) => {
      throw error;
    },
    stopping: new AbortController().signal,
    nowMs: () => here.team.clock.nowMs(),
  });
  const env = { incoming: { rawHeaders: [], socket: { remoteAddress: '127.0.0.1' } } };
  const ask = async (who: string | null, path: string, body?: string | JsonObject): Promise<Answer> => {
    const headers = who === null ? {} : { authorization: `Bearer ${who}` };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: text };
    const response = await app.request(`http://localhost/v1/tasks${path}`, init, env);
    return { status: response.status, body: (await response.json()) as JsonObject };
  };
  /** Sends a body without a stated length; tells how much of it was asked for. */
  const stream = async (who: string | null, path: string, pieces: readonly string[]) => {
    let read = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const piece = pieces[read];
          if (piece === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(piece));
          read += 1;
        },
      },
      { highWaterMark: 0 },
    );
    const headers = who === null ? {} : { authorization: `Bearer ${who}` };
    const init = { method: 'POST', headers, body, duplex: 'half' as const };
    const { status } = await app.request(`http://localhost/v1/tasks${path}`, init, env);
    return { status, read };
  };
  return { ask, stream, woken };
}

async function waiting(writ: Writ, text: string): Promise<{ readonly run: string; readonly task: string }> {
  const { id, waitingFor } = await here.team.run(writ, text, { claim: 1 });
  if (waitingFor?.kind !== 'task') throw new Error('it waits for no task');
  return { run: id, task: waitingFor.taskId };
}

const token = (): Json => field(here.team.functions.calls.at(-1)?.input, 'token') ?? null;

describe('a form over HTTP', () => {
  it('is listed and shown to who may see it, and is not there for anybody else', async () => {
    const writ = await here.team.open();
    const { task } = await waiting(writ, FORM);
    const { ask } = server(writ);
    const { status, body } = await ask('bob', '?state=open');
    expect([status, body]).toMatchObject([200, { tasks: [{ id: task, kind: 'person' }], cursor: null }]);
    expect(JSON.stringify(body)).not.toContain('claim');
    expect((await ask('bob', `/${task}`)).body).toMatchObject({
      input: { claim: 1 },
      form: { required: ['ok'] },
    });
    expect((await ask('olivia', '')).body).toEqual({ tasks: [], cursor: null });
    expect((await ask('olivia', `/${task}`)).status).toBe(404);
    expect((await ask('olivia', '/success', { taskId: task, output: {} })).status).toBe(404);
    for (const who of [null, 'nobody']) expect((await ask(who, `/${task}`)).status).toBe(401);
  });

  it('is filled in once; its run is woken', async () => {
    const writ = await here.team.open();
    const { run, task } = await waiting(writ, FORM);
    const { ask, woken } = server(writ);
    expect((await ask('alice', '/success', { taskId: task, output: { ok: 1 } })).status).toBe(403);
    expect((await ask('bob', '/success', { taskId: task, output: {} })).status).toBe(400);
    expect(woken).toEqual([]);
    const { status, body } = await ask('bob', '/success', { taskId: task, output: { ok: 1 } });
    expect([status, body]).toMatchObject([200, { state: 'answered', answer: { by: 'user:bob' } }]);
    expect(woken).toEqual([run]);
    expect((await ask('bob', '/failure', { taskId: task })).status).toBe(409);
    expect((await here.team.drive(writ, run)).output).toEqual({ ok: 1 });
  });

  it('goes on behind the cursor of the page before; what is no cursor is refused', async () => {
    const writ = await here.team.open();
    const tasks = [await waiting(writ, FORM), await waiting(writ, FORM)].map(({ task }) => task).toSorted();
    const { ask } = server(writ);
    const listed = async (query: string) => {
      const { body } = await ask('bob', query);
      return (body['tasks'] as unknown as { id: string; createdAt: string }[]) ?? [];
    };
    const [first] = await listed('');
    expect((await listed('')).map(({ id }) => id).toSorted()).toEqual(tasks);
    const after = `${Date.parse(first?.createdAt ?? '')}-${first?.id ?? ''}`;
    expect((await listed(`?cursor=${after}`)).map(({ id }) => id)).toEqual(
      tasks.filter((id) => id !== first?.id),
    );
    for (const cursor of ['', '1', 'apr_a', '1-apr_a', '1-tsk_A', '-1-tsk_a', '1234567890123456-tsk_a'])
      expect((await ask('bob', `?cursor=${cursor}`)).status).toBe(400);
  });

  it('HOLE: a bearer token of the own key says who asks, and is no answer: that needs a signature', async () => {
    const writ = await here.team.open();
    const { run, task } = await waiting(writ, FORM);
    const { ask, woken } = server(writ);
    const answer = await ask('unsigned.bob', '/success', { taskId: task, output: { ok: 1 } });
    expect([answer.status, answer.body]).toMatchObject([403, { error: { code: 'TASK_SIGNATURE_INVALID' } }]);
    expect(woken).toEqual([]);
    expect((await writ.task(task)).record.state).toBe('open');
    expect(await here.team.facts(run, 'authz.decided')).toContainEqual(
      expect.objectContaining({ subject: 'user:bob', verdict: 'deny', code: 'TASK_SIGNATURE_INVALID' }),
    );
  });

  it('is filled in with a signature that was made elsewhere, over what the server says is asked', async () => {
    const writ = await here.team.open();
    const { run, task } = await waiting(writ, FORM);
    const { ask } = server(writ);
    const { question } = (await ask('bob', `/${task}`)).body as unknown as { question: TaskQuestion };
    const output = { ok: 1 };
    const signature = async (name = 'bob', about: Partial<SignedTaskAnswer> = {}) => {
      const salt = randomBytes(32);
      const at = new Date(here.team.clock.nowMs()).toISOString();
      const sealed = commitment(salt, 'output', new TextEncoder().encode(canonicalJson(output)));
      const exact = { ...question, answer: 'success', by: 'user:bob', at, commitment: sealed } as const;
      const { publicKey, sign } = await here.team.as(writ, name);
      const value = sign?.(taskAnswerBytes({ ...exact, ...about })) ?? new Uint8Array();
      const [text, salted] = [value, salt].map((bytes) => Buffer.from(bytes).toString('base64'));
      return { keyId: publicKey, at, value: text ?? '', salt: salted ?? '' };
    };
    const send = async (given: JsonObject, who: string | null = 'unsigned.bob', more: JsonObject = {}) =>
      (await ask(who, '/success', { taskId: task, output, ...more, signature: given })).status;
    const good = await signature();
    // Nobody proves who they are by a signature alone, nor by one of somebody else.
    expect(await send(good, null)).toBe(401);
    expect(await send(good, 'carol')).toBe(403);
    expect(await send(await signature('carol'))).toBe(403);
    expect(await send(await signature('bob', { taskId: 'tsk_other' }))).toBe(403);
    expect(await send(await signature('bob', { form: null }))).toBe(403);
    expect(await send(good, 'unsigned.bob', { output: { ok: 2 } })).toBe(403);
    const old = { ...good, at: new Date(here.team.clock.nowMs() - 300_001).toISOString() };
    expect(await send(old)).toBe(403);
    for (const bad of [
      { ...good, salt: 'AAAA' },
      { ...good, more: 1 },
      { ...good, at: 'now' },
    ])
      expect(await send(bad)).toBe(400);
    expect((await writ.task(task)).record.state).toBe('open');
    expect(await send(good)).toBe(200);
    expect(await here.team.facts(run, 'task.answered')).toMatchObject([
      { by: 'user:bob', assurance: 'key', keyId: good.keyId, signature: good.value, at: good.at },
    ]);
    expect((await here.team.drive(writ, run)).output).toEqual(output);
  });

  it('is never filled in by a token alone', async () => {
    const writ = await here.team.open();
    const { task } = await waiting(writ, FORM);
    const { ask } = server(writ, BEARER);
    expect((await ask(null, '/success', { taskId: task, output: { ok: 1 } })).status).toBe(401);
  });
});

describe('a task token over HTTP', () => {
  it('needs a caller whom policy lets answer', async () => {
    const writ = await here.team.open();
    const { run } = await waiting(writ, ORDER);
    const { ask, woken } = server(writ);
    const body = { taskToken: token(), output: 1 };
    expect((await ask(null, '/success', body)).status).toBe(401);
    expect((await ask('alice', '/success', body)).status).toBe(403);
    expect((await ask('bob', '/heartbeat', { taskToken: token() })).status).toBe(200);
    expect(woken).toEqual([]);
    expect((await ask('bob', '/success', body)).status).toBe(200);
    expect((await here.team.drive(writ, run)).output).toBe(1);
  });

  it('is enough by itself only where serve.yaml says who its bearers are, and policy lets those answer', async () => {
    const { team } = here;
    const writ = await team.open();
    const { run } = await waiting(writ, ORDER);
    const body = { taskToken: token(), output: 'shipped' };
    expect((await server(writ, BEARER).ask(null, '/success', body)).status).toBe(403);
    const allowed = await team.open({
      policies: team.policiesWith('rbac/test.yaml', (rules) => {
        const about = {
          domain: 'default',
          action: 'task.answer',
          resource: 'tool::test_one',
          reason: 'test',
        };
        rules.addIn(['rules'], { id: 'TEST-99', effect: 'allow', subject: BEARER, ...about });
      }),
    });
    const { ask } = server(allowed, BEARER);
    expect((await ask(null, '/success', { taskToken: 'A'.repeat(43), output: 1 })).status).toBe(403);
    expect((await ask(null, '/success', body)).status).toBe(200);
    expect((await team.drive(allowed, run)).output).toBe('shipped');
    expect(await team.facts(run, 'task.answered')).toMatchObject([{ by: BEARER, assurance: 'token' }]);
  });

  it('that is over is 410, and 409 when it was used', async () => {
    const writ = await here.team.open();
    const { run } = await waiting(writ, ORDER);
    const { ask } = server(writ);
    here.team.clock.advance(60_000);
    expect((await ask('bob', '/success', { taskToken: token(), output: 1 })).status).toBe(410);
    await here.team.drive(writ, run);
    await waiting(writ, ORDER);
    expect((await ask('bob', '/failure', { taskToken: token(), error: 'Carrier.Lost' })).status).toBe(200);
    expect((await ask('bob', '/success', { taskToken: token(), output: 1 })).status).toBe(409);
  });

  it.each([
    ['no JSON', '{'],
    ['a key twice', '{"taskToken":"a","taskToken":"b","output":1}'],
    ['an unknown field', { taskToken: 'a', output: 1, by: 'user:bob' }],
    ['neither token nor id', { output: 1 }],
    ['both', { taskToken: 'a', taskId: 'tsk_a', output: 1 }],
    ['no output', { taskToken: 'a' }],
  ])('takes no body with %s', async (_, body) => {
    const { ask } = server(await here.team.open());
    expect((await ask('bob', '/success', body)).status).toBe(400);
  });

  it.each([
    ['nobody proves who they are', null],
    ['the bearer token proves nobody', 'nobody'],
  ])('HOLE: a body is not read, and so not parsed, where %s', async (_, who) => {
    const writ = await here.team.open();
    const body = ['{"taskToken":"a","output":"', 'x'.repeat(1_000_000), '"}'];
    for (const path of ['/success', '/failure', '/heartbeat']) {
      expect(await server(writ).stream(who, path, body)).toEqual({ status: 401, read: 0 });
      // Whatever the body may be.
      expect((await server(writ).ask(who, path, '{')).status).toBe(401);
    }
  });

  it('HOLE: who proves nothing but a task token sends at most 64 KiB, to the byte; who proves more, a whole answer', async () => {
    const writ = await here.team.open();
    const { ask, stream } = server(writ, BEARER);
    const bodyOf = (bytes: number): string => {
      const [head, tail] = [`{"taskToken":"${'A'.repeat(43)}","output":"`, '"}'];
      return `${head}${'x'.repeat(bytes - head.length - tail.length)}${tail}`;
    };
    expect((await ask(null, '/success', bodyOf(65_536))).status).toBe(403);
    expect((await ask(null, '/success', bodyOf(65_537))).status).toBe(413);
    const endless = Array.from({ length: 1_000 }, () => ' '.repeat(16_384));
    expect(await stream(null, '/success', endless)).toEqual({ status: 413, read: 5 });
    expect((await ask('bob', '/success', bodyOf(65_537))).status).toBe(403);
  });

  it('takes no body that is larger than an answer', async () => {
    const { ask } = server(await here.team.open());
    const body = { taskToken: 'a', output: 'x'.repeat(1_100_000) };
    expect((await ask('bob', '/success', body)).status).toBe(413);
  });
});
