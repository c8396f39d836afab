import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../errors.js';
import type { Plan } from '../workflow/plan.js';
import {
  catcher,
  choice,
  pass,
  retrier,
  runOf,
  statesPlan,
  stepsPlan,
  stepError,
  task,
} from '../../test/property/plans.js';
import { backoffMs } from './retry.js';

const FAILED = stepError('FUNCTION_FAILED');
const TEMPORARY = stepError('SANDBOX_TEMPORARY');
const TIMEOUT = stepError('STEP_TIMEOUT');

describe('what failed asks to be left alone', () => {
  const busy = (plan: Plan, retryAfterMs: number, draw = 0): number =>
    runOf(plan).send({ kind: 'failed', error: TEMPORARY, draw, retryAfterMs, nowMs: 0 }).waitsUntil();
  const jittered = retrier({ jitter: 'full', maxDelayMs: 30_000 });

  it('and is, with the backoff on top, so that not all come back at once', () => {
    const plan = stepsPlan([{ name: 'A', timeoutMs: 120_000, retry: [jittered] }]);
    expect(busy(plan, 60_000)).toBe(60_000);
    expect(busy(plan, 60_000, 0.5)).toBe(60_500);
    expect(busy(plan, 0, 0.5)).toBe(500);
  });

  it('no longer than an attempt may take, or a day where that has no bound', () => {
    const plan = stepsPlan([{ name: 'A', timeoutMs: 5_000, retry: [jittered] }]);
    expect(busy(plan, 86_400_000)).toBe(5_000);
    expect(busy(statesPlan({ A: task({ retry: [retrier()] }) }), Number.MAX_SAFE_INTEGER)).toBe(86_401_000);
  });

  it('nor, in dialect 2, beyond MaxDelaySeconds', () => {
    const plan = statesPlan({ A: task({ retry: [retrier({ maxDelayMs: 2_500 })] }) });
    expect(busy(plan, 60_000)).toBe(2_500);
    expect(busy(plan, 1_000)).toBe(2_000);
  });
});

describe('the delay before a retry', () => {
  it('grows by backoffRate from intervalMs: the seed gives 2, 4, 8 s', () => {
    const seed = retrier({ intervalMs: 2000, backoffRate: 2 });
    expect([0, 1, 2].map((n) => backoffMs(seed, n, 0.9))).toEqual([2000, 4000, 8000]);
  });

  it.each([
    [0, 1000],
    [1, 2000],
    [2, 2500],
    [50, 2500],
  ])('is capped at maxDelayMs (retry %i: %i ms)', (n, expected) => {
    expect(backoffMs(retrier({ maxDelayMs: 2500 }), n, 0)).toBe(expected);
  });

  it('stays the interval with backoffRate 1', () => {
    expect(backoffMs(retrier({ backoffRate: 1 }), 40, 0)).toBe(1000);
  });

  it.each([
    [0, 0],
    [0.5, 2000],
    [0.999_999, 3999],
  ])('with full jitter is the draw %f of the capped delay', (draw, expected) => {
    expect(backoffMs(retrier({ jitter: 'full' }), 2, draw)).toBe(expected);
  });

  it('is always a whole number of milliseconds from 0 to the cap', () => {
    const fields = fc.record({
      intervalMs: fc.integer({ min: 0, max: 99_999_999_000 }),
      backoffRate: fc.double({ min: 1, max: 1000, noNaN: true }),
      maxDelayMs: fc.option(fc.integer({ min: 1, max: 31_622_400_000 })),
      jitter: fc.constantFrom('none' as const, 'full' as const),
    });
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fields, fc.nat(60), draw, (given, n, drawn) => {
        const delayMs = backoffMs(retrier(given), n, drawn);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(given.maxDelayMs ?? Number.MAX_SAFE_INTEGER);
      }),
    );
  });
});

