// Who may decide for whom, what is changed before it is approved, what is taken back, and what stands for an approval:
// each with the attack that it must not allow. The log is verified after each test.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Document } from 'yaml';
import { loadPersonKey } from '../../src/adapters/keys/person-key.js';
import { decisionBytes } from '../../src/approval/decision.js';
import type { Json } from '../../src/json.js';
import { statisticsOf } from '../../src/runtime/approval/statistics.js';
import type { ApprovalRecord } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import { fail, interfering, refusalOf, steps, T0, useTeam, type Team } from './fixture.js';

const here = useTeam();
const HOUR = 3_600_000;
const ONE = 'functionId: "tool::test_one", config: { amount: "{{input.amount}}" }';
const GATED = steps([`${ONE}, approval: sync`]);
const BY_REVIEWERS = steps([`${ONE}, approval: { mode: sync, approverRoles: ["role:reviewer"] }`]);
const TWO = steps([`${ONE}, approval: two-person`]);

const at = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

async function waiting(text = GATED, policies?: string) {
  const { team } = here;
  const writ = await team.open(policies === undefined ? {} : { policies });
  const run = await team.run(writ, text, { amount: 7 });
  return { team, writ, run, approval: await team.pending(writ, run.id) };
}

async function expectNothingRan(runId: string): Promise<void> {
  const { team } = here;
  expect(team.functions.calls).toEqual([]);
  expect(await team.types(runId)).not.toContain('step.intended');
}

/** The same policies with one more rule. */
function withRule(policies: string, role: string, action: string): string {
  const rule = {
    id: 'MORE-1',
    effect: 'allow',
    subject: role,
    domain: 'default',
    action,
    resource: 'tool::test_*',
  };
  const document = { apiVersion: 'writ/v1', kind: 'Rules', rules: [{ ...rule, reason: 'behaviour tests' }] };
  writeFileSync(path.join(policies, 'rbac', 'more.yaml'), JSON.stringify(document));
  return policies;
}

const approvers = (edit: (document: Document) => void): string =>
  here.team.policiesWith('approvers.yaml', edit);

describe('revoking', () => {
  const revoke = async (
    team: Team,
    writ: Writ,
    { id }: ApprovalRecord,
    by: string,
  ): Promise<ApprovalRecord> =>
    writ.decide(id, { decision: 'revoke', digest: null, reason: null }, await team.as(writ, by));

  it('takes an approval back until it is used: the step never runs, whatever errorMode says', async () => {
    const text = steps([`${ONE}, approval: sync, errorMode: skip`, 'functionId: "tool::test_one"']);
    const { team, writ, run, approval } = await waiting(text);
    await team.approve(writ, approval);
    expect((await revoke(team, writ, approval, 'bob')).state).toBe('revoked');
    expect(await team.drive(writ, run.id)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      error: { code: 'APPROVAL_WITHDRAWN' },
    });
    await expectNothingRan(run.id);
    const [, revoked] = await team.facts(run.id, 'approval.decided');
    expect(revoked).toMatchObject({ decision: 'revoke', approver: 'user:bob', state: 'revoked' });
  });

  it('may who may decide it, though they did not vote; the same again changes nothing', async () => {
    const { team, writ, approval } = await waiting();
    await team.approve(writ, approval);
    const once = await revoke(team, writ, approval, 'carol');
    expect(await revoke(team, writ, approval, 'carol')).toEqual(once);
  });

  it('may not who neither voted nor may decide', async () => {
    const { team, writ, approval } = await waiting();
    await team.approve(writ, approval);
    expect(await refusalOf(revoke(team, writ, approval, 'audrey'))).toMatchObject({
      code: 'APPROVAL_NOT_ELIGIBLE',
    });
    expect((await writ.approval(approval.id)).record.state).toBe('approved');
  });

  it('comes too late once it was used, and too early before it was approved', async () => {
    const { team, writ, run, approval } = await waiting();
    expect(await refusalOf(revoke(team, writ, approval, 'bob'))).toMatchObject({ code: 'USAGE' });
    await team.approve(writ, approval);
    await team.drive(writ, run.id);
    expect(await refusalOf(revoke(team, writ, approval, 'bob'))).toMatchObject({ code: 'APPROVAL_CONSUMED' });
    expect(team.functions.calls).toHaveLength(1);
  });
});

