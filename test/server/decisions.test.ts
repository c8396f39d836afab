// The decisions API of `writ serve` over real HTTP: identity, digest, replay, refusals, and what a body can't say.
import { request as httpRequest } from 'node:http';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  changed,
  entriesAbout,
  entriesOf,
  expectVerified,
  FLOW,
  newDesk,
  startWaiting,
  type Desk,
  type Waiting,
} from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import {
  ask,
  AUDIENCE,
  decide,
  ISSUER,
  newProvider,
  ownBearer,
  setPerson,
  signedDecision,
  startServer,
  stopServer,
  type Answer,
  type Provider,
  type Running,
} from './serving.js';

const DECIDE = fileURLToPath(new URL('../../examples/approvals-http/decide.mjs', import.meta.url));
const ANSWER = fileURLToPath(new URL('../../examples/approvals-http/answer.mjs', import.meta.url));
const SECOND_VERIFIER = fileURLToPath(new URL('../../audit/verify.mjs', import.meta.url));

let desk: Desk;
let provider: Provider;
let server: Running;

beforeAll(async () => {
  desk = await newDesk(hosted);
  provider = await newProvider();
  setPerson(desk, 'user:bob', { iss: ISSUER, sub: 'u-bob', assurance: ['key', 'oidc'] });
  setPerson(desk, 'user:carol', { iss: ISSUER, sub: 'u-carol', assurance: ['key'] });
  setPerson(desk, 'user:alice', { iss: ISSUER, sub: 'u-alice', assurance: ['key', 'oidc'] });
  setPerson(desk, 'user:olivia', { iss: ISSUER, sub: 'u-olivia', assurance: ['oidc'] });
  writeFileSync(desk.at('jwks.json'), provider.jwks);
  writeFileSync(
    desk.at('serve.yaml'),
    `ratePerMinute: 1000000\noidc:\n  - issuer: ${ISSUER}\n    audience: ${AUDIENCE}\n    algorithms: [ES256]\n    jwksFile: jwks.json\n`,
  );
  server = await startServer(desk);
});

afterAll(async () => {
  expect(await stopServer(server)).toBe(143);
  await expectVerified(desk);
  // The second verifier agrees on votes that an identity provider vouches for.
  const { stdout } = await desk.run(['audit', 'vkey']);
  writeFileSync(desk.at('trust.vkey'), stdout);
  const second = [SECOND_VERIFIER, desk.at('.writ', 'audit'), '--vkey', stdout.trim()];
  const verified = await execa(process.execPath, second, { reject: false });
  expect([verified.exitCode, verified.stdout]).toEqual([0, expect.stringContaining('verified')]);
  desk.remove();
});

/** A signature that is nobody's. */
const NOBODYS = Buffer.alloc(64, 7).toString('base64');

