// HOLE: whoever redrove a run after somebody had denied it could approve the new request alone. Who redrives a run asks
// for what it does now. The log is verified after each test.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { fail, refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const SEPARATED = `${ONE}, approval: { mode: sync, separationOfDuties: true }`;

/** Alice's run, denied by bob and redriven by carol, who may decide too. */
async function redriven(step = SEPARATED) {
  const { team } = here;
  const writ = await team.open();
  const { id } = await team.run(writ, steps([step]));
  await team.deny(writ, await team.pending(writ, id), 'bob');
  expect(await team.drive(writ, id)).toMatchObject({ status: 'failed', exitCode: 4 });
  await writ.redrive(id, await team.as(writ, 'carol'));
  return { team, writ, id };
}

/** The request that the redriven run makes. */
async function asked(step?: string) {
  const given = await redriven(step);
  const { team, writ, id } = given;
  expect((await team.drive(writ, id)).status).toBe('waiting');
  return { ...given, approval: await team.pending(writ, id) };
}

describe('HOLE: who redrove a denied run approves it alone', () => {
  it('they may neither approve nor deny nor edit: another person decides', async () => {
    const { team, writ, id, approval } = await asked();
    expect(approval.redriver).toBe('user:carol');
    expect(await team.facts(id, 'approval.requested')).toMatchObject([{}, { redriver: 'user:carol' }]);
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    for (const attempt of [
      () => team.approve(writ, approval, 'carol'),
      () => team.deny(writ, approval, 'carol'),
      async () => writ.editApproval(approval.id, edit, await team.as(writ, 'carol')),
    ]) {
      expect(await refusalOf(attempt())).toMatchObject({
        code: 'APPROVAL_SEPARATION_OF_DUTIES',
        message: expect.stringContaining('user:carol redrove this run') as string,
      });
    }
    expect((await team.drive(writ, id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
    await team.approve(writ, approval, 'bob');
    expect((await team.drive(writ, id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('nor after a restart; nor may the last other person change the input, which nobody could approve then', async () => {
    const { team, id, approval } = await asked(`${SEPARATED}, config: { amount: 1 }`);
    const again = await team.open();
    const edit = { digest: approval.subjectDigest, input: { amount: 2 } };
    const edited = await refusalOf(again.editApproval(approval.id, edit, await team.as(again, 'bob')));
    expect(edited).toMatchObject({
      code: 'APPROVAL_QUORUM_UNREACHABLE',
      message: expect.stringContaining(
        'user:carol, who redrove the run or step, and without user:bob',
      ) as string,
    });
    expect((await refusalOf(team.approve(again, approval, 'carol'))).code).toBe(
      'APPROVAL_SEPARATION_OF_DUTIES',
    );
    expect((await team.drive(again, id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
  });

  it('is asked by who redrove it last, and of that attempt every retry', async () => {
    const { team, writ, id, approval } = await asked(
      `${SEPARATED}, errorMode: retry, retry: { initialMs: 0 }`,
    );
    team.functions.answer('tool::test_one', fail());
    await team.approve(writ, approval, 'bob');
    expect((await team.drive(writ, id)).status).toBe('waiting');
    const retried = await team.pending(writ, id);
    expect(retried).toMatchObject({ attempt: approval.attempt + 1, redriver: 'user:carol' });
    await team.deny(writ, retried, 'bob');
    await team.drive(writ, id);
    await writ.redrive(id, await team.as(writ, 'alice'));
    await team.drive(writ, id);
    const third = await team.pending(writ, id);
    expect(third.redriver).toBe('user:alice');
    expect((await team.approve(writ, third, 'carol')).state).toBe('approved');
  });

  it('may decide where duties are not separated', async () => {
    const { team, writ, id, approval } = await asked(
      `${ONE}, approval: { mode: sync, separationOfDuties: false }`,
    );
    await team.approve(writ, approval, 'carol');
    expect((await team.drive(writ, id)).status).toBe('completed');
  });

  it('is refused, and asks nobody, where the others are too few', async () => {
    const two = `${ONE}, approval: { mode: sync, separationOfDuties: true, quorum: 2 }`;
    const { team, writ, id } = await redriven(two);
    expect(await team.drive(writ, id)).toMatchObject({
      status: 'failed',
      error: {
        message: expect.stringContaining('without user:carol, who redrove the run or step') as string,
      },
    });
    expect(team.functions.calls).toEqual([]);
  });

  it('although the row names somebody else who redrove it, or nobody', async () => {
    const { team, writ, id, approval } = await asked();
    for (const more of ['{}', '{"redriver":"user:alice"}']) {
      const db = new Database(path.join(team.data, 'writ.db'));
      db.prepare('UPDATE approval SET more = ? WHERE id = ?').run(more, approval.id);
      db.close();
      expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    }
    expect((await team.drive(writ, id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
  });
});

describe('HOLE: who redrove a run whose form was refused fills it in alone', () => {
  const review = {
    type: 'Task',
    human: { form: { type: 'object' }, approverRoles: ['role:reviewer'] },
    end: true,
  };
  const filledIn = { kind: 'success', output: { approved: true } } as const;
  const refused = { kind: 'failure', error: null, cause: null } as const;

  /** Alice's run, whose form bob refused and carol asks for again. */
  async function askedAgain(human: object = {}) {
    const { team } = here;
    const writ = await team.open();
    const text = states('Review', { Review: { ...review, human: { ...review.human, ...human } } });
    const { id } = await team.run(writ, text, {});
    const task = async (): Promise<string> => (await writ.tasks({ run: id, states: ['open'] }))[0]?.id ?? '';
    await writ.answerTask({ id: await task() }, refused, await team.as(writ, 'bob'));
    expect((await team.drive(writ, id)).status).toBe('failed');
    await writ.redrive(id, await team.as(writ, 'carol'));
    expect((await team.drive(writ, id)).status).toBe('waiting');
    return { team, writ, id, task: await task() };
  }

  it('they may not: another person does', async () => {
    const { team, writ, id, task } = await askedAgain();
    expect(await team.facts(id, 'task.opened')).toMatchObject([{}, { redriver: 'user:carol' }]);
    const carol = await team.as(writ, 'carol');
    for (const reply of [filledIn, refused]) {
      expect(await refusalOf(writ.answerTask({ id: task }, reply, carol))).toMatchObject({
        code: 'TASK_NOT_ELIGIBLE',
        message: expect.stringContaining('user:carol redrove this run') as string,
      });
    }
    await writ.answerTask({ id: task }, filledIn, await team.as(writ, 'bob'));
    expect((await team.drive(writ, id)).status).toBe('completed');
  });

  it('they may where the form lets who started the run', async () => {
    const { team, writ, id, task } = await askedAgain({ separationOfDuties: false });
    await writ.answerTask({ id: task }, filledIn, await team.as(writ, 'carol'));
    expect((await team.drive(writ, id)).status).toBe('completed');
  });
});