describe('a failed attempt', () => {
  it('runs again after its delay with the same input and key and the next attempt number', () => {
    const A = task({
      retry: [retrier({ intervalMs: 2000 })],
      resultPath: '$.r',
      outputPath: '$',
    });
    const run = runOf(statesPlan({ A }), { a: 1 });
    const first = run.task();
    const seen = [first.attempt];
    let nowMs = 100;
    for (const delayMs of [2000, 4000, 8000]) {
      expect(run.bad(FAILED, nowMs).waitsUntil()).toBe(nowMs + delayMs);
      expect(run.tick(nowMs + delayMs - 1).tasks()).toEqual([]);
      nowMs += delayMs;
      const again = run.tick(nowMs).task();
      expect(again).toMatchObject({ input: first.input, idempotencyKey: first.idempotencyKey });
      seen.push(again.attempt);
    }
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(run.bad(FAILED, nowMs).finish()).toMatchObject({ status: 'failed', error: FAILED });
  });

  it('runs again at once when the jitter draws 0', () => {
    const A = task({ retry: [retrier({ jitter: 'full' })] });
    expect(runOf(statesPlan({ A })).bad(FAILED, 5, 0).task().attempt).toBe(2);
  });

  it('does not run again with maxAttempts 0', () => {
    const A = task({ retry: [retrier({ maxAttempts: 0 })] });
    expect(runOf(statesPlan({ A })).bad(FAILED).finish().error).toEqual(FAILED);
  });

  it('goes to catch when its retries are used up', () => {
    const A = task({ retry: [retrier({ maxAttempts: 1, intervalMs: 1 })], catch: [catcher('B')] });
    const run = runOf(statesPlan({ A, B: task() }))
      .bad(FAILED, 0)
      .tick(1)
      .bad(FAILED, 1);
    expect(run.task()).toMatchObject({ stepPath: 'B', input: { Error: 'Tool.Failed' } });
  });

  it('counts per retrier, and the first that names the error decides even when it is used up', () => {
    const A = task({
      retry: [
        retrier({ errorEquals: ['Tool.TemporaryFailure'], maxAttempts: 1, intervalMs: 10 }),
        retrier({ errorEquals: ['States.ALL'], maxAttempts: 2, intervalMs: 100 }),
      ],
    });
    const run = runOf(statesPlan({ A }));
    expect(run.bad(TEMPORARY, 0).waitsUntil()).toBe(10);
    expect(run.tick(10).bad(FAILED, 10).waitsUntil()).toBe(110);
    expect(run.tick(110).bad(FAILED, 110).waitsUntil()).toBe(310);
    expect(run.state().main?.task?.retries).toEqual([1, 2]);
    expect(run.tick(310).bad(TEMPORARY, 310).finish().error).toEqual(TEMPORARY);
  });

  it('forgets used retries when the state is entered again, but never an attempt number', () => {
    const A = task({
      retry: [retrier({ maxAttempts: 1, intervalMs: 1 })],
      catch: [catcher('Again', { resultPath: '$.error' })],
    });
    const Again = choice({ default: 'A' });
    const run = runOf(statesPlan({ A, Again }));
    const attempts: number[] = [];
    const keys: string[] = [];
    for (let nowMs = 0; nowMs < 6; nowMs++) {
      if (run.tasks().length === 0) run.tick(nowMs);
      const { attempt, idempotencyKey } = run.task();
      attempts.push(attempt);
      keys.push(idempotencyKey);
      run.bad(FAILED, nowMs);
    }
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
    // Two attempts per entry share a key; every entry has another.
    expect(keys.map((key) => keys.indexOf(key))).toEqual([0, 0, 2, 2, 4, 4]);
  });

  it('says in the context how often the entry was retried', () => {
    const A = task({
      retry: [retrier({ intervalMs: 1 })],
      resultPath: '$',
      outputPath: '$$.State.RetryCount',
    });
    const run = runOf(statesPlan({ A })).bad(FAILED, 0).tick(1).bad(FAILED, 1).tick(9).ok('done', 9);
    expect(run.finish().output).toBe(2);
  });

  it('changes nothing when an outcome arrives while its delay runs: no attempt is under way', () => {
    const run = runOf(statesPlan({ A: task({ retry: [retrier()], next: 'B' }), B: task() })).bad(FAILED, 0);
    const before = run.state();
    run.ok('late', 10).bad(FAILED, 10);
    run.send({ kind: 'rerun', nowMs: 10 }).send({ kind: 'paused', nowMs: 10 });
    expect(run.state()).toEqual(before);
    expect(run.tick(1000).task()).toMatchObject({ stepPath: 'A', attempt: 2 });
  });

  it('counts attempts of a state that has the name of a built-in property', () => {
    const names = ['toString', 'valueOf', 'hasOwnProperty', '__proto__'];
    const drafts = Object.fromEntries(names.map((name, at) => [name, task({ next: names[at + 1] ?? null })]));
    const run = runOf(statesPlan(drafts));
    for (const stepPath of names) {
      expect(run.task()).toMatchObject({ stepPath, attempt: 1, idempotencyKey: `run_1/${stepPath}/1` });
      run.ok({});
    }
    expect(run.finish().status).toBe('completed');
  });
});

