// Webhooks of `writ serve`, in and out, against real HTTP peers on this host; callback links; kill -9 during delivery.
import { randomBytes } from 'node:crypto';
import { cpSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signWebhook, verifyWebhook } from '../../src/approval/webhook.js';
import { webhookPublicKey } from '../../src/approval/webhook-key.js';
import { loadPersonKey } from '../../src/adapters/keys/person-key.js';
import {
  entriesAbout,
  entriesOf,
  expectVerified,
  newDesk,
  startWaiting,
  type Desk,
  type Waiting,
} from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import {
  ask,
  newReceiver,
  ownBearer,
  setPerson,
  signedDecision,
  startServer,
  stopServer,
  type Answer,
  type Receiver,
  type Running,
} from './serving.js';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const NEW_SECRET = `whsec_${randomBytes(32).toString('base64')}`;
/** The relay's own key: it is also carol's, in approvers.yaml. */
const RELAY_KEY = `whsk_${randomBytes(32).toString('base64')}`;

let desk: Desk;
let receiver: Receiver;
let server: Running;

beforeAll(async () => {
  desk = await newDesk(hosted);
  receiver = await newReceiver();
  const publicKey = webhookPublicKey(RELAY_KEY) ?? '';
  setPerson(desk, 'user:bob', { assurance: ['key', 'token'] });
  setPerson(desk, 'user:carol', {
    keys: [`ed25519:${publicKey.slice('whpk_'.length)}`],
    assurance: ['token'],
  });
  for (const [name, value] of [
    ['relay', SECRET],
    ['relay-new', NEW_SECRET],
  ] as const) {
    expect(await desk.run(['secrets', 'set', name], { input: value })).toMatchObject({ code: 0 });
  }
  writeFileSync(
    desk.at('serve.yaml'),
    [
      'url: https://writ.example.com',
      'ratePerMinute: 1000000',
      'channels:',
      '  told:',
      `    out: { url: "${receiver.url}/hook", sign: [relay-new, relay], linksFor: "user:bob" }`,
      '  relay:',
      '    in: { secrets: [relay, relay-new] }',
      '  desk:',
      `    in: { publicKeys: ["${publicKey}"] }`,
    ].join('\n'),
  );
  server = await startServer(desk, ['--allow-loopback-webhooks']);
});

afterAll(async () => {
  await stopServer(server);
  await expectVerified(desk);
  await receiver.close();
  desk.remove();
});

let count = 0;

interface Sent {
  readonly channel?: string;
  readonly key?: string;
  readonly id?: string;
  readonly timestamp?: number;
  readonly headers?: Record<string, string>;
}

function hook(body: unknown, sent: Sent = {}): Promise<Answer> {
  const {
    channel = 'relay',
    key = SECRET,
    id = `msg_${count++}`,
    timestamp = Math.floor(Date.now() / 1000),
  } = sent;
  const text = JSON.stringify(body);
  const headers = { ...signWebhook({ key, id, timestamp, body: text }), ...sent.headers };
  return ask(`${server.url}/v1/webhooks/approvals/${channel}`, { method: 'POST', headers, body: text });
}

async function signed(one: Waiting, decision: 'approve' | 'deny' = 'deny'): Promise<Record<string, unknown>> {
  const headers = ownBearer(desk, 'bob', server.audience);
  const { body } = await ask(`${server.url}/v1/approvals/${one.approval}`, { headers });
  const { expiresAt } = body as { expiresAt: string };
  return { approvalId: one.approval, ...signedDecision(desk, 'bob', one, decision, expiresAt) };
}

const decided = (run: string) => entriesOf(desk, run).filter(({ type }) => type === 'approval.decided');

/** The links that the receiver was sent for a request. */
async function linksOf(one: Waiting): Promise<{ approve: string; deny: string }> {
  for (let n = 1; ; n++) {
    await receiver.got(n);
    const { type, data } = JSON.parse(receiver.received[n - 1]?.body ?? '{}') as {
      type: string;
      data: { id: string; links: { approve: string; deny: string } };
    };
    if (type !== 'approval.requested' || data.id !== one.approval) continue;
    const local = (link: string): string => link.replace('https://writ.example.com', server.url);
    return { approve: local(data.links.approve), deny: local(data.links.deny) };
  }
}

