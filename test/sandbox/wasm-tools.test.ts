// The tools shipped for WASM, as a step runs them: in the sandbox, by arguments and stdin.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openModuleManifest } from '../../src/adapters/packages/module-manifest.js';
import { openWasmDriver } from '../../src/adapters/sandbox/wasm/index.js';
import type { SandboxRequest } from '../../src/runtime/ports.js';

const modules = openModuleManifest(fileURLToPath(new URL('../../sandbox/wasm', import.meta.url)));
const driver = openWasmDriver({ poolSize: 1 });
afterAll(() => driver.close());

async function tool(
  name: string,
  args: readonly string[],
  stdin = '',
  change: Partial<SandboxRequest> = {},
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const module = await modules.module(name);
  if (module === null) throw new Error(`${name} is not shipped`);
  const request: SandboxRequest = {
    argv: [name, ...args],
    env: {},
    stdin: Buffer.from(stdin),
    program: { kind: 'module', ...module },
    limits: driver.defaults,
    ...change,
  };
  const { exitCode, stdout, stderr } = await driver.run(request, new AbortController().signal);
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
  return { code: exitCode, out: text(stdout.bytes), err: text(stderr.bytes) };
}

describe('json', () => {
  const CLAIMS =
    '[{"id":2,"kind":"fire","sum":1.50},{"id":10,"kind":"water"},{"id":1,"kind":"fire","sum":7}]';

  it('takes a value through its verbs, and rounds no number', async () => {
    const args = ['where', 'kind', '"fire"', 'sort', 'id', 'pick', 'id,sum', 'rename', 'sum', 'amount'];
    expect(await tool('json', args, CLAIMS)).toMatchObject({
      code: 0,
      out: '[{"id":1,"amount":7},{"id":2,"amount":1.50}]\n',
    });
    expect((await tool('json', ['get', '0.sum'], CLAIMS)).out).toBe('1.50\n');
  });

  it.each([
    [['set', 'a.1', '{"x":null}'], '{"a":[1,{"x":null}],"b":2}'],
    [['delete', 'a.0'], '{"a":[],"b":2}'],
    [['omit', 'a'], '{"b":2}'],
    [['keys'], '["a","b"]'],
    [['values'], '[[1],2]'],
    [['length'], '2'],
    [['get', 'no.such'], 'null'],
    [['get', 'a', 'first', '0'], '[]'],
  ])('%j', async (args, out) => {
    expect((await tool('json', args, '{"a":[1],"b":2}')).out).toBe(`${out}\n`);
  });

  it.each([
    [['get'], '{}', 64],
    [['nonsense'], '{}', 64],
    [[], '{', 65],
    [['sort', 'a'], '{}', 65],
    [['set', '.', '{'], '{}', 65],
    [[], '['.repeat(40), 65],
  ])('refuses %j of %j', async (args, stdin, code) => {
    expect(await tool('json', args, stdin)).toMatchObject({ code, out: '' });
  });
});

describe('csv', () => {
  const TABLE = 'name,amount\r\n"Doe, ""J""",10\r\nAnn,9\r\nBob,100\r\n';

  it('reads quotes, sorts by number and writes what has to be quoted', async () => {
    expect((await tool('csv', ['sort-numbers', 'amount'], TABLE)).out).toBe(
      'name,amount\nAnn,9\n"Doe, ""J""",10\nBob,100\n',
    );
    expect((await tool('csv', ['where', 'amount', '10', 'columns', 'name', 'to-json'], TABLE)).out).toBe(
      '[{"name":"Doe, \\"J\\""}]\n',
    );
    expect((await tool('csv', ['from-json'], '[{"a":1,"b":"x,y"},{"b":null,"a":true}]')).out).toBe(
      'a,b\n1,"x,y"\ntrue,\n',
    );
  });

  it.each([
    ['a,b\n1\n', 65],
    ['a\n"x', 65],
    ['a\n"x"y\n', 65],
    ['a\nx"y\n', 65],
  ])('refuses %j', async (stdin, code) => {
    expect(await tool('csv', ['count'], stdin)).toMatchObject({ code });
  });
});

