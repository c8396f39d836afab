import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../json.js';
import type { QueryAnswer } from '../../runtime/ports.js';
import { openQueryEvaluator } from './evaluator.js';

// The child runs from dist.
const started: number[] = [];
const evaluator = openQueryEvaluator({ children: 1, onStart: (pid) => started.push(pid) });
afterAll(() => evaluator.close());

const SEED = '0123456789abcdef'.repeat(4);

interface About {
  readonly input?: Json;
  readonly variables?: JsonObject;
  readonly seed?: string;
  readonly nowMs?: number;
}

function ask(fields: Readonly<Record<string, Json>>, about: About = {}): Promise<QueryAnswer> {
  const { input = {}, variables = {}, seed = SEED, nowMs = Date.UTC(2026, 0, 2, 3, 4, 5) } = about;
  return evaluator.evaluate({ id: '', at: 1, fields, states: { input }, variables, nowMs, seed });
}

/** The value of one expression. */
async function valueOf(expression: string, about: About = {}): Promise<Json> {
  const answer = await ask({ Output: `{% ${expression} %}` }, about);
  if (!answer.ok) throw new Error(answer.message);
  return answer.values['Output'] ?? null;
}

/** What is said of the one expression, after the words that name it. */
async function faultOf(expression: string, about: About = {}): Promise<{ problem: string; says: string }> {
  const answer = await ask({ Output: `{% ${expression} %}` }, about);
  if (answer.ok) throw new Error(`it gave ${JSON.stringify(answer.values)}`);
  const start = `The JSONata expression '${expression}' specified for the field 'Output' `;
  expect(answer.message.startsWith(start)).toBe(true);
  expect(answer).toMatchObject({ field: 'Output', expression });
  return { problem: answer.problem, says: answer.message.slice(start.length) };
}

describe('an expression', () => {
  it.each<[string, Json]>([
    ['$states.input.n + 1', 4],
    ['$name', 'ann'],
    ['$states.input.list', [1, 2]],
    ['$states.input.one', [7]],
    ['$states.input.none', []],
    ['$states.input.list[0]', 1],
    ['{"a": $states.input.missing, "b": null}', { b: null }],
    ['1/0', 'Infinity'],
    ['{"a": [-1/0]}', { a: ['-Infinity'] }],
    ['-0', 0],
    ['$states.input.`__proto__`', { own: true }],
    ['$states.input', { n: 3, list: [1, 2], one: [7], none: [], ['__proto__']: { own: true } }],
  ])('%s gives %j', async (expression, value) => {
    const input = JSON.parse(
      '{"n":3,"list":[1,2],"one":[7],"none":[],"__proto__":{"own":true}}',
    ) as JsonObject;
    const given = await valueOf(expression, { input, variables: { name: 'ann' } });
    expect(JSON.stringify(given)).toBe(JSON.stringify(value));
  });

  it('assigns to a name of its own only: the next one does not see it', async () => {
    expect(await valueOf('($mine := 1; $mine)')).toBe(1);
    expect((await faultOf('$mine')).problem).toBe('undefined');
  });

  it('is found at any depth of a template, which is otherwise literal', async () => {
    const template = { a: ['{% 1 %}', ' {% 1 %}', { b: '{%$states.input%}', c: '{% 1' }], d: 7, e: null };
    expect(await ask({ Arguments: template, Items: [1] }, { input: 'in' })).toEqual({
      ok: true,
      values: { Arguments: { a: [1, ' {% 1 %}', { b: 'in', c: '{% 1' }], d: 7, e: null }, Items: [1] },
    });
  });

  it('that fails is named with its place in the template, as AWS names it', async () => {
    expect(await ask({ Assign: { x: 1 }, Output: { a: [0, { b: '{% $gone %}' }] } })).toEqual({
      ok: false,
      field: 'Output/a[1]/b',
      expression: '$gone',
      problem: 'undefined',
      message:
        "The JSONata expression '$gone' specified for the field 'Output/a[1]/b' returned nothing (undefined).",
    });
  });

  it.each([
    [
      '1 + {}',
      'error',
      'threw an error during evaluation. T2002: The right side of the "+" operator must evaluate to a number',
    ],
    [
      '$split("a","b",-1)',
      'error',
      'threw an error during evaluation. D3020: Third argument of split function must evaluate to a positive number',
    ],
    [
      '$parse(null)',
      'error',
      'threw an error during evaluation. T0410: Argument 1 of function "parse" does not match function signature',
    ],
    ['1 +', 'error', 'threw an error during evaluation. S0207: Unexpected end of expression'],
    ['$nothing()', 'error', 'threw an error during evaluation. T1006: Attempted to invoke a non-function'],
    ['$states.input.missing', 'undefined', 'returned nothing (undefined).'],
    ['$sum', 'type', 'returned an unsupported result type.'],
    ['[1, function($x) { $x }]', 'type', 'returned an unsupported result type.'],
  ])('%s: %s', async (expression, problem, says) => {
    expect(await faultOf(expression)).toEqual({ problem, says });
  });

  it.each([
    ['phone', 'phone'],
    ['phone.home', 'phone'],
    ['$', '$'],
    ['$$.a', '$$'],
    ['{"a": phone}', 'phone'],
    ['$sum(prices)', 'prices'],
    ['true ? phone : 1', 'phone'],
    ['[1, phone]', 'phone'],
    ['1 + -phone', 'phone'],
    ['($x := phone; $x)', 'phone'],
  ])('%s looks at the top level, where nothing is', async (expression, name) => {
    expect((await faultOf(expression)).says).toBe(
      `threw an error during evaluation: Reference to '${name}' at the top level is not supported.`,
    );
  });

  it.each([
    '$states.input[price > 3].price',
    '$map($states.input, function($v) { $v.price })',
    '$states.input.{"p": price}',
  ])('%s names fields inside what it has reached', async (expression) => {
    expect(JSON.stringify(await valueOf(expression, { input: [{ price: 4 }, { price: 5 }] }))).toMatch(
      /4.*5/,
    );
  });
});