describe('a delegation', () => {
  const lent = (change: Json = {}): string =>
    approvers((document) => {
      const base = { from: 'user:bob', to: 'user:audrey', notAfter: at(T0 + HOUR) };
      const scope = { roles: ['role:reviewer'], domains: ['default'] };
      document.set('delegations', [{ ...base, scope, ...(change as object) }]);
    });
  const voteFor = async (
    team: Team,
    writ: Writ,
    { id, subjectDigest }: ApprovalRecord,
    by: string,
    from: string,
  ) =>
    writ.decide(
      id,
      { decision: 'approve', digest: subjectDigest, reason: null, delegation: from },
      await team.as(writ, by),
    );

  it('lends a vote, which is signed and recorded as the one for the other', async () => {
    const { team, writ, run, approval } = await waiting(BY_REVIEWERS, lent());
    expect((await refusalOf(team.approve(writ, approval, 'audrey'))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    expect((await voteFor(team, writ, approval, 'audrey', 'user:bob')).state).toBe('approved');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    const [decided] = await team.facts(run.id, 'approval.decided');
    expect(decided).toMatchObject({ approver: 'user:audrey', delegation: 'user:bob', assurance: 'key' });
    // What an auditor needs to see that nobody was barred.
    expect(await team.facts(run.id, 'approval.requested')).toMatchObject([{ separationOfDuties: true }]);
  });

  it('lets who may vote for another see the request, for as long as it holds', async () => {
    const { team, writ, approval } = await waiting(BY_REVIEWERS, lent({ to: 'user:olivia' }));
    const sees = (id: string): boolean => writ.mayRead(approval, { id });
    expect([sees('user:olivia'), sees('user:ada'), sees('user:nobody')]).toEqual([true, false, false]);
    team.clock.advance(HOUR);
    expect(sees('user:olivia')).toBe(false);
  });

  it('gives one voice to both: neither votes after the other', async () => {
    const { team, writ, run, approval } = await waiting(TWO, lent());
    await voteFor(team, writ, approval, 'audrey', 'user:bob');
    const { code, message } = await refusalOf(team.approve(writ, approval, 'bob'));
    expect([code, message]).toEqual([
      'APPROVAL_ALREADY_VOTED',
      `user:audrey, for user:bob, has already voted on ${approval.id}`,
    ]);
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'pending' });
    await team.approve(writ, approval, 'carol');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
  });

  it.each<[string, Json]>([
    ['has ended at the border', { notAfter: at(T0) }],
    ['is for another domain', { scope: { roles: ['role:reviewer'], domains: ['other'] } }],
    ['does not lend the role', { scope: { roles: ['role:operator'], domains: ['default'] } }],
    ['is to somebody else', { to: 'user:olivia' }],
  ])('lends nothing when it %s', async (_, change) => {
    const { team, writ, run, approval } = await waiting(BY_REVIEWERS, lent(change));
    const error = await refusalOf(voteFor(team, writ, approval, 'audrey', 'user:bob'));
    expect(error.code).toBe('APPROVAL_NOT_ELIGIBLE');
    await team.drive(writ, run.id);
    await expectNothingRan(run.id);
  });

  it.each([
    ['none was given', undefined],
    ['it does not lend the role', { scope: { roles: ['role:operator'], domains: ['default'] } }],
  ])(
    'HOLE: a vote of its giver does not stand for it: nobody denies or revokes where %s',
    async (_, change) => {
      const { team, writ, run, approval } = await waiting(
        TWO,
        change === undefined ? undefined : lent(change),
      );
      const inBobsName = async (decision: 'deny' | 'revoke'): Promise<string> => {
        const vote = { decision, digest: null, reason: null, delegation: 'user:bob' };
        return (await refusalOf(writ.decide(approval.id, vote, await team.as(writ, 'audrey')))).code;
      };
      await team.approve(writ, approval, 'bob');
      expect(await inBobsName('deny')).toBe('APPROVAL_NOT_ELIGIBLE');
      expect((await writ.approval(approval.id)).record.state).toBe('pending');
      await team.approve(writ, approval, 'carol');
      expect(await inBobsName('revoke')).toBe('APPROVAL_NOT_ELIGIBLE');
      expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    },
  );

  it.each<[string, Json | null]>([
    ['none was given', null],
    ['it has ended', { notAfter: at(T0) }],
    ['it is to somebody else', { to: 'user:olivia' }],
    ['it is for another domain', { scope: { roles: ['role:reviewer'], domains: ['other'] } }],
    ['its giver has not the role', { scope: { roles: ['role:operator'], domains: ['default'] } }],
    [
      'the role is not what lets its giver decide',
      { scope: { roles: ['role:greeter'], domains: ['default'] } },
    ],
  ])(
    'HOLE: nobody approves in the name of somebody, where anybody of them may, when %s',
    async (_, change) => {
      const policies = change === null ? approvers(() => undefined) : lent(change);
      const roles = path.join(policies, 'roles', 'default.yaml');
      writeFileSync(roles, `${readFileSync(roles, 'utf8')}  role:greeter: [user:bob]\n`);
      const { team, writ, run, approval } = await waiting(GATED, policies);
      expect(approval.quorum).toEqual([{ role: 'role:any', n: 1 }]);
      const error = await refusalOf(voteFor(team, writ, approval, 'audrey', 'user:bob'));
      expect(error.code).toBe('APPROVAL_NOT_ELIGIBLE');
      expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting' });
      await expectNothingRan(run.id);
    },
  );

  it('is not passed on, and frees nobody from a bar', async () => {
    const chain = approvers((document) => {
      const scope = (): Json => ({ roles: ['role:reviewer'], domains: ['default'] });
      const notAfter = at(T0 + HOUR);
      document.set('delegations', [
        { from: 'user:bob', to: 'user:olivia', scope: scope(), notAfter },
        { from: 'user:olivia', to: 'user:audrey', scope: scope(), notAfter },
        { from: 'user:bob', to: 'user:alice', scope: scope(), notAfter },
      ]);
    });
    const { team, writ, approval } = await waiting(BY_REVIEWERS, chain);
    const passed = await refusalOf(voteFor(team, writ, approval, 'audrey', 'user:olivia'));
    expect(passed.code).toBe('APPROVAL_NOT_ELIGIBLE');
    // Alice has started the run: a borrowed vote is still hers.
    const own = await refusalOf(voteFor(team, writ, approval, 'alice', 'user:bob'));
    expect(own.code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
  });
});

/** After ten minutes operators may decide too. */
const escalating = (): string =>
  here.team.policiesWith('ceilings/org.yaml', (document) => {
    document.setIn(['spec', 'approval'], {
      rules: [
        {
          match: { functions: ['tool::test_one'] },
          minimum: 'sync',
          approverRoles: ['role:reviewer'],
          escalation: [{ afterSeconds: 600, notifyRoles: ['role:operator'], addRoles: ['role:operator'] }],
        },
      ],
    });
  });

describe('an escalation', () => {
  it('adds people at its time and not a millisecond before, and asks for no fewer', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withRule(escalating(), 'role:operator', 'approval.decide') });
    const run = await team.run(writ, steps([ONE]), { amount: 7 });
    const approval = await team.pending(writ, run.id);
    expect(approval.quorum).toEqual([
      {
        role: 'role:reviewer',
        n: 1,
        escalation: [{ afterSeconds: 600, notifyRoles: ['role:operator'], addRoles: ['role:operator'] }],
      },
    ]);
    team.clock.advance(600_000 - 1);
    expect((await refusalOf(team.approve(writ, approval, 'olivia'))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    team.clock.advance(1);
    expect((await team.approve(writ, approval, 'olivia')).state).toBe('approved');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
  });
});