describe('which errors are retried and caught', () => {
  const all = [retrier({ errorEquals: ['States.ALL'], intervalMs: 1 })];
  const REFUSALS: readonly [ErrorCode, string][] = [
    ['POLICY_NO_MATCH', 'Policy.Denied'],
    ['POLICY_TOOL_DENIED', 'Policy.Denied'],
    ['CEILING_NETWORK', 'Ceiling.Exceeded'],
    ['APPROVAL_DENIED', 'Approval.Denied'],
    ['APPROVAL_EXPIRED', 'Approval.Expired'],
  ];

  it.each(REFUSALS)('%s is never retried, not even by name', (code, name) => {
    const A = task({ retry: [retrier({ errorEquals: [name] }), ...all] });
    expect(runOf(statesPlan({ A })).bad(stepError(code)).finish().error?.code).toBe(code);
  });

  it.each(REFUSALS)('%s is not caught by States.ALL or States.TaskFailed', (code) => {
    const A = task({ catch: [catcher('B', { errorEquals: ['States.TaskFailed'] }), catcher('B')] });
    const run = runOf(statesPlan({ A, B: task() })).bad(stepError(code));
    expect(run.finish()).toMatchObject({ status: 'failed', error: { code } });
  });

  it.each(REFUSALS)('%s is caught by its own name, %s', (code, name) => {
    const A = task({ catch: [catcher('B', { errorEquals: [name] })] });
    const run = runOf(statesPlan({ A, B: task() })).bad(stepError(code));
    expect(run.task()).toMatchObject({ stepPath: 'B', input: { Error: name } });
  });

  it.each<[ErrorCode, string]>([
    ['APPROVAL_DENIED', 'Approval.Expired'],
    ['APPROVAL_EXPIRED', 'Approval.Denied'],
    ['POLICY_NO_MATCH', 'Ceiling.Exceeded'],
  ])('%s is not caught by %s', (code, name) => {
    const A = task({ catch: [catcher('B', { errorEquals: [name] })] });
    expect(
      runOf(statesPlan({ A, B: task() }))
        .bad(stepError(code))
        .finish().status,
    ).toBe('failed');
  });

  it('a refusal without a name to catch is caught by nothing', () => {
    const error = stepError('APPROVAL_DIGEST_MISMATCH');
    const A = task({ catch: [catcher('B', { errorEquals: ['States.TaskFailed'] }), catcher('B')] });
    expect(
      runOf(statesPlan({ A, B: task() }))
        .bad(error)
        .finish().error,
    ).toEqual(error);
  });

  it.each<[ErrorCode, string]>([
    ['INTEGRITY_DIGEST', 'Integrity.Digest'],
    ['STORE_IO', 'Store.IO'],
    ['AUDIT_FORK', 'Audit.Fork'],
    ['INTERNAL', 'States.TaskFailed'],
  ])('fatal %s is neither retried nor caught, whatever is named', (code, name) => {
    const named = { errorEquals: [name] };
    const A = task({ retry: [retrier(named), ...all], catch: [catcher('B', named), catcher('B')] });
    const run = runOf(statesPlan({ A, B: task() })).bad(stepError(code, name));
    expect(run.finish()).toMatchObject({ status: 'failed', error: { code } });
  });

  it('States.Runtime is neither retried nor caught, even when named', () => {
    const named = { errorEquals: ['States.Runtime'] };
    const A = task({ retry: [retrier(named), ...all], catch: [catcher('B', named), catcher('B')] });
    const run = runOf(statesPlan({ A, B: task() })).bad(stepError('STEP_PATH_UNRESOLVED'));
    expect(run.finish().error?.name).toBe('States.Runtime');
  });

  it.each(['States.Timeout', 'Runner.Timeout', 'Platform.Timeout', 'States.ALL'])(
    '%s names a timeout',
    (name) => {
      const A = task({
        retry: [retrier({ errorEquals: [name], maxAttempts: 1, intervalMs: 1 })],
        catch: [catcher('B', { errorEquals: [name] })],
      });
      const run = runOf(statesPlan({ A, B: task() })).bad(TIMEOUT, 0);
      expect(run.tick(1).bad(TIMEOUT, 1).task().stepPath).toBe('B');
    },
  );

  it('States.TaskFailed stands for every task failure but a timeout', () => {
    const A = task({ catch: [catcher('B', { errorEquals: ['States.TaskFailed'] })] });
    const plan = statesPlan({ A, B: task() });
    expect(runOf(plan).bad(FAILED).task().stepPath).toBe('B');
    expect(runOf(plan).bad(stepError('FUNCTION_FAILED', 'My.Error')).task().stepPath).toBe('B');
    expect(runOf(plan).bad(TIMEOUT).finish().error).toEqual(TIMEOUT);
  });

  it('a failure that takes the name of a refusal is treated like one', () => {
    const A = task({ retry: all, catch: [catcher('B')] });
    const posing = stepError('FUNCTION_FAILED', 'Approval.Denied');
    expect(
      runOf(statesPlan({ A, B: pass() }))
        .bad(posing)
        .finish().status,
    ).toBe('failed');
  });
});
