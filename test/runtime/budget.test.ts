// Budgets: what runs is charged to every layer that has one, in the transaction of its intent, and settled with its
// outcome. Whoever charges at the same time, no budget is exceeded by calls whose cost is known; what is used up refuses
// before anything runs, by name.
import { describe, expect, it } from 'vitest';
import { isObject, type Json } from '../../src/json.js';
import type { FunctionProvider, FunctionReach, Meter, Turn, Usage } from '../../src/runtime/ports.js';
import { WritError } from '../../src/errors.js';
import { replacing } from '../contract/fault-store.js';
import { fail, faulty, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const MODEL = 'functionId: "tool::test_model"';
const DAY = new Date(T0).toISOString().slice(0, 10);

/** Policies whose organisation has this budget. */
function withBudget(budget: Json): string {
  return here.team.policiesWith('ceilings/org.yaml', (document) => {
    document.setIn(['spec', 'budget'], budget);
  });
}

const ceilings = (budget: Json): string => `ceilings: ${JSON.stringify({ budget })}\n`;

function used(scope: string, budget: string, layer = 'org', name = 'org-default'): Promise<number> {
  const meter: Meter = { layer, name, scope, budget };
  return here.team.stored(async (store) => (await store.used([meter]))[0] ?? -1);
}

/** Answers at once, and says what that has cost. */
function model(
  usage: Usage | (() => Usage),
  estimate?: FunctionReach['estimate'],
): FunctionProvider & { turns: number } {
  const provider = {
    turns: 0,
    functionIds: ['tool::test_model'],
    converses: ['tool::test_model'],
    reach: async () => ({
      network: [],
      credentials: [],
      tools: [],
      ...(estimate === undefined ? {} : { estimate }),
    }),
    invoke: () => Promise.reject(new Error('it converses')),
    converse: async (): Promise<Turn> => {
      provider.turns += 1;
      return { kind: 'done', output: { ok: true }, usage: typeof usage === 'function' ? usage() : usage };
    },
  };
  return provider;
}

const cost = (tokens: number, costMicroUsd = 0): Usage => ({
  inputTokens: tokens,
  outputTokens: 0,
  costMicroUsd,
});

describe('a budget of calls', () => {
  it('lets so many calls run and refuses the next before its intent, naming layer, budget, limit and use', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withBudget({ calls: 2 }) });
    const run = await team.run(writ, steps([ONE, ONE, `${ONE}, errorMode: skip`]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_BUDGET' } });
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.facts(run.id, 'step.intended')).toHaveLength(2);
    const last = (await team.facts(run.id, 'ceiling.composed')).at(-1);
    expect(last?.['layers']).toEqual(
      expect.arrayContaining([
        {
          layer: 'org',
          name: 'org-default',
          hash: expect.any(String),
          ok: false,
          field: 'budget.calls',
          limit: '2',
          requested: '1 more, 2 are used',
        },
      ]),
    );
    expect((await team.facts(run.id, 'authz.decided')).at(-1)).toMatchObject({
      verdict: 'deny',
      code: 'CEILING_BUDGET',
    });
  });

  it('of a run begins anew with the next run; one of the day holds for all runs until midnight in UTC', async () => {
    const { team } = here;
    const perRun = await team.open({ policies: withBudget({ calls: 1 }) });
    for (let i = 0; i < 2; i++) expect((await team.run(perRun, steps([ONE]))).status).toBe('completed');
    const perDay = await team.open({ policies: withBudget({ perDay: { calls: 2 } }) });
    for (const status of ['completed', 'completed', 'failed']) {
      expect((await team.run(perDay, steps([ONE]))).status).toBe(status);
    }
    expect(await used(DAY, 'calls')).toBe(2);
    team.clock.set(Date.parse(`${DAY}T23:59:59.999Z`));
    expect(await team.run(perDay, steps([ONE]))).toMatchObject({ error: { code: 'CEILING_BUDGET' } });
    team.clock.advance(1);
    expect((await team.run(perDay, steps([ONE]))).status).toBe('completed');
  });

  it('leaves no meter of a run that has ended', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withBudget({ calls: 5, perDay: { calls: 50 } }) });
    const run = await team.run(writ, steps([ONE, ONE]));
    expect(await used(run.id, 'calls')).toBe(0);
    expect(await used(DAY, 'calls')).toBe(2);
  });

  it('counts retries and items, each a call', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withBudget({ perDay: { calls: 100 } }) });
    team.functions.answer(
      'tool::test_one',
      fail('FUNCTION_TEMPORARY'),
      fail('FUNCTION_TEMPORARY'),
      () => true,
    );
    await team.run(writ, steps([`${ONE}, errorMode: retry, maxRetries: 3, retry: { initialMs: 0 }`]));
    expect(await used(DAY, 'calls')).toBe(3);
    const map = `mode: fanout, ${ONE}, items: input.list`;
    await team.run(writ, steps([map]), { list: [1, 2, 3, 4] });
    expect(await used(DAY, 'calls')).toBe(7);
  });

  it('is filled exactly by many items at once, and by two runs of two processes', async () => {
    const { team } = here;
    const policies = withBudget({ perDay: { calls: 37 } });
    const map = `mode: fanout, ${ONE}, items: input.list, errorMode: skip`;
    const handles = await Promise.all([team.open({ policies }), team.open({ policies })]);
    const list = Array.from({ length: 40 }, (_, i) => i);
    const runs = await Promise.all(handles.map((writ) => team.run(writ, steps([map]), { list })));
    expect(runs.map((run) => run.error?.code)).toContain('CEILING_BUDGET');
    expect(team.functions.calls.length).toBeLessThanOrEqual(37);
    expect(await used(DAY, 'calls')).toBe(team.functions.calls.length);
    // What the one that failed first had not begun may be left; afterwards it is filled to the last.
    const [writ] = handles;
    for (let left = 37 - team.functions.calls.length; left > 0; left--) {
      expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
    }
    expect((await team.run(writ, steps([ONE]))).error?.code).toBe('CEILING_BUDGET');
    expect(await used(DAY, 'calls')).toBe(37);
  });

  it('charges nothing for a step that waits for people, and refuses it when the budget is gone by then', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withBudget({ perDay: { calls: 1 } }) });
    const waiting = await team.run(writ, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(writ, waiting.id);
    expect(await used(DAY, 'calls')).toBe(0);
    expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
    await team.approve(writ, approval);
    const run = await team.drive(writ, waiting.id);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_BUDGET' } });
    expect(team.functions.calls).toHaveLength(1);
    expect(await team.types(run.id)).toContain('approval.withdrawn');
  });
});

