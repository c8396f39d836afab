import { expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { JsonObject } from '../json.js';
import type { FunctionRequest } from '../runtime/ports.js';
import { ownFunction, type FunctionCall } from './own-function.js';

const ANY: JsonObject = {};
const SCORE: JsonObject = {
  type: 'object',
  properties: { amount: { type: 'number', minimum: 0 }, filed: { type: 'string', format: 'date' } },
  required: ['amount'],
  additionalProperties: false,
};

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof WritError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const register = (id: string, input = ANY, output = ANY): string =>
  refusal(() => ownFunction(id, { input, output }, () => null));

const request = (over: Partial<FunctionRequest> = {}): FunctionRequest => ({
  functionId: 'claims::score',
  input: { amount: 12 },
  run: 'run_1',
  stepPath: 'score',
  agent: 'agent:claims',
  idempotencyKey: 'key',
  timeoutMs: 1_000,
  ...over,
});

it.each(['claims::score', 'a::b', 'claims_2::x.y-Z_1', 'claims::score::v2', 'tools::x', 'agents::chat'])(
  'takes the id %s',
  (id) => {
    expect(register(id)).toBe('accepted');
  },
);

it.each([
  '',
  'score',
  '::score',
  'claims::',
  'Claims::score',
  '1::a',
  'claims::a b',
  'claims:score',
  'a::b\n',
])('refuses %j, which is no function id', (id) => {
  expect(register(id)).toMatch(/^USAGE .*is no function id$/su);
});

it('takes an id of 200 characters and refuses one of 201', () => {
  expect(register(`a::${'b'.repeat(197)}`)).toBe('accepted');
  expect(register(`a::${'b'.repeat(198)}`)).toMatch(/is no function id$/u);
});

it.each([
  ...['audit::erase', 'agent::chat', 'tool::wasm', 'hand::run', 'security::check', 'workflow::run'],
  ...['mcp::server::tool', 'http::request', 'fn::x', 'wasm::execute', 'health::check', 'tool::mine'],
])('keeps %s for writ itself', (id) => {
  expect(register(id)).toMatch(/^USAGE .*are writ's own$/u);
});

it('takes JSON Schemas and refuses what is none, for the request and for the response', () => {
  expect(register('a::b', SCORE, SCORE)).toBe('accepted');
  const bad: readonly JsonObject[] = [
    { type: 'objekt' },
    { type: 'object', propertys: {} },
    { type: 'string', format: 'claim-number' },
    { type: 'string', pattern: '(' },
    { $ref: '#/$defs/nowhere' },
    { $async: true },
    // Strict: a keyword that has no effect on the type beside it.
    { type: 'string', minimum: 1 },
    { type: 'object', required: ['x'] },
    { $schema: 'http://json-schema.org/draft-04/schema#' },
  ];
  for (const schema of bad) {
    expect(register('a::b', schema), JSON.stringify(schema)).toMatch(/^USAGE the input schema of a::b/u);
    expect(register('a::b', ANY, schema)).toMatch(/^USAGE the output schema of a::b/u);
  }
});

it('refuses schemas of another kind than objects, and longer than 64 KiB', () => {
  for (const schema of [null, [], 'object', undefined, true]) {
    expect(register('a::b', schema as never)).toMatch(/is no object$|^accepted$/u);
  }
  expect(register('a::b', null as never)).toMatch(/is no object$/u);
  const long = (length: number): JsonObject => ({ description: 'x'.repeat(length) });
  const overhead = JSON.stringify(long(0)).length;
  expect(register('a::b', long(65_536 - overhead))).toBe('accepted');
  expect(register('a::b', long(65_537 - overhead))).toMatch(/longer than 65536 bytes$/u);
});

it('refuses a field it does not know, and to register what nobody could call', () => {
  const anything = ownFunction as (...parts: readonly unknown[]) => unknown;
  const typo = { input: ANY, output: ANY, idempotnt: true };
  expect(refusal(() => anything('claims::pay', typo, () => null))).toBe(
    'USAGE the definition of claims::pay knows no field "idempotnt"',
  );
  for (const handler of [undefined, null, {}, 'pay']) {
    expect(refusal(() => anything('claims::pay', { input: ANY, output: ANY }, handler))).toBe(
      'USAGE claims::pay has no handler',
    );
  }
  for (const definition of [undefined, null, 'x']) {
    expect(refusal(() => anything('claims::pay', definition, () => null))).toBe(
      'USAGE the definition of claims::pay is no object',
    );
  }
});

it('shows the schemas as they were checked, whatever becomes of the object given', () => {
  const input = { type: 'object', properties: {} as Record<string, unknown> };
  const provider = ownFunction('a::b', { input: input as JsonObject, output: ANY }, () => null);
  input.properties['x'] = { type: 'nonsense' };
  expect(provider.schemas?.('a::b').input).toEqual({ type: 'object', properties: {} });
});

it('tells what it does and whether it may be called again', () => {
  const plain = ownFunction('a::b', { input: ANY, output: ANY }, () => null);
  expect([plain.describe?.('a::b'), plain.idempotent]).toEqual([null, []]);
  const told = ownFunction(
    'a::b',
    { input: ANY, output: ANY, description: 'scores', idempotent: true },
    () => null,
  );
  expect([told.describe?.('a::b'), told.idempotent]).toEqual(['scores', ['a::b']]);
});

it('gives the handler the input and what is around it, and answers what it answers', async () => {
  const seen: [unknown, FunctionCall][] = [];
  const provider = ownFunction<{ amount: number }, { risk: string }>(
    'claims::score',
    { input: SCORE, output: ANY },
    (input, call) => {
      seen.push([input, call]);
      return { risk: input.amount > 10 ? 'high' : 'low' };
    },
  );
  const { signal } = new AbortController();
  expect(await provider.invoke(request(), signal)).toEqual({ risk: 'high' });
  expect(seen).toEqual([
    [
      { amount: 12 },
      { signal, idempotencyKey: 'key', run: 'run_1', stepPath: 'score', agent: 'agent:claims' },
    ],
  ]);
});

it('makes a failure of whatever the handler throws: it can neither refuse nor stop the runner', async () => {
  const thrown = async (error: unknown): Promise<unknown> => {
    const provider = ownFunction('a::b', { input: ANY, output: ANY }, () => {
      throw error;
    });
    return provider.invoke(request(), new AbortController().signal).then(
      () => 'answered',
      (reason: unknown) => (reason instanceof WritError ? `${reason.code} ${reason.message}` : reason),
    );
  };
  expect(await thrown(new Error('no database'))).toBe('FUNCTION_FAILED a::b: no database');
  expect(await thrown('text')).toBe('FUNCTION_FAILED a::b: text');
  expect(await thrown(undefined)).toBe('FUNCTION_FAILED a::b: undefined');
  expect(await thrown(new WritError('STORE_IO', 'x'))).toBe('FUNCTION_FAILED a::b: x');
  expect(await thrown(new WritError('POLICY_NO_MATCH', 'x'))).toBe('FUNCTION_FAILED a::b: x');
  expect(await thrown(new WritError('SANDBOX_TEMPORARY', 'busy'))).toBe('SANDBOX_TEMPORARY busy');
});
