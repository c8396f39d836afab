// Several cursors at once, with a real store and functions of this process: order, bounds, each item once, what a
// failure stops, and what waits for people while others go on.
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import type { RunView, StepView } from '../../src/runtime/writ.js';
import {
  eventually,
  fail,
  field,
  hangForEver,
  hangUntilAbort,
  steps,
  useTeam,
  type Call,
} from './fixture.js';

const here = useTeam();
const MAP = 'mode: fanout, functionId: "tool::test_one", config: { n: "{{item}}" }';
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const itemOf = (call: Call): number => Number(field(call.input, 'n'));

/** Answers when the test says so. */
function gate() {
  const waiting = new Map<number, (value: Json) => void>();
  return {
    waiting,
    answer: (call: Call) =>
      new Promise<Json>((resolve) => {
        waiting.set(itemOf(call), resolve);
      }),
    open(n: number, value: Json = { n }): void {
      waiting.get(n)?.(value);
      waiting.delete(n);
    },
  };
}

function step(view: RunView, stepPath: string): StepView | undefined {
  return view.steps.find((one) => one.stepPath === stepPath);
}

describe('a map over items', () => {
  it('gives its results in item order, whatever the order of the answers, and calls each item once', async () => {
    const { team } = here;
    const writ = await team.open();
    const doors = gate();
    team.functions.answer('tool::test_one', doors.answer);
    const runId = await team.start(writ, steps([`${MAP}, concurrency: 8, items: input.list`]), {
      list: numbers(30),
    });
    const driven = team.drive(writ, runId);
    let seed = 7;
    for (let left = 30; left > 0; left--) {
      const open = await eventually(() => {
        const all = [...doors.waiting.keys()];
        return all.length === Math.min(8, left) ? all : null;
      });
      seed = (seed * 16_807) % 2_147_483_647;
      doors.open(open[seed % open.length] ?? 0);
    }
    const run = await driven;
    expect(run.status).toBe('completed');
    expect(run.output).toEqual(numbers(30).map((n) => ({ n })));
    expect(team.functions.calls.map(itemOf).sort((a, b) => a - b)).toEqual(numbers(30));
    expect(new Set(team.functions.calls.map((call) => call.idempotencyKey)).size).toBe(30);
    expect(step(run, 's1')).toMatchObject({
      status: 'succeeded',
      items: { done: 30, failed: 0, total: 30 },
      attempts: 30,
      more: 10,
      nested: numbers(20).map((n) => ({ stepPath: `s1[${n}]`, output: { n } })),
    });
    const intents = await team.facts(runId, 'step.intended');
    expect(intents.map((data) => data['item']).sort((a, b) => Number(a) - Number(b))).toEqual(numbers(30));
    expect((await team.stored((store) => store.parts(runId))).size).toBe(0);
  });

  it('runs as many items at once as it says, and no more', async () => {
    const { team } = here;
    const writ = await team.open();
    let now = 0;
    let most = 0;
    team.functions.answer('tool::test_one', async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      now -= 1;
      return 1;
    });
    const run = await team.run(writ, steps([`${MAP}, concurrency: 3, items: input.list`]), {
      list: numbers(40),
    });
    expect([run.status, most]).toEqual(['completed', 3]);
  });

  it('of no items calls nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${MAP}, items: input.list`]), { list: [] });
    expect(run).toMatchObject({ status: 'completed', output: [] });
    expect(team.functions.calls).toEqual([]);
  });

  it('that has no list is skipped where its errorMode says so, and the run goes on', async () => {
    const { team } = here;
    const writ = await team.open();
    const after = 'functionId: "tool::test_two", config: { got: "{{output}}" }';
    const run = await team.run(writ, steps([`${MAP}, errorMode: skip, items: input.list`, after]), {
      list: 'no list',
    });
    expect(run.status).toBe('completed');
    expect(step(run, 's1')).toMatchObject({ status: 'skipped', error: { code: 'STEP_FANOUT_NO_ITEMS' } });
    expect(team.functions.calls.map(({ input }) => input)).toEqual([{ got: [] }]);
    expect(await team.facts(run.id, 'step.skipped')).toMatchObject([{ stepPath: 's1', reason: 'error' }]);
  });

  it('retries an item that failed and no other', async () => {
    const { team } = here;
    const writ = await team.open();
    let failures = 2;
    team.functions.answer('tool::test_one', (call) => {
      if (itemOf(call) === 3 && failures-- > 0) throw new Error('not now');
      return itemOf(call);
    });
    const retry = 'errorMode: retry, maxRetries: 2, retry: { initialMs: 0 }';
    const run = await team.run(writ, steps([`${MAP}, ${retry}, items: input.list`]), { list: numbers(6) });
    expect(run).toMatchObject({ status: 'completed', output: numbers(6) });
    expect(team.functions.calls).toHaveLength(8);
    const own = team.functions.calls.filter((call) => itemOf(call) === 3);
    expect(new Set(own.map((call) => call.idempotencyKey)).size).toBe(1);
    expect(await team.facts(run.id, 'step.retried')).toMatchObject([
      { stepPath: 's1[3]', attempt: 2, delayMs: 0 },
      { stepPath: 's1[3]', attempt: 3, delayMs: 0 },
    ]);
  });

  it('skips an item that failed where it may, and says so', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', (call) => {
      if (itemOf(call) % 2 === 1) throw new Error('odd');
      return itemOf(call);
    });
    const run = await team.run(writ, steps([`${MAP}, errorMode: skip, items: input.list`]), {
      list: numbers(4),
    });
    expect(run).toMatchObject({ status: 'completed', output: [0, null, 2, null] });
    expect(team.functions.calls).toHaveLength(4);
    expect((await team.facts(run.id, 'step.skipped')).map((data) => data['stepPath']).sort()).toEqual([
      's1[1]',
      's1[3]',
    ]);
    expect(step(run, 's1')).toMatchObject({
      items: { done: 2, failed: 2, total: 4 },
      nested: [{ status: 'succeeded' }, { status: 'skipped', reason: 'error' }, {}, { status: 'skipped' }],
    });
  });

  it('tells why it was skipped, though the log holds the code only', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', (call) => {
      throw new Error(`no figure for ${itemOf(call)}`);
    });
    const run = await team.run(writ, steps([`${MAP}, errorMode: skip, items: input.list`]), { list: [4, 7] });
    const why = (item: number) => ({ code: 'FUNCTION_FAILED', message: `no figure for ${item}` });
    expect(step(run, 's1')).toMatchObject({ error: why(4), nested: [{ error: why(4) }, { error: why(7) }] });
    expect(JSON.stringify(await team.entries(run.id))).not.toContain('no figure');
    const alone = await team.run(
      writ,
      steps(['functionId: "tool::test_one", errorMode: skip, config: {n: 9}']),
    );
    expect(step(alone, 's1')).toMatchObject({
      status: 'skipped',
      reason: 'error',
      output: null,
      error: why(9),
    });
    expect(step(alone, 's1')?.outputCommitment).toBeNull();
  });
});

