// `author: true`: who wrote the workflow may not approve what its steps do, in whatever way they try. The author of a
// version is who registered it first. The log is verified after each test.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Writ } from '../../src/runtime/writ.js';
import { refusalOf, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one", config: { amount: "{{input.amount}}" }';
const BY_OTHERS = steps([`${ONE}, approval: { mode: sync, author: true }`]);
const PLAIN = steps([`${ONE}, approval: sync`]);

/** Carol registers it, Alice runs it: both may start runs, Bob and Carol may decide. */
async function written(writ: Writ, text: string) {
  const { team } = here;
  const source = { text, file: null };
  await writ.createWorkflow(source, await team.as(writ, 'carol'));
  const run = await team.run(writ, text, { amount: 7 });
  return { run, approval: await team.pending(writ, run.id) };
}

async function expectNothingRan(runId: string): Promise<void> {
  expect(here.team.functions.calls).toEqual([]);
  expect(await here.team.types(runId)).not.toContain('step.intended');
}

const tamper = (sql: string, ...values: readonly unknown[]): void => {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  } finally {
    db.close();
  }
};

describe('the author of a workflow', () => {
  it('may not approve, deny or edit where a step says author: true; another person may', async () => {
    const { team } = here;
    const writ = await team.open();
    const { run, approval } = await written(writ, BY_OTHERS);
    expect(approval.author).toBe('user:carol');
    expect(await team.facts(run.id, 'approval.requested')).toMatchObject([{ author: 'user:carol' }]);
    const carol = await team.as(writ, 'carol');
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    for (const attempt of [
      () => team.approve(writ, approval, 'carol'),
      () => team.deny(writ, approval, 'carol'),
      () => writ.editApproval(approval.id, edit, carol),
    ]) {
      expect(await refusalOf(attempt())).toMatchObject({
        code: 'APPROVAL_SEPARATION_OF_DUTIES',
        message: expect.stringContaining('user:carol wrote the workflow') as string,
      });
    }
    await expectNothingRan(run.id);
    await team.approve(writ, approval, 'bob');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('may approve where nothing says author: true', async () => {
    const { team } = here;
    const writ = await team.open();
    const { run, approval } = await written(writ, PLAIN);
    expect(approval.author).toBeUndefined();
    await team.approve(writ, approval, 'carol');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('is barred by a rule of a ceiling too, whatever the document says, and for whom they vote', async () => {
    const { team } = here;
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      const match = { functions: ['tool::test_*'] };
      document.setIn(['spec', 'approval', 'rules'], [{ match, minimum: 'sync', author: true }]);
    });
    const writ = await team.open({ policies });
    const { run, approval } = await written(writ, steps([`${ONE}, approval: { mode: sync, author: false }`]));
    expect(await refusalOf(team.approve(writ, approval, 'carol'))).toMatchObject({
      code: 'APPROVAL_SEPARATION_OF_DUTIES',
    });
    await expectNothingRan(run.id);
  });

  it('is barred when they vote for somebody else, and when somebody votes for them', async () => {
    const { team } = here;
    const policies = team.policiesWith('approvers.yaml', (document) => {
      const notAfter = new Date(T0 + 3_600_000).toISOString().replace('.000Z', 'Z');
      const lent = (from: string, to: string) => ({
        ...{ from, to, notAfter },
        scope: { roles: ['role:reviewer'], domains: ['default'] },
      });
      document.set('delegations', [lent('user:bob', 'user:carol'), lent('user:carol', 'user:audrey')]);
    });
    const writ = await team.open({ policies });
    const { run, approval } = await written(writ, BY_OTHERS);
    for (const [by, delegation] of [
      ['carol', 'user:bob'],
      ['audrey', 'user:carol'],
    ] as const) {
      const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null, delegation } as const;
      expect(await refusalOf(writ.decide(approval.id, vote, await team.as(writ, by)))).toMatchObject({
        code: 'APPROVAL_SEPARATION_OF_DUTIES',
      });
    }
    await expectNothingRan(run.id);
  });

  it('stays who registered that version first, though others run or register it', async () => {
    const { team } = here;
    const writ = await team.open();
    const { approval } = await written(writ, BY_OTHERS);
    await writ.createWorkflow({ text: BY_OTHERS, file: null }, await team.as(writ, 'alice'));
    expect(await writ.workflow('test-steps')).toMatchObject({ version: 1, author: 'user:carol' });
    expect(approval.author).toBe('user:carol');
    // The content decides: a changed document is another version, of who registers that.
    const changed = steps([`${ONE}, approval: { mode: sync, author: true, reasonRequired: true }`]);
    const run = await team.run(writ, changed, { amount: 7 });
    expect((await team.pending(writ, run.id)).author).toBe('user:alice');
  });

  it('blocks the quorum at once where too few others may decide, instead of for ever', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([`${ONE}, approval: { mode: two-person, author: true }`]);
    await writ.createWorkflow({ text, file: null }, await team.as(writ, 'carol'));
    const run = await team.run(writ, text, { amount: 7 });
    expect(run).toMatchObject({
      status: 'failed',
      exitCode: 3,
      error: { code: 'APPROVAL_QUORUM_UNREACHABLE' },
    });
    await expectNothingRan(run.id);
    const workflow = { text, file: null };
    const plan = await writ.plan({ workflow, input: { amount: 7 } }, await team.as(writ, 'alice'));
    expect(plan.steps[0]?.call).toMatchObject({
      verdict: 'deny',
      problem: { code: 'APPROVAL_QUORUM_UNREACHABLE' },
      approval: { mode: 'two-person', author: true },
    });
  });

  it('is nobody for a version older than such records: then nothing starts', async () => {
    const { team } = here;
    const writ = await team.open();
    await writ.createWorkflow({ text: BY_OTHERS, file: null }, await team.as(writ, 'carol'));
    tamper('UPDATE workflow SET author = NULL');
    const run = await team.run(writ, BY_OTHERS, { amount: 7 });
    expect(run).toMatchObject({
      status: 'failed',
      exitCode: 3,
      error: {
        code: 'APPROVAL_QUORUM_UNREACHABLE',
        message: expect.stringContaining('nobody knows') as string,
      },
    });
    await expectNothingRan(run.id);
  });
});