describe('HOLE: a vote that was signed before an escalation and comes after it', () => {
  it('is refused, in place of an approval that its step does not believe', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withRule(escalating(), 'role:operator', 'approval.decide') });
    const run = await team.run(writ, steps([ONE]), { amount: 7 });
    const { id, subjectDigest, expiresAtMs } = await team.pending(writ, run.id);
    const key = loadPersonKey(path.join(team.home, 'olivia.key'));
    const signedAt = async (atMs: number): Promise<ApprovalRecord> => {
      const signature = key.sign(
        decisionBytes({
          ...{ approvalId: id, subjectDigest, decision: 'approve', approver: 'user:olivia' },
          ...{ at: new Date(atMs).toISOString(), expiresAt: new Date(expiresAtMs).toISOString() },
          ...{ reasonCommitment: null, delegation: null, breakGlass: null },
        }),
      );
      const olivia = writ.principalOfSignature(key.publicKey, signature);
      const signed = { atMs, reasonSalt: null };
      return writ.decide(id, { decision: 'approve', digest: subjectDigest, reason: null, signed }, olivia);
    };
    team.clock.advance(601_000);
    expect((await refusalOf(signedAt(T0 + 599_999))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    expect((await signedAt(T0 + 600_000)).state).toBe('approved');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
  });
});

