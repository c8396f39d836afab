import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  catcher,
  choice,
  failState,
  groupPlan,
  map,
  parallel,
  pass,
  retrier,
  runOf,
  statesPlan,
  stepError,
  stepsPlan,
  task,
  wait,
  type Run,
} from '../../test/property/plans.js';
import type { Json } from '../json.js';
import { stoppedTasks } from './redrive.js';

const FAILED = stepError('FUNCTION_FAILED');
const DENIED = stepError('APPROVAL_DENIED');
const items = (n: number): Json => ({ items: Array.from({ length: n }, (_, index) => index) });
const began = (run: Run, ...paths: readonly string[]): Run => {
  for (const stepPath of paths) run.send({ kind: 'started', stepPath, nowMs: 1 });
  return run;
};

describe('a redriven run', () => {
  const three = statesPlan({
    A: task({ next: 'B', resultPath: '$.a' }),
    B: task({ next: 'C', resultPath: '$.b', retry: [retrier({ intervalMs: 0, maxAttempts: 1 })] }),
    C: task(),
  });

  it('goes on from the state that failed, with its input, and runs nothing again that succeeded', () => {
    const run = runOf(three, { x: 1 }).ok(1).bad(FAILED).bad(FAILED);
    expect(run.finish()).toMatchObject({ status: 'failed', error: FAILED });
    run.redrive(9000);
    expect(run.task()).toMatchObject({ stepPath: 'B', attempt: 3, input: { x: 1, a: 1 }, phase: 'ready' });
    run.ok(2);
    expect(run.task()).toMatchObject({ stepPath: 'C', input: { x: 1, a: 1, b: 2 } });
    expect(run.ok(3).finish()).toMatchObject({ status: 'completed', output: 3 });
  });

  it('has all its retries again', () => {
    const run = runOf(three).ok(1).bad(FAILED).bad(FAILED).redrive(1);
    expect(run.bad(FAILED).task().attempt).toBe(4);
    expect(run.bad(FAILED).finish().status).toBe('failed');
    expect(run.redrive(2).task().attempt).toBe(5);
  });

  it('keeps the key of the entry: an act that was done all the same is done once', () => {
    const run = runOf(three).ok(1);
    const { idempotencyKey } = run.task();
    expect(run.bad(FAILED).bad(FAILED).redrive(1).task().idempotencyKey).toBe(idempotencyKey);
  });

  it('says in its context how often and when it was redriven', () => {
    const plan = statesPlan({
      A: task({ next: 'B' }),
      B: pass({ parameters: { 'n.$': '$$.Execution.RedriveCount', 'at.$': '$$.Execution.RedriveTime' } }),
    });
    const run = runOf(plan).bad(FAILED).redrive(1000).bad(FAILED).redrive(61_000).ok({});
    expect(run.finish().output).toEqual({ n: 2, at: '1970-01-01T00:01:01.000Z' });
  });

  it('has no RedriveTime before it was redriven, and the count 0', () => {
    const plan = statesPlan({ A: pass({ parameters: { 'of.$': '$$.Execution' } }) });
    const { of } = runOf(plan).finish().output as { of: { [key: string]: Json } };
    expect([of['RedriveCount'], 'RedriveTime' in of]).toEqual([0, false]);
  });

  it('counts its time limit from now', () => {
    const plan = statesPlan({ A: task() }, { timeoutMs: 1000 });
    const run = runOf(plan).tick(1000);
    expect(run.finish().error).toMatchObject({ name: 'States.Timeout' });
    run.redrive(5000);
    expect(run.execution().nextTimerMs()).toBe(6000);
    expect(run.ok(1, 5999).finish().status).toBe('completed');
  });

  it('enters a Choice, a Pass and a Fail state again', () => {
    const chosen = statesPlan({ A: choice({ choices: [], default: null }), B: pass() });
    expect(runOf(chosen).redrive(1).finish().error).toMatchObject({ name: 'States.NoChoiceMatched' });
    const broken = statesPlan({ A: pass({ parameters: { 'x.$': '$.y' } }) });
    expect(runOf(broken).redrive(1).finish().status).toBe('failed');
    const failing = statesPlan({ A: failState('No', 'never') });
    expect(runOf(failing).redrive(1).finish().error).toMatchObject({ name: 'No' });
  });

  it('keeps variables and asks for a refused step anew', () => {
    const plan = statesPlan({
      V: pass({ assign: { v: 7 }, next: 'A' }),
      A: task({ next: 'B' }),
      B: pass({ parameters: { 'v.$': '$v' } }),
    });
    const run = runOf(plan).send({ kind: 'paused', nowMs: 0 }).bad(DENIED);
    expect(run.finish().error).toEqual(DENIED);
    expect(run.redrive(1).task()).toMatchObject({ attempt: 2, phase: 'ready', approval: null });
    expect(run.ok({}).finish().output).toEqual({ v: 7 });
  });

  it('goes on where it stood when it ran out of transitions, which it soon does again', () => {
    const plan = statesPlan({ A: pass({ next: 'A' }) });
    const run = runOf(plan);
    expect(run.finish().error).toMatchObject({ code: 'RUN_FAILED' });
    expect(run.redrive(1).finish().error).toMatchObject({ code: 'RUN_FAILED' });
  });

  it('makes a task anew whose result could not be placed', () => {
    const plan = statesPlan({ A: task({ outputPath: '$.missing' }) });
    const run = runOf(plan).ok({ x: 1 });
    expect(run.finish().status).toBe('failed');
    expect(run.redrive(1).task()).toMatchObject({ stepPath: 'A', attempt: 2 });
    expect(run.ok({ missing: 5 }).finish().output).toBe(5);
  });

  it('that was cancelled makes anew what ran or waited, and lets timers end when they would have', () => {
    const plan = statesPlan({
      P: parallel(['R', 'Q', 'W']),
      R: task(),
      Q: task(),
      W: wait({ seconds: 60 }),
    });
    const run = began(runOf(plan), 'P[0]/R').send({
      kind: 'paused',
      stepPath: 'P[1]/Q',
      isAsync: true,
      nowMs: 2,
    });
    run.redrive(9000, { isCancelled: true });
    expect(run.task('P[0]/R')).toMatchObject({ attempt: 2, phase: 'ready' });
    expect(run.task('P[1]/Q')).toMatchObject({ attempt: 2, phase: 'ready', approval: null });
    expect(run.execution().nextTimerMs()).toBe(60_000);
  });
});

