// Agents, hands and providers as files: read strictly, every problem at its place, nothing of a broken file used.
import { describe, expect, it } from 'vitest';
import { isDigest } from '../../json.js';
import { environmentProvider, baseUrlProblem } from './provider.js';
import { readAgentFile, readHandFile, readModelsFile } from './read.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const digest = isDigest(DIGEST) ? DIGEST : null;
if (digest === null) throw new TypeError('no digest');

const agent = (text: string, name = 'clerk') => readAgentFile(text, name, digest);
const hand = (text: string, id = 'desk') => readHandFile(text, id, digest);
const places = (
  found: ReturnType<typeof agent> | ReturnType<typeof hand> | ReturnType<typeof readModelsFile>,
) => found.diagnostics.map(({ code, line, column, message }) => `${line}:${column} ${code} ${message}`);

describe('an agent file', () => {
  it('gives the agent, with defaults for what it does not say', () => {
    expect(agent('name: clerk')).toEqual({
      value: {
        name: 'clerk',
        description: '',
        provider: null,
        model: null,
        systemPrompt: null,
        tools: [],
        maxTurns: 10,
        temperature: null,
        maxOutputTokens: null,
        prices: null,
        digest,
      },
      diagnostics: [],
    });
    const full = `name: clerk
description: answers letters
provider: house
model: large
systemPrompt: |
  Be kind.
tools: [tool::http_request, "mcp::tracker::*", fn::wasm, tool::wasm]
maxTurns: 100
temperature: 0
maxOutputTokens: 4096
prices: {inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6}
x-owner: claims team
`;
    expect(agent(full).value).toMatchObject({
      provider: 'house',
      systemPrompt: 'Be kind.\n',
      tools: ['tool::http_request', 'mcp::tracker::*', 'tool::wasm'],
      maxTurns: 100,
      temperature: 0,
      prices: { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 },
    });
  });

  it('tells every problem at its place in one pass, and gives nothing', () => {
    const text = `name: clerk
modle: large
tools: [tool::x, everything]
maxTurns: 0
temperature: hot
`;
    const found = agent(text);
    expect(found.value).toBeNull();
    expect(places(found)).toEqual([
      '2:1 DOC_UNKNOWN_FIELD the document knows no field "modle"',
      expect.stringMatching(/^3:18 DOC_BAD_VALUE "?tools\[1\]/),
      expect.stringMatching(/^4:11 DOC_BAD_VALUE "maxTurns"/),
      '5:14 DOC_WRONG_TYPE "temperature" must be a number, not "hot"',
    ]);
    expect(found.diagnostics[0]?.hint).toContain('model');
  });

  it('has the name of its file', () => {
    expect(places(agent('name: clerk', 'other'))).toEqual([
      '1:7 DOC_BAD_VALUE name is "clerk", the file is called "other"',
    ]);
    expect(agent('name: ../clerk', '../clerk').value).toBeNull();
  });

  it.each(['agent::chat', 'hand::run', 'hand::run::desk', 'hand::*', 'agent::*'])(
    'can not have %s as a tool',
    (id) => {
      expect(places(agent(`name: clerk\ntools: ["${id}"]`))[0]).toContain(
        "asks a model, and a model can't be given it",
      );
    },
  );

  it.each([
    ['twice the same field', 'name: clerk\nname: clerk', 'DOC_DUPLICATE_FIELD'],
    ['no field at all', '', 'DOC_SYNTAX'],
    ['a list', '- name: clerk', 'DOC_WRONG_TYPE'],
    ['a name of the prototype', 'name: clerk\n__proto__: {tools: []}', 'DOC_UNKNOWN_FIELD'],
    ['a tag', 'name: !!js/function x', 'DOC_UNSUPPORTED'],
    ['too much', `name: clerk\ndescription: ${'x'.repeat(1024 * 1024)}`, 'DOC_TOO_LARGE'],
  ])('with %s is refused', (_, text, code) => {
    const found = agent(text);
    expect(found.value).toBeNull();
    expect(found.diagnostics.map((one) => one.code)).toContain(code);
  });
});

describe('a hand file', () => {
  it('gives the hand, with defaults for what it does not say', () => {
    expect(hand('id: desk\nfunctions: {allowed: [fn::lookup]}').value).toEqual({
      id: 'desk',
      name: 'desk',
      description: '',
      enabled: true,
      agent: null,
      systemPrompt: null,
      allowed: ['tool::lookup'],
      input: null,
      maxTurns: null,
      temperature: null,
      maxOutputTokens: null,
      digest,
    });
  });

  it('must say what it may call, and a schema of its input must be one that ends', () => {
    expect(places(hand('id: desk'))).toEqual([expect.stringContaining('DOC_MISSING_FIELD')]);
    const text = 'id: desk\nfunctions: {allowed: []}\ninput:\n  properties:\n    a: {pattern: (a+)+$}\n';
    expect(places(hand(text))).toEqual([expect.stringMatching(/^5:9 DOC_UNSUPPORTED .*"pattern"/)]);
    expect(places(hand('id: desk\nfunctions: {allowed: []}\ninput: {type: nonsense}'))[0]).toContain(
      'is no JSON Schema',
    );
  });
});

describe('models.yaml', () => {
  it('gives providers by name, and where their keys are found', () => {
    const { value, diagnostics } = readModelsFile(`default: house
providers:
  house:
    baseUrl: https://models.bank.example/v1
    keySecret: house-models
    model: large
    prices: {large: {inputUsdPerMillion: 3, outputUsdPerMillion: 15}}
  cloud: {baseUrl: "https://cloud.example/v1", keyEnv: CLOUD_KEY}
  desk: {baseUrl: "http://127.0.0.1:11434/v1", keyless: true}
  rack: {baseUrl: "http://rack.internal:8000/v1", keyless: true, plainHttp: true}
`);
    expect(diagnostics).toEqual([]);
    expect(value?.default).toBe('house');
    expect([...(value?.providers.values() ?? [])].map(({ name, key }) => [name, key])).toEqual([
      ['house', { kind: 'secret', name: 'house-models' }],
      ['cloud', { kind: 'env', name: 'CLOUD_KEY' }],
      ['desk', { kind: 'none' }],
      ['rack', { kind: 'none' }],
    ]);
    expect(value?.providers.get('house')?.prices.get('large')?.outputUsdPerMillion).toBe(15);
    expect(readModelsFile('default: environment\nproviders: {}').value?.default).toBeNull();
  });

  it('holds no key itself, and tells every problem at its place', () => {
    const found = readModelsFile(`default: hause
providers:
  a: {baseUrl: "http://models.example.com/v1", keyEnv: KEY}
  b: {baseUrl: "https://x.example/v1"}
  c: {baseUrl: "https://user:word@x.example/v1", keyEnv: KEY, keyless: true}
  environment: {baseUrl: "https://x.example/v1", keyless: true}
`);
    expect(found.value).toBeNull();
    expect(places(found)).toEqual([
      '1:10 DOC_BAD_VALUE default names "hause", which is not among the providers',
      expect.stringMatching(/^3:16 DOC_BAD_VALUE baseUrl of "a" is http to another machine/),
      '4:3 DOC_BAD_VALUE "b" needs one of keyEnv, keySecret and keyless',
      '5:3 DOC_BAD_VALUE "c" needs one of keyEnv, keySecret and keyless',
      '5:16 DOC_BAD_VALUE baseUrl of "c" holds a user name or password',
      '6:3 DOC_BAD_VALUE the name environment stands for WRIT_MODEL_BASE_URL',
    ]);
    expect(places(readModelsFile('providers: {a: {baseUrl: "https://x.example", key: sk-1}}'))[0]).toContain(
      'DOC_UNKNOWN_FIELD',
    );
  });
});

describe('a base URL', () => {
  it.each([
    ['https://models.example.com/v1', null],
    ['http://localhost:1/v1', null],
    ['http://127.0.0.1/v1', null],
    ['http://127.9.9.9:80', null],
    ['http://[::1]:8080/v1', null],
    ['models.example.com', 'is no URL'],
    ['ftp://models.example.com', 'has the scheme ftp:, not https:'],
    ['file:///etc/passwd', 'has the scheme file:, not https:'],
    [
      'http://127.0.0.1.example.com/v1',
      'is http to another machine: prompts and the key would travel in the clear',
    ],
    [
      'http://localhost.example.com/v1',
      'is http to another machine: prompts and the key would travel in the clear',
    ],
    ['http://10.0.0.1/v1', 'is http to another machine: prompts and the key would travel in the clear'],
    ['https://a:b@models.example.com', 'holds a user name or password'],
    ['https://models.example.com/v1?key=x', 'has a query or a fragment'],
    ['https://models.example.com/v1#x', 'has a query or a fragment'],
  ])('%s: %s', (url, problem) => {
    expect(baseUrlProblem(url, false)).toBe(problem);
  });
});

describe('the provider of the environment', () => {
  it('is what the variables say, and says which to set when they do not', () => {
    expect(
      environmentProvider({
        WRIT_MODEL_BASE_URL: 'https://x.example/v1',
        WRIT_MODEL: 'm',
        WRIT_MODEL_API_KEY: 'k',
      }),
    ).toMatchObject({ name: 'environment', model: 'm', key: { kind: 'env', name: 'WRIT_MODEL_API_KEY' } });
    expect(
      environmentProvider({ WRIT_MODEL_BASE_URL: 'https://x.example/v1', WRIT_MODEL: '' }),
    ).toMatchObject({
      model: null,
    });
    for (const env of [{}, { WRIT_MODEL_BASE_URL: '' }]) {
      expect(environmentProvider(env)).toMatchObject({
        code: 'FUNCTION_UNAVAILABLE',
        hint: expect.stringContaining(
          'set WRIT_MODEL_BASE_URL, WRIT_MODEL_API_KEY and WRIT_MODEL',
        ) as unknown,
      });
    }
    expect(environmentProvider({ WRIT_MODEL_BASE_URL: 'http://x.example' })).toMatchObject({
      code: 'FUNCTION_UNAVAILABLE',
    });
  });
});