describe('an emergency role', () => {
  const emergency = (): string => {
    const policies = approvers((document) => {
      document.set('breakGlass', { role: 'role:admin', reviewWithinHours: 24 });
    });
    return withRule(policies, 'role:admin', 'approval.breakglass');
  };
  const breakGlass = async (
    team: Team,
    writ: Writ,
    { id, subjectDigest }: ApprovalRecord,
    by: string,
    reason: string | null,
  ) =>
    writ.decide(
      id,
      { decision: 'approve', digest: subjectDigest, reason, breakGlass: true },
      await team.as(writ, by),
    );

  it('stands for any role, with a reason, and opens a review that somebody else closes', async () => {
    const { team, writ, run, approval } = await waiting(BY_REVIEWERS, emergency());
    expect((await refusalOf(breakGlass(team, writ, approval, 'ada', null))).code).toBe(
      'APPROVAL_REASON_REQUIRED',
    );
    await breakGlass(team, writ, approval, 'ada', 'the claims desk is on fire');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    const { record } = await writ.approval(approval.id);
    expect(record.review).toEqual({ dueAtMs: T0 + 24 * HOUR, closedBy: null, closedAtMs: null });
    expect(await team.facts(run.id, 'approval.decided')).toMatchObject([
      { breakGlass: true, assurance: 'key' },
    ]);
    const own = await refusalOf(writ.reviewApproval(approval.id, 'fine', await team.as(writ, 'ada')));
    expect(['APPROVAL_SEPARATION_OF_DUTIES', 'APPROVAL_NOT_ELIGIBLE']).toContain(own.code);
    const closed = await writ.reviewApproval(approval.id, 'was needed', await team.as(writ, 'carol'));
    expect(closed.review).toMatchObject({ closedBy: 'user:carol', closedAtMs: T0 });
    expect(await team.facts(run.id, 'approval.reviewed')).toMatchObject([
      { reviewer: 'user:carol', late: false },
    ]);
    expect(await writ.reviewApproval(approval.id, 'again', await team.as(writ, 'carol'))).toEqual(closed);
  });

  it('leaves two people two', async () => {
    const { team, writ, run, approval } = await waiting(TWO, emergency());
    expect((await breakGlass(team, writ, approval, 'ada', 'fire')).state).toBe('pending');
    await team.drive(writ, run.id);
    await expectNothingRan(run.id);
    expect((await team.approve(writ, approval, 'bob')).state).toBe('approved');
  });

  it('is nobody who does not hold it, and nobody at all where policy names none', async () => {
    const { team, writ, approval } = await waiting(BY_REVIEWERS, emergency());
    expect((await refusalOf(breakGlass(team, writ, approval, 'audrey', 'fire'))).code).toBe(
      'APPROVAL_NOT_ELIGIBLE',
    );
    const plain = await team.open();
    const run = await team.run(plain, BY_REVIEWERS, { amount: 7 });
    const other = await team.pending(plain, run.id);
    expect((await refusalOf(breakGlass(team, plain, other, 'ada', 'fire'))).code).toBe(
      'APPROVAL_NOT_ELIGIBLE',
    );
  });

  it('has nothing to review where nobody used it', async () => {
    const { team, writ, approval } = await waiting();
    const error = await refusalOf(writ.reviewApproval(approval.id, 'x', await team.as(writ, 'carol')));
    expect(error.code).toBe('USAGE');
  });
});

