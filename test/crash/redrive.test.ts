// kill -9 right behind a redrive, and within the step that it makes again: what the redrive said is durable, the next
// process goes on with it, and nothing that had succeeded happens twice.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verifyData } from '../../src/open.js';
import { furnish } from './furnish.js';

const worker = path.join(import.meta.dirname, 'redrive-worker.mjs');
const home = mkdtempSync(path.join(tmpdir(), 'writ-redrive-'));

beforeAll(() => furnish(home));

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

/** One life; killed once it has said `until`, or left to its end. All that it said. */
function live(act: string, run: string | null, until: string | null): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const argv = [worker, home, act, ...(run === null ? [] : [run])];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let errors = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (until !== null && said.includes(until)) child.kill('SIGKILL');
    });
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (errors === '' && (code === 0 || signal === 'SIGKILL')) resolve(said.trim().split('\n'));
      else reject(new Error(`the worker ended with ${code ?? signal}: ${errors}`));
    });
  });
}

it('goes on after kill -9 with what the redrive made durable, and does nothing twice that had succeeded', async () => {
  const begun = await live('begin', null, null);
  const [, id = ''] = /failed (\S+) failed/.exec(begun.join('\n')) ?? [];
  expect(begun[0]).toBe('effect first');
  expect(id).not.toBe('');
  expect((await live('redrive', id, 'redriven')).at(0)).toBe(`redriven ${id}`);
  // It is not redriven again: it runs, and whoever drives it goes on.
  expect(await live('hang', id, 'effect second')).toEqual(['effect second']);
  expect(await live('drive', id, null)).toEqual([
    'effect second',
    'effect third',
    `finished ${id} completed`,
  ]);
  const effects = readFileSync(path.join(home, 'effects.txt'), 'utf8').trim().split('\n');
  expect(effects.filter((line) => line.startsWith('first'))).toHaveLength(1);
  expect(effects.filter((line) => line.startsWith('third'))).toHaveLength(1);
  // Lost between act and outcome, declared idempotent: again, under the key that it had at first.
  expect(new Set(effects.filter((line) => line.startsWith('second'))).size).toBe(1);
  const dir = path.join(home, 'data', 'audit');
  const all = { dir, vkeys: [], old: [], run: null, payloads: true, trust: path.join(home, 'trust.json') };
  expect(await verifyData(all)).toMatchObject({ verdict: 'verified', findings: [] });
});
