// agent::chat against a real server that speaks the protocol: what is sent, what comes back, what is refused before
// anything is sent, and that no key is ever said.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startModelServer, type ModelServer } from '../../../test/model-server/server.mjs';
import {
  agentNamed,
  functionsAt,
  NO_MODELS,
  providerAt,
  refusal,
  talk,
} from '../../../test/model-server/talk.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { FunctionProvider } from '../../runtime/ports.js';
import type { AgentParts } from './agent-parts.js';

const KEY = 'sk-stand-in-0123456789';

let server: ModelServer;
let url: string;
beforeAll(async () => {
  server = await startModelServer({ key: KEY });
  ({ url } = server);
});
afterAll(() => server.close());
beforeEach(() => {
  server.requests.length = 0;
});

const functions = (fields: Partial<AgentParts> = {}): FunctionProvider => functionsAt(url, fields);
const withAgent = (fields: Parameters<typeof agentNamed>[1], parts: Partial<AgentParts> = {}) =>
  functions({ agents: new Map([['tester', agentNamed('tester', fields)]]), ...parts });
const reach = (provider: FunctionProvider, input: Json, agent: string | null = 'agent:tester') =>
  provider.reach?.('agent::chat', input, agent) ?? Promise.reject(new TypeError('no reach'));
/** Both before anything runs and at the turn itself, with the same refusal. */
const refused = async (provider: FunctionProvider, input: Json, agent: string | null = 'agent:tester') => {
  const before = await refusal(reach(provider, input, agent));
  expect(await refusal(talk(provider, input, { agent }))).toEqual(before);
  expect(server.requests).toEqual([]);
  return before;
};

describe('an answer', () => {
  it('comes back with model, usage, turns and time, and its text is shown as it comes', async () => {
    const told = await talk(functions(), { message: 'model> say hello to you' });
    expect(told.output).toEqual({
      content: 'hello to you',
      model: 'stand-in',
      usage: { inputTokens: 11, outputTokens: 7 },
      iterations: 1,
      durationMs: 0,
    });
    expect(told.progress).toBe('hello to you');
    expect(told.usage).toEqual([{ inputTokens: 11, outputTokens: 7, costMicroUsd: 0 }]);
  });

  it('is asked for with the message, the prompts in order, the numbers of the agent file and the key', async () => {
    const provider = withAgent({ systemPrompt: 'Be kind.', temperature: 0.5, maxOutputTokens: 99 });
    await talk(provider, { message: 'hi', systemPrompt: 'Be short.', sessionId: 's1' });
    const [request] = server.requests;
    expect(request?.headers['authorization']).toBe(`Bearer ${KEY}`);
    expect(request?.body).toMatchObject({
      model: 'stand-in',
      stream: true,
      temperature: 0.5,
      max_tokens: 99,
    });
    expect(request?.body.messages).toEqual([
      { role: 'system', content: 'Be kind.\n\nBe short.' },
      { role: 'user', content: 'hi' },
    ]);
    expect(request?.body.tools).toBeUndefined();
  });

  it('keeps every letter, and replaces half of a surrogate pair', async () => {
    const { output } = await talk(functions(), { message: 'model> say naïve 漢字 👩‍👩‍👧 {{x}} __proto__' });
    expect(output).toMatchObject({ content: 'naïve 漢字 👩‍👩‍👧 {{x}} __proto__' });
    const { output: broken } = await talk(functions(), { message: 'half \ud800 of it' });
    expect(broken).toMatchObject({ content: 'You said: half \ufffd of it' });
  });

  it('that is empty is a failure', async () => {
    const { code, message } = await refusal(talk(functions(), { message: 'model> empty' }));
    expect(code).toBe('STEP_OUTPUT_INVALID');
    expect(message).toBe('stand-in gave an answer that is empty');
  });
});