describe('a webhook that comes in', () => {
  it(
    'brings the decision that the person has signed, once: 10,000 replays are accepted 0 times',
    { timeout: 900_000 },
    async () => {
      const one = await startWaiting(desk);
      const body = await signed(one);
      const id = 'msg_replayed';
      expect(await hook(body, { id })).toMatchObject({
        status: 201,
        body: { state: 'denied', approver: 'user:bob' },
      });
      let accepted = 0;
      for (let i = 0; i < 500; i++) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => hook(body, { id })));
        accepted += answers.filter(({ status }) => status < 300).length;
      }
      expect(accepted).toBe(0);
      expect(decided(one.run)).toHaveLength(1);
      // Also by a process that knows nothing of the first: what was received is in the store.
      await stopServer(server);
      server = await startServer(desk, ['--allow-loopback-webhooks']);
      expect((await hook(body, { id })).status).toBe(409);
    },
  );

  it('decides nothing by itself: names in its body are no fields, its signature is the relay’s', async () => {
    const one = await startWaiting(desk);
    const body = { approvalId: one.approval, decision: 'approve', digest: one.digest };
    expect(await hook(body)).toMatchObject({
      status: 403,
      body: { error: { code: 'APPROVAL_NOT_ELIGIBLE' } },
    });
    expect((await hook({ ...body, approver: 'user:bob' })).status).toBe(400);
    expect((await hook({ ...body, idToken: 'a.b.c' })).status).toBe(401);
    expect((await hook({ ...body, token: 'x' })).status).toBe(403);
    expect(decided(one.run)).toEqual([]);
    // The key of this channel is carol's own: what it signs is her vote.
    const mine = await hook(body, { channel: 'desk', key: RELAY_KEY });
    expect(mine).toMatchObject({ status: 201, body: { approver: 'user:carol', state: 'approved' } });
  });

  it('HOLE: once refused, is a replay from then on, whatever its body says: who votes again needs a new id', async () => {
    const one = await startWaiting(desk);
    const good = await signed(one);
    const refused = [
      [{ ...good, digest: '0'.repeat(64) }, 'APPROVAL_DIGEST_MISMATCH'],
      [{ ...good, approver: 'user:bob' }, 'INPUT_INVALID'],
      [{ approvalId: one.approval, decision: 'deny', digest: one.digest }, 'APPROVAL_NOT_ELIGIBLE'],
      [{ ...good, signature: undefined, idToken: 'a.b.c' }, 'POLICY_IDENTITY_UNKNOWN'],
    ] as const;
    const codeOf = ({ body }: Answer) => (body as { error?: { code: string } }).error?.code;
    for (const [at, [body, code]] of refused.entries()) {
      const id = `msg_refused_${at}`;
      expect(codeOf(await hook(body, { id }))).toBe(code);
      for (const again of [body, good]) {
        const answer = await hook(again, { id });
        expect([code, answer.status, codeOf(answer)]).toEqual([code, 409, 'APPROVAL_WEBHOOK_INVALID']);
      }
    }
    expect(decided(one.run)).toEqual([]);
    expect((await hook(good)).status).toBe(201);
  });

  it('is refused in one way, whatever is wrong with it', async () => {
    const one = await startWaiting(desk);
    const body = await signed(one);
    const now = Math.floor(Date.now() / 1000);
    const other = `whsec_${randomBytes(32).toString('base64')}`;
    const answers = [
      await hook(body, { key: other }),
      await hook(body, { channel: 'told' }),
      await hook(body, { channel: 'nobody' }),
      await hook(body, { channel: 'desk' }),
      await hook(body, { key: RELAY_KEY }),
      await hook(body, { timestamp: now - 330 }),
      await hook(body, { timestamp: now + 330 }),
      await hook(body, { headers: { 'webhook-signature': 'v1,x' } }),
      await hook(body, { headers: { 'webhook-id': 'other' } }),
      await hook(body, { headers: { 'webhook-id': '' } }),
    ];
    for (const { status, text } of answers) expect([status, text]).toEqual([401, answers[0]?.text]);
    expect(decided(one.run)).toEqual([]);
  });

  it('is accepted under both keys of a rotation', async () => {
    for (const key of [SECRET, NEW_SECRET]) {
      const one = await startWaiting(desk);
      expect((await hook(await signed(one), { key })).status).toBe(201);
    }
  });
});

