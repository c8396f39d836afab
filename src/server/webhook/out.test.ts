import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  answered,
  HOUR,
  outboxOf,
  request as record,
  requested as event,
  SECRET,
  T0,
} from '../../../test/server/channel-samples.js';
import { openServeState, type ServeState } from '../../adapters/store/serve-state.js';
import { verifyWebhook } from '../../approval/webhook.js';
import type { ApprovalEvent } from '../../runtime/approval/outbox.js';
import type { ApprovalRecord } from '../../runtime/ports.js';
import type { ApprovalView } from '../../runtime/writ.js';
import type { ChannelOut } from '../serve-config.js';
import type { EndpointAnswer, EndpointRequest } from './endpoint.js';
import { WritError } from '../../errors.js';
import { collectEvents, deliverDue, webhookId, type DeliverParts } from './out.js';
import { nextAttemptMs, RETRY_AFTER_MS } from './schedule.js';

const OUT: ChannelOut = {
  url: 'https://hooks.example.com/writ',
  events: ['approval.requested', 'approval.decided'],
  sign: ['relay'],
  includeInput: false,
  linksFor: null,
};

let folder: string;
let state: ServeState;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-serve-'));
  state = openServeState(join(folder, 'serve.db'));
});
afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true, force: true });
});

type Answer = Partial<EndpointAnswer> | Error;

interface Trial extends DeliverParts {
  readonly asked: EndpointRequest[];
  at(nowMs: number): void;
  /** Collects, then delivers what is due. */
  go(): Promise<number>;
}

function trial(
  events: readonly (ApprovalEvent | null)[],
  answers: (n: number) => Answer,
  out: Partial<ChannelOut> = {},
): Trial {
  let now = T0;
  const asked: EndpointRequest[] = [];
  const view = { subject: { input: { amount: 7, note: 'x'.repeat(10) } } } as unknown as ApprovalView;
  const parts: DeliverParts = {
    writ: { origin: 'log.example', outbox: outboxOf(events), approval: async () => view },
    state,
    channels: [{ name: 'relay', out: { ...OUT, ...out }, in: null }],
    url: 'https://writ.example.com',
    secret: (name) => (name === 'relay' ? Buffer.from(SECRET) : null),
    random: { bytes: (n) => new Uint8Array(n) },
    ask: async (request) => {
      asked.push(request);
      const answer = answers(asked.length);
      if (answer instanceof Error) throw answer;
      return answered(answer);
    },
    told: () => undefined,
    nowMs: () => now,
  };
  return {
    ...parts,
    asked,
    at: (nowMs) => {
      now = nowMs;
    },
    async go() {
      while (await collectEvents(parts)) continue;
      return deliverDue(parts, new AbortController().signal);
    },
  };
}

const bodyOf = (request: EndpointRequest | undefined): Record<string, unknown> =>
  JSON.parse(Buffer.from(request?.body ?? []).toString()) as Record<string, unknown>;