describe('tools', () => {
  const tools = ['tool::lookup', 'mcp::tracker::*'];

  it('are offered under legal names, asked for one by one, and their answers come with the next turn', async () => {
    const message = 'model> call tool__lookup {"id":"7"} ;; mcp__tracker__list {}\nmodel> heard';
    const told = await talk(withAgent({ tools }), { message });
    expect(server.requests[0]?.body.tools).toMatchObject([
      { type: 'function', function: { name: 'tool__lookup', description: 'Looks a claim up.' } },
      { type: 'function', function: { name: 'mcp__tracker__close' } },
      { type: 'function', function: { name: 'mcp__tracker__list' } },
    ]);
    expect(told.asked).toEqual([
      { id: 'call-1-1', functionId: 'tool::lookup', input: { id: '7' } },
      { id: 'call-1-2', functionId: 'mcp::tracker::list', input: {} },
    ]);
    expect(told.output).toMatchObject({
      content: '{"ran":"tool::lookup"} | {"ran":"mcp::tracker::list"}',
      usage: { inputTokens: 22, outputTokens: 14 },
      iterations: 2,
    });
    const [, second] = server.requests;
    expect(second?.body.messages.slice(1)).toMatchObject([
      { role: 'assistant', tool_calls: [{ id: 'call-1-1' }, { id: 'call-1-2' }] },
      { role: 'tool', tool_call_id: 'call-1-1' },
      { role: 'tool', tool_call_id: 'call-1-2' },
    ]);
  });

  it('that were not offered are answered with an error and never asked for', async () => {
    const message = 'model> call tool__pay {"id":"7"}\nmodel> heard';
    const told = await talk(withAgent({ tools }), { message });
    expect(told.asked).toEqual([]);
    expect(told.output).toMatchObject({
      content: expect.stringContaining('not run: there is no such tool'),
      iterations: 2,
    });
  });

  it('under the function id itself, or a name like __proto__, are not there either', async () => {
    const message = 'model> call tool::lookup {} ;; __proto__ {} ;; constructor {}\nmodel> heard';
    const told = await talk(withAgent({ tools }), { message });
    expect(told.asked).toEqual([]);
  });

  it('run where one call of a turn is good and another is not', async () => {
    const message =
      'model> call tool__lookup {"id":"1"} ;; rm_rf {} ;; tool__lookup [1] ;; tool__lookup {broken\nmodel> heard';
    const told = await talk(withAgent({ tools }), { message });
    expect(told.asked).toEqual([{ id: 'call-1-1', functionId: 'tool::lookup', input: { id: '1' } }]);
    const { content } = told.output as { content: string };
    expect(content.split(' | ')).toEqual([
      '{"ran":"tool::lookup"}',
      'not run: there is no such tool; use only those you were given',
      'not run: the arguments are no JSON object, or nested too deeply',
      'not run: the arguments are no JSON object, or nested too deeply',
    ]);
  });

  it('are called at most 32 at once, with arguments at most 32 levels deep', async () => {
    const calls = Array.from({ length: 34 }, (_, i) => `tool__lookup {"id":"${i}"}`).join(' ;; ');
    const many = await talk(withAgent({ tools }), { message: `model> call ${calls}\nmodel> heard` });
    expect(many.asked).toHaveLength(32);
    expect((many.output as { content: string }).content).toContain('at most 32 calls at once');
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    const deep = (depth: number) =>
      talk(withAgent({ tools }), { message: `model> call tool__lookup ${nested(depth)}\nmodel> say ok` });
    expect((await deep(32)).asked).toHaveLength(1);
    expect((await deep(33)).asked).toHaveLength(0);
  });

  it('that were refused or failed are told as such', async () => {
    const message = 'model> call tool__lookup {} ;; mcp__tracker__list {}\nmodel> heard';
    const told = await talk(
      withAgent({ tools }),
      { message },
      {
        run: ({ functionId }) =>
          functionId === 'tool::lookup'
            ? { status: 'refused', output: 'policy denies it' }
            : { status: 'failed', output: 'no such list' },
      },
    );
    expect(told.output).toMatchObject({
      content: 'refused, and asking again will not change that: policy denies it | failed: no such list',
    });
  });

  it('with a long answer are cut before the model sees it', async () => {
    const message = 'model> call tool__lookup {}\nmodel> say done';
    const output = 'z'.repeat(200_000);
    await talk(withAgent({ tools }), { message }, { run: () => ({ status: 'succeeded', output }) });
    const [, second] = server.requests;
    const heard = second?.body.messages.at(-1).content as string;
    expect(heard).toHaveLength(65_536 + ' … (cut, 200000 characters in all)'.length);
  });

  it('of a request narrow those of the agent, down to none', async () => {
    const offered = async (input: Json): Promise<Json> => (await talk(withAgent({ tools }), input)).output;
    expect(await offered({ message: 'model> tools', tools: ['mcp::tracker::close'] })).toMatchObject({
      content: 'mcp__tracker__close',
    });
    expect(await offered({ message: 'model> tools', tools: [] })).toMatchObject({ content: 'none' });
  });

  it('of a request that the agent does not have are refused before anything is sent', async () => {
    const { code, message } = await refused(withAgent({ tools }), { message: 'hi', tools: ['tool::pay'] });
    expect(code).toBe('FUNCTION_REQUEST_INVALID');
    expect(message).toBe('the agent "tester" may not ask for tool::pay');
    expect((await refused(functions(), { message: 'hi', tools: ['tool::lookup'] })).hint).toContain(
      'agents/<name>.yaml',
    );
    expect((await refused(withAgent({ tools }), { message: 'hi', tools: ['agent::chat'] })).code).toBe(
      'FUNCTION_REQUEST_INVALID',
    );
  });

  it('of an agent that are not registered are refused before anything is sent, and so is a model as a tool', async () => {
    for (const tool of ['tool::gone', 'mcp::gone::*', 'agent::chat', 'hand::*']) {
      const { code, message } = await refused(withAgent({ tools: [tool] }), { message: 'hi' });
      expect(code).toBe('FUNCTION_UNAVAILABLE');
      expect(message).toBe(`the agent "tester" may call ${tool}, which is not registered here`);
    }
  });

  it('end when the turns are used up, and what the last turn asks for is not run', async () => {
    const message = 'model> call tool__lookup {}';
    let ran = 0;
    const work = talk(
      withAgent({ tools, maxTurns: 3 }),
      { message },
      {
        run: () => {
          ran++;
          return { status: 'succeeded', output: null };
        },
      },
    );
    expect((await refusal(work)).message).toBe('no answer after 3 turns');
    expect(ran).toBe(2);
    expect(server.requests).toHaveLength(3);
    server.requests.length = 0;
    const unknown = talk(withAgent({ tools, maxTurns: 4 }), { message: 'model> call nothing {}' });
    expect((await refusal(unknown)).message).toBe('no answer after 4 turns');
    expect(server.requests).toHaveLength(4);
  });

  it('of a request have at most the turns of the agent', async () => {
    const { code, message } = await refused(withAgent({ maxTurns: 3 }), { message: 'hi', maxTurns: 4 });
    expect([code, message]).toEqual([
      'FUNCTION_REQUEST_INVALID',
      'the agent "tester" has 3 turns, config.maxTurns asks for 4',
    ]);
    expect((await refused(functions(), { message: 'hi', maxTurns: 11 })).message).toContain('has 10 turns');
    const one = talk(withAgent({ tools, maxTurns: 3 }), {
      message: 'model> call tool__lookup {}',
      maxTurns: 1,
    });
    expect((await refusal(one)).message).toBe('no answer after 1 turns');
  });
});

