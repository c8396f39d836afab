// hand::run: an operator's job with its own functions, its input checked, its failures failures.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startModelServer, type ModelServer } from '../../../test/model-server/server.mjs';
import { agentNamed, functionsAt, handNamed, refusal, talk } from '../../../test/model-server/talk.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { HandDefinition } from '../../runtime/ports.js';

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
});

const agents = new Map([
  ['clerk', agentNamed('clerk', { model: 'clerk-model', systemPrompt: 'I am clerk.', tools: ['tool::pay'] })],
]);
const functions = (fields: Partial<HandDefinition>) =>
  functionsAt(server.url, { agents, hands: new Map([['desk', handNamed('desk', fields)]]) });
const run = (fields: Partial<HandDefinition>, input?: Json) =>
  talk(functions(fields), input === undefined ? { handId: 'desk' } : { handId: 'desk', input }, {
    functionId: 'hand::run',
    agent: 'agent:desk',
  });

describe('a hand', () => {
  it('does its job with its functions and gives back what came of it', async () => {
    const { output, asked } = await run(
      { allowed: ['tool::lookup'], systemPrompt: 'You are the desk.' },
      'model> call tool__lookup {"id":"1"} ;; tool__pay {}\nmodel> say paid nothing',
    );
    expect(output).toEqual({
      handId: 'desk',
      status: 'completed',
      startedAt: '2023-11-14T22:13:20.000Z',
      durationMs: 0,
      response: 'paid nothing',
    });
    // tool::pay is not the hand's, though it is in the catalog.
    expect(asked.map(({ functionId }) => functionId)).toEqual(['tool::lookup']);
    expect(server.requests[0]?.body.messages[0]).toEqual({ role: 'system', content: 'You are the desk.' });
  });

  it('takes model and prompt from its agent, and never its tools', async () => {
    await run({ agent: 'clerk', allowed: ['tool::lookup'] }, 'model> tools');
    const [request] = server.requests;
    expect(request?.body.model).toBe('clerk-model');
    expect(request?.body.messages[0].content).toBe('I am clerk.');
    expect(request?.body.tools.map((tool: { function: { name: string } }) => tool.function.name)).toEqual([
      'tool__lookup',
    ]);
    await run(
      { agent: 'clerk', systemPrompt: 'Mine.', maxTurns: 2, temperature: 0, maxOutputTokens: 3 },
      'x',
    );
    expect(server.requests[1]?.body).toMatchObject({ temperature: 0, max_tokens: 3 });
    expect(server.requests[1]?.body.messages[0].content).toBe('Mine.');
  });

  it('gets its input as text, as JSON, or a word to begin with', async () => {
    for (const [input, sent] of [
      ['plain text', 'plain text'],
      [{ id: 7 }, '{"id":7}'],
      [[1], '[1]'],
      [null, 'Begin.'],
      ['', 'Begin.'],
      [{}, 'Begin.'],
    ] as const) {
      await run({}, input);
      expect(server.requests.at(-1)?.body.messages[0].content).toBe(sent);
    }
    await run({});
    expect(server.requests.at(-1)?.body.messages[0].content).toBe('Begin.');
  });

  it('checks its input, fills defaults in, and leaves what it was given alone', async () => {
    const input = {
      type: 'object',
      additionalProperties: false,
      required: ['topic'],
      properties: { topic: { type: 'string' }, depth: { enum: ['quick', 'thorough'], default: 'thorough' } },
    };
    const given = { topic: 'claims' };
    await run({ input }, given);
    expect(server.requests[0]?.body.messages[0].content).toBe('{"topic":"claims","depth":"thorough"}');
    expect(given).toEqual({ topic: 'claims' });
    server.requests.length = 0;
    const wrong = await refusal(run({ input }, { topic: 'claims', depth: 'secret' }));
    expect(wrong).toMatchObject({
      code: 'FUNCTION_REQUEST_INVALID',
      message: expect.stringContaining('/depth must be equal to one of the allowed values'),
    });
    expect(JSON.stringify(wrong)).not.toContain('secret');
    expect((await refusal(run({ input }))).message).toContain("must have required property 'topic'");
    expect(server.requests).toEqual([]);
  });

  it('that is not there, not enabled, broken, or without its agent runs nothing', async () => {
    const ask = (provider: ReturnType<typeof functionsAt>, handId: string) =>
      refusal(talk(provider, { handId }, { functionId: 'hand::run' }));
    expect(await ask(functions({}), 'nobody')).toMatchObject({
      code: 'FUNCTION_REQUEST_INVALID',
      message: 'there is no hand "nobody"',
      hint: 'hands: desk',
    });
    expect((await ask(functions({ enabled: false }), 'desk')).message).toBe('the hand "desk" is not enabled');
    expect((await ask(functions({ agent: 'gone' }), 'desk')).message).toContain('needs the agent "gone"');
    const broken = new WritError('FUNCTION_UNAVAILABLE', 'hands/desk.yaml:1:1: no');
    const hands = new Map([['desk', broken]]);
    expect((await ask(functionsAt(server.url, { hands }), 'desk')).message).toBe('hands/desk.yaml:1:1: no');
    expect((await ask(functions({}), '__proto__')).message).toBe('there is no hand "__proto__"');
    expect(server.requests).toEqual([]);
  });

  it('says what it would use before it runs', async () => {
    const reach = await functions({ agent: 'clerk', allowed: ['tool::lookup'] }).reach?.(
      'hand::run',
      { handId: 'desk' },
      'agent:desk',
    );
    expect(reach).toMatchObject({
      network: [`127.0.0.1:${server.port}`],
      credentials: ['WRIT_MODEL_API_KEY'],
      tools: ['tool::lookup'],
    });
  });

  it('that fails is a failed step', async () => {
    expect((await refusal(run({}, 'model> status 500'))).code).toBe('FUNCTION_TEMPORARY');
    expect(
      (await refusal(run({ maxTurns: 1, allowed: ['tool::pay'] }, 'model> call tool__pay {}'))).message,
    ).toBe('no answer after 1 turns');
  });
});
