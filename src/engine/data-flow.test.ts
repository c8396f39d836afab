import { describe, expect, it } from 'vitest';
import type { Digest, Json } from '../json.js';
import type { ChoiceRule } from '../workflow/plan.js';
import {
  catcher,
  choice,
  failState,
  pass,
  runOf,
  statesPlan,
  stepError,
  succeed,
  task,
} from '../../test/property/plans.js';

const INPUT = { claim: { id: 7 }, other: [1] } as const;
const DIGEST = `sha256:${'0f'.repeat(32)}` as Digest;

describe('a task (dialect 2)', () => {
  it.each<[string, string | null, Json]>([
    ['gets the whole input by default', '$', INPUT],
    ['gets what inputPath selects', '$.claim', { id: 7 }],
    ['gets a single index', '$.other[0]', 1],
    ['gets {} when inputPath is null', null, {}],
    ['can read the context', '$$.Execution.Id', 'run_1'],
  ])('%s', (_, inputPath, expected) => {
    const run = runOf(statesPlan({ A: task({ inputPath }) }), INPUT);
    expect(run.task().input).toEqual(expected);
  });

  it.each<[string, string | null, string | null, string | null, Json]>([
    ['the result replaces the input by default', '$', '$', '$', { sum: 3 }],
    ['resultPath null discards the result', '$', null, '$', INPUT],
    ['resultPath adds to the input', '$', '$.sum', '$', { ...INPUT, sum: { sum: 3 } }],
    ['resultPath creates missing objects', '$', '$.a.b', '$', { ...INPUT, a: { b: { sum: 3 } } }],
    ['resultPath overwrites', '$', '$.claim', '$', { ...INPUT, claim: { sum: 3 } }],
    [
      'resultPath acts on the raw input, not on what inputPath selected',
      '$.claim',
      '$.sum',
      '$',
      { ...INPUT, sum: { sum: 3 } },
    ],
    ['outputPath selects after resultPath', '$', '$.r', '$.r.sum', 3],
    ['outputPath null gives {}', '$', '$', null, {}],
    ['outputPath can read the context', '$', '$', '$$.Run.Initiator', 'user:ann'],
    ['inputPath null leaves the raw input for resultPath', null, '$.r', '$', { ...INPUT, r: { sum: 3 } }],
  ])('%s', (_, inputPath, resultPath, outputPath, expected) => {
    const A = task({ inputPath, resultPath, outputPath });
    const run = runOf(statesPlan({ A }), INPUT).ok({ sum: 3 });
    expect(run.finish()).toEqual({ status: 'completed', output: expected, error: null });
  });

  it('hands its output to the next state as input', () => {
    const run = runOf(statesPlan({ A: task({ next: 'B' }), B: task() }), INPUT).ok([1, 2]);
    expect(run.task()).toMatchObject({ stepPath: 'B', input: [1, 2], attempt: 1 });
  });

  it('fails with States.ResultPathMatchFailure when the input is no object', () => {
    const A = task({ resultPath: '$.r', outputPath: '$' });
    const run = runOf(statesPlan({ A }), 'text').ok(1);
    expect(run.finish().error).toMatchObject({
      name: 'States.ResultPathMatchFailure',
      code: 'STEP_RESULT_PATH',
    });
  });

  it('catches its own ResultPathMatchFailure, and does not call the function again', () => {
    const A = task({
      resultPath: '$.r',
      outputPath: '$',
      catch: [catcher('B', { errorEquals: ['States.ResultPathMatchFailure'] })],
    });
    const run = runOf(statesPlan({ A, B: task() }), 'text').ok(1);
    expect(run.task().input).toMatchObject({ Error: 'States.ResultPathMatchFailure' });
    expect(run.state().main?.attempts).toEqual({ A: 1, B: 1 });
  });

  it.each([
    ['inputPath', task({ inputPath: '$.none', catch: [catcher('B')] })],
    ['outputPath', task({ resultPath: '$', outputPath: '$.none', catch: [catcher('B')] })],
  ])('a missing value at %s is States.Runtime, which nothing catches', (_, A) => {
    const run = runOf(statesPlan({ A, B: succeed() }), INPUT);
    if (run.tasks().length > 0) run.ok({});
    expect(run.finish().error).toMatchObject({ name: 'States.Runtime', code: 'STEP_PATH_UNRESOLVED' });
  });

  it('does not begin an attempt when its input can not be made', () => {
    const run = runOf(statesPlan({ A: task({ inputPath: '$.none' }) }), INPUT);
    // The state is entered, and nothing else.
    expect(run.state().transitions).toBe(1);
  });
});

