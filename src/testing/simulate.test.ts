import { afterEach, describe, expect, it, vi } from 'vitest';
import { simulate } from './simulate.js';

const CALL = 'arn:aws:states:::lambda:invoke';

/** One state, which is the last. */
const alone = (state: object): object => ({ StartAt: 'S', States: { S: { End: true, ...state } } });
const task = (fields: object = {}): object => ({ Type: 'Task', Resource: CALL, ...fields });

describe('mocks', () => {
  it('are used once each, in their order', async () => {
    const states = { A: task({ ResultPath: '$.a', Next: 'B' }), B: task({ ResultPath: '$.b', End: true }) };
    const mocks = { A: [{ return: 1 }], B: [{ return: 2 }, { return: 3 }] };
    expect(await simulate({ StartAt: 'A', States: states }, { mocks })).toEqual({
      status: 'SUCCEEDED',
      output: { a: 1, b: 2 },
      visited: ['A', 'B'],
    });
  });

  it('are found by their input, texts of JSON compared by what they hold', async () => {
    const each = { StartAt: 'T', States: { T: task({ End: true }) } };
    const map = { StartAt: 'M', States: { M: { Type: 'Map', ItemProcessor: each, End: true } } };
    const mocks = {
      T: [
        { input: '{"b":1,"a":2}', return: 'second' },
        { input: 'first', return: 'first' },
      ],
    };
    const { output } = await simulate(map, { input: ['first', '{"a":2,"b":1}'], mocks });
    expect(output).toEqual(['first', 'second']);
  });

  it('are used in order where no input fits', async () => {
    const { output } = await simulate(alone(task()), { mocks: { S: [{ input: 'other', return: 1 }] } });
    expect(output).toBe(1);
  });

  it('may echo the input', async () => {
    expect((await simulate(alone(task()), { input: { a: 1 }, mocks: { S: 'echo' } })).output).toEqual({
      a: 1,
    });
  });

  it('that run out end the simulation, whatever is caught', async () => {
    const definition = {
      StartAt: 'S',
      States: {
        S: task({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'P' }], End: true }),
        P: { Type: 'Succeed' },
      },
    };
    expect(await simulate(definition)).toMatchObject({
      status: 'FAILED',
      error: 'Simulate.NoMockLeft',
      cause: 'no mocks of S',
      visited: ['S'],
    });
    const again = task({ Retry: [{ ErrorEquals: ['Flaky'] }], End: true });
    const once = { S: [{ throw: { error: 'Flaky' } }] };
    expect(await simulate(alone(again), { mocks: once })).toMatchObject({
      cause: 'S was invoked more often than there are mocks',
    });
  });

  it('of a state that the workflow does not have are refused: a misspelt name would test nothing', async () => {
    const asked = simulate(alone(task()), { mocks: { S: 'echo', s: [{ throw: { error: 'X' } }] } });
    await expect(asked).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: 'mocks of s: the workflow has no such step or state',
      hint: 'did you mean "S"?',
    });
  });

  it.each([
    [[], /by state name/],
    [{ S: 1 }, /are a list, or "echo"/],
    [{ S: [1] }, /S\[0\]/],
    [{ S: [{ thow: {} }] }, /knows no "thow"/],
    [{ S: [{ throw: 'x' }] }, /S\[0\]\.throw/],
    [{ S: [{ throw: { error: 1 } }] }, /S\[0\]\.throw/],
    [{ S: [{ delaySeconds: -1 }] }, /delaySeconds/],
    [{ S: [{ timeout: 'yes' }] }, /timeout/],
    [{ $s3: [] }, /bucket\/key/],
  ])('%j are none', async (mocks, message) => {
    const asked = simulate(alone(task()), { mocks: mocks as never });
    await expect(asked).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      message: expect.stringMatching(message) as unknown,
    });
  });
});