describe('text', () => {
  it('works on lines with plain patterns', async () => {
    expect(
      (await tool('text', ['without', 'x.', 'unique', 'sort', 'upper'], 'b\na\nb\nx.y\nxzy\n')).out,
    ).toBe('A\nB\nXZY\n');
    expect((await tool('text', ['words'], 'one two\n three\n')).out).toBe('3\n');
    expect(await tool('text', ['replace', '', 'x'], 'a')).toMatchObject({ code: 64 });
  });
});

describe('javascript', () => {
  it('rounds amounts as the standard says', async () => {
    const code =
      '[(2.5).toFixed(0),(1.25).toFixed(1),(-2.5).toFixed(0),(1.005).toFixed(2),(9.995).toFixed(2),(99.95).toFixed(1),' +
      '(8.345).toFixed(2),(25).toPrecision(1),(9.5).toExponential(0),(0.5).toFixed(0),0.1+0.2].join(" ")';
    expect((await tool('javascript', ['-e', `print(${code})`])).out).toBe(
      '3 1.3 -3 1.00 9.99 100.0 8.35 3e+1 1e+1 1 0.30000000000000004\n',
    );
  });

  it('begins Math.random with random bytes, which a fixed seed fixes, and not with the clock', async () => {
    const args = ['-e', 'print(Math.random(), Math.random(), new Date().getTime())'];
    const seen = async (digit: string): Promise<readonly string[]> => {
      const deterministic = { seed: digit.repeat(64), nowMs: 1_700_000_000_000 };
      return (await tool('javascript', args, '', { deterministic })).out.trim().split(' ');
    };
    const [one = [], again, other = []] = await Promise.all(['a', 'a', 'b'].map(seen));
    expect(one[2]).toBe('1700000000000');
    expect(again).toEqual(one);
    // Another attempt, the same clock.
    expect(other[2]).toBe(one[2]);
    expect(new Set([one[0], one[1], other[0], other[1]]).size).toBe(4);
    for (const number of [...one.slice(0, 2), ...other.slice(0, 2)]) expect(number).toMatch(/^0\.[0-9]+|e-/);
  });

  it('has no way out of itself', async () => {
    const names = ['process', 'require', 'fetch', 'std', 'os', 'setTimeout', 'WebAssembly'];
    const code = `print([${names.map((name) => `typeof ${name}`).join()}].every((t) => t === 'undefined'))`;
    expect((await tool('javascript', ['-e', code])).out).toBe('true\n');
  });

  it('lets a script catch a recursion that is too deep', async () => {
    const code = 'function f(n) { return f(n + 1) + 1 } try { f(0) } catch (e) { print(e.message) }';
    expect(await tool('javascript', ['-e', code])).toMatchObject({ code: 0, out: 'stack overflow\n' });
  });

  it('tells what a script threw, and a rejection that nobody handled', async () => {
    const thrown = await tool('javascript', ['-e', 'throw new TypeError("no claim")']);
    expect(thrown).toMatchObject({ code: 1, err: expect.stringContaining('TypeError: no claim') as string });
    const rejected = await tool('javascript', ['-e', 'Promise.reject(new Error("late"))']);
    expect(rejected).toMatchObject({ code: 1, err: expect.stringContaining('late') as string });
    expect((await tool('javascript', ['-e', 'exit(7)'])).code).toBe(7);
    expect((await tool('javascript', ['no-such.js'])).code).toBe(2);
  });

  it('ends a script that fills its memory', async () => {
    const filled = await tool('javascript', ['-e', 'const a = []; for (;;) a.push(new Array(1e5).fill(1))']);
    expect(filled.code).toBe(1);
    expect(filled.err).toContain('out of memory');
  });
});

it('names for every module the source that it is made of', async () => {
  const folder = new URL('../../sandbox/wasm/', import.meta.url);
  const { modules: entries } = JSON.parse(await readFile(new URL('manifest.json', folder), 'utf8')) as {
    modules: { readonly source: string; readonly toolchain: string }[];
  };
  for (const { source, toolchain } of entries) {
    expect((await readFile(new URL(source.split(',')[0] ?? '', folder))).length).toBeGreaterThan(0);
    expect(toolchain).not.toBe('');
  }
});