describe('structured output', () => {
  const responseSchema = {
    type: 'object',
    additionalProperties: false,
    required: ['risk'],
    properties: { risk: { enum: ['low', 'high'] }, why: { type: 'string', maxLength: 10 } },
  };

  it('is asked for by schema, checked, and given as object and as its JSON text', async () => {
    const message = 'model> json { "risk": "low" }';
    const { output } = await talk(functions(), { message, responseSchema });
    expect(output).toMatchObject({ object: { risk: 'low' }, content: '{"risk":"low"}' });
    expect(server.requests[0]?.body.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'response', strict: false, schema: responseSchema },
    });
  });

  it('that does not fit is a failure that names the place and no value', async () => {
    const answer = async (text: string) =>
      refusal(talk(functions(), { message: `model> json ${text}`, responseSchema }));
    expect(await answer('{"risk":"secret"}')).toMatchObject({
      code: 'STEP_OUTPUT_INVALID',
      message: expect.stringContaining('/risk must be equal to one of the allowed values'),
    });
    expect((await answer('{}')).message).toContain("must have required property 'risk'");
    expect((await answer('{"risk":"low","why":"much too long"}')).message).toContain('/why');
    expect((await answer('{"risk":"low"')).message).toBe(
      'stand-in gave an answer that is not JSON, as its response schema asks',
    );
  });

  it('with a schema that is none, or that could run for ever, is refused before anything is sent', async () => {
    for (const schema of [
      { type: 'nonsense' },
      { pattern: '(a+)+$' },
      { properties: { a: { $ref: '#' } } },
      { type: 'array', uniqueItems: true },
      { $async: true },
      { description: 'x'.repeat(70_000) },
    ]) {
      expect((await refused(functions(), { message: 'hi', responseSchema: schema })).code).toBe(
        'FUNCTION_REQUEST_INVALID',
      );
    }
    const named = { type: 'object', properties: { pattern: { const: { $ref: 'data' } } } };
    expect(await reach(functions(), { message: 'hi', responseSchema: named })).toMatchObject({ tools: [] });
  });
});