describe('a webhook that goes out', () => {
  it('tells of request and decision, signed with both keys, without the input', async () => {
    const one = await startWaiting(desk);
    await linksOf(one);
    await hook(await signed(one));
    for (let n = 1; ; n++) {
      await receiver.got(n);
      const got = receiver.received[n - 1];
      if (got === undefined || !got.body.includes(one.approval) || !got.body.includes('approval.decided'))
        continue;
      const nowSeconds = Math.floor(Date.now() / 1000);
      const headers = Object.fromEntries(
        Object.entries(got.headers).map(([name, value]) => [name, String(value)]),
      );
      for (const keys of [SECRET, NEW_SECRET]) {
        expect(verifyWebhook({ keys, headers, body: got.body, nowSeconds })).toMatchObject({ ok: true });
      }
      expect(JSON.parse(got.body)).toMatchObject({ data: { decision: 'deny', approver: 'user:bob' } });
      expect(got.body).not.toContain('amount');
      break;
    }
  });

  it('comes again, under the same id, after the sender was killed in the middle (kill -9)', async () => {
    receiver.answers.push({ status: 200, hang: true });
    const before = receiver.received.length;
    const one = await startWaiting(desk);
    await receiver.got(before + 1);
    server.process.kill('SIGKILL');
    await server.process.ended;
    server = await startServer(desk, ['--allow-loopback-webhooks']);
    await receiver.got(before + 2);
    const [first, second] = receiver.received.slice(before);
    expect(first?.body).toContain(one.approval);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  });
});

describe('a callback link', () => {
  it('changes nothing when it is opened, however often (mail scanners and chat previews)', async () => {
    const one = await startWaiting(desk);
    const { approve, deny } = await linksOf(one);
    const entries = entriesAbout(desk, one.run);
    for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS', 'PUT']) {
      for (const link of [approve, deny, `${approve}?decision=approve&nonce=1`]) await ask(link, { method });
    }
    const page = await ask(approve);
    expect(page.status).toBe(200);
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page.text).toContain(one.digest);
    // Who decides by a link sees whose run it is, as at a terminal.
    expect(page.text).toMatch(/<h1>Approve this action\?<\/h1>/u);
    expect(page.text).toMatch(/in a run that user:alice\s+started/u);
    expect(page.text).not.toMatch(/https?:\/\//u);
    expect(entriesAbout(desk, one.run)).toEqual(entries);
    // A form that is not of the page decides nothing either.
    for (const body of ['', 'nonce=', 'nonce=1-' + 'a'.repeat(64)]) {
      expect((await ask(approve, { method: 'POST', body })).status).toBe(403);
    }
    expect(decided(one.run)).toEqual([]);
  });

  it('decides once by its form, for the person it was made for; used and unknown are answered alike', async () => {
    const one = await startWaiting(desk);
    const { approve, deny } = await linksOf(one);
    const nonce = /name="nonce" value="([^"]+)"/u.exec((await ask(deny)).text)?.[1] ?? '';
    const body = new URLSearchParams({ nonce, reason: 'amount is wrong' }).toString();
    // The nonce of one page is none for another.
    expect((await ask(approve, { method: 'POST', body })).status).toBe(403);
    expect(
      (await ask(deny, { method: 'POST', body, headers: { 'sec-fetch-site': 'cross-site' } })).status,
    ).toBe(403);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(deny, { method: 'POST', body })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(decided(one.run)).toMatchObject([
      { data: { approver: 'user:bob', assurance: 'token', decision: 'deny' } },
    ]);
    const unknown = await ask(`${server.url}/a/${randomBytes(32).toString('base64url')}`);
    const strip = (text: string): string => text.replace(/nonce="[^"]*"/u, '');
    for (const link of [deny, approve]) {
      const used = await ask(link);
      expect([used.status, strip(used.text)]).toEqual([404, strip(unknown.text)]);
    }
  });

  it('as a token in a webhook decides what it was made for, once', async () => {
    const one = await startWaiting(desk);
    const { deny } = await linksOf(one);
    const token = deny.split('/').at(-1) ?? '';
    const body = { approvalId: one.approval, decision: 'deny', digest: one.digest, token };
    expect((await hook({ ...body, decision: 'approve' })).status).toBe(403);
    expect(await hook(body)).toMatchObject({ status: 201, body: { approver: 'user:bob' } });
    expect((await hook(body)).status).toBe(403);
    expect(decided(one.run)).toHaveLength(1);
  });
});