describe('an item that fails the run', () => {
  it('stops what runs beside it, lets nothing else start, and the end stands last in the log', async () => {
    const { team } = here;
    const writ = await team.open();
    let now = 0;
    team.functions.answer('tool::test_one', async (call) => {
      now += 1;
      if (itemOf(call) !== 2) return hangUntilAbort(call);
      await eventually(() => now === 4 || null);
      throw new Error('this one');
    });
    const run = await team.run(writ, steps([`${MAP}, concurrency: 4, items: input.list`]), {
      list: numbers(50),
    });
    expect(run).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'FUNCTION_FAILED' } });
    expect(team.functions.calls).toHaveLength(4);
    expect(
      team.functions.calls
        .filter((call) => call.signal.aborted)
        .map(itemOf)
        .sort(),
    ).toEqual([0, 1, 2, 3]);
    const ends = await team.facts(run.id, 'step.finished');
    expect(ends.map((data) => data['status']).sort()).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'failed',
    ]);
    expect((await team.types(run.id)).at(-1)).toBe('run.finished');
    expect(step(run, 's1')).toMatchObject({ status: 'failed', items: { done: 0, failed: 1 } });
  });

  it('withdraws what waits for people beside it, before the run ends', async () => {
    const { team } = here;
    const writ = await team.open();
    let give = (): void => undefined;
    team.functions.answer('tool::test_two', () => {
      return new Promise<Json>((_, reject) => {
        give = () => {
          reject(new Error('no'));
        };
      });
    });
    const text = steps([
      'mode: fanout, functionId: "tool::test_one", approval: async',
      'mode: fanout, functionId: "tool::test_two", config: { n: 1 }',
    ]);
    const runId = await team.start(writ, text);
    const driven = team.drive(writ, runId);
    const [approval] = await eventually(async () => {
      const all = await writ.approvals({ run: runId });
      return all.length === 1 && team.functions.calls.length === 1 ? all : null;
    });
    expect(await writ.status(runId)).toMatchObject({ status: 'running', waitingFor: { kind: 'approval' } });
    give();
    const run = await driven;
    expect(run.status).toBe('failed');
    expect((await writ.approval(approval?.id ?? '')).record.state).toBe('withdrawn');
    expect((await team.types(runId)).slice(-2)).toEqual(['approval.withdrawn', 'run.finished']);
    expect(step(run, 's1')).toMatchObject({ status: 'cancelled' });
    expect((await team.stored((store) => store.parts(runId))).size).toBe(0);
  });
});

