// Dialect 2 through the guard: several cursors, expressions that are evaluated in another process, limits from data.
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/json.js';
import { hangForEver, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();

function document(all: JsonObject, spec: JsonObject = {}): string {
  return states(Object.keys(all)[0] ?? '', all, spec);
}

const one = (fields: JsonObject = {}): JsonObject => ({
  type: 'Task',
  resource: 'tool::test_one',
  end: true,
  ...fields,
});

describe('a run of the States Language', () => {
  it('evaluates JSONata away from the runner, and every task of a Map goes through the guard', async () => {
    const { team } = here;
    const writ = await team.open();
    const Score = one({
      arguments: { id: '{% $states.input.id %}' },
      output: '{% $states.result.ok ? $rate : 0 %}',
    });
    const all = {
      Start: { type: 'Pass', assign: { rate: '{% $states.input.rate * 2 %}' }, next: 'Each' },
      Each: {
        type: 'Map',
        items: '{% $states.input.claims %}',
        itemProcessor: { startAt: 'Score', states: { Score } },
        next: 'Sum',
      },
      Sum: { type: 'Succeed', output: { total: '{% $sum($states.input) %}' } },
    };
    const input = { rate: 2, claims: [{ id: 1 }, { id: 2 }] };
    const { id, status } = await team.run(writ, document(all, { queryLanguage: 'JSONata' }), input);
    expect(status).toBe('completed');
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ id: 1 }, { id: 2 }]);
    expect((await writ.results(id)).output).toEqual({ total: 8 });
    expect(await team.facts(id, 'step.intended')).toHaveLength(2);
  });

  it('kills an expression that does not end, as a failure that can be caught', async () => {
    const { team } = here;
    const writ = await team.open();
    const endless = '{% ($f := function($n) { $f($n + 1) + 1 }; $f(1)) %}';
    const caught = { errorEquals: ['States.QueryEvaluationError'], output: 'stopped', next: 'End' };
    const all = { A: one({ arguments: { n: endless }, catch: [caught] }), End: { type: 'Succeed' } };
    const { id } = await team.run(writ, document(all, { queryLanguage: 'JSONata' }));
    expect((await writ.results(id)).output).toBe('stopped');
    expect(team.functions.calls).toEqual([]);
  });

  it('stops an attempt at the time limit that its data names', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangForEver);
    const all = { A: one({ timeoutSecondsPath: '$.limit' }) };
    const runId = await team.start(writ, document(all), { limit: 5 });
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await expect.poll(() => team.functions.calls.length).toBe(1);
    team.clock.advance(5_000);
    await driven;
    expect(await writ.status(runId)).toMatchObject({ status: 'failed', error: { code: 'STEP_TIMEOUT' } });
  });

  it('runs the branches of a Parallel, and each retry of it asks policy anew', async () => {
    const { team } = here;
    const writ = await team.open();
    const branches = ['A', 'B'].map((name) => ({ startAt: name, states: { [name]: one() } }));
    const retry = [
      { errorEquals: ['States.ALL'], maxAttempts: 1, intervalSeconds: 1, jitterStrategy: 'NONE' },
    ];
    const all = { P: { type: 'Parallel', branches, retry, end: true } };
    const runId = await team.start(writ, document(all));
    await writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    const output: Json = (await writ.results(runId)).output ?? null;
    expect(output).toHaveLength(2);
    expect(
      new Set((await team.facts(runId, 'step.intended')).map((data) => data['stepPath'])),
    ).toHaveProperty('size', 2);
  });

  it.each<[string, JsonObject, string]>([
    ['credentials', one({ credentials: { roleArn: 'arn:aws:iam::111111111111:role/r' } }), 'credentials'],
  ])('refuses %s, which it would not keep, before anything runs', async (_, A, what) => {
    const { team } = here;
    const writ = await team.open();
    const refusal = await refusalOf(team.start(writ, document({ A })));
    expect(JSON.stringify([refusal.message, refusal.details])).toContain(what);
    expect(team.functions.calls).toEqual([]);
  });
});
