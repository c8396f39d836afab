import { describe, expect, it } from 'vitest';
import { testState } from './test-state.js';

const CALL = 'arn:aws:states:::lambda:invoke';
const TASK = { Type: 'Task', Resource: CALL, End: true };

describe('a state alone', () => {
  it('gives its output and where it goes', async () => {
    const pass = { Type: 'Pass', Result: 1, ResultPath: '$.r', Next: 'Elsewhere' };
    expect(await testState(pass, { input: { a: 0 } })).toEqual({
      status: 'SUCCEEDED',
      output: { a: 0, r: 1 },
      nextState: 'Elsewhere',
    });
  });

  it('that is the last goes nowhere', async () => {
    expect(await testState({ Type: 'Succeed' }, { input: 7 })).toEqual({ status: 'SUCCEEDED', output: 7 });
  });

  it('takes input, variables and context as JSON or as its text', async () => {
    const pass = { Type: 'Pass', Parameters: { 'a.$': '$.a', 'v.$': '$v', 'c.$': '$$.Own' }, End: true };
    const output = { a: 1, v: 2, c: 3 };
    const as = [{ input: { a: 1 }, variables: { v: 2 }, context: { Own: 3 } }];
    for (const options of [...as, { input: '{"a":1}', variables: '{"v":2}', context: '{"Own":3}' }])
      expect(await testState(pass, options)).toMatchObject({ status: 'SUCCEEDED', output });
  });

  it('of a Choice says which way', async () => {
    const choice = {
      Type: 'Choice',
      Choices: [{ Variable: '$.n', NumericGreaterThan: 1, Next: 'Big' }],
      Default: 'Small',
    };
    expect((await testState(choice, { input: { n: 2 } })).nextState).toBe('Big');
    expect((await testState(choice, { input: { n: 1 } })).nextState).toBe('Small');
  });

  it('of a Wait does not wait', async () => {
    const wait = { Type: 'Wait', Seconds: 99_999_999, Next: 'On' };
    expect(await testState(wait, { input: 1 })).toEqual({ status: 'SUCCEEDED', output: 1, nextState: 'On' });
  });

  it('of a Fail fails', async () => {
    expect(await testState({ Type: 'Fail', Error: 'E', Cause: 'c' })).toEqual({
      status: 'FAILED',
      error: 'E',
      cause: 'c',
    });
  });

  it('is found in a whole definition, inside a Map too', async () => {
    const inner = { StartAt: 'In', States: { In: { Type: 'Pass', Result: 'in', End: true } } };
    const definition = { StartAt: 'M', States: { M: { Type: 'Map', ItemProcessor: inner, End: true } } };
    expect(await testState(definition, { stateName: 'In' })).toMatchObject({ output: 'in' });
    await expect(testState(definition, { stateName: 'Out' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('that is invalid is refused', async () => {
    await expect(testState({ Type: 'Pass' })).rejects.toMatchObject({ code: 'DOC_INVALID' });
    await expect(testState({ Type: 'Pass', End: true }, { input: '{' })).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    });
  });
});

describe('a mock', () => {
  it('gives a task its result', async () => {
    const task = { ...TASK, ResultSelector: { 'x.$': '$.a' }, ResultPath: '$.r' };
    expect(await testState(task, { input: { i: 1 }, mock: { result: '{"a":5,"b":6}' } })).toEqual({
      status: 'SUCCEEDED',
      output: { i: 1, r: { x: 5 } },
    });
  });

  it('fails a task, which is caught by what names the error', async () => {
    const task = {
      ...TASK,
      Catch: [
        { ErrorEquals: ['Other'], Next: 'O' },
        { ErrorEquals: ['E'], ResultPath: '$.why', Next: 'Handle' },
      ],
    };
    const mock = { errorOutput: { error: 'E', cause: 'c' } };
    expect(await testState(task, { input: { i: 1 }, mock, inspectionLevel: 'DEBUG' })).toMatchObject({
      status: 'CAUGHT_ERROR',
      output: { i: 1, why: { Error: 'E', Cause: 'c' } },
      error: 'E',
      cause: 'c',
      nextState: 'Handle',
      inspectionData: { errorDetails: { catchIndex: 1 } },
    });
    expect(await testState({ ...TASK }, { mock })).toEqual({ status: 'FAILED', error: 'E', cause: 'c' });
  });

  it('is retried while the retrier has attempts left', async () => {
    const task = {
      ...TASK,
      Retry: [
        { ErrorEquals: ['Other'] },
        { ErrorEquals: ['E'], IntervalSeconds: 2, BackoffRate: 3, MaxAttempts: 2 },
      ],
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Handle' }],
    };
    const mock = { errorOutput: { error: 'E', cause: 'c' } };
    const after = (retrierRetryCount: number): ReturnType<typeof testState> =>
      testState(task, { mock, stateConfiguration: { retrierRetryCount }, inspectionLevel: 'DEBUG' });
    expect(await after(0)).toMatchObject({
      status: 'RETRIABLE',
      error: 'E',
      inspectionData: { errorDetails: { retryIndex: 1, retryBackoffIntervalSeconds: 2 } },
    });
    expect(await after(1)).toMatchObject({
      status: 'RETRIABLE',
      inspectionData: { errorDetails: { retryIndex: 1, retryBackoffIntervalSeconds: 6 } },
    });
    expect(await after(2)).toMatchObject({ status: 'CAUGHT_ERROR', nextState: 'Handle' });
  });

  it('is what a Map or Parallel comes to, whose states are not run', async () => {
    const inner = { StartAt: 'In', States: { In: TASK } };
    const mock = { result: '[10, 20]' };
    const map = { Type: 'Map', ItemProcessor: inner, ItemsPath: '$.l', ResultPath: '$.r', Next: 'On' };
    expect(await testState(map, { input: { l: [1, 2] }, mock })).toEqual({
      status: 'SUCCEEDED',
      output: { l: [1, 2], r: [10, 20] },
      nextState: 'On',
    });
    const parallel = { Type: 'Parallel', Branches: [inner], End: true };
    expect(await testState(parallel, { mock })).toEqual({ status: 'SUCCEEDED', output: [10, 20] });
  });

  it('does not hide that a Map has no list', async () => {
    const inner = { StartAt: 'In', States: { In: TASK } };
    const map = { Type: 'Map', ItemProcessor: inner, ItemsPath: '$.l', End: true };
    expect(await testState(map, { input: { l: 1 }, mock: { result: '[]' } })).toMatchObject({
      status: 'FAILED',
      error: 'States.Runtime',
    });
  });

  it('of a Map with more failed items than it tolerates fails the threshold', async () => {
    const map = {
      Type: 'Map',
      ToleratedFailureCount: 1,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'In',
        States: { In: TASK },
      },
      End: true,
    };
    const failed = (mapIterationFailureCount: number): ReturnType<typeof testState> =>
      testState(map, {
        input: [1, 2, 3],
        mock: { result: '[1]' },
        stateConfiguration: { mapIterationFailureCount },
      });
    expect(await failed(1)).toMatchObject({ status: 'SUCCEEDED', output: [1] });
    expect(await failed(2)).toMatchObject({
      status: 'FAILED',
      error: 'States.ExceedToleratedFailureThreshold',
    });
  });
});

describe('inspection', () => {
  it('is not given at INFO', async () => {
    expect(await testState({ Type: 'Pass', End: true })).not.toHaveProperty('inspectionData');
  });

  it('shows the stages that ran', async () => {
    const task = {
      ...TASK,
      InputPath: '$.in',
      Parameters: { 'p.$': '$.x' },
      ResultSelector: { 's.$': '$.r' },
      ResultPath: '$.out',
    };
    const { inspectionData } = await testState(task, {
      input: { in: { x: 1 } },
      mock: { result: '{"r":2}' },
      inspectionLevel: 'TRACE',
    });
    expect(inspectionData).toMatchObject({
      input: { in: { x: 1 } },
      afterInputPath: { x: 1 },
      afterParameters: { p: 1 },
      result: { r: 2 },
      afterResultSelector: { s: 2 },
      afterResultPath: { in: { x: 1 }, out: { s: 2 } },
    });
  });
});

describe('a Fail that is tested alone', () => {
  it('shows its input as it would after an inputPath, in JSONPath', async () => {
    const inspected = async (state: object): Promise<unknown> =>
      (await testState(state, { input: { a: 1 }, inspectionLevel: 'DEBUG' })).inspectionData;
    const fail = { Type: 'Fail', Error: 'E' };
    expect(await inspected(fail)).toEqual({ input: { a: 1 }, afterInputPath: { a: 1 } });
    expect(await inspected({ ...fail, QueryLanguage: 'JSONata' })).toEqual({ input: { a: 1 } });
    expect(await inspected({ StartAt: 'F', States: { F: fail } })).toEqual({ input: { a: 1 } });
  });
});

describe('a mock that no call could give', () => {
  it.each([
    ['a result and an error', { result: '1', errorOutput: { error: 'E' } }],
    ['no JSON text', { result: '{' }],
  ])('is refused: %s', async (_, mock) => {
    await expect(testState(TASK, { input: [1], mock })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });
});

describe('names that look like something of ours', () => {
  const machine = (name: string): object => ({
    StartAt: name,
    States: { [name]: { Type: 'Pass', Next: 'b' }, b: { Type: 'Succeed' } },
  });

  it.each(['#', '#next/a', '#next/b', '#caught/0/b', '#'.repeat(80)])(
    'a state called %s is no way out, and is not gone through for ever',
    async (name) => {
      const tested = await testState(machine(name), { stateName: name });
      expect(tested).toEqual({ status: 'SUCCEEDED', output: {}, nextState: 'b' });
    },
  );

  it.each(['#next/b', '#caught/0/b'])('a catcher that leads to %s says so', async (target) => {
    const states = {
      a: { ...TASK, Catch: [{ ErrorEquals: ['States.ALL'], Next: target }] },
      [target]: { Type: 'Succeed' },
    };
    const options = { stateName: 'a', mock: { errorOutput: { error: 'E', cause: 'c' } } };
    expect(await testState({ StartAt: 'a', States: states }, options)).toMatchObject({
      status: 'CAUGHT_ERROR',
      nextState: target,
    });
  });

  it.each(['constructor', '__proto__', 'toString'])(
    'there is no state "%s" without one',
    async (stateName) => {
      await expect(testState(machine('a'), { stateName })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    },
  );
});

describe('items of a Map that have failed', () => {
  const distributed = { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' };
  const each = { StartAt: 'x', States: { x: { Type: 'Pass', End: true } }, ProcessorConfig: distributed };
  const map = { Type: 'Map', ItemProcessor: each, ToleratedFailurePercentage: 50, End: true };

  it.each([
    [2, 'SUCCEEDED'],
    [3, 'FAILED'],
  ])('%i of 4 under a bound of half of them: %s', async (mapIterationFailureCount, status) => {
    const options = {
      input: [1, 2, 3, 4],
      mock: { result: '[]' },
      stateConfiguration: { mapIterationFailureCount },
    };
    expect(await testState(map, options)).toMatchObject({ status });
  });
});