describe('a redriven Parallel', () => {
  const plan = statesPlan({
    P: parallel(['A', 'B', 'C'], { next: 'D' }),
    A: task({ next: 'A2' }),
    A2: task(),
    B: task(),
    C: task(),
    D: task(),
  });

  it('begins only the branches again that failed or were stopped, each where it stood', () => {
    const run = began(runOf(plan, { x: 1 }), 'P[2]/C')
      .ok('b', 1, 'P[1]/B')
      .ok('a', 2, 'P[0]/A');
    run.bad(FAILED, 3, 0, 'P[0]/A2').send({ kind: 'stopped', stepPath: 'P[2]/C', nowMs: 4 });
    expect(run.finish().error).toEqual(FAILED);
    run.redrive(10);
    expect(run.tasks()).toEqual(['P[0]/A2', 'P[2]/C']);
    expect([run.task('P[0]/A2').attempt, run.task('P[2]/C').attempt]).toEqual([2, 2]);
    run.ok('c', 11, 'P[2]/C').ok('a2', 12, 'P[0]/A2');
    expect(run.task()).toMatchObject({ stepPath: 'D', input: ['a2', 'b', 'c'] });
  });

  it('takes what a branch gave that succeeded while it was being stopped', () => {
    const run = began(runOf(plan), 'P[2]/C').ok('b', 1, 'P[1]/B').bad(FAILED, 2, 0, 'P[0]/A');
    run.ok('late', 3, 'P[2]/C');
    expect(run.finish().status).toBe('failed');
    run.redrive(10, { outputs: new Map([['P[2]/C', 'late']]) });
    expect(run.tasks()).toEqual(['P[0]/A']);
    run.ok('a', 11).ok('a2', 12);
    expect(run.task().input).toEqual(['a2', 'b', 'late']);
  });

  it('nested in another, and under a Map, keeps everything that is done at every depth', () => {
    const deep = statesPlan({
      O: parallel(['M', 'X']),
      X: task(),
      M: map('P', 0),
      P: parallel(['A', 'B']),
      A: task(),
      B: task(),
    });
    const run = runOf(deep, items(2));
    run.ok('x', 0, 'O[1]/X').ok('a0', 0, 'O[0]/M[0]/P[0]/A').ok('b0', 0, 'O[0]/M[0]/P[1]/B');
    run.ok('b1', 0, 'O[0]/M[1]/P[1]/B').bad(FAILED, 0, 0, 'O[0]/M[1]/P[0]/A');
    expect(run.finish().status).toBe('failed');
    expect(run.redrive(1).tasks()).toEqual(['O[0]/M[1]/P[0]/A']);
    expect(run.ok('a1').finish().output).toEqual([
      [
        ['a0', 'b0'],
        ['a1', 'b1'],
      ],
      'x',
    ]);
  });

  it('leaves nothing behind of a fork that was retried or caught', () => {
    const again = statesPlan({
      P: parallel(['A', 'B'], { retry: [retrier({ intervalMs: 0, maxAttempts: 1 })], catch: [catcher('Z')] }),
      A: task(),
      B: task(),
      Z: task(),
    });
    const run = runOf(again).ok('b', 0, 'P[1]/B').bad(FAILED, 0, 0, 'P[0]/A');
    expect(Object.keys(run.state().parts).filter((key) => /^(aside|result)/.test(key))).toEqual([]);
    expect(run.tasks()).toEqual(['P#2[0]/A', 'P#2[1]/B']);
    run.bad(FAILED, 0, 0, 'P#2[0]/A');
    expect(Object.keys(run.state().parts).filter((key) => /^(aside|result|items)/.test(key))).toEqual([]);
    // The failure of a later state goes on there, and not in the Parallel.
    expect(run.bad(FAILED).redrive(1).tasks()).toEqual(['Z']);
  });
});

