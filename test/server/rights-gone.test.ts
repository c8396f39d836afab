// What a link and a stream still show when the rights of their person are taken away: nothing more. And the form behind a
// link, sent with what is not its own nonce.
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { openServeState } from '../../src/adapters/store/serve-state.js';
import { addCallbackRoutes } from '../../src/server/callback-routes.js';
import { approvalEvents } from '../../src/server/events.js';
import type { Env } from '../../src/server/request.js';
import { sha256 } from '../../src/server/sha256.js';
import { steps, T0, useTeam } from '../runtime/fixture.js';

const here = useTeam();
const HOUR = 3_600_000;

async function asked() {
  const { team } = here;
  // Its people are others than those of the shipped policy tests.
  rmSync(path.join(team.policies, 'tests'), { recursive: true });
  const writ = await team.open();
  const run = await team.run(writ, steps(['functionId: "tool::test_one", approval: sync']));
  const approval = await team.pending(writ, run.id);
  const takeRightsOfBob = async (): Promise<void> => {
    const file = path.join(team.policies, 'roles', 'default.yaml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll('user:bob', 'user:ada'));
    expect(await writ.reloadPolicies()).toMatchObject({ status: 'loaded' });
  };
  return { team, writ, approval, takeRightsOfBob };
}

/** Opens, or sends, the link by which bob may deny the request; and one that nobody has made. */
async function linked() {
  const { team, writ, approval, takeRightsOfBob } = await asked();
  const token = randomBytes(32).toString('base64url');
  const state = openServeState(path.join(team.home, 'serve.db'));
  state.addCallback({
    ...{ hash: sha256(Buffer.from(token)), approval: approval.id, decision: 'deny', approver: 'user:bob' },
    ...{ subjectDigest: approval.subjectDigest, untilMs: approval.expiresAtMs },
  });
  const app = new Hono<Env>();
  const decided = () => {
    throw new Error('nothing is decided here');
  };
  addCallbackRoutes(app, { writ, state, decided, nowMs: () => team.clock.nowMs() });
  const at = async (name: string, init?: RequestInit) => {
    const answer = await app.request(`/a/${name}`, init);
    return { status: answer.status, text: (await answer.text()).replace(/nonce="[^"]*"/gu, '') };
  };
  const link = (init?: RequestInit) => at(token, init);
  return {
    link,
    unknown: () => at(token.toLowerCase()),
    approval,
    takeRightsOfBob,
    close: () => state.close(),
  };
}

describe('a link', () => {
  it('HOLE: outlives the rights of whom it was made for: it shows no more than one that never was', async () => {
    const { link, unknown, approval, takeRightsOfBob, close } = await linked();
    const before = await link();
    expect([before.status, before.text.includes(approval.subjectDigest)]).toEqual([200, true]);
    await takeRightsOfBob();
    expect(await link()).toEqual(await unknown());
    expect((await link({ method: 'POST', body: 'nonce=' })).status).toBe(404);
    close();
  });

  it('HOLE: a nonce with zeros before its time is none, and no fault of the server', async () => {
    const { link, close } = await linked();
    for (const at of [`0${T0}`, `00${T0}`, `${T0}`, `${T0 + 1}`, '0']) {
      const body = new URLSearchParams({ nonce: `${at}-${'a'.repeat(64)}` }).toString();
      expect([at, (await link({ method: 'POST', body })).status]).toEqual([at, 403]);
    }
    close();
  });
});

describe('a stream', () => {
  it('HOLE: tells nothing that comes after the rights of who listens are gone', async () => {
    const { team, writ, approval, takeRightsOfBob } = await asked();
    const events = approvalEvents(writ, approval, {
      ...{ from: 0, untilMs: T0 + HOUR, signal: new AbortController().signal },
      mayRead: (record) => writ.mayRead(record, { id: 'user:bob' }),
      nowMs: () => team.clock.nowMs(),
    });
    expect((await events.next()).value).toMatchObject({ type: 'approval.requested' });
    await takeRightsOfBob();
    await team.deny(writ, approval, 'carol');
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });
});
