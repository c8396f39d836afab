// An approval of a state that calls nothing: the run enters a Pass, a Parallel or a Map when people have allowed it, with
// the input that they saw, and never before.
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/json.js';
import type { RunView, Writ } from '../../src/runtime/writ.js';
import { fail, states, useTeam } from './fixture.js';

const here = useTeam();
const APPROVAL = { mode: 'sync', approverRoles: ['role:reviewer'] };
const CALL = { type: 'Task', resource: 'tool::test_one', end: true };

const PARALLEL: JsonObject = {
  type: 'Parallel',
  approval: APPROVAL,
  branches: ['A', 'B'].map((name) => ({ startAt: name, states: { [name]: CALL } })),
  end: true,
};
const MAP: JsonObject = {
  type: 'Map',
  approval: APPROVAL,
  itemsPath: '$.items',
  itemProcessor: { startAt: 'Each', states: { Each: CALL } },
  end: true,
};
const PASS: JsonObject = { type: 'Pass', approval: APPROVAL, result: 'passed', end: true };

async function begin(all: JsonObject, input: JsonObject = {}): Promise<{ writ: Writ; run: RunView }> {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, states(Object.keys(all)[0] ?? '', all), input);
  return { writ, run };
}

describe('an approval of a state that calls nothing', () => {
  it.each<[string, JsonObject, JsonObject, unknown, number]>([
    ['a Pass', PASS, {}, 'passed', 0],
    ['a Parallel', PARALLEL, {}, expect.any(Array), 2],
    ['a Map', MAP, { items: [1, 2, 3] }, expect.any(Array), 3],
  ])('is asked for before %s, which goes on as it would have', async (_, state, input, output, calls) => {
    const { team } = here;
    const { writ, run } = await begin({ S: state }, input);
    expect(run).toMatchObject({ status: 'waiting', waitingFor: { kind: 'approval', stepPath: 'S' } });
    expect(team.functions.calls).toEqual([]);
    const approval = await team.pending(writ, run.id);
    expect((await writ.approval(approval.id)).subject).toMatchObject({ function: 'human::gate', input });
    await team.approve(writ, approval);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect((await writ.results(run.id)).output).toEqual(output);
    expect(team.functions.calls).toHaveLength(calls);
    expect(await team.facts(run.id, 'approval.consumed')).toHaveLength(1);
    expect((await team.facts(run.id, 'step.intended')).map(({ stepPath }) => stepPath)).toContain('S');
  });

  it('names children as they are named without it', async () => {
    const { team } = here;
    const { writ, run } = await begin({ S: PARALLEL });
    await team.approve(writ, await team.pending(writ, run.id));
    await team.drive(writ, run.id);
    const paths = (await team.facts(run.id, 'step.intended')).map(({ stepPath }) => stepPath);
    expect(paths.toSorted()).toEqual(['S', 'S[0]/A', 'S[1]/B']);
  });

  it('when denied stops the run, or goes to a catcher that names it, never to one that takes all', async () => {
    const { team } = here;
    const all = { errorEquals: ['States.ALL'], next: 'End' };
    const named = { errorEquals: ['Approval.Denied'], resultPath: '$.why', next: 'End' };
    const End = { type: 'Succeed' };
    const outcomes: [JsonObject, string][] = [
      [{ S: { ...PARALLEL, catch: [all] }, End }, 'failed'],
      [{ S: { ...PARALLEL, catch: [named, all] }, End }, 'completed'],
      [{ S: { ...MAP, catch: [named] }, End }, 'completed'],
      [{ S: PASS }, 'failed'],
    ];
    for (const [machine, status] of outcomes) {
      const { writ, run } = await begin(machine, { items: [1] });
      await team.deny(writ, await team.pending(writ, run.id));
      expect(await team.drive(writ, run.id)).toMatchObject({ status });
      expect(team.functions.calls).toEqual([]);
    }
  });

  it('is asked for again with each retry, and retries stay counted', async () => {
    const { team } = here;
    team.functions.answer('tool::test_one', fail('FUNCTION_FAILED'), fail('FUNCTION_FAILED'));
    const retry = [
      { errorEquals: ['States.ALL'], maxAttempts: 1, intervalSeconds: 1, jitterStrategy: 'NONE' },
    ];
    const branches = [{ startAt: 'A', states: { A: CALL } }];
    const { writ, run } = await begin({ S: { ...PARALLEL, branches, retry } });
    await team.approve(writ, await team.pending(writ, run.id));
    const driven = writ.drive(run.id, { stopAt: 'waiting', signal: team.stop.signal });
    await expect.poll(() => team.functions.calls.length).toBe(1);
    team.clock.advance(1_000);
    await driven;
    const second = await team.pending(writ, run.id);
    expect(second).toMatchObject({ stepPath: 'S', attempt: 2 });
    await team.approve(writ, second);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed' });
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.facts(run.id, 'approval.consumed')).toHaveLength(2);
  });

  it('is no iteration of a loop when it is asked for again', async () => {
    const { team } = here;
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.deleteIn(['spec', 'sandbox']);
      document.setIn(['spec', 'limits', 'loopIterations'], 1);
    });
    const writ = await team.open({ policies });
    team.functions.answer('tool::test_one', fail('FUNCTION_FAILED'));
    const retry = [{ errorEquals: ['States.ALL'], maxAttempts: 1, intervalSeconds: 1 }];
    const branches = [{ startAt: 'A', states: { A: CALL } }];
    const run = await team.run(writ, states('S', { S: { ...PARALLEL, branches, retry } }));
    await team.approve(writ, await team.pending(writ, run.id));
    const driven = writ.drive(run.id, { stopAt: 'waiting', signal: team.stop.signal });
    await expect.poll(() => team.functions.calls.length).toBe(1);
    team.clock.advance(1_000);
    await driven;
    await team.approve(writ, await team.pending(writ, run.id));
    expect((await team.drive(writ, run.id)).error?.code).toBe('FUNCTION_FAILED');
    expect(team.functions.calls).toHaveLength(2);
  });

  it('is asked for by each item that comes to it, and holds no other item up when it is async', async () => {
    const { team } = here;
    const gate = { ...PASS, approval: { ...APPROVAL, mode: 'async' }, end: undefined, next: 'Each' };
    const S = {
      type: 'Map',
      itemsPath: '$.items',
      itemProcessor: {
        startAt: 'Kind',
        states: {
          Kind: {
            type: 'Choice',
            choices: [{ variable: '$', numericEquals: 1, next: 'Gate' }],
            default: 'Each',
          },
          Gate: JSON.parse(JSON.stringify(gate)) as JsonObject,
          Each: CALL,
        },
      },
      end: true,
    };
    const { writ, run } = await begin({ S }, { items: [1, 2, 1] });
    expect(run.status).toBe('waiting');
    expect(team.functions.calls).toHaveLength(1);
    const open = await team.stored((store) => store.approvals({ run: run.id, states: ['pending'] }));
    expect(open.map(({ stepPath }) => stepPath).toSorted()).toEqual(['S[0]/Gate', 'S[2]/Gate']);
    for (const approval of open) await team.approve(writ, approval);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls).toHaveLength(3);
  });

  it('holds across a restart, and a redrive asks anew', async () => {
    const { team } = here;
    const { writ, run } = await begin({ S: MAP }, { items: [1] });
    await writ.close();
    const later = await team.open();
    expect(await team.drive(later, run.id)).toMatchObject({ status: 'waiting' });
    await team.deny(later, await team.pending(later, run.id));
    expect(await team.drive(later, run.id)).toMatchObject({ status: 'failed' });
    await later.redrive(run.id, await team.as(later, 'alice'));
    expect(await team.drive(later, run.id)).toMatchObject({ status: 'waiting' });
    await team.approve(later, await team.pending(later, run.id));
    expect(await team.drive(later, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('HOLE: an input that was edited before it was approved is the one that the state gets', async () => {
    const { team } = here;
    const { writ, run } = await begin({ S: MAP }, { items: [1, 2, 3] });
    const approval = await team.pending(writ, run.id);
    const edit = { digest: approval.subjectDigest, input: { items: [7] } };
    const edited = await writ.editApproval(approval.id, edit, await team.as(writ, 'bob'));
    await team.approve(writ, edited, 'carol');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed' });
    expect(team.functions.calls.map(({ input }) => input)).toEqual([7]);
  });

  it('is refused where no rule lets the initiator have people asked', async () => {
    const { team } = here;
    const policies = team.policiesWith('rbac/claims.yaml', (document) => {
      const rules = document.toJS() as { rules: { id: string }[] };
      const at = rules.rules.findIndex(({ id }) => id === 'CL-015');
      document.deleteIn(['rules', at]);
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, states('S', { S: PASS }));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'POLICY_NO_MATCH' } });
  });

  it('with mode none is none', async () => {
    const { run } = await begin({ S: { ...PASS, approval: 'none' } });
    expect(run.status).toBe('completed');
  });
});
