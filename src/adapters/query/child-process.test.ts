// A library that turned hostile, in place of JSONata: what code in the child could reach, if an expression ever got to
// run code. It reports what it found as the value of an expression.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { bootChild, type Outcome, type QueryChild } from './child-process.js';

const LIBRARY = `
const attempts = {
  process: () => typeof process,
  require: () => typeof require,
  fetch: () => typeof fetch,
  timers: () => typeof setTimeout,
  WebAssembly: () => typeof WebAssembly,
  Function: () => { try { return (function () {}).constructor('return 1')(); } catch (e) { return e.name; } },
  AsyncFunction: () => { try { return String((async () => {}).constructor('return 1')()); } catch (e) { return e.name; } },
  eval: () => typeof globalThis.eval,
  proto: () => '__proto__' in {},
  pollute: () => { try { Object.prototype.polluted = 1; } catch {} return ({}).polluted === undefined; },
  override: () => { try { Array.prototype.map = () => 'mine'; } catch {} return [1].map(String)[0]; },
  environment: async () => Object.keys((await import('node:process')).env).filter((name) => name !== 'NODE_CHANNEL_FD' && name !== 'NODE_CHANNEL_SERIALIZATION_MODE').length,
  read: async () => { try { (await import('node:fs')).readFileSync('/etc/hostname'); return 'read'; } catch (e) { return e.code; } },
  write: async () => { try { (await import('node:fs')).writeFileSync('/tmp/writ-query-child', ''); return 'written'; } catch (e) { return e.code; } },
  spawn: async () => { try { (await import('node:child_process')).execFileSync('/bin/true'); return 'ran'; } catch (e) { return e.code; } },
  worker: async () => { try { new (await import('node:worker_threads')).Worker('', { eval: true }); return 'ran'; } catch (e) { return e.code; } },
};
export default (source) => ({
  ast: () => undefined,
  assign() {},
  registerFunction() {},
  async evaluate() {
    const { send } = await import('node:process').then((module) => module.default);
    const self = (await import('node:process')).default;
    if (source === 'twice') { self.send('spoken before it was asked'); return 1; }
    if (source === 'nonsense') { self.send('{"ok":true,"values":{"Output":"forged"}}'); return new Promise(() => {}); }
    if (source === 'exit') self.exit(0);
    return await attempts[source]();
  },
});
`;

const directory = realpathSync(mkdtempSync(join(tmpdir(), 'writ-query-')));
const script = realpathSync(fileURLToPath(new URL('../../../dist/adapters/query/child.js', import.meta.url)));
let child: QueryChild;

async function boot(): Promise<QueryChild> {
  const file = join(directory, 'hostile.mjs');
  writeFileSync(file, LIBRARY);
  return bootChild({ script, libraryUrl: pathToFileURL(file).href, libraryDirectory: directory });
}

function ask(source: string, of = child): Promise<Outcome> {
  const fields = { Output: `{% ${source} %}` };
  return of.ask({ fields, states: {}, variables: {}, nowMs: 0, seed: '' }, 5_000);
}

beforeAll(async () => {
  child = await boot();
});
afterAll(async () => {
  await child.kill();
  rmSync(directory, { recursive: true });
});

describe('code that runs in the child', () => {
  it.each<[string, Json]>([
    ['process', 'undefined'],
    ['require', 'undefined'],
    ['fetch', 'undefined'],
    ['timers', 'undefined'],
    ['WebAssembly', 'undefined'],
    ['eval', 'undefined'],
    ['Function', 'EvalError'],
    ['AsyncFunction', 'EvalError'],
    ['proto', false],
    ['pollute', true],
    ['override', '1'],
    ['environment', 0],
    ['read', 'ERR_ACCESS_DENIED'],
    ['write', 'ERR_ACCESS_DENIED'],
    ['spawn', 'ERR_ACCESS_DENIED'],
    ['worker', 'ERR_ACCESS_DENIED'],
  ])('finds of %s: %j', async (attempt, found) => {
    expect(await ask(attempt)).toEqual({ kind: 'answer', answer: { ok: true, values: { Output: found } } });
  });
});

describe('a child that lies', () => {
  it('by speaking in another query’s name is killed, and its words are not taken for an answer', async () => {
    const own = await boot();
    expect(await ask('nonsense', own)).toEqual({ kind: 'nonsense' });
    await own.kill();
    expect(own.isGone()).toBe(true);
  });

  it('by speaking twice is killed at the first word that is no answer', async () => {
    const own = await boot();
    expect((await ask('twice', own)).kind).toBe('nonsense');
    await own.kill();
  });

  it('by leaving is told apart from one that answers', async () => {
    const own = await boot();
    expect(await ask('exit', own)).toEqual({ kind: 'died' });
  });
});

describe('a child that can not start', () => {
  it('is told as such, and nothing is left', async () => {
    await expect(
      bootChild({
        script,
        libraryUrl: pathToFileURL(join(directory, 'missing.mjs')).href,
        libraryDirectory: directory,
      }),
    ).rejects.toMatchObject({ code: 'SANDBOX_UNAVAILABLE' });
  });
});