describe('approvals of items', () => {
  it('async: an approved item runs while the others wait', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([`${MAP}, approval: async, items: input.list`]);
    const waiting = await team.run(writ, text, { list: numbers(3) });
    expect(waiting).toMatchObject({ status: 'waiting', exitCode: 10, waitingFor: { others: 2 } });
    const pending = await writ.approvals({ run: waiting.id, states: ['pending'] });
    expect(pending.map((one) => one.stepPath).sort()).toEqual(['s1[0]', 's1[1]', 's1[2]']);
    expect(team.functions.calls).toEqual([]);
    for (const [i, path] of ['s1[1]', 's1[2]', 's1[0]'].entries()) {
      const one = pending.find(({ stepPath }) => stepPath === path);
      if (one === undefined) throw new Error(`no request of ${path}`);
      expect((await writ.approval(one.id)).subject).toMatchObject({ item: Number(path[3]) });
      await team.approve(writ, one);
      const view = await team.drive(writ, waiting.id);
      expect([view.status, team.functions.calls.length]).toEqual([i === 2 ? 'completed' : 'waiting', i + 1]);
    }
    expect(team.functions.calls.map(itemOf)).toEqual([1, 2, 0]);
  });

  it('are seen by the process that runs other items meanwhile', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    team.functions.answer('tool::test_two', hangForEver);
    const text = steps([
      'mode: fanout, functionId: "tool::test_one", approval: async',
      'mode: fanout, functionId: "tool::test_two"',
    ]);
    const runId = await team.start(writ, text);
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    const [approval] = await eventually(async () => {
      const all = await other.approvals({ run: runId });
      return all.length === 1 ? all : null;
    });
    if (approval === undefined) throw new Error('no request');
    await team.approve(other, approval);
    await eventually(() => {
      team.clock.advance(50);
      return team.functions.calls.some((call) => call.functionId === 'tool::test_one') || null;
    });
    stop.abort();
    await driven;
  });

  it('sync: nothing else starts until somebody has decided', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([`${MAP}, approval: sync, items: input.list, concurrency: 2`]);
    const waiting = await team.run(writ, text, { list: numbers(4) });
    expect(waiting.status).toBe('waiting');
    expect(await writ.approvals({ run: waiting.id })).toHaveLength(1);
    let view = waiting;
    for (let i = 0; i < 4; i++) {
      await team.approve(writ, await team.pending(writ, waiting.id));
      view = await team.drive(writ, waiting.id);
    }
    expect(view).toMatchObject({ status: 'completed' });
    expect(team.functions.calls.map(itemOf)).toEqual([0, 1, 2, 3]);
  });

  it('denied: the run fails, and what else was asked for is withdrawn', async () => {
    const { team } = here;
    const writ = await team.open();
    const waiting = await team.run(writ, steps([`${MAP}, approval: async, items: input.list`]), {
      list: numbers(3),
    });
    const [, second] = await writ.approvals({ run: waiting.id });
    if (second === undefined) throw new Error('no second request');
    await team.deny(writ, second);
    expect(await team.drive(writ, waiting.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    const states = (await writ.approvals({ run: waiting.id })).map((one) => one.state).sort();
    expect(states).toEqual(['denied', 'withdrawn', 'withdrawn']);
    expect(team.functions.calls).toEqual([]);
    expect((await team.types(waiting.id)).at(-1)).toBe('run.finished');
  });
});

