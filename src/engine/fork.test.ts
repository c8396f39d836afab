import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import {
  catcher,
  map,
  parallel,
  pass,
  retrier,
  runOf,
  statesPlan,
  stepError,
  task,
  wait,
  type Run,
} from '../../test/property/plans.js';

const FAILED = stepError('FUNCTION_FAILED');
const DENIED = stepError('APPROVAL_DENIED');

const items = (n: number): Json => ({ items: Array.from({ length: n }, (_, index) => index) });
const started = (run: Run, ...paths: readonly string[]): Run => {
  for (const stepPath of paths) run.send({ kind: 'started', stepPath, nowMs: 1 });
  return run;
};

describe('Parallel', () => {
  const both = statesPlan({ P: parallel(['A', 'B'], { next: 'C' }), A: task(), B: task(), C: task() });

  it('starts every branch with the input, and gives the results in branch order', () => {
    const run = runOf(both, { x: 1 });
    expect(run.tasks()).toEqual(['P[0]/A', 'P[1]/B']);
    expect(run.task('P[1]/B').input).toEqual({ x: 1 });
    run.ok('b', 5, 'P[1]/B').ok('a', 6, 'P[0]/A');
    expect(run.task()).toMatchObject({ stepPath: 'C', input: ['a', 'b'] });
  });

  it('without branches that need anything is over at once', () => {
    const plan = statesPlan({
      P: parallel(['A', 'B']),
      A: pass({ result: 1 }),
      B: pass({ result: 2, next: 'B2' }),
      B2: pass({ result: 3 }),
    });
    expect(runOf(plan).finish().output).toEqual([1, 3]);
  });

  it('that is entered again gives its tasks other names: no attempt is numbered twice', () => {
    const plan = statesPlan({ P: parallel(['A'], { next: 'P' }), A: task() });
    const run = runOf(plan);
    const seen: string[] = [];
    for (let n = 0; n < 3; n++) {
      const { stepPath, attempt } = run.task();
      seen.push(`${stepPath} ${attempt}`);
      run.ok({});
    }
    expect(seen).toEqual(['P[0]/A 1', 'P#2[0]/A 1', 'P#3[0]/A 1']);
  });

  it('keeps state names that look like paths apart', () => {
    const plan = statesPlan({ 'P[0]/A': parallel(['A']), A: task() });
    expect(runOf(plan).tasks()).toEqual(['P%5B0%5D%2FA[0]/A']);
  });

  it('waits in one branch while another goes on', () => {
    const plan = statesPlan({
      P: parallel(['W', 'B']),
      W: wait({ seconds: 5 }, { next: 'A' }),
      A: task(),
      B: task(),
    });
    const run = runOf(plan, {}, 0);
    expect([run.tasks(), run.execution().nextTimerMs()]).toEqual([['P[1]/B'], 5000]);
    expect(run.tick(5000).tasks()).toEqual(['P[0]/A', 'P[1]/B']);
  });

  it('nests', () => {
    const plan = statesPlan({ P: parallel(['M']), M: map('A', 1), A: task() });
    const run = runOf(plan, items(2));
    expect(run.tasks()).toEqual(['P[0]/M[0]/A']);
    expect(run.ok('x').tasks()).toEqual(['P[0]/M[1]/A']);
    expect(run.ok('y').finish().output).toEqual([['x', 'y']]);
  });

  describe('when a branch fails', () => {
    it('ends at once where nothing else runs', () => {
      expect(runOf(both).bad(FAILED, 1, 0, 'P[0]/A').finish().error).toEqual(FAILED);
    });

    it('stops what runs, starts nothing, and goes on only when that has ended', () => {
      const run = started(runOf(both), 'P[0]/A', 'P[1]/B').bad(FAILED, 2, 0, 'P[0]/A');
      expect(run.execution().tasks()).toMatchObject([{ stepPath: 'P[1]/B', isStopping: true }]);
      expect([run.ready(), run.execution().head.status]).toEqual([[], 'running']);
      run.send({ kind: 'stopped', stepPath: 'P[1]/B', nowMs: 3 });
      expect(run.finish()).toMatchObject({ status: 'failed', error: FAILED });
    });

    it('takes no result of what it has stopped, and the first failure counts', () => {
      const run = started(runOf(both), 'P[0]/A', 'P[1]/B').bad(FAILED, 2, 0, 'P[0]/A');
      expect(run.bad(stepError('STEP_TIMEOUT'), 3, 0, 'P[1]/B').finish().error).toEqual(FAILED);
    });

    it('drops the approval that another branch waits for', () => {
      const run = runOf(both).send({ kind: 'paused', stepPath: 'P[1]/B', isAsync: true, nowMs: 1 });
      run.bad(FAILED, 2, 0, 'P[0]/A');
      expect(run.finish().status).toBe('failed');
      expect(run.notes()).toEqual([{ kind: 'approval-dropped', approvalId: 'apr_P[1]/B' }]);
    });

    it('is caught as a whole', () => {
      const plan = statesPlan({
        P: parallel(['A', 'B'], { catch: [catcher('C', { resultPath: '$.error' })] }),
        A: task(),
        B: task(),
        C: task(),
      });
      const run = runOf(plan, { x: 1 }).bad(FAILED, 1, 0, 'P[1]/B');
      expect(run.task()).toMatchObject({ stepPath: 'C', input: { x: 1, error: { Error: FAILED.name } } });
    });

    it('is run again as a whole, after its delay, under other names', () => {
      const plan = statesPlan({
        P: parallel(['A', 'B'], { retry: [retrier({ maxAttempts: 1 })] }),
        A: task(),
        B: task(),
      });
      const run = runOf(plan, { x: 1 }).ok('done', 1, 'P[0]/A').bad(FAILED, 2, 0, 'P[1]/B');
      expect(run.tasks()).toEqual([]);
      expect(run.tick(1002).tasks()).toEqual(['P#2[0]/A', 'P#2[1]/B']);
      expect(run.task('P#2[0]/A').input).toEqual({ x: 1 });
      expect(run.bad(FAILED, 1003, 0, 'P#2[0]/A').finish().error).toEqual(FAILED);
    });

    it('a refusal is neither retried nor caught by States.ALL', () => {
      const retry = [retrier()];
      const P = parallel(['A'], { retry, catch: [catcher('C')] });
      expect(
        runOf(statesPlan({ P, A: task(), C: task() }))
          .bad(DENIED)
          .finish().error,
      ).toEqual(DENIED);
    });

    it('passes outward through nested forks, stopping all that runs in them', () => {
      const plan = statesPlan({ P: parallel(['M', 'B']), M: map('A'), A: task(), B: task() });
      const run = started(runOf(plan, items(2)), 'P[0]/M[0]/A', 'P[0]/M[1]/A').bad(FAILED, 2, 0, 'P[1]/B');
      expect(run.tasks()).toEqual(['P[0]/M[0]/A', 'P[0]/M[1]/A']);
      run.send({ kind: 'stopped', stepPath: 'P[0]/M[0]/A', nowMs: 3 });
      expect(run.execution().head.status).toBe('running');
      run.ok('late', 4, 'P[0]/M[1]/A');
      expect(run.finish()).toMatchObject({ status: 'failed', error: FAILED });
    });
  });
});