describe('functions of the States Language', () => {
  it.each<[string, Json]>([
    ['$partition([1,2,3,4,5], 2)', [[1, 2], [3, 4], [5]]],
    ['$partition([0], 5)', [[0]]],
    ['$range(0, 9, 3)', [0, 3, 6, 9]],
    ['$range(0, 10, 3)', [0, 3, 6, 9]],
    ['$range(9, 0, -3)', [9, 6, 3, 0]],
    ['$range(1, 9, 9)', 1],
    ['$hash("input", "SHA-1")', '140f86aae51ab9e1cda9b4254fe98a74eb54c1a1'],
    ['$hash("", "MD5")', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['$random(42)', 0.7275636800328681],
    ['$parse("{\\"a\\":[1]}").a', [1]],
    ['$now()', '2026-01-02T03:04:05.000Z'],
    ['$millis()', Date.UTC(2026, 0, 2, 3, 4, 5)],
    ['$toMillis("10:00", "[H01]:[m01]")', Date.UTC(2026, 0, 2, 10)],
    ['$base64decode($base64encode("writ"))', 'writ'],
  ])('%s gives %j', async (expression, value) => {
    expect(await valueOf(expression)).toEqual(value);
  });

  it.each([
    '$range(1, 2, 0)',
    '$range(0, 200000, 1)',
    '$partition([1], 0)',
    '$hash("a", "CRC")',
    '$parse("{")',
    '$range(5, 1, 1)',
  ])('%s fails', async (expression) => {
    expect(['error', 'undefined']).toContain((await faultOf(expression)).problem);
  });

  it('draws from the seed of the query: the same one again gives the same values, another one others', async () => {
    const drawn = '[$random(), $random(), $uuid(), $shuffle([1..20])]';
    const first = await valueOf(drawn);
    expect(await valueOf(drawn)).toEqual(first);
    expect(await valueOf(drawn, { seed: 'f'.repeat(64) })).not.toEqual(first);
    const [one, two, uuid] = first as [number, number, string];
    expect(one).not.toBe(two);
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('an attack', () => {
  beforeEach(() => valueOf('1')); // a child is there

  it('by $eval is calling nothing', async () => {
    expect((await faultOf('$eval("1+1")')).says).toMatch(/T1006/);
  });

  it('by recursion without end stops at the stack bound', async () => {
    const { problem, says } = await faultOf('($f := function($x) { $f($x + 1) + 1 }; $f(1))');
    expect(problem).toBe('limit');
    expect(says).toMatch(/Stack overflow error/);
  });

  it('by a tail call without end stops at the time limit, and the child goes on', async () => {
    const children = started.length;
    const { problem, says } = await faultOf('($f := function($x) { $f($x + 1) }; $f(1))');
    expect(problem).toBe('limit');
    expect(says).toMatch(/Expression evaluation timeout/);
    expect(await valueOf('1 + 1')).toBe(2);
    expect(started.length).toBe(children);
  });

  it('by a huge sequence stops before it is made', async () => {
    expect((await faultOf('[1..9999999]')).problem).toBe('limit');
    expect((await faultOf('$count([1..100001])')).problem).toBe('limit');
  });

  it('by nested quantifiers is refused', async () => {
    const { says } = await faultOf('$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)');
    expect(says).toMatch(/repeats a repetition/);
  });

  it('by a long subject of a regular expression is refused, at the border value', async () => {
    expect(await valueOf('$contains($states.input, /b/)', { input: 'a'.repeat(10_000) })).toBe(false);
    expect((await faultOf('$contains($states.input, /b/)', { input: 'a'.repeat(10_001) })).says).toMatch(
      /10001/,
    );
  });

  it('by a regular expression that no guard sees through is ended by SIGKILL, and the child is replaced', async () => {
    const children = started.length;
    const { problem, says } = await faultOf(
      '$match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a|a)*$/)',
    );
    expect(problem).toBe('limit');
    expect(says).toMatch(/Expression evaluation timeout/);
    expect(await valueOf('1 + 1')).toBe(2);
    expect(started.length).toBe(children + 1);
  });

  it('by memory ends the child, not this process, and the child is replaced', async () => {
    const pids: number[] = [];
    const own = openQueryEvaluator({ children: 1, limitMs: 25_000, onStart: (pid) => pids.push(pid) });
    const query = { id: '', at: 1, states: {}, variables: {}, nowMs: 0, seed: SEED };
    const greedy = '$count($map([1..20000], function($i) { [[1..20000]] }))';
    const answer = await own.evaluate({ ...query, fields: { Output: `{% ${greedy} %}` } });
    expect(answer).toMatchObject({ ok: false, problem: 'limit', expression: greedy });
    expect(answer.ok ? '' : answer.message).toMatch(/memory limit exceeded/);
    expect(await own.evaluate({ ...query, fields: { Output: '{% 2 %}' } })).toMatchObject({ ok: true });
    expect(pids.length).toBe(2);
    await own.close();
  });

  it.each([
    '$states.input.constructor',
    '$states.input.toString',
    '$lookup($states.input, "__proto__")',
    '$lookup($sum, "implementation")',
    '$string.constructor',
    '$states.input.list.constructor',
    '$lookup($states.input.list, "constructor")',
  ])('by the prototype finds nothing: %s', async (expression) => {
    expect((await faultOf(expression, { input: { list: [1] } })).problem).toBe('undefined');
  });

  it('by data that looks like a function is not called', async () => {
    const input = { f: { _jsonata_function: true, implementation: 'process' } };
    expect((await faultOf('$states.input.f()', { input })).problem).toMatch(/error|type/);
  });
});

describe('the pool', () => {
  it('answers each of many queries at once with its own answer', async () => {
    const values = await Promise.all(
      Array.from({ length: 50 }, (_, n) => valueOf('$states.input * 2', { input: n })),
    );
    expect(values).toEqual(Array.from({ length: 50 }, (_, n) => n * 2));
  });

  it('starts no process where there is no expression, and none after it was closed', async () => {
    const pids: number[] = [];
    const own = openQueryEvaluator({ onStart: (pid) => pids.push(pid) });
    const query = { id: '', at: 1, states: {}, variables: {}, nowMs: 0, seed: SEED };
    expect(await own.evaluate({ ...query, fields: { Output: ' {% 1 %}' } })).toMatchObject({ ok: true });
    await own.close();
    await expect(own.evaluate({ ...query, fields: { Output: '{% 1 %}' } })).rejects.toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
    });
    expect(pids).toEqual([]);
  });

  it('that is closed while a query runs concludes nothing from it', async () => {
    const own = openQueryEvaluator({ limitMs: 20_000 });
    const query = { id: '', at: 1, states: {}, variables: {}, nowMs: 0, seed: SEED };
    await own.evaluate({ ...query, fields: { Output: '{% 1 %}' } });
    const asked = own.evaluate({
      ...query,
      fields: { Output: '{% $match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a|a)*$/) %}' },
    });
    const refused = expect(asked).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    await own.close();
    await refused;
  });

  it('of a process that forgets to close it does not keep it alive, and its children end with it', async () => {
    const module = pathToFileURL(
      fileURLToPath(new URL('../../../dist/adapters/query/index.js', import.meta.url)),
    ).href;
    const script = `
      const { openQueryEvaluator } = await import(${JSON.stringify(module)});
      const own = openQueryEvaluator({ onStart: (pid) => console.log(pid) });
      await own.evaluate({ id: '', at: 1, fields: { Output: '{% 1 %}' }, states: {}, variables: {}, nowMs: 0, seed: '' });
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const pid = Number(stdout.trim());
    expect(pid).toBeGreaterThan(0);
    await expect.poll(() => existsSync(`/proc/${pid}/exe`), { timeout: 10_000 }).toBe(false);
  });
});