describe('a redriven Map', () => {
  const plan = statesPlan({ M: map('A', 2), A: task({ next: 'B' }), B: task() });

  it('keeps the results of items, begins failed ones where they stood, and goes on to those that had not begun', () => {
    const run = runOf(plan, items(4)).ok('a0', 0, 'M[0]/A').ok('b0', 0, 'M[0]/B').ok('a1', 0, 'M[1]/A');
    run.bad(FAILED, 0, 0, 'M[1]/B');
    expect(run.finish().status).toBe('failed');
    run.redrive(1);
    expect(run.tasks()).toEqual(['M[1]/B', 'M[2]/A']);
    run.ok('b1', 1, 'M[1]/B').ok('a2', 1, 'M[2]/A').ok('b2', 1, 'M[2]/B').ok('a3', 1, 'M[3]/A');
    expect(run.ok('b3', 1).finish().output).toEqual(['b0', 'b1', 'b2', 'b3']);
  });

  it('of the distributed kind begins tolerated items again too, where they failed', () => {
    const each = {
      items: { kind: 'path', path: '$.items' },
      concurrency: 0,
      distributed: {
        executionType: 'STANDARD',
        toleratedCount: 1,
        toleratedPercentage: null,
        batcher: null,
        writer: null,
        label: null,
      },
    } as const;
    const spread = statesPlan({
      M: { ...map('A'), lanes: [{ start: 'A', each }], next: 'C' },
      A: task({ next: 'B' }),
      B: task(),
      C: task(),
    });
    const run = runOf(spread, items(3)).ok('a0', 0, 'M[0]/A').bad(FAILED, 0, 0, 'M[0]/B');
    run.ok('a2', 0, 'M[2]/A').ok('b2', 0, 'M[2]/B').bad(FAILED, 0, 0, 'M[1]/A');
    expect(run.finish().error).toMatchObject({ name: 'States.ExceedToleratedFailureThreshold' });
    run.redrive(1);
    expect(run.tasks()).toEqual(['M[0]/B', 'M[1]/A']);
    // What has failed again counts from nothing.
    run.ok('b0', 1, 'M[0]/B').bad(FAILED, 1, 0, 'M[1]/A');
    expect(run.task()).toMatchObject({ stepPath: 'C', input: ['b0', 'b2'] });
    expect(Object.keys(run.state().parts).filter((key) => key.startsWith('aside'))).toEqual([]);
  });
});