describe('cancelling', () => {
  it('a map stops everything that runs and starts nothing more', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort);
    const runId = await team.start(writ, steps([`${MAP}, concurrency: 5, items: input.list`]), {
      list: numbers(20),
    });
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => team.functions.calls.length === 5 || null);
    let over = false;
    const cancelled = other.cancel(runId, await team.as(other, 'alice')).finally(() => (over = true));
    await eventually(() => {
      team.clock.advance(50);
      return over || null;
    });
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await driven).toMatchObject({ status: 'cancelled' });
    expect(team.functions.calls).toHaveLength(5);
    expect(team.functions.calls.every((call) => call.signal.aborted)).toBe(true);
    expect((await team.facts(runId, 'step.finished')).map((data) => data['status'])).toEqual(
      Array<string>(5).fill('cancelled'),
    );
    expect((await team.types(runId)).at(-1)).toBe('run.finished');
  });

  it('a loop ends it between two iterations or in one', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => ({ ok: 1 }), hangUntilAbort);
    const text = steps(['mode: loop, functionId: "tool::test_one", maxIterations: 9']);
    const runId = await team.start(writ, text);
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => team.functions.calls.length === 2 || null);
    let over = false;
    const cancelled = writ.cancel(runId, await team.as(writ, 'alice')).finally(() => (over = true));
    await eventually(() => {
      team.clock.advance(50);
      return over || null;
    });
    expect(await cancelled).toMatchObject({
      status: 'cancelled',
      steps: [{ iterations: 2, converged: null }],
    });
    await driven;
  });

  it('a retry delay needs no waiting for its end', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail());
    const retry = 'errorMode: retry, retry: { initialMs: 3600000, maxMs: 3600000, jitter: none }';
    const runId = await team.start(writ, steps([`${MAP}, ${retry}, items: input.list`]), {
      list: numbers(2),
    });
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(async () => (await writ.status(runId)).waitingFor?.kind === 'timer' || null);
    let over = false;
    const cancelled = writ.cancel(runId, await team.as(writ, 'alice')).finally(() => (over = true));
    await eventually(() => {
      team.clock.advance(50);
      return over || null;
    });
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    await driven;
    expect(team.functions.calls).toHaveLength(2);
  });
});