describe('who has to approve, changed in the store', () => {
  it.each([
    ['duties', 'separation_of_duties = 0'],
    ['the one who started it', "initiator = 'user:olivia', requester = 'user:olivia'"],
    ['the quorum', `quorum = '[{"role":"role:any","n":1}]'`],
    ['the author', `more = '{}'`],
  ])('does not open the gate: %s', async (_, change) => {
    const { team } = here;
    const writ = await team.open();
    const gate = '{ mode: sync, approverRoles: ["role:reviewer"], quorum: 1, author: true }';
    const text = steps([`${ONE}, approval: ${gate}`]);
    await writ.createWorkflow({ text, file: null }, await team.as(writ, 'alice'));
    const run = await team.run(writ, text, { amount: 7 }, 'carol');
    const approval = await team.pending(writ, run.id);
    await team.approve(writ, approval, 'bob');
    tamper(`UPDATE approval SET ${change} WHERE id = ?`, approval.id);
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    await expectNothingRan(run.id);
    const again = await team.pending(writ, run.id);
    expect(again.id).not.toBe(approval.id);
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect(again).toMatchObject({ separationOfDuties: true, initiator: 'user:carol', author: 'user:alice' });
  });

  it('does not make a vote of who started the run count', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, PLAIN, { amount: 7 }, 'carol');
    const approval = await team.pending(writ, run.id);
    tamper('UPDATE approval SET separation_of_duties = 0 WHERE id = ?', approval.id);
    // The log says of whom it is.
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    expect((await writ.approval(approval.id)).record.votes).toEqual([]);
    tamper('UPDATE approval SET separation_of_duties = 1 WHERE id = ?', approval.id);
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    await expectNothingRan(run.id);
  });
});