async function bearer(sub = 'u-bob'): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await provider.token({ sub })}` };
}

async function show(id: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const { status, body } = await ask(`${server.url}/v1/approvals/${id}`, { headers });
  expect(status).toBe(200);
  return body as Record<string, unknown>;
}

async function signed(
  one: Waiting,
  person = 'bob',
  decision: 'approve' | 'deny' | 'revoke' = 'approve',
  options: Parameters<typeof signedDecision>[5] = {},
): Promise<Record<string, unknown>> {
  const { expiresAt } = await show(one.approval, await bearer());
  return signedDecision(desk, person, one, decision, expiresAt as string, options);
}

/** Resolves when the run has ended. */
async function ended(run: string): Promise<string> {
  const { value } = await desk
    .json(['workflow', 'watch', run])
    .catch(async () => desk.json(['workflow', 'status', run]));
  return (value as { status: string }).status;
}

function decisionsOf(run: string) {
  return entriesOf(desk, run).filter(({ type }) => type === 'approval.decided');
}

describe('a decision over HTTP', () => {
  it('by a token of the identity provider is recorded, and its run goes on here', async () => {
    const one = await startWaiting(desk);
    const answer = await decide(
      server,
      one.approval,
      { decision: 'approve', digest: one.digest },
      await bearer(),
    );
    expect(answer).toMatchObject({
      status: 201,
      body: { id: one.approval, state: 'approved', approver: 'user:bob' },
    });
    expect(decisionsOf(one.run)).toMatchObject([
      { data: { approver: 'user:bob', assurance: 'oidc', signature: null } },
    ]);
    expect(await ended(one.run)).toBe('completed');
  });

  it('signed by the person needs no token, and the signature is in the log', async () => {
    const one = await startWaiting(desk);
    const body = await signed(one, 'bob', 'deny', { reason: 'amount is wrong' });
    expect(await decide(server, one.approval, body)).toMatchObject({
      status: 201,
      body: { state: 'denied' },
    });
    const [entry] = decisionsOf(one.run);
    expect(entry).toMatchObject({ data: { approver: 'user:bob', assurance: 'key', decision: 'deny' } });
    expect(entry?.data['signature']).toBe((body['signature'] as { value: string }).value);
  });

  it('with the same key and body again is answered as the first time, and recorded once', async () => {
    const one = await startWaiting(desk);
    const headers = { ...(await bearer()), 'idempotency-key': 'retry-1' };
    const body = { decision: 'deny', digest: one.digest };
    const first = await decide(server, one.approval, body, headers);
    const again = await Promise.all(
      Array.from({ length: 20 }, () => decide(server, one.approval, body, headers)),
    );
    expect(first.status).toBe(201);
    for (const answer of again) expect(answer).toMatchObject({ status: 200, body: first.body as object });
    expect(decisionsOf(one.run)).toHaveLength(1);
    const other = await decide(server, one.approval, { ...body, reason: 'x' }, headers);
    expect(other.status).toBe(422);
    const elsewhere = await decide(server, (await startWaiting(desk)).approval, body, headers);
    expect(elsewhere.status).toBe(422);
  });

  it('HOLE: nobody learns which Idempotency-Key somebody has used who can not sign as them', async () => {
    const one = await startWaiting(desk);
    const body = await signed(one, 'bob', 'deny', { reason: 'amount is wrong' });
    const headers = { 'idempotency-key': 'used-by-bob' };
    expect((await decide(server, one.approval, body, headers)).status).toBe(201);
    // Whoever can sign gets the first answer again, and is told of a key that was used for another message.
    expect((await decide(server, one.approval, body, headers)).status).toBe(200);
    const other = await signed(one, 'bob', 'deny', { reason: 'another word' });
    expect((await decide(server, one.approval, other, headers)).status).toBe(422);
    // Bob's public key is public; only who holds its private half may ask.
    const forged = { ...body, signature: { ...(body['signature'] as object), value: NOBODYS } };
    const answers = await Promise.all(
      ['used-by-bob', 'never-used'].map((key) =>
        decide(server, one.approval, forged, { 'idempotency-key': key }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
    expect(answers[0]?.text).toBe(answers[1]?.text);
  });

  it('of many at once is one: 1,000 deciders, one outcome', async () => {
    const one = await startWaiting(desk);
    const token = await bearer();
    /** As a client does that was not heard in time by a busy server: the same again, under the same key. */
    const heard = async (i: number): Promise<Answer> => {
      const headers = { ...token, 'idempotency-key': `many-${i}` };
      const body = { decision: i % 2 === 0 ? 'approve' : 'deny', digest: one.digest };
      for (let tries = 0; tries < 100; tries++) {
        const answer = await decide(server, one.approval, body, headers).catch(() => null);
        if (answer !== null && answer.status !== 408 && answer.status !== 503) return answer;
      }
      throw new Error('the server was never free to hear it');
    };
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => heard(i)));
    for (const { status } of answers) expect([200, 201, 409]).toContain(status);
    expect(decisionsOf(one.run)).toHaveLength(1);
  });

  it('can take an approval back until it is used', async () => {
    const one = await startWaiting(desk);
    const headers = await bearer();
    expect(
      (await decide(server, one.approval, { decision: 'revoke', digest: one.digest }, headers)).status,
    ).toBe(400);
  });

  it('with changes makes another request, for which the editor does not vote', async () => {
    const one = await startWaiting(desk);
    const headers = await bearer();
    const { subject } = await show(one.approval, headers);
    const input = (subject as { input: Record<string, unknown> }).input;
    const changed = JSON.parse(JSON.stringify(input).replace(/\d{4,}/u, '1')) as unknown;
    const body = { decision: 'approve', digest: one.digest, changes: { input: changed } };
    const keyed = { ...headers, 'idempotency-key': 'change-1' };
    const answer = await decide(server, one.approval, body, keyed);
    expect(answer).toMatchObject({
      status: 201,
      body: { supersedes: one.approval, approval: { state: 'pending' } },
    });
    // A client that did not hear the answer asks again: no second change, the same answer.
    const before = entriesOf(desk, one.run).length;
    const again = await Promise.all(
      Array.from({ length: 5 }, () => decide(server, one.approval, body, keyed)),
    );
    for (const repeated of again)
      expect(repeated).toMatchObject({ status: 200, body: answer.body as object });
    const another = { ...body, changes: { input: { other: true } } };
    expect((await decide(server, one.approval, another, keyed)).status).toBe(422);
    const vote = { decision: 'deny', digest: one.digest };
    expect((await decide(server, one.approval, vote, keyed)).status).toBe(422);
    expect(entriesOf(desk, one.run)).toHaveLength(before);
    const { approval } = answer.body as { approval: { id: string; subjectDigest: string } };
    expect(approval.subjectDigest).not.toBe(one.digest);
    const mine = await decide(
      server,
      approval.id,
      { decision: 'approve', digest: approval.subjectDigest },
      headers,
    );
    expect(mine).toMatchObject({ status: 403, body: { error: { code: 'APPROVAL_SEPARATION_OF_DUTIES' } } });
    const old = await decide(server, one.approval, { decision: 'approve', digest: one.digest }, headers);
    expect(old.status).toBe(409);
  });

  it('HOLE: with changes is of nobody whose provider approvers.yaml does not accept; their own key is enough', async () => {
    const one = await startWaiting(desk);
    const body = { decision: 'approve', digest: one.digest, changes: { input: { amount: 1 } } };
    const refused = await decide(server, one.approval, body, await bearer('u-carol'));
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'APPROVAL_SIGNATURE_INVALID' } } });
    expect(await show(one.approval, await bearer())).toMatchObject({ state: 'pending' });
    const own = await decide(server, one.approval, body, ownBearer(desk, 'bob', server.audience));
    expect(own).toMatchObject({ status: 201, body: { supersedes: one.approval } });
  });
});

describe('examples/approvals-http/decide.mjs', () => {
  it('shows the action, signs the decision, and is believed', async () => {
    const one = await startWaiting(desk);
    const words = [
      DECIDE,
      server.url,
      server.audience,
      desk.at('bob.key'),
      one.approval,
      'deny',
      'amount is wrong',
    ];
    const { exitCode, stdout } = await execa(process.execPath, words, { reject: false });
    expect(stdout).toContain('function:');
    expect(stdout).toContain('201 ');
    expect(exitCode).toBe(0);
    expect(decisionsOf(one.run)).toMatchObject([{ data: { approver: 'user:bob', assurance: 'key' } }]);
  });

  it('names whoever PERSON says, and is not believed with a key that is not theirs', async () => {
    const one = await startWaiting(desk);
    const words = [DECIDE, server.url, server.audience, desk.at('alice.key'), one.approval, 'approve'];
    const asBob = await execa(process.execPath, words, { reject: false });
    expect([asBob.exitCode, asBob.stdout]).toEqual([1, expect.stringContaining('401 ')]);
    // Alice herself is believed, and may not decide about her own run.
    const asAlice = await execa(process.execPath, words, { reject: false, env: { PERSON: 'user:alice' } });
    expect([asAlice.exitCode, asAlice.stdout]).toEqual([1, expect.stringContaining('403 ')]);
    expect(decisionsOf(one.run)).toEqual([]);
  });

  it.each([
    ['decide.mjs', DECIDE],
    ['answer.mjs', ANSWER],
  ])('%s says how it is called when something is missing', async (_name, file) => {
    const { exitCode, stderr } = await execa(process.execPath, [file, server.url], { reject: false });
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/^usage: node .+\nPERSON=user:NAME/u)]);
  });
});

describe('examples/approvals-http/answer.mjs', () => {
  it('shows the form, signs the answer, and is believed', async () => {
    const human = { form: { type: 'object', required: ['ok'] }, approverRoles: ['role:reviewer'] };
    const states = { Ask: { type: 'Task', human, end: true } };
    const head = {
      apiVersion: 'agentrc.workflow/v0.1',
      kind: 'AgentWorkflow',
      metadata: { name: 'claims-form' },
    };
    writeFileSync(desk.at('form.json'), JSON.stringify({ ...head, spec: { startAt: 'Ask', states } }));
    const { value } = await desk.json(['workflow', 'run', 'form.json', '--input', '{"claim":7}']);
    const { id, waitingFor } = value as { id: string; waitingFor: { taskId: string } };
    const words = [
      ANSWER,
      server.url,
      server.audience,
      desk.at('bob.key'),
      waitingFor.taskId,
      '{"ok": true}',
    ];
    const { exitCode, stdout } = await execa(process.execPath, words, { reject: false });
    expect(stdout).toContain('"claim": 7');
    expect(stdout).toContain('200 ');
    expect(exitCode).toBe(0);
    expect(entriesOf(desk, id).filter(({ type }) => type === 'task.answered')).toMatchObject([
      { data: { by: 'user:bob', assurance: 'key', answer: 'success' } },
    ]);
    expect(await ended(id)).toBe('completed');
  });
});

describe('a request that expires', () => {
  it('is ended here, told in the stream, and cannot be decided: 410', async () => {
    const file = changed(desk, FLOW, 'expiresSeconds: 86400', 'expiresSeconds: 4', 'example/soon.yaml');
    const one = await startWaiting(desk, file);
    const headers = await bearer();
    // The stream ends with the request.
    const { text } = await ask(`${server.url}/v1/approvals/${one.approval}/events`, { headers });
    expect(text).toContain('event: approval.expired');
    const late = await decide(server, one.approval, { decision: 'approve', digest: one.digest }, headers);
    expect(late).toMatchObject({ status: 410, body: { error: { code: 'APPROVAL_EXPIRED' } } });
    expect(decisionsOf(one.run)).toEqual([]);
    expect(['completed', 'failed']).toContain(await ended(one.run));
  });
});

describe('a caller who asks too often', () => {
  it('is told when to come again: 429; and the server ends at once when it is asked to', async () => {
    mkdirSync(desk.at('slow'));
    cpSync(desk.at('policies'), desk.at('slow', 'policies'), { recursive: true });
    writeFileSync(desk.at('slow', 'serve.yaml'), 'ratePerMinute: 3\ntrustedProxies: [127.0.0.1]\n');
    const slow = await startServer(desk, ['--policies', 'slow/policies']);
    const answers: Answer[] = [];
    for (let i = 0; i < 6; i++) answers.push(await ask(`${slow.url}/v1/health`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429, 429, 429]);
    expect(Number(answers[5]?.headers.get('retry-after'))).toBeGreaterThan(0);
    // Behind a proxy that is declared, each address by itself; and a person, wherever they ask from.
    const from = (address: string, person: string) =>
      ask(`${slow.url}/v1/approvals`, {
        headers: { ...ownBearer(desk, person, slow.audience), 'x-forwarded-for': `10.9.9.9, ${address}` },
      });
    const bob = [];
    for (let i = 0; i < 5; i++) bob.push((await from(`198.51.100.${i}`, 'bob')).status);
    expect(bob).toEqual([200, 200, 200, 429, 429]);
    expect((await from('198.51.100.9', 'alice')).status).toBe(200);
    // Whoever only names somebody uses up nobody's turns.
    for (let i = 0; i < 5; i++) expect((await from(`203.0.113.${i}`, 'eve')).status).toBe(401);
    expect(await stopServer(slow)).toBe(143);
    await expect(ask(`${slow.url}/v1/health`)).rejects.toThrow();
  });
});

describe('a decision over HTTP is refused', () => {
  let one: Waiting;
  beforeAll(async () => {
    one = await startWaiting(desk);
  });
  afterAll(async () => {
    expect((await desk.json(['approvals', 'show', one.approval])).value).toMatchObject({ state: 'pending' });
    expect(decisionsOf(one.run)).toEqual([]);
  });
  const good = (): Record<string, unknown> => ({ decision: 'approve', digest: one.digest });

  it('without identity: 401', async () => {
    const answer = await decide(server, one.approval, good());
    expect(answer).toMatchObject({ status: 401, body: { error: { code: 'POLICY_IDENTITY_UNKNOWN' } } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('whatever name is in the body (approver named in the request body is believed)', async () => {
    for (const field of ['approver', 'by', 'user', 'sub', 'principal', '__proto__']) {
      const text = `{"decision":"approve","digest":"${one.digest}","${field}":"user:bob"}`;
      expect((await decide(server, one.approval, text)).status).toBe(400);
      expect((await decide(server, one.approval, text, await bearer('u-alice'))).status).toBe(400);
    }
    const header = { ...(await bearer('u-alice')), 'x-forwarded-user': 'bob', 'x-remote-user': 'user:bob' };
    expect((await decide(server, one.approval, good(), header)).status).toBe(403);
  });

  it.each<[string, string, number, string]>([
    ['the one who started the run, who is no reviewer', 'u-alice', 403, 'APPROVAL_NOT_ELIGIBLE'],
    ['somebody for whom a token is not enough', 'u-carol', 403, 'APPROVAL_SIGNATURE_INVALID'],
    ['somebody who may not even read it', 'u-olivia', 404, 'NOT_FOUND'],
    ['somebody whom approvers.yaml does not name', 'u-nobody', 401, 'POLICY_IDENTITY_UNKNOWN'],
  ])('to %s', async (_, sub, status, code) => {
    const answer = await decide(server, one.approval, good(), await bearer(sub));
    expect(answer).toMatchObject({ status, body: { error: { code } } });
  });

  it('for a digest that is not that of the request: 409', async () => {
    const digest = `${one.digest.slice(0, 63)}${one.digest.endsWith('0') ? '1' : '0'}`;
    const answer = await decide(server, one.approval, { decision: 'approve', digest }, await bearer());
    expect(answer).toMatchObject({ status: 409, body: { error: { code: 'APPROVAL_DIGEST_MISMATCH' } } });
  });

  it('for an id nobody has, and in the same words for one that is not theirs', async () => {
    const unknown = await decide(server, `apr_${'a'.repeat(26)}`, good(), await bearer('u-olivia'));
    const unreadable = await decide(server, one.approval, good(), await bearer('u-olivia'));
    expect([unknown.status, unknown.text]).toEqual([unreadable.status, unreadable.text]);
    const odd = await decide(server, '..%2f..%2fetc', good(), await bearer());
    expect(odd.status).toBe(404);
  });

  it('by a signature that does not hold, as for a request that is not there', async () => {
    const body = await signed(one);
    const signature = body['signature'] as Record<string, string>;
    const hint = expect.stringContaining('sign id, digest, decision');
    const refused = { status: 401, body: { error: { code: 'APPROVAL_SIGNATURE_INVALID', hint } } };
    const value = Buffer.alloc(64, 1).toString('base64');
    const before = entriesOf(desk, one.run).length;
    expect(await decide(server, one.approval, { ...body, signature: { ...signature, value } })).toMatchObject(
      refused,
    );
    expect(await decide(server, one.approval, { ...body, decision: 'deny' })).toMatchObject(refused);
    expect(await decide(server, `apr_${'a'.repeat(26)}`, body)).toMatchObject(refused);
    // Signed with bob's key, and said to be alice's.
    const alice = await signed(one, 'alice');
    const keyId = (alice['signature'] as { keyId: string }).keyId;
    expect(await decide(server, one.approval, { ...body, signature: { ...signature, keyId } })).toMatchObject(
      refused,
    );
    // A key that nobody is enrolled with.
    expect((await decide(server, one.approval, await signed(one, 'eve'))).status).toBe(401);
    // Nobody can fill the log in somebody else's name.
    expect(entriesOf(desk, one.run)).toHaveLength(before);
  });

  it('by a signature older than five minutes, or from later', async () => {
    for (const atMs of [Date.now() - 301_000, Date.now() + 320_000]) {
      expect((await decide(server, one.approval, await signed(one, 'bob', 'approve', { atMs }))).status).toBe(
        401,
      );
    }
  });

  it('when token and signature are of two people', async () => {
    const answer = await decide(server, one.approval, await signed(one), await bearer('u-alice'));
    expect(answer.status).toBe(403);
  });

  it('by a token of the own key alone: that says who asks, and is no vote', async () => {
    const answer = await decide(server, one.approval, good(), ownBearer(desk, 'bob', server.audience));
    expect(answer).toMatchObject({ status: 403, body: { error: { code: 'APPROVAL_SIGNATURE_INVALID' } } });
  });

  it.each<[string, string]>([
    ['no JSON', '{'],
    ['two values of one key', `{"decision":"deny","decision":"approve","digest":"${'a'.repeat(64)}"}`],
    ['a list', '[]'],
    ['null', 'null'],
    ['nothing', ''],
    ['no decision', `{"digest":"${'a'.repeat(64)}"}`],
    ['another word', `{"decision":"APPROVE","digest":"${'a'.repeat(64)}"}`],
    ['no digest', '{"decision":"approve"}'],
    ['the beginning of a digest', '{"decision":"approve","digest":"abcd"}'],
    ['a digest in upper case', `{"decision":"approve","digest":"${'A'.repeat(64)}"}`],
    ['a digest that is a list', `{"decision":"approve","digest":["${'a'.repeat(64)}"]}`],
    [
      'a reason of 2,001 characters',
      `{"decision":"deny","digest":"${'a'.repeat(64)}","reason":"${'x'.repeat(2001)}"}`,
    ],
    ['deep nesting', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    ['bytes that are no UTF-8', '{"decision":"approve\ud800"}'],
  ])('with %s as body: 400', async (_, body) => {
    const answer = await decide(server, one.approval, body, await bearer());
    expect(answer.status).toBe(400);
    expect(answer.text).not.toMatch(/node:|\.ts:|\.js:|at .*\(/u);
  });

  it('without Idempotency-Key, and with one that is none: 400', async () => {
    for (const key of ['', 'a b', 'x'.repeat(256)]) {
      const headers = { ...(await bearer()), 'idempotency-key': key };
      expect((await decide(server, one.approval, good(), headers)).status).toBe(400);
    }
  });

  it('above 64 KiB: 413, said and unsaid', async () => {
    const large = `{"decision":"approve","digest":"${'a'.repeat(70_000)}"}`;
    expect((await decide(server, one.approval, large, await bearer())).status).toBe(413);
    const headers = { ...(await bearer()), 'idempotency-key': 'chunked' };
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(
        `${server.url}/v1/approvals/${one.approval}/decisions`,
        { method: 'POST', headers },
        (response) => resolve(response.resume().statusCode),
      );
      request.on('error', reject);
      request.write('x'.repeat(40_000));
      request.write('x'.repeat(40_000));
      request.end();
    });
    expect(status).toBe(413);
  });
});

describe('a bearer token', () => {
  const list = async (token: string) =>
    ask(`${server.url}/v1/approvals`, { headers: { authorization: `Bearer ${token}` } });
  const now = (): number => Math.floor(Date.now() / 1000);

  it('is accepted from the pinned provider, and from an enrolled key for this server', async () => {
    expect((await list(await provider.token())).status).toBe(200);
    const own = ownBearer(desk, 'bob', server.audience);
    expect((await ask(`${server.url}/v1/approvals`, { headers: own })).status).toBe(200);
    const { stdout } = await desk.run(['keys', 'token', 'bob.key', '--audience', server.audience]);
    expect((await list(stdout.trim())).status).toBe(200);
  });

  it.each<[string, () => Record<string, unknown>]>([
    ['of another issuer', () => ({ iss: 'https://evil.example.com' })],
    ['for another audience', () => ({ aud: 'somebody-else' })],
    ['that has ended', () => ({ iat: now() - 200, exp: now() - 100 })],
    ['that is not valid yet', () => ({ nbf: now() + 300 })],
    [
      'issued more than ten minutes ago, however long it lives',
      () => ({ iat: now() - 700, exp: now() + 9_000 }),
    ],
    ['from the future', () => ({ iat: now() + 300, exp: now() + 900 })],
    ['without end', () => ({ exp: undefined })],
    ['without time of issue', () => ({ iat: undefined })],
    ['without subject', () => ({ sub: undefined })],
    ['of the issuer of own keys', () => ({ iss: 'writ:key' })],
    ['that names somebody by e-mail', () => ({ sub: undefined, email: 'bob@example.com', name: 'bob' })],
  ])('%s is none', async (_, claims) => {
    expect((await list(await provider.token(claims()))).status).toBe(401);
  });

  it('with another algorithm is none: none, HS256 by the public key, another key', async () => {
    const [, claims = ''] = (await provider.token()).split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    expect((await list(`${none}.${claims}.`)).status).toBe(401);
    const hmac = await provider.token({}, { alg: 'HS256', key: new TextEncoder().encode(provider.jwks) });
    expect((await list(hmac)).status).toBe(401);
    const other = await newProvider();
    expect((await list(await other.token())).status).toBe(401);
    expect((await list(await provider.token({}, { kid: 'k2' }))).status).toBe(401);
  });

  it('of an own key is none for another server, when it has ended, or by a key nobody has', async () => {
    const headers = [
      ownBearer(desk, 'bob', 'https://other.example.com'),
      ownBearer(desk, 'bob', server.audience, Date.now() - 400_000),
      ownBearer(desk, 'eve', server.audience),
    ];
    for (const one of headers)
      expect((await ask(`${server.url}/v1/approvals`, { headers: one })).status).toBe(401);
  });

  it.each(['', 'x', 'a.b.c', '...', `${'a'.repeat(9_000)}.b.c`])('%# is none', async (token) => {
    const { status, text } = await list(token);
    expect(status).toBe(401);
    expect(text).not.toMatch(/jose|JWT|stack/u);
  });
});

describe('reading over HTTP', () => {
  it('shows what the caller may see, and nothing of the input in the list', async () => {
    const one = await startWaiting(desk);
    const { body, headers } = await ask(`${server.url}/v1/approvals?state=pending&run=${one.run}`, {
      headers: await bearer(),
    });
    expect(body).toMatchObject({
      approvals: [{ id: one.approval, subjectDigest: one.digest, state: 'pending' }],
      cursor: null,
    });
    expect(JSON.stringify(body)).not.toContain('amount');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
    const others = await ask(`${server.url}/v1/approvals`, { headers: await bearer('u-olivia') });
    expect(others.body).toEqual({ approvals: [], cursor: null });
    const seen = await show(one.approval, await bearer());
    expect(seen).toMatchObject({
      subjectDigest: one.digest,
      votes: [],
      demandedBy: expect.any(Array) as unknown,
    });
    expect(seen['display']).toEqual(expect.arrayContaining([expect.stringContaining('function')]));
  });

  it('never changes anything: every GET, HEAD and OPTIONS leaves the log as it was (link scanners)', async () => {
    const one = await startWaiting(desk);
    const before = entriesAbout(desk, one.run);
    const paths = [
      '',
      `/${one.approval}`,
      `/${one.approval}/decisions?decision=approve&digest=${one.digest}`,
    ];
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE', 'PUT', 'PATCH']) {
      for (const path of paths) {
        const { status, headers } = await ask(`${server.url}/v1/approvals${path}`, {
          method,
          headers: { ...(await bearer()), origin: 'https://evil.example.com' },
        });
        expect(status).toBeLessThan(500);
        expect(headers.get('access-control-allow-origin')).toBeNull();
      }
    }
    expect(entriesAbout(desk, one.run)).toEqual(before);
  });

  it('goes on after the last of a page, and refuses a cursor or state that is none', async () => {
    const headers = await bearer();
    for (const query of ['cursor=1', 'cursor=x-apr_a', 'state=open', 'state=pending,']) {
      expect((await ask(`${server.url}/v1/approvals?${query}`, { headers })).status).toBe(400);
    }
    const { body } = await ask(`${server.url}/v1/approvals`, { headers });
    const { approvals } = body as { approvals: { id: string; createdAt: string }[] };
    const [first, second] = approvals;
    const cursor = `${Date.parse(first?.createdAt ?? '')}-${first?.id}`;
    const next = await ask(`${server.url}/v1/approvals?cursor=${cursor}`, { headers });
    expect((next.body as { approvals: { id: string }[] }).approvals[0]?.id).toBe(second?.id);
  });

  it('streams events, and goes on after the last one that was seen', async () => {
    const one = await startWaiting(desk);
    const headers = await bearer();
    const url = `${server.url}/v1/approvals/${one.approval}/events`;
    const streaming = ask(url, { headers });
    await decide(server, one.approval, { decision: 'deny', digest: one.digest }, headers);
    const whole = await streaming;
    expect(whole.headers.get('content-type')).toContain('text/event-stream');
    const types = [...whole.text.matchAll(/^event: (.*)$/gmu)].map(([, type]) => type);
    expect(types).toEqual(['approval.requested', 'approval.decided']);
    const [first] = [...whole.text.matchAll(/^id: (.*)$/gmu)].map(([, id = '']) => id);
    const rest = await ask(url, { headers: { ...headers, 'last-event-id': first ?? '' } });
    expect([...rest.text.matchAll(/^event: (.*)$/gmu)].map(([, type]) => type)).toEqual(['approval.decided']);
    expect((await ask(url, { headers: { ...headers, 'last-event-id': 'x' } })).status).toBe(400);
    expect((await ask(url, { headers: await bearer('u-olivia') })).status).toBe(404);
    // A stream that nobody reads is none: however often only its head is asked for, there is room for another.
    for (let i = 0; i < 300; i++) expect((await ask(url, { method: 'HEAD', headers })).status).toBe(200);
    expect((await ask(url, { headers })).status).toBe(200);
  });
});