describe('writ serve', () => {
  it('does not start with a serve.yaml that is wrong, and names every place', async () => {
    cpSync(desk.at('policies'), desk.at('other', 'policies'), { recursive: true });
    const serve = ['serve', '--policies', 'other/policies', '--listen', '127.0.0.1:0'];
    writeFileSync(
      desk.at('other', 'serve.yaml'),
      'url: ftp://x\nchanels: {}\nchannels:\n  a:\n    out: { url: "https://x/" }\n',
    );
    const { code, stderr } = await desk.apart().run(serve);
    expect(code).toBe(2);
    expect(stderr).toMatch(/serve\.yaml:1:6/u);
    expect(stderr).toMatch(/serve\.yaml:2:1: unknown field "chanels"; did you mean "channels"/u);
    expect(stderr).toMatch(/serve\.yaml:5:10/u);
    writeFileSync(
      desk.at('other', 'serve.yaml'),
      `channels:\n  a:\n    out: { url: "${receiver.url}", sign: [relay] }\n`,
    );
    expect(await desk.run(serve)).toMatchObject({ code: 2 });
  });

  it('survives requests that are none, and says nothing of itself', async () => {
    const { connect } = await import('node:net');
    const { port } = new URL(server.url);
    const lines = [
      'GET / HTTP/1.1\r\n\r\n',
      'GET /v1/approvals HTTP/9.9\r\nhost: x\r\n\r\n',
      'POST /v1/approvals/x/decisions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /v1/webhooks/approvals/%00 HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n',
      `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET /v1/approvals HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`,
      'GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n',
      'GET /v1/approvals/%ff%fe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      'GET //evil.example/%2e%2e/ HTTP/1.1\r\nhost: [\r\nconnection: close\r\n\r\n',
      '\u0000\u0001\u0002\r\n\r\n',
    ];
    for (let i = 0; i < 200; i++) lines.push(`${randomBytes(60).toString('latin1')}\r\n\r\n`);
    const one = await startWaiting(desk);
    const entries = entriesAbout(desk, one.run);
    const body = JSON.stringify({ decision: 'approve', digest: one.digest, approvalId: one.approval });
    const whole = (head: string, length: number | string = body.length): string =>
      `${head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nidempotency-key: k\r\ncontent-length: ${length}\r\n` +
      `authorization: Bearer ${randomBytes(30).toString('base64url')}.e30.x\r\n\r\n${body}`;
    const path = `/v1/approvals/${one.approval}/decisions`;
    lines.push(
      whole(`POST ${path}`, '5, 5'),
      whole(`POST ${path}`, '+5'),
      whole(`POST ${path}`, '5\r\ncontent-length: 6'),
      whole(`POST ${path}`, '5\r\ntransfer-encoding: identity, chunked'),
      whole(`POST ${path}`, '5\r\nTransfer-Encoding : chunked'),
      whole(`POST ${path}`, '5\r\nhost: y'),
      whole(`POST ${path}`, '5\r\n folded: x'),
      whole(`POST ${path}`, '5\r\nauthorization: Bearer other'),
      whole(`POST ${path}`, '5\r\ncontent-encoding: gzip'),
      whole(`POST ${path}`, '5\r\ncontent-type: text/plain\r\ncontent-type: application/json'),
      whole(`POST ${path}`, `5\r\n${'x: y\r\n'.repeat(4_000)}z: 1`),
      whole(`GET ${path}`),
      whole(`PRI *`),
      whole(`CONNECT ${path}`),
      whole(`POST ${path}/../../../../v1/health`),
      whole(`POST http://127.0.0.1:1${path}`),
    );
    // What is well formed, with any byte of it changed. None of it proves anybody.
    const good = [
      whole(`POST ${path}`),
      whole('POST /v1/webhooks/approvals/relay'),
      whole('GET /v1/approvals'),
    ];
    for (let i = 0; i < 600; i++) {
      const bytes = Buffer.from(good[i % good.length] ?? '');
      for (const [at, value] of [randomBytes(2), randomBytes(2)].map((two) => [
        two.readUInt16BE(0),
        two[1] ?? 0,
      ]))
        bytes[(at ?? 0) % bytes.length] = value ?? 0;
      lines.push(bytes.toString('latin1'));
    }
    const send = (line: string): Promise<string> =>
      new Promise((resolve) => {
        let read = '';
        const socket = connect(Number(port), '127.0.0.1', () => socket.end(line, 'latin1'));
        socket.on('data', (part: Buffer) => (read += part.toString()));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(read));
      });
    for (let at = 0; at < lines.length; at += 20) {
      for (const text of await Promise.all(lines.slice(at, at + 20).map(send))) {
        expect(text).not.toMatch(/node:|\.js:\d|\.ts:\d|at [A-Z]?\w+ \(/u);
        expect(text).not.toMatch(/^HTTP\/1\.1 [25]/u);
      }
    }
    expect(entriesAbout(desk, one.run)).toEqual(entries);
    expect(decided(one.run)).toEqual([]);
    expect((await ask(`${server.url}/v1/health`)).status).toBe(200);
    expect(loadPersonKey(desk.at('bob.key')).name).toBe('bob');
  });
});