describe('a budget of tokens and money', () => {
  it('is charged with what the call has used, to every layer, and refuses what comes after', async () => {
    const { team } = here;
    const provider = model(cost(60, 2_500_000), { tokens: 1, costMicroUsd: 1 });
    const policies = withBudget({ perDay: { tokens: 1_000, usd: '100' } });
    const writ = await team.open({ policies, functions: [team.functions, provider] });
    const text = steps([MODEL, MODEL, MODEL], ceilings({ tokens: 100, usd: '50.00' }));
    const run = await team.run(writ, text);
    // The second call may begin, because 40 are left; the third finds nothing.
    expect(provider.turns).toBe(2);
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_BUDGET' } });
    const refused = (await team.facts(run.id, 'ceiling.composed')).at(-1)?.['layers'];
    const rows = Array.isArray(refused) ? refused.filter((row) => isObject(row) && row['ok'] === false) : [];
    expect(rows).toMatchObject([
      { layer: 'workflow', field: 'budget.tokens', limit: '100', requested: '1 more, 120 are used' },
    ]);
    expect(await used(DAY, 'tokens')).toBe(120);
    expect(await used(DAY, 'costMicroUsd')).toBe(5_000_000);
    const other = await team.run(writ, steps([ONE], ceilings({ tokens: 0 })));
    expect(other.status).toBe('completed');
  });

  it('holds what a call may use while it runs, and gives back what it did not use', async () => {
    const { team } = here;
    const provider = model(cost(10), { tokens: 80, costMicroUsd: 0 });
    const writ = await team.open({
      policies: withBudget({ tokens: 100 }),
      functions: [team.functions, provider],
    });
    const run = await team.run(writ, steps([MODEL, MODEL, MODEL, MODEL]));
    // 10, 20 and then 30 are used; 80 more don't fit beside 30.
    expect(provider.turns).toBe(3);
    expect(run.error?.code).toBe('CEILING_BUDGET');
  });

  it('gives back what one item did not use before the next one is judged', async () => {
    const { team } = here;
    const provider = model(cost(10), { tokens: 80, costMicroUsd: 0 });
    const writ = await team.open({
      policies: withBudget({ tokens: 110 }),
      functions: [team.functions, provider],
    });
    const items = `${MODEL}, mode: fanout, concurrency: 1, items: [1, 2, 3]`;
    expect((await team.run(writ, steps([items]))).status).toBe('completed');
    expect(provider.turns).toBe(3);
  });

  it('counts a failed call with what it says, and with its estimate when it says nothing', async () => {
    const { team } = here;
    const answers = [
      () => {
        throw new WritError('FUNCTION_FAILED', 'no answer', { details: { ...cost(7, 3) } });
      },
      () => {
        throw new WritError('FUNCTION_FAILED', 'no answer', {
          details: { inputTokens: -1, outputTokens: 'x' },
        });
      },
      () => cost(Number.NaN),
    ];
    const provider = model(() => (answers.shift() ?? (() => cost(0)))(), { tokens: 40, costMicroUsd: 5 });
    const policies = withBudget({ perDay: { tokens: 1_000, usd: '1' } });
    const writ = await team.open({ policies, functions: [team.functions, provider] });
    const expected = [
      [7, 3],
      [47, 8],
      [87, 13],
      [87, 13],
    ];
    for (const [tokens, micro] of expected) {
      await team.run(writ, steps([MODEL]));
      expect([await used(DAY, 'tokens'), await used(DAY, 'costMicroUsd')]).toEqual([tokens, micro]);
    }
  });

  it('refuses a call of which nobody knows what it costs, before anything runs', async () => {
    const { team } = here;
    for (const [budget, estimate] of [
      [{ usd: '1000' }, { tokens: 1, costMicroUsd: null }],
      [{ tokens: 1_000_000 }, undefined],
    ] as const) {
      const provider = model(cost(1), estimate);
      const writ = await team.open({ policies: withBudget(budget), functions: [team.functions, provider] });
      const run = await team.run(writ, steps([MODEL]));
      expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_BUDGET' } });
      expect(provider.turns).toBe(0);
    }
  });
});