describe('an item that takes too long', () => {
  it('is timed out by itself, and its late answer changes nothing', async () => {
    const { team } = here;
    const writ = await team.open();
    const doors = gate();
    team.functions.answer('tool::test_one', (call) =>
      itemOf(call) === 1 ? doors.answer(call) : itemOf(call),
    );
    const text = steps([`${MAP}, errorMode: skip, timeoutMs: 1000, items: input.list`]);
    const runId = await team.start(writ, text, { list: numbers(3) });
    const driven = team.drive(writ, runId);
    await eventually(async () => {
      const ends = await team.facts(runId, 'step.finished');
      return (ends.length === 2 && doors.waiting.size === 1) || null;
    });
    team.clock.advance(1000);
    const run = await driven;
    doors.open(1);
    expect(run).toMatchObject({ status: 'completed', output: [0, null, 2] });
    const late = await team.facts(runId, 'step.finished');
    expect(late.filter((data) => data['stepPath'] === 's1[1]')).toMatchObject([{ status: 'timed-out' }]);
  });
});

describe('a process that is stopped in the middle of a map', () => {
  it('leaves what it had begun to a person, who decides for all of it at once', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', (call) =>
      itemOf(call) < 3 ? itemOf(call) : hangUntilAbort(call),
    );
    const runId = await team.start(writ, steps([`${MAP}, concurrency: 4, items: input.list`]), {
      list: numbers(8),
    });
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => team.functions.calls.length === 7 || null);
    await eventually(async () => (await team.facts(runId, 'step.finished')).length === 3 || null);
    stop.abort();
    expect(await driven).toMatchObject({ status: 'indeterminate', waitingFor: { kind: 'person' } });
    const again = await team.open();
    expect((await team.drive(again, runId)).status).toBe('indeterminate');
    team.functions.answer('tool::test_one', (call) => itemOf(call));
    await again.resume(runId, await team.as(again, 'alice'), { lost: 'rerun' });
    expect(await team.drive(again, runId)).toMatchObject({ status: 'completed', output: numbers(8) });
    // Items 0-2 once, 3-6 again under the same key, 7 once.
    const keys = team.functions.calls.map((call) => call.idempotencyKey);
    expect([keys.length, new Set(keys).size]).toEqual([12, 8]);
  });

  it('counted as failed, every lost item fails', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort);
    const text = steps([`${MAP}, concurrency: 2, errorMode: skip, items: input.list`]);
    const runId = await team.start(writ, text, { list: numbers(3) });
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => team.functions.calls.length === 2 || null);
    stop.abort();
    await driven;
    team.functions.answer('tool::test_one', (call) => itemOf(call));
    await writ.resume(runId, await team.as(writ, 'alice'), { lost: 'fail' });
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'completed', output: [null, null, 2] });
  });

  it('runs what is idempotent again by itself', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort);
    const runId = await team.start(writ, steps([`${MAP}, idempotent: true, items: input.list`]), {
      list: numbers(3),
    });
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => team.functions.calls.length === 3 || null);
    stop.abort();
    await driven;
    team.functions.answer('tool::test_one', (call) => itemOf(call));
    expect(await team.drive(await team.open(), runId)).toMatchObject({
      status: 'completed',
      output: numbers(3),
    });
    expect(new Set(team.functions.calls.map((call) => call.idempotencyKey)).size).toBe(3);
  });
});

describe('two drives of one map in two processes', () => {
  it('are one after the other: nothing runs twice', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    const runId = await team.start(writ, steps([`${MAP}, items: input.list`]), { list: numbers(25) });
    const both = await Promise.allSettled([team.drive(writ, runId), team.drive(other, runId)]);
    expect(both.filter((one) => one.status === 'fulfilled').length).toBeGreaterThan(0);
    expect(team.functions.calls).toHaveLength(25);
  });
});

describe('a group of different steps', () => {
  it('hands on the results in step order, and collect gets what failed', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', fail('FUNCTION_FAILED', 'no luck'));
    team.functions.answer('tool::test_two', () => 'two');
    const text = steps([
      'mode: fanout, functionId: "tool::test_one", errorMode: skip',
      'mode: fanout, functionId: "tool::test_two"',
      'mode: collect, functionId: "tool::test_three", config: { a: 1 }',
    ]);
    expect((await team.run(writ, text)).status).toBe('completed');
    expect(team.functions.calls.at(-1)?.input).toMatchObject({
      a: 1,
      fanoutResults: [null, 'two'],
      fanoutErrors: [{ step: 's1', index: null, code: 'FUNCTION_FAILED' }],
    });
  });
});