describe('Map', () => {
  const each = (concurrency: number): ReturnType<typeof statesPlan> =>
    statesPlan({ M: map('A', concurrency, { next: 'B' }), A: task(), B: task() });

  it('gives an empty list for no items, and starts nothing', () => {
    expect(runOf(each(0), items(0)).task()).toMatchObject({ stepPath: 'B', input: [] });
  });

  it('starts in index order, at most so many at once, and keeps the order of the items', () => {
    const run = runOf(each(2), items(4));
    expect(run.ready()).toEqual(['M[0]/A', 'M[1]/A']);
    expect(run.ok('one', 1, 'M[1]/A').ready()).toEqual(['M[0]/A', 'M[2]/A']);
    run.ok('two', 1, 'M[2]/A').ok('three', 1, 'M[3]/A').ok('zero', 1, 'M[0]/A');
    expect(run.task().input).toEqual(['zero', 'one', 'two', 'three']);
  });

  it('names the item in the task, in what is approved, and in the context', () => {
    const A = task({ inputPath: '$$.Map.Item' });
    const run = runOf(statesPlan({ M: map('A', 1), A }), { items: ['x', 'y'] });
    expect(run.task()).toMatchObject({ item: 0, iteration: null, input: { Index: 0, Value: 'x' } });
    expect(run.ok({}).task()).toMatchObject({ item: 1, input: { Index: 1, Value: 'y' } });
  });

  it('of something that is no list is a failure of the state', () => {
    expect(runOf(each(0), { items: { a: 1 } }).finish().error).toMatchObject({ name: 'States.Runtime' });
  });

  it('keeps no part of an item once it has been joined', () => {
    const run = runOf(each(0), items(3));
    for (const n of [2, 0, 1]) run.ok(n, 1, `M[${n}]/A`);
    const parts = Object.keys(run.state().parts).filter((key) => !key.startsWith('seen/'));
    expect(parts.sort()).toEqual(['frame/', 'input']);
  });

  it('goes through 8,000 items without keeping more than its results', () => {
    const plan = statesPlan({ M: map('A'), A: pass() });
    const run = runOf(plan, items(8000));
    expect(run.finish().output).toHaveLength(8000);
  });

  it('retries only the item that failed', () => {
    const A = task({ retry: [retrier({ intervalMs: 10, maxAttempts: 1 })] });
    const run = runOf(statesPlan({ M: map('A'), A }), items(2));
    run.bad(FAILED, 0, 0, 'M[0]/A').ok('b', 0, 'M[1]/A').tick(10);
    expect(run.task()).toMatchObject({ stepPath: 'M[0]/A', attempt: 2 });
    expect(run.ok('a', 11).finish().output).toEqual(['a', 'b']);
  });
});