describe('a budget of time', () => {
  it('is charged with the time that steps take, and not with the time that people do', async () => {
    const { team } = here;
    const writ = await team.open({ policies: withBudget({ wallClockMs: 100 }) });
    team.functions.answer('tool::test_one', () => {
      team.clock.advance(60);
      return true;
    });
    const text = steps([ONE, `${ONE}, approval: sync`, ONE]);
    const waiting = await team.run(writ, text);
    expect(await used(waiting.id, 'wallClockMs')).toBe(60);
    team.clock.advance(10_000);
    await team.approve(writ, await team.pending(writ, waiting.id));
    const run = await team.drive(writ, waiting.id);
    expect(run.error?.code).toBe('CEILING_BUDGET');
    expect(team.functions.calls).toHaveLength(2);
  });
});

describe('a crash', () => {
  it('between intent and outcome keeps the charge; running again is charged once more', async () => {
    const { team } = here;
    const provider = model(cost(10), { tokens: 40, costMicroUsd: 0 });
    const policies = withBudget({ perDay: { tokens: 1_000, calls: 10 } });
    const functions = [team.functions, provider];
    const broken = await team.open({
      policies,
      functions,
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
    });
    const runId = await team.start(broken, steps([`${MODEL}, idempotent: true`]));
    await expect(team.drive(broken, runId)).rejects.toMatchObject({ code: 'STORE_IO' });
    await broken.close();
    expect([await used(DAY, 'tokens'), await used(DAY, 'calls')]).toEqual([40, 1]);
    const run = await team.drive(await team.open({ policies, functions }), runId);
    expect(run.status).toBe('completed');
    expect([await used(DAY, 'tokens'), await used(DAY, 'calls')]).toEqual([50, 2]);
  });

  it('before the intent was written charges nothing', async () => {
    const { team } = here;
    const policies = withBudget({ perDay: { calls: 10 } });
    const broken = await team.open({
      policies,
      store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.intended'),
    });
    const runId = await team.start(broken, steps([ONE]));
    await expect(team.drive(broken, runId)).rejects.toMatchObject({ code: 'STORE_IO' });
    await broken.close();
    expect(await used(DAY, 'calls')).toBe(0);
  });
});

describe('a meter that moves between the look and the intent', () => {
  it('is compared again in the transaction: the step is looked at anew and refused', async () => {
    const { team } = here;
    const policies = withBudget({ perDay: { calls: 1 } });
    let first = true;
    const late = await team.open({
      policies,
      store: (inner) =>
        replacing(inner, {
          used: async (meters) => {
            const seen = await inner.used(meters);
            const [meter] = meters;
            if (first && meter !== undefined) {
              first = false;
              await inner.commit({ charges: [{ ...meter, add: 1, atMost: 1 }], entries: [] });
            }
            return seen;
          },
        }),
    });
    const run = await team.run(late, steps([ONE]));
    expect(run).toMatchObject({ status: 'failed', exitCode: 3, error: { code: 'CEILING_BUDGET' } });
    expect(team.functions.calls).toEqual([]);
    expect(await team.facts(run.id, 'step.intended')).toEqual([]);
    expect(await used(DAY, 'calls')).toBe(1);
  });
});