describe('time', () => {
  afterEach(() => vi.useRealTimers());

  it('is virtual: a hundred days of waiting cost none', async () => {
    const definition = {
      StartAt: 'W',
      States: {
        W: { Type: 'Wait', Seconds: 8_640_000, Next: 'P' },
        P: { Type: 'Pass', Parameters: { 't.$': '$$.State.EnteredTime' }, End: true },
      },
    };
    expect((await simulate(definition)).output).toEqual({ t: '2020-04-10T00:00:00.000Z' });
  });

  it('starts where the context says', async () => {
    const definition = alone({ Type: 'Pass', Parameters: { 't.$': '$$.State.EnteredTime' } });
    const context = { Execution: { StartTime: '2026-02-03T04:05:06.000Z' } };
    expect((await simulate(definition, { context })).output).toEqual({ t: '2026-02-03T04:05:06.000Z' });
  });

  it('goes on with retry delays, in the order in which things are due', async () => {
    const branch = (name: string, seconds: number): object => ({
      StartAt: name,
      States: {
        [name]: { Type: 'Wait', Seconds: seconds, Next: `${name}2` },
        [`${name}2`]: { Type: 'Pass', End: true },
      },
    });
    const definition = {
      StartAt: 'P',
      States: { P: { Type: 'Parallel', Branches: [branch('slow', 9), branch('fast', 3)], End: true } },
    };
    expect((await simulate(definition)).visited).toEqual(['P', 'slow', 'fast', 'fast2', 'slow2']);
  });

  it('runs out: an attempt longer than its timeout, or silent for longer than its heartbeat', async () => {
    const timed = alone(task({ TimeoutSeconds: 5 }));
    const delay = (delaySeconds: number): object => ({ mocks: { S: [{ return: 1, delaySeconds }] } });
    expect(await simulate(timed, delay(4))).toMatchObject({ status: 'SUCCEEDED' });
    expect(await simulate(timed, delay(5))).toEqual({
      status: 'FAILED',
      error: 'States.Timeout',
      visited: ['S'],
    });
    const silent = alone(
      task({ Resource: `${CALL}.waitForTaskToken`, HeartbeatSeconds: 3, TimeoutSeconds: 50 }),
    );
    expect(await simulate(silent, delay(10))).toMatchObject({ error: 'States.Timeout' });
  });

  it('of a whole run is bounded by its own limit', async () => {
    const definition = { ...alone({ Type: 'Wait', Seconds: 60 }), TimeoutSeconds: 59 };
    expect(await simulate(definition)).toEqual({ status: 'FAILED', error: 'States.Timeout', visited: ['S'] });
  });
});

describe('a simulation', () => {
  it('gives the same again: UUIDs and random numbers come from a fixed seed', async () => {
    const definition = {
      StartAt: 'A',
      States: {
        A: {
          Type: 'Pass',
          Parameters: { 'u.$': 'States.UUID()', 'n.$': 'States.MathRandom(1, 1000000)' },
          Next: 'B',
        },
        B: {
          Type: 'Pass',
          QueryLanguage: 'JSONata',
          Output: ['{% $states.input %}', '{% $uuid() %}', '{% $random() %}'],
          End: true,
        },
      },
    };
    const first = await simulate(definition);
    expect(first.status).toBe('SUCCEEDED');
    expect(await simulate(definition)).toEqual(first);
  });

  it('takes definitions as text, in every form, of both dialects', async () => {
    const yaml = 'StartAt: S\nStates:\n  S: {Type: Pass, Result: 1, End: true}\n';
    const steps = 'id: x\nagents: [a]\nsteps:\n  - {name: one, functionId: "tool::own", agent: a}\n';
    expect((await simulate(yaml)).output).toBe(1);
    expect(await simulate(steps, { mocks: { one: [{ return: 'done' }] } })).toMatchObject({
      status: 'SUCCEEDED',
      visited: ['one'],
    });
  });

  it('of an invalid definition throws all that is wrong with it', async () => {
    const asked = simulate({ StartAt: 'X', States: { S: { Type: 'Pass', End: true } } });
    await expect(asked).rejects.toMatchObject({
      code: 'DOC_INVALID',
      details: {
        diagnostics: expect.arrayContaining([expect.objectContaining({ severity: 'error' })]) as unknown,
      },
    });
  });

  it('never ends by itself when the workflow does not, but by the bound of transitions', async () => {
    const definition = { StartAt: 'A', States: { A: { Type: 'Choice', Choices: [], Default: 'A' } } };
    const loop = {
      StartAt: 'A',
      States: {
        A: { Type: 'Choice', Choices: [{ Variable: '$', IsPresent: false, Next: 'E' }], Default: 'A' },
        E: { Type: 'Succeed' },
      },
    };
    await expect(simulate(definition)).rejects.toMatchObject({ code: 'DOC_INVALID' });
    expect(await simulate(loop, { maxTransitions: 1_000 })).toMatchObject({ status: 'FAILED' });
  });

  it('denies what its mock denies, and only its own name catches that', async () => {
    const definition = `apiVersion: agentrc.workflow/v0.1
kind: AgentWorkflow
metadata: {name: x}
spec:
  startAt: A
  states:
    A:
      type: Task
      resource: tool::pay
      approval: sync
      catch:
        - {errorEquals: [Approval.Denied], next: No}
        - {errorEquals: [States.ALL], next: Any}
      end: true
    No: {type: Pass, result: denied, end: true}
    Any: {type: Pass, result: any, end: true}
`;
    const denied = await simulate(definition, { mocks: { A: [{ approve: false }] } });
    expect(denied).toMatchObject({ status: 'SUCCEEDED', output: 'denied' });
    const approved = await simulate(definition, { mocks: { A: [{ approve: true, return: 'paid' }] } });
    expect(approved.output).toBe('paid');
  });

  it('reads items from the files of its mocks and writes results beside them', async () => {
    const processor = {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'T',
      States: { T: { Type: 'Pass', End: true } },
    };
    const definition = alone({
      Type: 'Map',
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSONL' },
        Parameters: { Bucket: 'b', 'Key.$': '$.key' },
      },
      ItemProcessor: processor,
      ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Parameters: { Bucket: 'out', Prefix: 'p' } },
    });
    const mocks = { $s3: { 'b/list': '{"n":1}\n{"n":2}\n' } };
    const { output } = await simulate(definition, { input: { key: 'list' }, mocks });
    expect(output).toMatchObject({
      ResultWriterDetails: { Bucket: 'out', Key: expect.stringMatching(/^p\//) as unknown },
    });
    expect(await simulate(definition, { input: { key: 'none' }, mocks })).toMatchObject({
      status: 'FAILED',
      error: 'States.ItemReaderFailed',
    });
  });
});