describe('approval in a fork', () => {
  const plan = statesPlan({ M: map('A', 2), A: task() }, { timeoutMs: 1000 });

  it('async: the others go on, and their time counts', () => {
    const run = runOf(plan, items(3)).send({ kind: 'paused', stepPath: 'M[0]/A', isAsync: true, nowMs: 10 });
    expect(run.ready()).toEqual(['M[1]/A']);
    expect(run.state().pausedAtMs).toBeNull();
    run.ok(1, 20, 'M[1]/A').ok(2, 30, 'M[2]/A');
    expect(run.state().pausedAtMs).toBe(30);
    run.send({ kind: 'started', stepPath: 'M[0]/A', nowMs: 90_030 });
    expect(run.state()).toMatchObject({ pausedAtMs: null, deadlineMs: 91_000 });
  });

  it('sync: nothing else starts until it is decided', () => {
    const run = runOf(plan, items(3)).send({ kind: 'paused', stepPath: 'M[0]/A', isAsync: false, nowMs: 10 });
    expect(run.ready()).toEqual([]);
    expect(run.state().pausedAtMs).toBe(10);
    run.send({ kind: 'started', stepPath: 'M[0]/A', nowMs: 20 });
    expect(run.ready()).toEqual(['M[1]/A']);
  });
});

describe("the run's own time limit", () => {
  it('stops all branches, and the run ends when they have', () => {
    const plan = statesPlan({ P: parallel(['A', 'B']), A: task(), B: task() }, { timeoutMs: 100 });
    const run = started(runOf(plan), 'P[0]/A').tick(100);
    expect(run.tasks()).toEqual(['P[0]/A']);
    run.send({ kind: 'stopped', stepPath: 'P[0]/A', nowMs: 101 });
    expect(run.finish().error?.code).toBe('RUN_TIMEOUT');
  });
});

describe('a function that asks for calls', () => {
  const plan = statesPlan({ A: task({ next: 'B' }), B: task() });
  const calls = [
    { id: 'c1', functionId: 'claims::find', input: { id: 7 } },
    { id: 'c2', functionId: 'claims::delete', input: {} },
  ];
  const asked = (): Run => {
    const run = started(runOf(plan, { x: 1 }), 'A');
    return run.send({ kind: 'asked', stepPath: 'A', calls, transcript: ['hello'], nowMs: 2 });
  };

  it('has each as a task of its own, acting as the step that asked', () => {
    const run = asked();
    expect(run.tasks()).toEqual(['A', 'A/call[0]', 'A/call[1]']);
    expect(run.ready()).toEqual(['A/call[0]', 'A/call[1]']);
    expect(run.task('A/call[0]')).toMatchObject({
      input: { id: 7 },
      attempt: 1,
      node: { call: { kind: 'function', functionId: 'claims::find', agent: null } },
    });
  });

  it('gets the answers in the order it asked, failures and refusals as such', () => {
    const run = asked().bad(DENIED, 3, 0, 'A/call[1]').ok('found', 4, 'A/call[0]');
    expect(run.task()).toMatchObject({
      stepPath: 'A',
      attempt: 2,
      input: { x: 1 },
      phase: 'ready',
      conversation: {
        turns: 1,
        transcript: ['hello'],
        answers: [
          { id: 'c1', functionId: 'claims::find', status: 'succeeded', output: 'found' },
          { id: 'c2', status: 'refused', output: { error: 'APPROVAL_DENIED' } },
        ],
      },
    });
  });

  it('numbers calls over all turns', () => {
    const run = asked().ok(1, 3, 'A/call[0]').ok(2, 3, 'A/call[1]');
    started(run, 'A').send({ kind: 'asked', calls: calls.slice(0, 1), transcript: null, nowMs: 5 });
    expect(run.tasks()).toEqual(['A', 'A/call[2]']);
    expect(run.ok('x', 6, 'A/call[2]').ok('answer', 7).task()).toMatchObject({
      stepPath: 'B',
      input: 'answer',
    });
  });

  it('for none at all has failed', () => {
    const run = started(runOf(plan), 'A').send({ kind: 'asked', calls: [], transcript: null, nowMs: 2 });
    expect(run.finish().error?.code).toBe('STEP_OUTPUT_INVALID');
  });
});