describe('a collecting step of a function with a closed schema', () => {
  const closed = (properties: Json) => ({ type: 'object', additionalProperties: false, properties });
  it.each<[string, Json, Json]>([
    ['names nothing more', closed({ a: {} }), { a: 'both: [1,2]' }],
    ['names the results', closed({ a: {}, fanoutResults: {} }), { a: 'both: [1,2]', fanoutResults: [1, 2] }],
    ['is open', { type: 'object' }, { a: 'both: [1,2]', fanoutResults: [1, 2], fanoutErrors: [] }],
  ])('that %s gets the fields it has a place for', async (_, schema, expected) => {
    const { team } = here;
    const writ = await team.open();
    team.functions.takes('tool::test_two', schema);
    team.functions.answer('tool::test_one', (call) => itemOf(call));
    const text = steps([
      `${MAP}, items: input.list`,
      'mode: collect, functionId: "tool::test_two", config: { a: "both: {{fanout}}" }',
    ]);
    expect((await team.run(writ, text, { list: [1, 2] })).status).toBe('completed');
    expect(team.functions.calls.at(-1)?.input).toEqual(expected);
  });
});

describe('steps that say when they run, and how often', () => {
  it('a condition that is false skips the step, with its values sealed', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([
      `mode: conditional, condition: "input.level == 'high'", functionId: "tool::test_one"`,
      'functionId: "tool::test_two"',
    ]);
    const run = await team.run(writ, text, { level: 'not-that-much' });
    expect(run).toMatchObject({
      status: 'completed',
      steps: [{ stepPath: 's1', status: 'skipped', reason: 'condition', attempts: 0 }, { stepPath: 's2' }],
    });
    const entry = (await team.entries(run.id)).find((one) => one.type === 'step.skipped');
    expect(entry?.data).toEqual({ stepPath: 's1', reason: 'condition' });
    expect(JSON.stringify(entry)).not.toContain('not-that-much');
    const commitment = entry?.commit['detail'];
    if (commitment === undefined) throw new Error('no detail');
    const payload = await team.stored((store) => store.payload(commitment));
    expect(new TextDecoder().decode(payload?.bytes ?? new Uint8Array())).toContain('not-that-much');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('a loop runs until its output says so, each iteration an attempt of its own', async () => {
    const { team } = here;
    const writ = await team.open();
    let n = 0;
    team.functions.answer('tool::test_one', () => ({ score: n++ }));
    const text = steps([
      'mode: loop, functionId: "tool::test_one", until: "score > 1", maxIterations: 5, approval: none',
    ]);
    const run = await team.run(writ, text);
    expect(run).toMatchObject({ status: 'completed', output: { score: 2 } });
    expect(run.steps).toMatchObject([{ iterations: 3, converged: true, attempts: 3, output: { score: 2 } }]);
    expect(await team.facts(run.id, 'loop.ended')).toEqual([
      { stepPath: 's1', iterations: 3, converged: true },
    ]);
    expect((await team.facts(run.id, 'step.intended')).map((data) => data['iteration'])).toEqual([0, 1, 2]);
  });

  it('a loop asks for approval in each iteration anew', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps(['mode: loop, functionId: "tool::test_one", maxIterations: 2, approval: sync']);
    const run = await team.run(writ, text);
    const subjects: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const approval = await team.pending(writ, run.id);
      subjects.push(field((await writ.approval(approval.id)).subject, 'iteration'));
      await team.approve(writ, approval);
      await team.drive(writ, run.id);
    }
    expect(subjects).toEqual([0, 1]);
    expect((await writ.status(run.id)).steps).toMatchObject([{ iterations: 2, converged: true }]);
  });
});