describe('a catcher (dialect 2)', () => {
  const error = stepError('FUNCTION_FAILED');
  const caught = { Error: 'Tool.Failed', Cause: 'cause of Tool.Failed' };

  it.each<[string, string | null, Json]>([
    ['replaces the input by default', '$', caught],
    ['puts the error output into the raw input at resultPath', '$.why', { ...INPUT, why: caught }],
    ['drops the error output when resultPath is null', null, INPUT],
  ])('%s', (_, resultPath, expected) => {
    const A = task({
      inputPath: '$.claim',
      resultPath: '$.r',
      outputPath: null,
      catch: [catcher('B', { resultPath })],
    });
    const run = runOf(statesPlan({ A, B: succeed() }), INPUT).bad(error);
    expect(run.finish()).toMatchObject({ status: 'completed', output: expected });
  });

  it('is the first that matches', () => {
    const A = task({
      catch: [
        catcher('B', { errorEquals: ['Other'] }),
        catcher('C', { errorEquals: ['Tool.Failed'] }),
        catcher('D'),
      ],
    });
    const run = runOf(statesPlan({ A, B: task(), C: task(), D: task() })).bad(error);
    expect(run.task().stepPath).toBe('C');
  });

  it('that can not place its error output fails the state instead of stopping the engine', () => {
    const A = task({ catch: [catcher('B', { resultPath: '$.why' })] });
    const run = runOf(statesPlan({ A, B: succeed() }), 'text').bad(error);
    expect(run.finish()).toMatchObject({
      status: 'failed',
      error: { name: 'States.ResultPathMatchFailure' },
    });
  });

  it('that does not match lets the run fail with the error itself', () => {
    const A = task({ catch: [catcher('B', { errorEquals: ['Other'] })] });
    const run = runOf(statesPlan({ A, B: succeed() })).bad(error);
    expect(run.finish()).toEqual({ status: 'failed', output: null, error });
  });
});

describe('Pass', () => {
  it.each<[string, Parameters<typeof pass>[0], Json]>([
    ['hands its input on', {}, INPUT],
    ['gives what inputPath selects', { inputPath: '$.claim' }, { id: 7 }],
    ['gives its result', { result: { done: true } }, { done: true }],
    ['gives a result of null, false, 0 and "" too', { result: [null, false, 0, ''] }, [null, false, 0, '']],
    ['takes null for a result', { result: null }, null],
    ['takes false for a result', { result: false }, false],
    ['leaves keys ending in .$ in a result alone', { result: { 'a.$': '$.claim' } }, { 'a.$': '$.claim' }],
    ['places its result', { result: 1, resultPath: '$.n' }, { ...INPUT, n: 1 }],
    ['places a result of null', { result: null, resultPath: '$.n' }, { ...INPUT, n: null }],
    [
      'places what inputPath selects onto the raw input',
      { inputPath: '$.claim.id', resultPath: '$.n' },
      { ...INPUT, n: 7 },
    ],
    ['discards its result with resultPath null', { result: 1, resultPath: null }, INPUT],
    ['gives {} with outputPath null', { outputPath: null }, {}],
    ['gives {} with inputPath null', { inputPath: null }, {}],
    ['selects with outputPath', { result: 1, resultPath: '$.n', outputPath: '$.n' }, 1],
    ['writes __proto__ as a key', { result: 1, resultPath: '$.__proto__', outputPath: "$['__proto__']" }, 1],
  ])('%s', (_, fields, expected) => {
    expect(runOf(statesPlan({ P: pass(fields) }), INPUT).finish().output).toEqual(expected);
  });

  it('fails the run with ResultPathMatchFailure on an input that is no object', () => {
    const run = runOf(statesPlan({ P: pass({ result: 1, resultPath: '$.n' }) }), [1]);
    expect(run.finish().error?.name).toBe('States.ResultPathMatchFailure');
  });
});