describe('what a call would use', () => {
  it('is known before it runs: host, name of the key, tools, and what it goes by', async () => {
    const provider = withAgent({ tools: ['mcp::tracker::*'] });
    expect(await reach(provider, { message: 'hi' })).toEqual({
      network: [`127.0.0.1:${server.port}`],
      credentials: ['WRIT_MODEL_API_KEY'],
      tools: ['mcp::tracker::close', 'mcp::tracker::list'],
      definition: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      estimate: { tokens: 1, costMicroUsd: null },
    });
    expect(server.requests).toEqual([]);
  });

  it('has another digest when agent file, model or endpoint are others', async () => {
    const definition = async (provider: FunctionProvider) =>
      (await reach(provider, { message: 'hi' })).definition;
    const digests = await Promise.all([
      definition(functions()),
      definition(withAgent({})),
      definition(withAgent({ model: 'other' })),
      definition(functions({ environment: providerAt(`${url}/other`) })),
    ]);
    expect(new Set(digests).size).toBe(4);
  });

  it.each([
    ['https://models.example.com/v1', 'models.example.com:443'],
    ['https://MODELS.example.com:8443/v1/', 'models.example.com:8443'],
    ['http://[::1]/v1', '[::1]:80'],
  ])('names the host of %s as %s', async (baseUrl, host) => {
    const { network } = await reach(functions({ environment: providerAt(baseUrl) }), { message: 'hi' });
    expect(network).toEqual([host]);
  });

  it('has no key where the provider takes none, and none is sent', async () => {
    const open = await startModelServer();
    try {
      const provider = functionsAt(open.url, {
        environment: providerAt(open.url, { key: { kind: 'none' } }),
        env: {},
      });
      expect((await reach(provider, { message: 'hi' })).credentials).toEqual([]);
      await talk(provider, { message: 'hi' });
      expect(open.requests[0]?.headers['authorization']).toBeUndefined();
    } finally {
      await open.close();
    }
  });
});

describe('what is missing', () => {
  it('is said by the name of what to set, before anything is sent', async () => {
    const none = new WritError('FUNCTION_UNAVAILABLE', 'no model provider is configured here', {
      hint: 'set it',
    });
    expect(await refused(functions({ environment: none }), { message: 'hi' })).toEqual({
      code: 'FUNCTION_UNAVAILABLE',
      message: 'no model provider is configured here',
      hint: 'set it',
    });
    expect((await refused(functions({ env: {} }), { message: 'hi' })).hint).toBe(
      'set the environment variable WRIT_MODEL_API_KEY',
    );
    expect((await refused(functions({ env: { WRIT_MODEL_API_KEY: '' } }), { message: 'hi' })).code).toBe(
      'FUNCTION_UNAVAILABLE',
    );
    const nameless = functions({ environment: providerAt(url, { model: null }) });
    expect((await refused(nameless, { message: 'hi' })).hint).toContain('set WRIT_MODEL');
    expect((await refused(functions(), { message: 'hi', provider: 'acme' })).message).toBe(
      'no model provider "acme" is configured here',
    );
  });

  it('may be a key that no header can carry, and its value is not shown', async () => {
    for (const value of ['key with blanks', 'line\nend-secret', 'schlüssel-secret', 'x'.repeat(5000)]) {
      const { code, message, hint } = await refused(functions({ env: { WRIT_MODEL_API_KEY: value } }), {
        message: 'hi',
      });
      expect(code).toBe('FUNCTION_UNAVAILABLE');
      expect(message + hint).not.toContain(value.slice(0, 8));
    }
  });

  it('may be the agent file itself: then its error is the answer', async () => {
    const broken = new WritError(
      'FUNCTION_UNAVAILABLE',
      'agents/tester.yaml:2:1: the document knows no field "tool"',
    );
    const provider = functions({ agents: new Map<string, WritError>([['tester', broken]]) });
    expect((await refused(provider, { message: 'hi' })).message).toContain('agents/tester.yaml:2:1');
    expect(
      (await talk(provider, { message: 'model> say ok' }, { agent: 'agent:other' })).output,
    ).toMatchObject({
      content: 'ok',
    });
  });
});

