import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { WaitNode } from '../workflow/plan.js';
import {
  retrier,
  runOf,
  statesPlan,
  stepError,
  succeed,
  task,
  wait,
  type Run,
} from '../../test/property/plans.js';

const NOW = Date.UTC(2026, 0, 1);
const LONGEST = 2 ** 31 - 1;

function waiting(until: WaitNode['until'], input: Json = {}): Run {
  return runOf(statesPlan({ W: wait(until, { next: 'A' }), A: task() }), input, NOW);
}

describe('Wait', () => {
  it.each<[string, WaitNode['until'], Json, number]>([
    ['seconds', { seconds: 60 }, {}, NOW + 60_000],
    ['one second', { seconds: 1 }, {}, NOW + 1000],
    ['secondsPath', { seconds: { path: '$.s' } }, { s: 5 }, NOW + 5000],
    ['timestamp with Z', { timestamp: { text: '2026-01-01T01:00:00Z' } }, {}, NOW + 3_600_000],
    ['timestamp with offset', { timestamp: { text: '2026-01-01T01:00:00+01:00' } }, {}, NOW],
    ['timestampPath', { timestamp: { path: '$.t' } }, { t: '2026-01-01T00:00:01.5Z' }, NOW + 1500],
    [
      'a fraction below a millisecond, rounded up',
      { timestamp: { text: '2026-01-01T00:00:00.000000001Z' } },
      {},
      NOW + 1,
    ],
    ['the longest wait', { seconds: LONGEST }, {}, NOW + LONGEST * 1000],
  ])('understands %s', (_, until, input, untilMs) => {
    const run = waiting(until, input);
    if (untilMs > NOW) expect(run.waitsUntil()).toBe(untilMs);
    else expect(run.task().stepPath).toBe('A');
  });

  it.each<[string, WaitNode['until'], Json]>([
    ['0 seconds', { seconds: 0 }, {}],
    ['a timestamp in the past', { timestamp: { text: '2020-01-01T00:00:00Z' } }, {}],
    ['a timestamp of now', { timestamp: { text: '2026-01-01T00:00:00Z' } }, {}],
  ])('does not wait for %s', (_, until, input) => {
    expect(waiting(until, input).task().stepPath).toBe('A');
  });

  it('changes nothing when it is woken too early, goes on at the border, and hands its input on', () => {
    const run = waiting({ seconds: 60 }, { a: 1 });
    const before = run.state();
    expect(run.tick(NOW + 59_999).state()).toEqual(before);
    expect(run.waitsUntil()).toBe(NOW + 60_000);
    expect(run.tick(NOW + 60_000).task()).toMatchObject({ stepPath: 'A', input: { a: 1 } });
  });

  it('goes on when it is woken days late', () => {
    expect(
      waiting({ seconds: 1 })
        .tick(NOW + 9e9)
        .task().stepPath,
    ).toBe('A');
  });

  it('changes nothing on any other event', () => {
    const run = waiting({ seconds: 60 });
    const before = run.state();
    run.ok({ not: 'mine' }, NOW + 1);
    run.bad(stepError('FUNCTION_FAILED'), NOW + 1);
    run.send({ kind: 'rerun', nowMs: NOW + 1 }).send({ kind: 'paused', nowMs: NOW + 1 });
    expect(run.state()).toEqual(before);
  });

  it.each<[string, WaitNode['until'], Json]>([
    ['seconds above 2^31-1', { seconds: LONGEST + 1 }, {}],
    ['secondsPath above 2^31-1', { seconds: { path: '$.s' } }, { s: LONGEST + 1 }],
    [
      'a timestamp more than 2^31-1 s ahead',
      { timestamp: { path: '$.t' } },
      { t: '2094-12-10T06:56:23.000Z' },
    ],
  ])('fails as too long: %s', (_, until, input) => {
    expect(waiting(until, input).finish().error).toMatchObject({
      name: 'States.Runtime',
      message:
        "An error occurred while executing the state 'W' (entered at the event id #2). Wait state delay is too long.",
    });
  });

  it.each<[string, WaitNode['until'], Json]>([
    ['a negative number of seconds', { seconds: { path: '$.s' } }, { s: -1 }],
    ['half a second', { seconds: { path: '$.s' } }, { s: 0.5 }],
    ['seconds as text that is no number', { seconds: { path: '$.s' } }, { s: '60 s' }],
    ['a missing path', { seconds: { path: '$.none' } }, { s: 1 }],
    ['a timestamp without offset', { timestamp: { path: '$.t' } }, { t: '2026-01-01T00:00:00' }],
    ['a timestamp with a small t', { timestamp: { path: '$.t' } }, { t: '2026-01-01t00:00:00Z' }],
    ['a day that does not exist', { timestamp: { path: '$.t' } }, { t: '2026-02-30T00:00:00Z' }],
    ['a timestamp that is a number', { timestamp: { path: '$.t' } }, { t: 1_700_000_000 }],
  ])('fails with States.Runtime on %s', (_, until, input) => {
    expect(waiting(until, input).finish()).toMatchObject({
      status: 'failed',
      error: { name: 'States.Runtime' },
    });
  });

  it('selects with inputPath, then outputPath, when it is over', () => {
    const W = wait({ seconds: { path: '$.s' } }, { inputPath: '$.in', outputPath: '$.keep', next: 'S' });
    const run = runOf(statesPlan({ W, S: succeed() }), { in: { s: 1, keep: 'me' } }, NOW);
    expect(run.tick(NOW + 1000).finish().output).toBe('me');
  });

  it('fails its state, not the engine, when outputPath is not there', () => {
    const W = wait({ seconds: 1 }, { outputPath: '$.none', next: 'S' });
    const run = runOf(statesPlan({ W, S: succeed() }), {}, NOW).tick(NOW + 1000);
    expect(run.finish()).toMatchObject({ status: 'failed', error: { name: 'States.Runtime' } });
  });
});

describe("the run's own time limit and timers", () => {
  it('ends a Wait at the limit when that comes first', () => {
    const plan = statesPlan({ W: wait({ seconds: 3600 }, { next: 'A' }), A: task() }, { timeoutMs: 60_000 });
    const run = runOf(plan, {}, NOW);
    expect(run.waitsUntil()).toBe(NOW + 60_000);
    expect(run.tick(NOW + 60_000).finish().error).toMatchObject({
      name: 'States.Timeout',
      code: 'RUN_TIMEOUT',
    });
  });

  it('ends a retry delay at the limit when that comes first', () => {
    const plan = statesPlan({ A: task({ retry: [retrier({ intervalMs: 90_000 })] }) }, { timeoutMs: 60_000 });
    const run = runOf(plan, {}, NOW).bad(stepError('FUNCTION_FAILED'), NOW + 10);
    expect(run.waitsUntil()).toBe(NOW + 60_000);
  });
});