describe('a reason', () => {
  it('is whole characters, and not too many: anything else is the mistake of whoever gives it', async () => {
    const { team, writ, approval } = await waiting();
    for (const reason of ['x'.repeat(2_001), 'half \ud83d']) {
      const vote = { decision: 'deny', digest: approval.subjectDigest, reason } as const;
      const error = await refusalOf(writ.decide(approval.id, vote, await team.as(writ, 'bob')));
      expect(error).toMatchObject({ code: 'USAGE', kind: 'document' });
      const review = await refusalOf(writ.reviewApproval(approval.id, reason, await team.as(writ, 'carol')));
      expect(review.code).toBe('APPROVAL_REASON_REQUIRED');
    }
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'pending', votes: [] });
    const vote = { decision: 'deny', digest: approval.subjectDigest, reason: 'x'.repeat(2_000) } as const;
    expect((await writ.decide(approval.id, vote, await team.as(writ, 'bob'))).state).toBe('denied');
  });
});

describe('changing the input before it is approved', () => {
  const edit = async (
    team: Team,
    writ: Writ,
    { id, subjectDigest }: ApprovalRecord,
    input: Json,
    by = 'bob',
  ) => writ.editApproval(id, { digest: subjectDigest, input }, await team.as(writ, by));

  it('withdraws the request and asks for the new input, which another person approves and which then runs', async () => {
    const { team, writ, run, approval } = await waiting();
    const edited = await edit(team, writ, approval, { amount: 3 });
    expect(edited).toMatchObject({ state: 'pending', editors: ['user:bob'], attempt: 1, votes: [] });
    expect(edited.subjectDigest).not.toBe(approval.subjectDigest);
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect((await writ.approval(edited.id)).subject).toMatchObject({ input: { amount: 3 } });
    // Whoever changed it asks for it.
    expect((await refusalOf(team.approve(writ, edited, 'bob'))).code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    await team.approve(writ, edited, 'carol');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 3 }]);
    const requested = await team.facts(run.id, 'approval.requested');
    expect(requested[1]).toMatchObject({ editors: ['user:bob'], supersedes: approval.id });
    const digests = [approval.subjectDigest, edited.subjectDigest];
    expect(requested.map((one) => one['subjectDigest'])).toEqual(digests);
  });

  it('is what status names once the run was looked at, also when nobody has decided', async () => {
    const { team, writ, run, approval } = await waiting();
    const edited = await edit(team, writ, approval, { amount: 3 });
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting' });
    expect((await team.pending(writ, run.id)).id).toBe(edited.id);
    expect(team.functions.calls).toEqual([]);
    await team.deny(writ, edited, 'carol');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await expectNothingRan(run.id);
  });

  it('takes no input that a run could not hold, and says so to whoever gave it (edit nested too deep)', async () => {
    const { team, writ, run, approval } = await waiting();
    const nested = (depth: number): Json => (depth === 0 ? 1 : [nested(depth - 1)]);
    for (const input of [nested(61), nested(70), { amount: '\ud83d' }]) {
      const error = await refusalOf(edit(team, writ, approval, input));
      expect(error).toMatchObject({ code: 'USAGE', kind: 'document' });
      expect(error.message).toContain("the changed input can't be recorded");
    }
    expect((await writ.approval(approval.id)).record.state).toBe('pending');
    expect(await team.facts(run.id, 'approval.requested')).toHaveLength(1);
    expect((await edit(team, writ, approval, { amount: nested(59) })).state).toBe('pending');
  });

  /** Three people who may decide. */
  const withOlivia = (): string =>
    here.team.policiesWith('roles/default.yaml', (document) => {
      document.setIn(['members', 'role:reviewer'], ['user:bob', 'user:carol', 'user:olivia']);
    });

  it('leaves enough people to approve what was made of it (edit-makes-quorum-unreachable)', async () => {
    const pair = steps([`${ONE}, approval: { mode: sync, approverRoles: ["role:reviewer"], quorum: 2 }`]);
    const { team, writ, run, approval } = await waiting(pair);
    expect((await refusalOf(edit(team, writ, approval, { amount: 3 }))).code).toBe(
      'APPROVAL_QUORUM_UNREACHABLE',
    );
    expect((await team.pending(writ, run.id)).id).toBe(approval.id);
    // One more reviewer, and the two who are left can.
    const more = await waiting(pair, withOlivia());
    const edited = await edit(more.team, more.writ, more.approval, { amount: 3 });
    for (const name of ['carol', 'olivia']) await more.team.approve(more.writ, edited, name);
    expect(await more.team.drive(more.writ, more.run.id)).toMatchObject({ status: 'completed' });
  });

  it('may be done again, and all who did it are barred', async () => {
    const { team, writ, run, approval } = await waiting(GATED, withOlivia());
    const first = await edit(team, writ, approval, { amount: 3 });
    const second = await edit(team, writ, first, { amount: 2 }, 'carol');
    expect(second.editors).toEqual(['user:bob', 'user:carol']);
    for (const name of ['bob', 'carol']) {
      expect((await refusalOf(team.approve(writ, second, name))).code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
    }
    await team.drive(writ, run.id);
    await expectNothingRan(run.id);
  });

  it('bars who did it from every retry of that input too (edited input is retried)', async () => {
    const { team, writ, run, approval } = await waiting(
      steps([`${ONE}, approval: sync, errorMode: retry, retry: { initialMs: 0 }`]),
      withOlivia(),
    );
    team.functions.answer('tool::test_one', fail(), fail(), () => ({ ok: true }));
    let asked = await edit(team, writ, approval, { amount: 3 });
    for (const attempt of [1, 2]) {
      expect(asked).toMatchObject({ attempt, editors: ['user:bob'] });
      expect((await refusalOf(team.approve(writ, asked, 'bob'))).code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
      await team.approve(writ, asked, 'carol');
      expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting' });
      asked = await team.pending(writ, run.id);
    }
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 3 }, { amount: 3 }]);
    // Changed again by somebody else: both have had a hand in it.
    const again = await edit(team, writ, asked, { amount: 2 }, 'carol');
    expect(again.editors).toEqual(['user:bob', 'user:carol']);
  });

  it('HOLE: is of nobody whom approvers.yaml recognises by a key alone and who comes without', async () => {
    const { team, writ, run, approval } = await waiting();
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    for (const assurance of ['oidc', 'os', 'token'] as const) {
      const bob = { id: 'user:bob', assurance, publicKey: null, sign: null };
      expect((await refusalOf(writ.editApproval(approval.id, edit, bob))).code).toBe(
        'APPROVAL_SIGNATURE_INVALID',
      );
    }
    expect((await team.pending(writ, run.id)).id).toBe(approval.id);
    await expectNothingRan(run.id);
  });

  it('is refused for who may not decide, for another digest, for the same input, and after the decision', async () => {
    const { team, writ, run, approval } = await waiting();
    expect((await refusalOf(edit(team, writ, approval, {}, 'audrey'))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    expect((await refusalOf(edit(team, writ, approval, {}, 'olivia'))).code).toBe('APPROVAL_NOT_ELIGIBLE');
    const other = { ...approval, subjectDigest: 'f'.repeat(64) as ApprovalRecord['subjectDigest'] };
    expect((await refusalOf(edit(team, writ, other, {}))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    expect((await refusalOf(edit(team, writ, approval, { amount: 7 }))).code).toBe('USAGE');
    await team.approve(writ, approval);
    expect((await refusalOf(edit(team, writ, approval, { amount: 1 }, 'carol'))).code).toBe(
      'APPROVAL_ALREADY_DECIDED',
    );
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 7 }]);
  });

  it('right after a vote that it had not seen is judged by what the request is now', async () => {
    const { team, writ, run, approval } = await waiting();
    const late = await team.open({
      store: (inner) =>
        interfering(inner, 'approval.requested', async () => {
          await team.approve(writ, approval, 'carol');
        }),
    });
    const error = await refusalOf(edit(team, late, approval, { amount: 1 }));
    expect(error.code).toBe('APPROVAL_ALREADY_DECIDED');
    await team.drive(late, run.id);
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 7 }]);
  });

  it('at the moment of a vote: one of both happens, and what runs is what was approved', async () => {
    const { team, writ } = await waiting();
    for (let round = 0; round < 6; round += 1) {
      const run = await team.run(writ, GATED, { amount: 7 });
      const request = await team.pending(writ, run.id);
      const before = team.functions.calls.length;
      const acts = [
        () => edit(team, writ, request, { amount: 1 }),
        () => team.approve(writ, request, 'carol'),
      ];
      await Promise.allSettled((round % 2 === 0 ? acts : acts.reverse()).map((act) => act()));
      await team.drive(writ, run.id);
      const { state } = (await writ.approval(request.id)).record;
      expect(['withdrawn', 'consumed']).toContain(state);
      const ran = team.functions.calls.slice(before).map((call) => call.input);
      expect(ran).toEqual(state === 'consumed' ? [{ amount: 7 }] : []);
    }
  });

  it('killed before the run was looked at, is found by the next process', async () => {
    const { team, writ, run, approval } = await waiting();
    const edited = await edit(team, writ, approval, { amount: 3 });
    await team.approve(writ, edited, 'carol');
    const next = await team.open();
    expect(await team.drive(next, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 3 }]);
  });
});

