import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import {
  catcher,
  choice,
  pass,
  retrier,
  runOf,
  statesPlan,
  type TestEvent,
  stepError,
  task,
  wait,
} from '../../test/property/plans.js';

const FAILED = stepError('FUNCTION_FAILED');
const EVENTS: readonly TestEvent[] = [
  { kind: 'succeeded', output: 1, nowMs: 99 },
  { kind: 'failed', error: FAILED, nowMs: 99, draw: 0 },
  { kind: 'rerun', nowMs: 99 },
  { kind: 'paused', nowMs: 99 },
  { kind: 'tick', nowMs: 99 },
];

describe('a run', () => {
  it('asks for its first task with attempt 1 and a key of its own', () => {
    expect(runOf(statesPlan({ A: task() }), { a: 1 }).task()).toMatchObject({
      stepPath: 'A',
      attempt: 1,
      input: { a: 1 },
      idempotencyKey: 'run_1/A/1',
    });
  });

  it('that has finished changes on no event', () => {
    const plan = statesPlan({ A: task() });
    for (const run of [runOf(plan).ok('x'), runOf(plan).bad(FAILED)]) {
      const before = run.state();
      for (const event of EVENTS) expect(run.send(event).state()).toEqual(before);
    }
  });

  it('keeps nothing to do, and no data in parts, after it has finished', () => {
    const run = runOf(statesPlan({ A: task() })).bad(FAILED);
    expect([run.tasks(), run.execution().nextTimerMs(), run.state().parts]).toEqual([[], null, {}]);
  });

  it('changes nothing when it is woken while it waits for no timer', () => {
    const run = runOf(statesPlan({ A: task() }));
    const before = run.state();
    expect(run.tick(1e9).state()).toEqual(before);
  });

  it('with a node its plan does not have is a fault of ours, not of the document', () => {
    const plan = statesPlan({ A: task({ next: 'Nowhere' }) });
    expect(() => runOf(plan).ok({})).toThrow(WritError);
  });
});

describe('an attempt whose outcome was lost in a crash', () => {
  it('runs again with the same input and key, and the next number', () => {
    const run = runOf(statesPlan({ A: task() }), { a: 1 });
    const { input, idempotencyKey } = run.task();
    run.send({ kind: 'rerun', nowMs: 10 });
    expect(run.task()).toMatchObject({ attempt: 2, input, idempotencyKey });
    run.send({ kind: 'rerun', nowMs: 20 });
    expect(run.task()).toMatchObject({ attempt: 3, input, idempotencyKey });
  });

  it('uses up no retry', () => {
    const A = task({ retry: [retrier({ maxAttempts: 1, intervalMs: 1 })] });
    const run = runOf(statesPlan({ A })).send({ kind: 'rerun', nowMs: 1 });
    expect(run.bad(FAILED, 1).waitsUntil()).toBe(2);
    expect(run.tick(2).task().attempt).toBe(3);
  });

  it('does not give back a retry that was used', () => {
    const A = task({ retry: [retrier({ maxAttempts: 1, intervalMs: 1 })] });
    const run = runOf(statesPlan({ A })).bad(FAILED, 0).tick(1).send({ kind: 'rerun', nowMs: 2 });
    expect(run.bad(FAILED, 3).finish().error).toEqual(FAILED);
  });
});

describe("the run's own time limit", () => {
  const plan = statesPlan(
    { A: task({ catch: [catcher('B')], retry: [retrier()], next: 'B' }), B: task() },
    { timeoutMs: 1000 },
  );

  it('ends the run at the border, with States.Timeout that nothing catches', () => {
    expect(runOf(plan, {}, 5).ok({}, 1004).task().stepPath).toBe('B');
    expect(runOf(plan, {}, 5).ok({}, 1005).finish()).toMatchObject({
      status: 'failed',
      output: null,
      error: { name: 'States.Timeout', code: 'RUN_TIMEOUT' },
    });
    expect(runOf(plan, {}, 5).bad(FAILED, 1005).finish().error?.code).toBe('RUN_TIMEOUT');
  });

  it('ends a run that is woken past it', () => {
    expect(runOf(plan).tick(1000).finish().error?.code).toBe('RUN_TIMEOUT');
  });

  it('does not count the time spent waiting for a person', () => {
    const run = runOf(plan).send({ kind: 'paused', nowMs: 400 }).ok({}, 50_000);
    expect(run.state()).toMatchObject({ deadlineMs: 50_600, pausedAtMs: null, main: { node: 'B' } });
    expect(run.ok({}, 50_599).finish().status).toBe('completed');
  });

  it('ends the run at the moved border', () => {
    const run = runOf(plan).send({ kind: 'paused', nowMs: 400 }).ok({}, 50_000);
    expect(run.ok({}, 50_600).finish().error?.code).toBe('RUN_TIMEOUT');
  });

  it('adds up several pauses and takes a second pause in one for nothing', () => {
    const run = runOf(plan);
    run.send({ kind: 'paused', nowMs: 100 }).send({ kind: 'paused', nowMs: 900 }).ok({}, 10_100);
    run.send({ kind: 'paused', nowMs: 10_200 });
    expect(run.ok({}, 30_200).finish().status).toBe('completed');
    expect(run.state().deadlineMs).toBe(31_000);
  });

  it('goes on being paused when it is woken for nothing', () => {
    const run = runOf(plan).send({ kind: 'paused', nowMs: 400 });
    const before = run.state();
    expect(run.tick(5000).state()).toEqual(before);
    expect(run.ok({}, 50_000).task().stepPath).toBe('B');
  });

  it('is not moved back by a clock that went back', () => {
    const run = runOf(plan).send({ kind: 'paused', nowMs: 400 }).ok({}, 300);
    expect(run.state().deadlineMs).toBe(1000);
  });

  it('does not exist unless the document gives one', () => {
    expect(
      runOf(statesPlan({ A: task() }))
        .ok('late', 1e12)
        .finish().output,
    ).toBe('late');
  });
});

describe('a loop without a task', () => {
  it('ends with the run after the bound of transitions', () => {
    const run = runOf(statesPlan({ P: pass({ next: 'C' }), C: choice({ default: 'P' }) }));
    expect(run.finish()).toMatchObject({
      status: 'failed',
      error: { code: 'RUN_FAILED', name: 'States.Runtime' },
    });
    expect(run.state().transitions).toBe(25_000);
  });

  it('of waits in the past is bounded too', () => {
    const past = wait({ timestamp: { text: '2000-01-01T00:00:00Z' } }, { next: 'W' });
    const run = runOf(statesPlan({ W: past }), {}, Date.UTC(2026, 0, 1));
    expect(run.finish()).toMatchObject({ status: 'failed', error: { code: 'RUN_FAILED' } });
  });

  it('counts over the whole run, tasks included', () => {
    const plan = statesPlan({ A: task({ next: 'C' }), C: choice({ default: 'A' }) });
    const run = runOf(plan).ok({}).ok({});
    // Five states entered and three attempts begun.
    expect(run.state().transitions).toBe(8);
    expect(run.task().attempt).toBe(3);
  });
});