describe('the input of a run', () => {
  it.each([null, false, 0, '', []])('may be %j, which is not taken for none', async (input) => {
    expect((await simulate(alone({ Type: 'Pass' }), { input })).output).toEqual(input);
  });
});

describe('faults of other engines', () => {
  const choice = (rule: object): object => ({
    StartAt: 'C',
    States: {
      C: { Type: 'Choice', Choices: [{ Variable: '$.v', ...rule, Next: 'Y' }], Default: 'N' },
      Y: { Type: 'Pass', Result: 'yes', End: true },
      N: { Type: 'Pass', Result: 'no', End: true },
    },
  });

  it.each([
    [{ IsNull: false }, 'yes'],
    [{ IsBoolean: false }, 'yes'],
    [{ IsNumeric: false }, 'no'],
    [{ IsString: false }, 'yes'],
    [{ IsPresent: false }, 'no'],
    [{ IsTimestamp: false }, 'yes'],
  ])('%j is judged as false wants it', async (rule, output) => {
    expect((await simulate(choice(rule), { input: { v: 1 } })).output).toBe(output);
  });

  it('a Fail state without a name fails without one', async () => {
    expect(await simulate({ StartAt: 'F', States: { F: { Type: 'Fail' } } })).toEqual({
      status: 'FAILED',
      visited: ['F'],
    });
  });

  it('a Wait of more than 2^31 ms waits, one of more than 2^31 s fails', async () => {
    const wait = alone({ Type: 'Wait', SecondsPath: '$.s' });
    expect(await simulate(wait, { input: { s: 2_147_484 } })).toMatchObject({ status: 'SUCCEEDED' });
    expect(await simulate(wait, { input: { s: 2_147_483_648 } })).toMatchObject({ error: 'States.Runtime' });
  });

  it('a path of many without a match gives an empty list', async () => {
    const pass = alone({ Type: 'Pass', Parameters: { 'v.$': '$.a[*].b' } });
    expect((await simulate(pass)).output).toEqual({ v: [] });
  });

  it('Assign and JSONata are not silently ignored', async () => {
    const definition = {
      StartAt: 'A',
      QueryLanguage: 'JSONata',
      States: {
        A: { Type: 'Pass', Assign: { x: '{% $states.input.n + 1 %}' }, Next: 'B' },
        B: { Type: 'Pass', Output: '{% $x * 2 %}', End: true },
      },
    };
    expect((await simulate(definition, { input: { n: 1 } })).output).toBe(4);
  });

  it('an expression that never ends ends', async () => {
    const definition = alone({
      Type: 'Pass',
      QueryLanguage: 'JSONata',
      Output: '{% ($f := function($x) { $f($x) }; $f(1)) %}',
    });
    expect(await simulate(definition)).toMatchObject({
      status: 'FAILED',
      error: 'States.QueryEvaluationError',
    });
  });
});