describe('a grant', () => {
  const grant = (change: object = {}): string =>
    approvers((document) => {
      const subjects = ['role:adjuster'];
      const base = {
        id: 'G-1',
        functions: ['tool::test_*'],
        subjects,
        domains: ['default'],
        reason: 'small',
      };
      document.set('grants', [{ ...base, notBefore: at(T0), notAfter: at(T0 + HOUR), ...change }]);
    });

  it('stands for an approval while it holds, and the log names it', async () => {
    const { team } = here;
    const writ = await team.open({ policies: grant() });
    const run = await team.run(writ, GATED, { amount: 7 });
    expect(run.status).toBe('completed');
    expect(await team.facts(run.id, 'authz.decided')).toContainEqual(
      expect.objectContaining({ verdict: 'allow', grant: 'G-1' }),
    );
  });

  it.each<[string, object]>([
    ['has ended at the border', { notBefore: at(T0 - HOUR), notAfter: at(T0) }],
    ['has not begun', { notBefore: at(T0 + 1000) }],
    ['is for other people', { subjects: ['user:olivia'] }],
    ['is for another function', { functions: ['tool::other'] }],
    ['is for another domain', { domains: ['other'] }],
  ])('does not when it %s', async (_, change) => {
    const { run } = await waiting(GATED, grant(change));
    await expectNothingRan(run.id);
  });

  it('HOLE: that has ended is not revived by a clock that is set back', async () => {
    const { team } = here;
    const writ = await team.open({ policies: grant() });
    team.clock.set(T0 + HOUR);
    expect((await team.run(writ, GATED, { amount: 7 })).status).toBe('waiting');
    // Less than the log takes for a clock that is wrong.
    team.clock.set(T0 + HOUR - 60_000);
    const run = await team.run(writ, GATED, { amount: 8 });
    expect(run.status).toBe('waiting');
    await expectNothingRan(run.id);
  });

  it('never stands for two people or for a reason, and is gone when it is taken back', async () => {
    const { run } = await waiting(TWO, grant());
    await expectNothingRan(run.id);
    const reasoned = await waiting(
      steps([`${ONE}, approval: { mode: sync, reasonRequired: true }`]),
      grant(),
    );
    await expectNothingRan(reasoned.run.id);
    const back = await waiting(GATED);
    await expectNothingRan(back.run.id);
  });
});

describe('the statistics', () => {
  it('tell requests per run, the time of a decision, and approvals that came faster than anybody reads', async () => {
    const { team, writ, run, approval } = await waiting();
    team.clock.advance(1_999);
    await team.approve(writ, approval);
    await team.drive(writ, run.id);
    const other = await team.run(writ, GATED, { amount: 8 });
    team.clock.advance(2_000);
    await team.approve(writ, await team.pending(writ, other.id));
    expect(await writ.approvalStatistics()).toEqual({
      requests: 2,
      runs: 2,
      requestsPerRun: 1,
      votes: 2,
      medianDecisionMs: 1_999.5,
      approvals: 2,
      approvedWithin2s: 1,
      shareApprovedWithin2s: 0.5,
      breakGlass: 0,
      openReviews: 0,
    });
  });

  it('of nothing are no numbers that mean something', () => {
    expect(statisticsOf([])).toMatchObject({
      requestsPerRun: 0,
      medianDecisionMs: null,
      shareApprovedWithin2s: null,
    });
  });
});
