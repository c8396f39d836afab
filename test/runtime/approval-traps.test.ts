// Traps of other tools and tricks of attackers, each by the name of its class: what a decision reaches, who counts as one
// person, and what a race may bring about. The log is verified after each test.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createPersonKey, identify } from '../../src/open.js';
import { refusalOf, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const HOUR = 3_600_000;
const ONE = 'functionId: "tool::test_one", config: { amount: "{{input.amount}}" }';
const ITEMS = steps([
  'functionId: "tool::test_one", mode: fanout, items: input.list, config: { amount: "{{item}}" }, approval: async',
]);

describe('resume releases every suspended step', () => {
  it('a decision names one request: the other steps go on waiting, whatever is resumed', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, ITEMS, { list: [1, 2] });
    const [first, second, ...more] = await writ.approvals({ run: run.id, states: ['pending'] });
    expect(more).toEqual([]);
    if (first === undefined || second === undefined) throw new Error('two requests wait');
    await team.approve(writ, first);
    await writ.resume(run.id, await team.as(writ, 'alice'));
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting' });
    expect(team.functions.calls).toHaveLength(1);
    expect((await writ.approval(second.id)).record).toMatchObject({ state: 'pending', votes: [] });
    // The digest of one is none of the other.
    const stolen = { decision: 'approve', digest: first.subjectDigest, reason: null } as const;
    expect((await refusalOf(writ.decide(second.id, stolen, await team.as(writ, 'bob')))).code).toBe(
      'APPROVAL_DIGEST_MISMATCH',
    );
    await team.approve(writ, second);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls).toHaveLength(2);
  });
});

describe('refusals are forgotten, the same request comes again', () => {
  it('a denied attempt is asked for once, however often the run is driven, resumed or opened anew', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, approval: sync, errorMode: skip`]), { amount: 7 });
    await team.deny(writ, await team.pending(writ, run.id));
    await team.drive(writ, run.id);
    const other = await team.open();
    await other.resume(run.id, await team.as(other, 'alice')).catch(() => undefined);
    await team.drive(other, run.id).catch(() => undefined);
    expect(await team.facts(run.id, 'approval.requested')).toHaveLength(1);
    expect(team.functions.calls).toEqual([]);
  });
});

describe('quorum by one person', () => {
  it('with two keys is one vote: the second key says nothing that the first has not', async () => {
    const { team } = here;
    const { publicKey } = createPersonKey(path.join(team.home, 'bob-2.key'), 'bob');
    const policies = team.policiesWith('approvers.yaml', (document) => {
      const { people } = document.toJS() as { people: { id: string; keys: string[] }[] };
      const index = people.findIndex(({ id }) => id === 'user:bob');
      document.setIn(['people', index, 'keys'], [...(people[index]?.keys ?? []), publicKey]);
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, steps([`${ONE}, approval: two-person`]), { amount: 7 });
    const approval = await team.pending(writ, run.id);
    await team.approve(writ, approval, 'bob');
    const bob = await identify(writ, path.join(team.home, 'bob-2.key'));
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    const again = await writ.decide(approval.id, vote, bob);
    expect(again).toMatchObject({ state: 'pending', votes: { length: 1 } });
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting' });
    expect(team.functions.calls).toEqual([]);
  });

  it('with one key under two names is no policy at all', async () => {
    const { team } = here;
    const policies = team.policiesWith('approvers.yaml', (document) => {
      const { people } = document.toJS() as { people: { id: string; keys: string[] }[] };
      const bob = people.find(({ id }) => id === 'user:bob');
      document.setIn(['people', people.length], { id: 'user:robert', keys: bob?.keys });
    });
    expect((await refusalOf(team.open({ policies }))).code).toBe('POLICY_INVALID');
  });
});

describe('a loop of delegations', () => {
  it('makes no second voice: whoever votes for another, they and the next are one', async () => {
    const { team } = here;
    const lend = (from: string, to: string) => ({
      ...{
        from: `user:${from}`,
        to: `user:${to}`,
        notAfter: new Date(T0 + HOUR).toISOString().replace('.000Z', 'Z'),
      },
      scope: { roles: ['role:reviewer'], domains: ['default'] },
    });
    const policies = team.policiesWith('approvers.yaml', (document) => {
      document.set('delegations', [lend('bob', 'carol'), lend('carol', 'bob')]);
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, steps([`${ONE}, approval: two-person`]), { amount: 7 });
    const { id, subjectDigest: digest } = await team.pending(writ, run.id);
    const vote = { decision: 'approve', digest, reason: null } as const;
    const [bob, carol] = [await team.as(writ, 'bob'), await team.as(writ, 'carol')];
    await writ.decide(id, { ...vote, delegation: 'user:carol' }, bob);
    for (const other of [
      writ.decide(id, { ...vote, delegation: 'user:bob' }, carol),
      writ.decide(id, vote, carol),
    ])
      expect((await refusalOf(other)).code).toBe('APPROVAL_ALREADY_VOTED');
    expect((await writ.approval(id)).record).toMatchObject({ state: 'pending', votes: { length: 1 } });
    expect(team.functions.calls).toEqual([]);
  });
});

describe('revoking at the moment of the start', () => {
  it('one of both happens: it is taken back and nothing ran, or it was used and the taking back says so', async () => {
    const { team } = here;
    const [writ, other] = [await team.open(), await team.open()];
    for (let i = 0; i < 5; i++) {
      const run = await team.run(writ, steps([`${ONE}, approval: sync`]), { amount: i });
      const approval = await team.pending(writ, run.id);
      await team.approve(writ, approval);
      const before = team.functions.calls.length;
      const carol = await team.as(other, 'carol');
      const revoke = { decision: 'revoke', digest: null, reason: null } as const;
      const [, revoked] = await Promise.allSettled([
        team.drive(writ, run.id),
        other.decide(approval.id, revoke, carol),
      ]);
      const ran = team.functions.calls.length - before;
      const { state } = (await writ.approval(approval.id)).record;
      expect([state, ran, revoked.status]).toEqual(
        ran === 1 ? ['consumed', 1, 'rejected'] : ['revoked', 0, 'fulfilled'],
      );
      if (revoked.status === 'rejected') expect(revoked.reason).toMatchObject({ code: 'APPROVAL_CONSUMED' });
    }
  });
});

describe('a break-glass vote without a reason', () => {
  it('is none, by nobody, and leaves the request as it was', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, approval: sync`]), { amount: 7 });
    const { id, subjectDigest: digest } = await team.pending(writ, run.id);
    for (const name of ['bob', 'ada', 'alice']) {
      const vote = { decision: 'approve', digest, reason: null, breakGlass: true } as const;
      const refused = await refusalOf(writ.decide(id, vote, await team.as(writ, name)));
      expect(refused.code).toBe('APPROVAL_REASON_REQUIRED');
    }
    expect((await writ.approval(id)).record).toMatchObject({ state: 'pending', votes: [] });
  });
});
