// HOLE: a row of the database says who started a run, and of which workflow it is. A step runs with the rights of whoever
// did: whoever can write the data directory gives a run the rights of nobody else.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const TEXT = states('Review', {
  Review: { type: 'Task', human: { form: {}, approverRoles: ['role:reviewer'] }, next: 'Act' },
  Act: { type: 'Task', resource: 'tool::test_one', end: true },
});

/** Alice's run, which goes on once bob has filled in its form. Alice may call nothing any more; carol may. */
async function goingOn() {
  const { team } = here;
  const first = await team.open();
  const run = await team.run(first, TEXT, {});
  if (run.waitingFor?.kind !== 'task') throw new Error('the run waits for no task');
  const answer = { kind: 'success', output: 1 } as const;
  await first.answerTask({ id: run.waitingFor.taskId }, answer, await team.as(first, 'bob'));
  const policies = team.policiesWith('roles/default.yaml', (roles) => {
    roles.setIn(['members', 'role:adjuster'], ['user:carol']);
  });
  return { team, writ: await team.open({ policies }), id: run.id };
}

function edit(sql: string, ...values: readonly string[]): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBe(1);
  } finally {
    db.close();
  }
}

function setRun(id: string, column: 'initiator' | 'workflow_id' | 'workflow_hash', value: string): void {
  edit(`UPDATE run SET ${column} = ? WHERE id = ?`, value, id);
}

describe('HOLE: a row that says whose run it is', () => {
  it('gives it the rights of nobody but whom the log names', async () => {
    const { team, writ, id } = await goingOn();
    setRun(id, 'initiator', 'user:carol');
    expect(await team.drive(writ, id)).toMatchObject({
      ...{ status: 'failed', exitCode: 3, error: { code: 'RUN_CHANGED' } },
    });
    expect(team.functions.calls).toEqual([]);
    // Nor does a redrive by somebody who may make it theirs.
    const carol = await team.as(writ, 'carol');
    await writ.redrive(id, carol);
    expect(await team.drive(writ, id)).toMatchObject({ error: { code: 'RUN_CHANGED' } });
    expect(team.functions.calls).toEqual([]);
  });

  it('is refused all the same where the row says the truth and policy says no', async () => {
    const { team, writ, id } = await goingOn();
    expect(await team.drive(writ, id)).toMatchObject({ exitCode: 3, error: { code: 'POLICY_NO_MATCH' } });
    expect(team.functions.calls).toEqual([]);
    expect((await refusalOf(writ.redrive(id, await team.as(writ, 'alice')))).code).toBe('POLICY_NO_MATCH');
  });

  it.each(['workflow_id', 'workflow_hash'] as const)(
    'nor another %s than it was started with',
    async (column) => {
      const { team } = here;
      const writ = await team.open();
      const run = await team.run(writ, TEXT, {});
      if (run.waitingFor?.kind !== 'task') throw new Error('the run waits for no task');
      const answer = { kind: 'success', output: 1 } as const;
      await writ.answerTask({ id: run.waitingFor.taskId }, answer, await team.as(writ, 'bob'));
      setRun(run.id, column, column === 'workflow_id' ? 'test-other' : 'a'.repeat(64));
      expect(await team.drive(await team.open(), run.id)).toMatchObject({
        error: { code: 'RUN_CHANGED' },
      });
      expect(team.functions.calls).toEqual([]);
    },
  );
});

describe('HOLE: a row that says what a run does', () => {
  const gated = steps([
    'functionId: "tool::test_one", approval: sync',
    'functionId: "tool::test_two", approval: sync',
  ]);

  it.each<[string, string, string]>([
    ['asks nobody for an approval', '"mode":"sync"', '"mode":"none"'],
    ['calls another function', 'tool::test_one', 'tool::test_three'],
  ])('%s', async (_, was, is) => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, gated);
    expect(run.status).toBe('waiting');
    edit('UPDATE run SET plan = replace(plan, ?, ?) WHERE id = ?', was, is, run.id);
    const other = await team.open();
    // The first step is let go on; what the plan says then is another one's.
    await team.approve(other, await team.pending(other, run.id));
    expect(await team.drive(other, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 3, error: { code: 'RUN_CHANGED' } },
    });
    expect(team.functions.calls).toEqual([]);
  });

  it('goes on with the plan that the log names, also when its text was written again', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, gated);
    expect(await team.facts(run.id, 'run.started')).toMatchObject([
      { plan: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    ]);
    edit('UPDATE run SET plan = json(plan) WHERE id = ?', run.id);
    const other = await team.open();
    for (const status of ['waiting', 'completed']) {
      await team.approve(other, await team.pending(other, run.id));
      expect((await team.drive(other, run.id)).status).toBe(status);
    }
  });
});

describe('a row of where a run stands that nobody could have written', () => {
  it.each(['7', 'null', '{}', '{"v":1,"task":{"phase":"running"}}'])(
    'is told with the run it is of, and nothing of it runs: %s',
    async (value) => {
      const { team, writ, id } = await goingOn();
      edit("UPDATE run_part SET value = ? WHERE run = ? AND key = 'frame/'", value, id);
      const refused = await refusalOf(team.drive(writ, id));
      expect(refused).toMatchObject({
        code: 'INTERNAL',
        message: expect.stringContaining(`run ${id} can't go on`),
      });
      expect(refused.hint).toContain('rows in the store were changed');
      expect(team.functions.calls).toEqual([]);
    },
  );
});
