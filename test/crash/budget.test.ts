// kill -9 over and over, while two processes charge the meters of one data directory: never more is charged than the
// limit allows, nothing that was begun goes without its charge, and what was charged is not lost.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { systemClock } from '../../src/adapters/clock.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { verifyData } from '../../src/open.js';
import { extendLog } from '../../src/runtime/log/log.js';
import { furnish } from './furnish.js';
import { live as begin } from './life.js';

const LIMIT = 60;
const TOKENS = 7;
const DAY = '2040-03-01';
/** Effects that a life has before it is killed within one of them; the last life of each ends by itself. */
const LIVES: readonly (readonly number[])[] = [
  [3, 9],
  [6, 1],
];

const worker = path.join(import.meta.dirname, 'budget-worker.mjs');
const home = mkdtempSync(path.join(tmpdir(), 'writ-budget-'));
const aheadMs = Date.parse(`${DAY}T12:00:00Z`) - Date.now();

beforeAll(async () => {
  await furnish(home);
  const file = path.join(home, 'policies', 'ceilings', 'org.yaml');
  const ceiling = parseDocument(readFileSync(file, 'utf8'));
  ceiling.setIn(['spec', 'budget'], { perDay: { calls: LIMIT, tokens: LIMIT * TOKENS + TOKENS - 1 } });
  writeFileSync(file, ceiling.toString());
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

function live(which: number, effects: number): Promise<string> {
  return begin(worker, [home, String(which), String(aheadMs), String(effects)], effects);
}

async function livesOf(which: number, effects: readonly number[]): Promise<void> {
  for (const count of effects) await live(which, count);
  expect(await live(which, Infinity)).toBe('full');
}

it('charges what is begun, no more than there is, and loses no charge to kill -9', async () => {
  await Promise.all(LIVES.map((effects, which) => livesOf(which, effects)));
  const file = path.join(home, 'data', 'writ.db');
  const store = await openSqliteStore({ file, extendLog, clock: systemClock, readOnly: true });
  try {
    const runs = await store.runs();
    const attempts = (await Promise.all(runs.map((run) => store.attempts(run.id)))).flat();
    const begun = attempts.filter(({ intentIndex }) => intentIndex !== null).length;
    const meter = { layer: 'org', name: 'org-default', scope: DAY };
    const charged = await store.used([
      { ...meter, budget: 'calls' },
      { ...meter, budget: 'tokens' },
    ]);
    // It is full, so all of it was charged, each call to one intent and each intent to both meters.
    expect({ begun, charged }).toEqual({ begun: LIMIT, charged: [LIMIT, LIMIT * TOKENS] });
    const effects = readFileSync(path.join(home, 'effects.txt'), 'utf8').trim().split('\n');
    expect(effects.length).toBeLessThanOrEqual(begun);
    // Kills fell between act and outcome: calls were made again and paid for again.
    expect(attempts.filter(({ status }) => status === 'indeterminate').length).toBeGreaterThan(0);
  } finally {
    await store.close();
  }
  const dir = path.join(home, 'data', 'audit');
  const all = { dir, vkeys: [], old: [], run: null, payloads: true, trust: path.join(home, 'trust.json') };
  expect(await verifyData(all)).toMatchObject({ verdict: 'verified', findings: [] });
});
