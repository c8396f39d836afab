// What the service says of a fault that shows only in a run, in its own words, and where a fault is not one.
import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { simulate } from './simulate.js';
import { testState } from './test-state.js';

const CALL = 'arn:aws:states:::lambda:invoke';
const JSONATA = { QueryLanguage: 'JSONata' };
const alone = (state: object): object => ({ StartAt: 'S', States: { S: { End: true, ...state } } });
const WHERE = "An error occurred while executing the state 'S' (entered at the event id #2). ";

describe('seconds that are none', () => {
  it.each<[Json, string]>([
    [-1, 'The SecondsPath parameter references a negative value: $.s == -1'],
    [1.5, 'The SecondsPath parameter cannot be parsed as a long value: $.s == 1.5'],
    ['x', 'The SecondsPath parameter cannot be parsed as a long value: $.s == x'],
    [null, 'The SecondsPath parameter cannot be parsed as a long value: $.s == null'],
  ])('of a Wait: %j', async (s, cause) => {
    const wait = alone({ Type: 'Wait', SecondsPath: '$.s' });
    expect(await simulate(wait, { input: { s } })).toMatchObject({
      error: 'States.Runtime',
      cause: WHERE + cause,
    });
  });

  it('of a Wait may be text that is a number', async () => {
    const wait = alone({ Type: 'Wait', SecondsPath: '$.s' });
    expect(await simulate(wait, { input: { s: '60' } })).toMatchObject({ status: 'SUCCEEDED' });
  });

  it.each([
    ['-1', 'TimeoutSeconds must be between 0 and 99999999 but was: -1'],
    ['100000000', 'TimeoutSeconds must be between 0 and 99999999 but was: 100000000'],
    ['1.6', 'The TimeoutSeconds field cannot be parsed as an integer: 1.6'],
  ])('of a task in JSONata: %s', async (seconds, cause) => {
    const task = alone({ Type: 'Task', Resource: CALL, ...JSONATA, TimeoutSeconds: `{% ${seconds} %}` });
    expect(await simulate(task)).toMatchObject({
      error: 'States.QueryEvaluationError',
      cause: WHERE + cause,
    });
  });

  it('of a task are told as the other numbers are', async () => {
    const task = alone({ Type: 'Task', Resource: CALL, TimeoutSecondsPath: '$.s' });
    expect(await simulate(task, { input: { s: -1 } })).toMatchObject({
      error: 'States.Runtime',
      cause: `${WHERE}The TimeoutSecondsPath field refers to value "-1" which is not a valid integer: $.s`,
    });
  });
});

describe('a field that got the wrong type', () => {
  it.each([
    ['Error', { Error: '{% 5 %}', Cause: 'c' }, '5'],
    ['Cause', { Error: 'E', Cause: '{% 5 %}' }, '5'],
  ])('is named: %s of a Fail', async (field, fields, expression) => {
    const fail = { StartAt: 'S', ...JSONATA, States: { S: { Type: 'Fail', ...fields } } };
    expect(await simulate(fail)).toMatchObject({
      error: 'States.QueryEvaluationError',
      cause:
        `${WHERE}The JSONata expression '${expression}' specified for the field '${field}' ` +
        "returned an unexpected result type. Expected 'string', but was 'number' for value: 5",
    });
  });

  it('is named: ItemsPath of a Map', async () => {
    const ItemProcessor = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
    const map = alone({ Type: 'Map', ItemsPath: '$.list', ItemProcessor });
    expect(await simulate(map, { input: { list: {} } })).toMatchObject({
      error: 'States.Runtime',
      cause: `${WHERE}Reference path "$.list" must point to array.`,
    });
  });
});

describe('numbers of a Map that are none', () => {
  const ItemProcessor = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
  const distributed = {
    ...ItemProcessor,
    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
  };

  it.each<[string, Json, string]>([
    ['MaxConcurrency', -1, "Expected non-negative integer for MaxConcurrency, got '-1' instead."],
    ['ToleratedFailureCount', -1, 'ToleratedFailureCount cannot be negative.'],
    ['ToleratedFailurePercentage', -1, 'ToleratedFailurePercentage must be between 0 and 100.'],
    ['ToleratedFailurePercentage', 100.5, 'ToleratedFailurePercentage must be between 0 and 100.'],
    [
      'ToleratedFailurePercentage',
      'x',
      'The ToleratedFailurePercentagePath field refers to value "x" which is not a valid float: $.n',
    ],
  ])('%s: %j', async (field, n, cause) => {
    const map = alone({ Type: 'Map', ItemsPath: '$.l', [`${field}Path`]: '$.n', ItemProcessor: distributed });
    expect(await simulate(map, { input: { l: [1], n } })).toMatchObject({
      error: 'States.Runtime',
      cause: WHERE + cause,
    });
  });
});