describe('a redriven run of dialect 1', () => {
  it('goes on from the step that failed, with what the steps before gave', () => {
    const plan = stepsPlan([
      { name: 'One', outputVar: 'x' },
      { name: 'Two', prompt: 'with {{x}}' },
    ]);
    const run = runOf(plan).ok('first').bad(FAILED).redrive(1);
    expect(run.task()).toMatchObject({ stepPath: 'two', attempt: 2, input: { message: 'with first' } });
    expect(run.ok('second').finish().output).toBe('second');
  });

  it('goes on in the iteration of a loop that failed', () => {
    const loop = { until: null, maxIterations: 3, onExhausted: 'continue' } as const;
    const run = runOf(stepsPlan([{ name: 'L', loop }]))
      .ok('1')
      .bad(FAILED)
      .redrive(1);
    expect(run.task()).toMatchObject({ attempt: 3, iteration: 1 });
    expect(run.ok('2').task().iteration).toBe(2);
  });

  it('begins only the members of a group again that failed', () => {
    const run = runOf(groupPlan([], [{ name: 'A' }, { name: 'B' }], []))
      .ok('a', 0, 'a')
      .bad(FAILED, 0, 0, 'b');
    expect(run.redrive(1).tasks()).toEqual(['b']);
    expect(run.ok('b').finish().output).toEqual(['a', 'b']);
  });

  it('goes on with a conversation where its calls were', () => {
    const run = runOf(stepsPlan([{ name: 'Ask' }, { name: 'Next' }]), {}, 0);
    const calls = [1, 2].map((id) => ({ id: String(id), functionId: 'tool::wasm', input: id }));
    run.send({ kind: 'asked', calls, transcript: 'so far', nowMs: 0 });
    run.ok('one', 0, 'ask/call[0]').redrive(1, { isCancelled: true });
    expect(run.tasks()).toEqual(['ask', 'ask/call[1]']);
    run.ok('two', 1, 'ask/call[1]');
    expect(run.task('ask').conversation?.answers.map((one) => one?.output)).toEqual(['one', 'two']);
  });
});

describe('what is kept for a redrive', () => {
  it('names the attempts that are over or were stopped', () => {
    const plan = statesPlan({
      P: parallel(['A', 'B', 'C']),
      A: task(),
      B: task({ idempotent: true }),
      C: task(),
    });
    const run = began(runOf(plan), 'P[1]/B');
    const { head } = run.execution();
    const remains = { head, parts: new Map(Object.entries(run.state().parts)) };
    expect(stoppedTasks(plan, remains)).toEqual([
      { stepPath: 'P[1]/B', attempt: 1, isIdempotent: true, hadBegun: true, mayHaveEnded: true },
    ]);
  });

  it('is enough for any order of ends: nothing that succeeded runs again, no attempt has a number twice', () => {
    const plan = statesPlan({
      P: parallel(['M', 'X'], { next: 'Z' }),
      M: map('A', 2),
      A: task({ next: 'B', retry: [retrier({ intervalMs: 0, maxAttempts: 1 })] }),
      B: task(),
      X: task(),
      Z: task(),
    });
    const choice = fc.record({ at: fc.nat(), fails: fc.boolean() });
    fc.assert(
      fc.property(fc.array(choice, { maxLength: 60 }), (choices) => {
        const run = runOf(plan, items(3));
        const done = new Set<string>();
        const used = new Set<string>();
        const steps = [...choices, ...Array<(typeof choices)[number]>(80).fill({ at: 0, fails: false })];
        for (const { at, fails } of steps) {
          const { status } = run.execution().head;
          if (status === 'completed') break;
          if (status === 'failed') run.redrive(1);
          const ready = run.ready();
          const stepPath = ready[at % ready.length] ?? 'nothing';
          const { attempt } = run.task(stepPath);
          expect(done.has(stepPath)).toBe(false);
          expect(used.has(`${stepPath} ${attempt}`)).toBe(false);
          used.add(`${stepPath} ${attempt}`);
          run.send({ kind: 'started', stepPath, nowMs: 1 });
          if (fails) run.bad(FAILED, 1, 0, stepPath);
          else {
            run.ok(stepPath, 1, stepPath);
            done.add(stepPath);
          }
        }
        expect(run.finish()).toMatchObject({ status: 'completed', output: 'Z' });
      }),
      { numRuns: 60 },
    );
  });
});
