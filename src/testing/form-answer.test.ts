import { describe, expect, it } from 'vitest';
import type { Mock } from './mocks.js';
import { simulate } from './simulate.js';

const FORM = {
  type: 'object',
  properties: { amount: { type: 'number', maximum: 100 } },
  required: ['amount'],
  additionalProperties: false,
};

function desk(fields: object = {}, spec: object = {}): object {
  const ask = { type: 'Task', human: { form: FORM, expiresSeconds: 60 }, end: true, ...fields };
  return {
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name: 'desk' },
    spec: { startAt: 'Ask', states: { Ask: ask }, ...spec },
  };
}

async function answering(Ask: readonly Mock[]) {
  return simulate(desk(), { mocks: { Ask } });
}

describe('an answer of a person in a simulation', () => {
  it('that the form takes is the result, up to its border', async () => {
    expect(await answering([{ return: { amount: 100 } }])).toMatchObject({ output: { amount: 100 } });
  });

  it('that the form refuses ends the simulation when there is no other, and says why', async () => {
    expect(await answering([{ return: { amount: 101 } }])).toEqual({
      status: 'FAILED',
      error: 'Simulate.AnswerRefused',
      cause: 'the form of Ask refuses the answer: amount must be <= 100',
      visited: ['Ask'],
    });
    const none = await answering([{}]);
    expect(none).toMatchObject({ error: 'Simulate.AnswerRefused', cause: expect.stringContaining('object') });
  });

  it('that the form refuses has no effect: the next one counts, as in a run', async () => {
    const result = await answering([
      { return: 'yes' },
      { return: { amount: 1, more: 2 } },
      { return: { amount: 7 } },
    ]);
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: { amount: 7 } });
  });

  it('takes the time of those before it, which may be too much', async () => {
    const slow = { return: 'yes', delaySeconds: 40 };
    const definition = desk({ timeoutSeconds: 60 });
    const late = { return: { amount: 1 }, delaySeconds: 20 };
    const intime = { return: { amount: 1 }, delaySeconds: 19 };
    expect((await simulate(definition, { mocks: { Ask: [slow, late] } })).error).toBe('States.Timeout');
    expect((await simulate(definition, { mocks: { Ask: [slow, intime] } })).status).toBe('SUCCEEDED');
  });

  it('that is refused is no fault of the workflow: nothing catches it, and an echo is not asked for ever', async () => {
    const definition = desk({ catch: [{ errorEquals: ['States.ALL'], next: 'Sorry' }] }, {}) as {
      spec: { states: Record<string, object> };
    };
    definition.spec.states['Sorry'] = { type: 'Succeed' };
    expect(await simulate(definition, { input: 'x', mocks: { Ask: 'echo' } })).toMatchObject({
      status: 'FAILED',
      error: 'Simulate.AnswerRefused',
    });
  });

  it('may be a refusal of the person instead', async () => {
    expect((await answering([{ return: 1 }, { approve: false }])).error).toBe('Approval.Denied');
  });
});

describe('the input of a simulation', () => {
  it('that the inputs of the workflow refuse begins nothing, as of a run', async () => {
    const inputs = { type: 'object', required: ['claim'] };
    const definition = desk({}, { inputs });
    const mocks = { Ask: [{ return: { amount: 1 } }] };
    await expect(simulate(definition, { input: {}, mocks })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    expect(await simulate(definition, { input: { claim: 1 }, mocks })).toMatchObject({ status: 'SUCCEEDED' });
  });
});

describe('values that JSON has no form for', () => {
  const infinite = JSON.parse('{"a": 1e400}') as { a: number };
  const pass = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };

  it('are refused in the input and in mocks, as in a run', async () => {
    await expect(simulate(pass, { input: infinite })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    const mocks = { P: [{ return: infinite }] };
    await expect(simulate(pass, { mocks })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  });

  it('fail the reader of a Map that finds them', async () => {
    const each = { StartAt: 'I', States: { I: { Type: 'Pass', End: true } } };
    const map = {
      Type: 'Map',
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSON' },
        Parameters: { Bucket: 'b', Key: 'k' },
      },
      ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...each },
      End: true,
    };
    const definition = { StartAt: 'M', States: { M: map } };
    const read = (text: string) => simulate(definition, { mocks: { $s3: { 'b/k': text } } });
    expect(await read('[1e400]')).toMatchObject({ status: 'FAILED', error: 'States.ItemReaderFailed' });
    expect(await read('[1e300]')).toMatchObject({ status: 'SUCCEEDED', output: [1e300] });
  });
});