describe('the most items a reader gives', () => {
  const I = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
  const ItemProcessor = { ...I, ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } };
  const reading = (config: object): object =>
    alone({
      Type: 'Map',
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        Parameters: { Bucket: 'b', Key: 'k' },
        ReaderConfig: { InputType: 'JSON', ...config },
      },
      ItemProcessor,
    });
  const mocks = { $s3: { 'b/k': '[1,2,3]' } };

  it.each([
    [0, [1, 2, 3]],
    [2, [1, 2]],
    [9, [1, 2, 3]],
  ])('is %i', async (n, output) => {
    expect(await simulate(reading({ MaxItems: n }), { mocks })).toMatchObject({ output });
    expect(await simulate(reading({ MaxItemsPath: '$.n' }), { mocks, input: { n } })).toMatchObject({
      output,
    });
  });

  it('is not less than 0', async () => {
    expect(await simulate(reading({ MaxItemsPath: '$.n' }), { mocks, input: { n: -1 } })).toMatchObject({
      error: 'States.ItemReaderFailed',
      cause: 'field MaxItems must be positive',
    });
  });

  it('in a batch is no bound when it is 0', async () => {
    const map = alone({ Type: 'Map', ItemBatcher: { MaxItemsPerBatchPath: '$[0]' }, ItemProcessor });
    expect((await simulate(map, { input: [0, 1, 2] })).output).toEqual([{ Items: [0, 1, 2] }]);
    expect((await simulate(map, { input: [2, 1, 2] })).output).toEqual([{ Items: [2, 1] }, { Items: [2] }]);
  });
});

describe('a missed heartbeat', () => {
  const states = (names: readonly string[], limits: object): object => ({
    StartAt: 'S',
    States: {
      S: {
        Type: 'Task',
        Resource: CALL,
        ...limits,
        Catch: [{ ErrorEquals: names, Next: 'C' }],
        End: true,
      },
      C: { Type: 'Pass', End: true },
    },
  });
  const mocks = { S: [{ timeout: true }] };
  const both = { TimeoutSeconds: 50, HeartbeatSeconds: 5 };
  const told = { output: { Error: 'States.Timeout', Cause: '' } };

  it('is caught by either name, and told as a timeout', async () => {
    expect(await simulate(states(['States.HeartbeatTimeout'], both), { mocks })).toMatchObject(told);
    expect(await simulate(states(['States.Timeout'], both), { mocks })).toMatchObject(told);
  });

  it('is not what a task without heartbeats is caught by', async () => {
    const plain = states(['States.HeartbeatTimeout'], { TimeoutSeconds: 50 });
    expect(await simulate(plain, { mocks })).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
  });

  it('also when the mock takes longer than a heartbeat', async () => {
    const late = { S: [{ return: 1, delaySeconds: 9 }] };
    expect(await simulate(states(['States.HeartbeatTimeout'], both), { mocks: late })).toMatchObject(told);
  });
});

describe('a state that is tested alone', () => {
  it.each<[string, object, string]>([
    ['a path', { Type: 'Pass', InputPath: '$.a' }, "Invalid path '$.a' : No results for path: $['a']"],
    [
      'an expression',
      { Type: 'Pass', ...JSONATA, Output: { v: '{% $abs("x") %}' } },
      "The JSONata expression '$abs(\"x\")' specified for the field 'Output/v' threw an error during evaluation. " +
        'T0410: Argument 1 of function "abs" does not match function signature',
    ],
  ])('has no event that the cause could name: %s', async (_what, state, cause) => {
    expect(await testState({ ...state, End: true })).toMatchObject({ status: 'FAILED', cause });
    expect(await simulate(alone(state))).toMatchObject({ status: 'FAILED', cause: WHERE + cause });
  });
});

describe('a number that JSON has no word for', () => {
  it('is its name', async () => {
    const pass = alone({ Type: 'Pass', ...JSONATA, Output: ['{% 1/0 %}', { v: '{% -1/0 %}' }] });
    expect((await simulate(pass)).output).toEqual(['Infinity', { v: '-Infinity' }]);
  });
});

describe('credentials that can not be worked out', () => {
  const task = (fields: object): object => alone({ Type: 'Task', Resource: CALL, ...fields });

  it('are named as a plain document spells them', async () => {
    expect(await simulate(task({ Credentials: { 'RoleArn.$': '$.role' } }))).toMatchObject({
      error: 'States.Runtime',
      cause: `${WHERE}The JSONPath '$.role' specified for the field 'RoleArn.$' could not be found in the input '{}'`,
    });
    const inJsonata = task({ ...JSONATA, Credentials: { RoleArn: '{% $states.input.role %}' } });
    expect((await simulate(inJsonata)).cause).toContain("specified for the field 'Credentials/RoleArn'");
  });
});