describe('Choice', () => {
  const big: ChoiceRule = { variable: '$.n', operator: 'numericGreaterThan', operand: 10 };
  const any: ChoiceRule = { variable: '$.n', operator: 'isPresent', operand: true };
  const C = choice({
    choices: [
      { rule: big, next: 'Big' },
      { rule: any, next: 'Any' },
    ],
    default: 'Default',
  });
  const ends = { Big: task(), Any: task(), Default: task() };

  it.each<[string, Json, string]>([
    ['takes the first rule that is true', { n: 11 }, 'Big'],
    ['goes on to the next rule at the border', { n: 10 }, 'Any'],
    ['treats a wrong type as false', { n: 'text' }, 'Any'],
  ])('%s', (_, input, next) => {
    expect(runOf(statesPlan({ C, ...ends }), input).task()).toMatchObject({ stepPath: next, input });
  });

  it('takes the default when no rule is true', () => {
    const only = choice({ choices: [{ rule: big, next: 'Big' }], default: 'Default' });
    expect(runOf(statesPlan({ C: only, ...ends }), { n: 1 }).task().stepPath).toBe('Default');
  });

  it('fails with States.NoChoiceMatched when no rule is true and there is no default', () => {
    const only = choice({ choices: [{ rule: big, next: 'Big' }] });
    const run = runOf(statesPlan({ C: only, ...ends }), { n: 1 });
    expect(run.finish()).toMatchObject({ status: 'failed', error: { name: 'States.NoChoiceMatched' } });
  });

  it('fails with States.Runtime when its variable is not there', () => {
    expect(runOf(statesPlan({ C, ...ends }), {}).finish().error?.name).toBe('States.Runtime');
  });

  it('judges what inputPath selects and hands on what outputPath selects of it', () => {
    const { choices, default: otherwise } = C;
    const inner = choice({ choices, default: otherwise, inputPath: '$.in', outputPath: '$.n' });
    const run = runOf(statesPlan({ C: inner, ...ends }), { in: { n: 11 } });
    expect(run.task()).toMatchObject({ stepPath: 'Big', input: 11 });
  });
});

describe('the ends of a run', () => {
  it.each<[string, Parameters<typeof succeed>[0], Json]>([
    ['hands its input on', {}, INPUT],
    ['selects with inputPath, then outputPath', { inputPath: '$.claim', outputPath: '$.id' }, 7],
    ['gives {} with outputPath null', { outputPath: null }, {}],
  ])('Succeed %s', (_, fields, output) => {
    const run = runOf(statesPlan({ S: succeed(fields) }), INPUT);
    expect(run.finish()).toEqual({ status: 'completed', output, error: null });
  });

  it('Fail ends the run with its error and cause and no output', () => {
    const run = runOf(statesPlan({ F: failState('Claim.Void', 'no such claim') }), INPUT);
    expect(run.finish()).toEqual({
      status: 'failed',
      output: null,
      error: { name: 'Claim.Void', code: 'STEP_FAILED', kind: 'failure', message: 'no such claim' },
    });
  });

  it('Fail without error has no error name', () => {
    expect(runOf(statesPlan({ F: failState(null, null) })).finish().error).toMatchObject({
      name: '',
      message: '',
    });
  });

  it('a missing inputPath at Succeed fails the run', () => {
    const run = runOf(statesPlan({ S: succeed({ inputPath: '$.none' }) }), INPUT);
    expect(run.finish()).toMatchObject({ status: 'failed', error: { name: 'States.Runtime' } });
  });
});

describe('the context object', () => {
  it('says run, state and time, and nothing else', () => {
    const A = task({ inputPath: '$$' });
    const run = runOf(statesPlan({ P: pass({ next: 'A' }), A }), INPUT, 1_600_000_000_123);
    expect(run.task().input).toEqual({
      Execution: {
        Id: 'run_1',
        Input: INPUT,
        Name: 'run_1',
        StartTime: '2020-09-13T12:26:40.123Z',
        RedriveCount: 0,
      },
      StateMachine: { Id: 'claims', Name: 'Claims' },
      State: { EnteredTime: '2020-09-13T12:26:40.123Z', Name: 'A', RetryCount: 0 },
      Run: { Id: 'run_1', Initiator: 'user:ann' },
    });
  });

  it('says by name and digest which package the state calls', () => {
    const call = { kind: 'agent', name: 'ghcr.io/bank/triage', digest: DIGEST } as const;
    const A = { ...task({ inputPath: '$$.Agent' }), call };
    const run = runOf(statesPlan({ A }), INPUT);
    expect(run.task().input).toEqual({ Name: 'ghcr.io/bank/triage', Digest: DIGEST });
  });

  it('keeps the original input whatever the states do', () => {
    const P = pass({ result: 'gone', next: 'A' });
    const A = task({ inputPath: '$$.Execution.Input' });
    expect(runOf(statesPlan({ P, A }), INPUT).task().input).toEqual(INPUT);
  });
});