describe('providers', () => {
  const models = (chosen: string | null): AgentParts['models'] => ({
    default: chosen,
    providers: new Map([
      [
        'house',
        providerAt(url, { name: 'house', key: { kind: 'secret', name: 'house-key' }, model: 'house-model' }),
      ],
    ]),
  });
  const secret = (name: string) => (name === 'house-key' ? new TextEncoder().encode(KEY) : null);

  it('come from models.yaml by name, with a key from the secrets', async () => {
    const provider = functions({ models: models(null), secret, env: {} });
    const input = { message: 'model> say ok', provider: 'house' };
    expect((await reach(provider, input)).credentials).toEqual(['house-key']);
    expect((await talk(provider, input)).output).toMatchObject({ model: 'house-model' });
    expect((await talk(provider, { ...input, model: 'large' })).output).toMatchObject({ model: 'large' });
  });

  it('are the default one where nobody names one', async () => {
    const { hint } = await refused(functions({ models: models('house'), env: {} }), { message: 'hi' });
    expect(hint).toBe('writ secrets set house-key');
    const provider = functions({ models: models('house'), secret, env: {} });
    expect((await talk(provider, { message: 'model> say ok' })).output).toMatchObject({
      model: 'house-model',
    });
  });

  it('and models that the agent file names can not be overruled', async () => {
    const bound = withAgent({ model: 'small', provider: 'house' }, { models: models(null), secret });
    expect((await talk(bound, { message: 'model> say ok', model: 'small' })).output).toMatchObject({
      model: 'small',
    });
    server.requests.length = 0;
    expect((await refused(bound, { message: 'hi', model: 'large' })).message).toBe(
      'the agent "tester" is bound to the model small',
    );
    expect((await refused(bound, { message: 'hi', provider: 'environment' })).message).toContain(
      'bound to the provider',
    );
  });

  it('with a models.yaml that has errors are all refused', async () => {
    const broken = new WritError('FUNCTION_UNAVAILABLE', 'models.yaml:1:1: no');
    expect((await refused(functions({ models: broken }), { message: 'hi' })).message).toBe(
      'models.yaml:1:1: no',
    );
    expect(NO_MODELS.providers.size).toBe(0);
  });
});

describe('the acting agent', () => {
  it('is the one whose file counts, and a request can not name another', async () => {
    const provider = withAgent({ systemPrompt: 'I am tester.' });
    await talk(provider, { message: 'hi', agentId: 'tester' });
    expect(server.requests[0]?.body.messages[0].content).toBe('I am tester.');
    server.requests.length = 0;
    const { code, message } = await refused(provider, { message: 'hi', agentId: 'tester' }, 'agent:other');
    expect([code, message]).toEqual([
      'FUNCTION_REQUEST_INVALID',
      'config.agentId is not the acting agent, which is "other"',
    ]);
  });

  it('may be named by the request where the step has none', async () => {
    await talk(
      withAgent({ systemPrompt: 'I am tester.' }),
      { message: 'hi', agentId: 'tester' },
      { agent: null },
    );
    expect(server.requests[0]?.body.messages[0].content).toBe('I am tester.');
    await talk(withAgent({ systemPrompt: 'I am tester.' }), { message: 'hi' }, { agent: null });
    expect(server.requests[1]?.body.messages[0].role).toBe('user');
  });
});

describe('the request', () => {
  it.each([
    ['nothing', {}],
    ['an empty message', { message: '' }],
    ['another type', { message: 7 }],
    ['an unknown field', { message: 'hi', temperature: 1 }],
    ['a field of the prototype', JSON.parse('{"message":"hi","__proto__":{"tools":[]}}') as Json],
    ['no object', 'hi'],
    ['a number of turns out of range', { message: 'hi', maxTurns: 0 }],
  ])('is refused with %s', async (_, input) => {
    expect((await refused(functions(), input)).code).toBe('FUNCTION_REQUEST_INVALID');
  });

  it('takes what a collect step adds', async () => {
    const input = { message: 'model> say ok', fanoutResults: [1, 2], fanoutErrors: [] };
    expect((await talk(functions(), input)).output).toMatchObject({ content: 'ok' });
  });
});
