// `resume --from STEP`: from where the run stands, and nowhere else; what has an outcome is not run again.
import { describe, expect, it } from 'vitest';
import { faulty, refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TWO = 'functionId: "tool::test_two"';
const THREE = `${ONE}, approval: sync`;

describe('a run that waits', () => {
  it('goes on from the step it stands at, and from no other', async () => {
    const { team } = here;
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    const run = await team.run(writ, steps([ONE, THREE]));
    expect(run.status).toBe('waiting');
    await writ.resume(run.id, alice, { from: 's2' });
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    const error = await refusalOf(writ.resume(run.id, alice, { from: 's1' }));
    expect(error).toMatchObject({ code: 'USAGE', exitCode: 2 });
    expect(error.message).toBe(`run ${run.id} stands at "s2", and can't go back to "s1"`);
    const unknown = await refusalOf(writ.resume(run.id, alice, { from: 'deploy' }));
    expect(unknown).toMatchObject({ code: 'USAGE', hint: 'its steps: s1, s2' });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('asks for the right run.resume before anything else, and the question is in the log', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([THREE]));
    const error = await refusalOf(writ.resume(run.id, await team.as(writ, 'audrey'), { from: 'nowhere' }));
    expect(error).toMatchObject({ code: 'POLICY_NO_MATCH', exitCode: 3 });
    await writ.resume(run.id, await team.as(writ, 'alice'), { from: 's1' });
    const asked = (await team.facts(run.id, 'authz.decided')).filter(({ action }) => action === 'run.resume');
    expect(asked).toMatchObject([
      { subject: 'user:audrey', verdict: 'deny' },
      { subject: 'user:alice', verdict: 'allow' },
    ]);
  });

  it('that has ended is closed', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([ONE]));
    const error = await refusalOf(writ.resume(run.id, await team.as(writ, 'alice'), { from: 's1' }));
    expect(error).toMatchObject({ code: 'RUN_ALREADY_FINISHED', exitCode: 2 });
  });
});

describe('a run whose attempt was lost', () => {
  it('runs the step again, as a new attempt, when it is named', async () => {
    const { team } = here;
    const dying = await team.open({
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
    });
    const runId = await team.start(dying, steps([ONE, TWO]));
    expect((await refusalOf(team.drive(dying, runId))).code).toBe('STORE_IO');
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    // Found out only now, or known before: the same.
    const early = await refusalOf(writ.resume(runId, alice, { from: 's2' }));
    expect(early.message).toContain('stands at "s1"');
    await writ.resume(runId, alice, { from: 's1' });
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'completed', exitCode: 0 });
    expect(team.functions.calls.map(({ functionId }) => functionId)).toEqual([
      'tool::test_one',
      'tool::test_one',
      'tool::test_two',
    ]);
    const ends = await team.facts(runId, 'step.finished');
    expect(ends).toMatchObject([
      { stepPath: 's1', attempt: 1, status: 'indeterminate' },
      { stepPath: 's1', attempt: 2, status: 'succeeded' },
      { stepPath: 's2', attempt: 1, status: 'succeeded' },
    ]);
  });
});