describe('a webhook that goes out', () => {
  it('is signed over exactly its bytes, with id, time and no input', async () => {
    const one = trial([event(0n)], () => ({}));
    expect(await one.go()).toBe(1);
    const [request] = one.asked;
    const verdict = verifyWebhook({
      keys: SECRET,
      headers: request?.headers ?? {},
      body: request?.body ?? '',
      nowSeconds: T0 / 1000,
    });
    expect(verdict).toMatchObject({
      ok: true,
      id: webhookId('log.example', { channel: 'relay', event: 0n }),
    });
    expect(bodyOf(request)).toEqual({
      type: 'approval.requested',
      timestamp: '2026-01-31T12:00:00.000Z',
      data: {
        id: record(0).id,
        run: 'run_1',
        stepPath: 'Pay',
        function: 'tool::wasm',
        subjectDigest: 'd'.repeat(64),
        expiresAt: new Date(T0 + 200 * HOUR).toISOString(),
        link: `https://writ.example.com/v1/approvals/${record(0).id}`,
      },
    });
    expect(await one.go()).toBe(0);
  });

  it('tells only the events that the channel wants, each once, and who decided', async () => {
    const decided = { approver: 'user:bob', decision: 'deny' };
    const events = [
      null,
      event(1n),
      event(2n, { type: 'approval.consumed' }),
      event(3n, { type: 'approval.decided', decided }),
    ];
    const one = trial(events, () => ({}));
    await one.go();
    await one.go();
    expect(one.asked.map((request) => bodyOf(request)['type'])).toEqual([
      'approval.requested',
      'approval.decided',
    ]);
    expect(bodyOf(one.asked[1])['data']).toMatchObject(decided);
  });

  it('is tried again on the published schedule, with the same id, and ten times at most', async () => {
    const one = trial([event(0n)], () => ({ status: 500 }));
    const times: number[] = [];
    for (let now = T0, tries = 0; tries < 20; tries++) {
      one.at(now);
      if ((await one.go()) === 1) times.push((now - T0) / 1000);
      const due = state.deliveries(1)[0]?.dueMs;
      if (due == null) break;
      one.at(due - 1);
      expect(await one.go()).toBe(0);
      now = due;
    }
    const waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    expect(RETRY_AFTER_MS.map((ms) => ms / 1000)).toEqual(waits);
    expect(times).toEqual(waits.reduce<number[]>((sums, wait) => [...sums, (sums.at(-1) ?? 0) + wait], [0]));
    expect(new Set(one.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(state.deliveries(9)).toMatchObject([{ attempts: 10, dueMs: null }]);
  });

  it('waits a little longer by chance, up to a tenth', () => {
    const most = { bytes: () => Uint8Array.of(255) };
    expect(nextAttemptMs(1, 0, most)).toBe(5_500);
    expect(nextAttemptMs(9, 0, most)).toBe(26.4 * HOUR);
    expect(nextAttemptMs(10, 0, most)).toBeNull();
  });

  it('to a channel that is new is of what still waits, and of all that comes', async () => {
    const over = record(undefined, { id: `apr_${'b'.repeat(26)}`, state: 'consumed' });
    const decided = { approver: 'user:bob', decision: 'approve' } as const;
    const events = [
      event(0n, { record: over }),
      event(1n),
      event(2n, { type: 'approval.decided', record: over, decided }),
    ];
    const one = trial(events, () => ({}));
    const later = event(3n, { type: 'approval.decided', decided });
    const parts = { ...one, writ: { ...one.writ, outbox: outboxOf(events, 3) } };
    while (await collectEvents(parts)) continue;
    while (await collectEvents({ ...parts, writ: { ...one.writ, outbox: outboxOf([...events, later], 3) } }))
      continue;
    expect(state.deliveries(9).map((row) => row.event)).toEqual(['3', '1']);
  });

  it('is never sent once the request has expired, border included', async () => {
    const expiresAtMs = T0 + 5_000;
    const one = trial([event(0n, { record: record(expiresAtMs) })], () => ({ status: 503 }));
    await one.go();
    one.at(expiresAtMs);
    expect(await one.go()).toBe(0);
    expect(state.deliveries(1)).toMatchObject([{ attempts: 1, dueMs: null }]);
    const late = trial([null, event(1n, { record: record(T0) })], () => ({}));
    await late.go();
    expect(late.asked).toEqual([]);
  });

  it('does not follow a redirect: that is a failure', async () => {
    const one = trial([event(0n)], () => ({ status: 302 }));
    await one.go();
    expect(one.asked).toHaveLength(1);
    expect(state.deliveries(1)).toMatchObject([{ outcome: 'answered 302', attempts: 1 }]);
  });

  it('ends for an endpoint that is gone (410), until it has another URL', async () => {
    const one = trial([event(0n), event(1n)], (n) => ({ status: n === 1 ? 410 : 204 }));
    await one.go();
    const sent = one.asked.length;
    one.at(T0 + 48 * HOUR);
    await one.go();
    expect(one.asked).toHaveLength(sent);
    const moved = trial([event(0n), event(1n), event(2n)], () => ({}), {
      url: 'https://hooks.example.com/new',
    });
    await moved.go();
    expect(moved.asked.map(({ url }) => url)).toContain('https://hooks.example.com/new');
  });

  it('waits as long as a busy endpoint asks', async () => {
    const one = trial([event(0n)], () => ({ status: 429, retryAfter: '3600' }));
    await one.go();
    expect(state.deliveries(1)[0]?.dueMs).toBe(T0 + HOUR);
  });

  it('that an interrupted process was about to send is due again, and counted', async () => {
    const killed = trial([event(0n)], () => {
      // As seen by the process that starts after this one was killed in the middle.
      expect(state.deliveries(1)).toMatchObject([{ attempts: 1, outcome: 'under way', dueMs: T0 + 5_000 }]);
      return new Error('killed');
    });
    await killed.go();
  });

  it('tells whom an escalation asks, when its time has come and the request still waits', async () => {
    const waits: ApprovalRecord = {
      ...record(T0 + 10 * HOUR),
      createdAtMs: T0,
      state: 'pending',
      quorum: [
        {
          role: 'role:reviewer',
          n: 1,
          escalation: [
            { afterSeconds: 7_200, notifyRoles: ['role:head'], addRoles: ['role:head'] },
            { afterSeconds: 3_600, notifyRoles: ['role:deputy'], addRoles: [] },
          ],
        },
      ],
    };
    const out = { events: ['approval.escalated'] } as const;
    const one = trial([event(0n, { record: waits })], () => ({}), out);
    expect(await one.go()).toBe(0);
    one.at(T0 + HOUR - 1);
    expect(await one.go()).toBe(0);
    one.at(T0 + HOUR);
    await one.go();
    one.at(T0 + 2 * HOUR);
    await one.go();
    await one.go();
    expect(one.asked.map((request) => bodyOf(request))).toMatchObject([
      { type: 'approval.escalated', data: { stage: 1, notifyRoles: ['role:deputy'], addRoles: [] } },
      { type: 'approval.escalated', data: { stage: 2, notifyRoles: ['role:head'], addRoles: ['role:head'] } },
    ]);
    expect(new Set(one.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
    // Decided meanwhile: nobody else is asked. A channel that does not want it is told nothing of it.
    const decided = trial([null, event(1n, { record: { ...waits, state: 'denied' } })], () => ({}), out);
    decided.at(T0 + 2 * HOUR);
    await decided.go();
    expect(decided.asked).toEqual([]);
  });

  it('is loud about an emergency, and tells that somebody has looked at it', async () => {
    const review = { dueAtMs: T0 + 24 * HOUR, closedBy: null, closedAtMs: null };
    const of: ApprovalRecord = { ...record(T0 + HOUR), state: 'consumed', review };
    const decided = { approver: 'user:carol', decision: 'approve', breakGlass: true } as const;
    const events = [
      event(0n, { type: 'approval.decided', record: of, decided }),
      event(1n, { type: 'approval.reviewed', record: of, reviewer: 'user:audrey' }),
    ];
    const one = trial(events, () => ({}), { events: ['approval.decided', 'approval.reviewed'] });
    await one.go();
    expect(bodyOf(one.asked[0])['data']).toMatchObject({
      breakGlass: true,
      reviewDueAt: '2026-02-01T12:00:00.000Z',
    });
    expect(bodyOf(one.asked[1])).toMatchObject({
      type: 'approval.reviewed',
      data: { reviewer: 'user:audrey' },
    });
  });

  it('has keys of a rotation: each signs', async () => {
    const other = `whsec_${Buffer.alloc(32, 4).toString('base64')}`;
    const one = trial([event(0n)], () => ({}), { sign: ['new', 'old'] });
    const secret = (name: string): Uint8Array => Buffer.from(name === 'new' ? other : SECRET);
    while (await collectEvents(one)) continue;
    await deliverDue({ ...one, secret }, new AbortController().signal);
    const [request] = one.asked;
    for (const keys of [SECRET, other]) {
      const given = {
        keys,
        headers: request?.headers ?? {},
        body: request?.body ?? '',
        nowSeconds: T0 / 1000,
      };
      expect(verifyWebhook(given).ok).toBe(true);
    }
  });

  it('without its key is not sent, and says which is missing', async () => {
    const one = trial([event(0n)], () => ({}), { sign: ['none'] });
    await one.go();
    expect(one.asked).toEqual([]);
    expect(state.deliveries(1)[0]?.outcome).toBe('the secret none is not known here');
  });

  it('that may not go there is a failure like any other, told in words', async () => {
    const one = trial([event(0n)], () => new WritError('POLICY_TOOL_DENIED', 'nothing is sent there'));
    await one.go();
    expect(state.deliveries(1)).toMatchObject([{ outcome: 'nothing is sent there', attempts: 1 }]);
  });

  it('brings the input where the channel says so, as long as it fits into 20 kB', async () => {
    const one = trial([event(0n)], () => ({}), { includeInput: true });
    await one.go();
    expect(bodyOf(one.asked[0])['data']).toMatchObject({ input: { amount: 7 } });
    const large = { subject: { input: 'x'.repeat(20_000) } } as unknown as ApprovalView;
    const two = trial([null, event(1n)], () => ({}), { includeInput: true });
    const writ = { ...two.writ, approval: async () => large };
    while (await collectEvents(two)) continue;
    await deliverDue({ ...two, writ }, new AbortController().signal);
    expect(bodyOf(two.asked[0])['data']).toMatchObject({ inputOmitted: true });
    expect(two.asked[0]?.body?.length).toBeLessThan(20_000);
  });

  it('brings links that only their hashes are kept of', async () => {
    const one = trial([event(0n)], () => ({}), { linksFor: 'user:bob' });
    let n = 0;
    while (await collectEvents(one)) continue;
    await deliverDue(
      { ...one, random: { bytes: (size) => new Uint8Array(size).fill(n++) } },
      new AbortController().signal,
    );
    const { links } = bodyOf(one.asked[0])['data'] as { links: { approve: string; deny: string } };
    const token = links.approve.slice('https://writ.example.com/a/'.length);
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/u);
    expect(links.deny).not.toBe(links.approve);
    expect(state.callback(token)).toBeNull();
  });
});
