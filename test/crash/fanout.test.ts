// kill -9 in the middle of a map of 200 items, over and over: nothing that has an outcome runs again, nothing that is
// not idempotent runs twice, what is idempotent runs again under its own key, and the log verifies afterwards.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/adapters/clock.js';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import { verifyData } from '../../src/open.js';
import { extendLog } from '../../src/runtime/log/log.js';
import { openJson } from '../../src/runtime/log/payload.js';
import { finishedState } from '../../src/runtime/run/state.js';
import { furnish } from './furnish.js';
import { live as begin } from './life.js';

const KILLS = 6;
const ITEMS = 200;
const worker = path.join(import.meta.dirname, 'fanout-worker.mjs');
let home = '';

beforeEach(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'writ-fanout-'));
  await furnish(home);
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

function live(workflow: string, effects: number | null): Promise<string> {
  return begin(worker, [home, workflow], effects ?? Infinity);
}

/** How often each idempotency key had its effect, by item. */
function effectsByItem(): Map<number, string[]> {
  const byItem = new Map<number, string[]>();
  for (const line of readFileSync(path.join(home, 'effects.txt'), 'utf8').trim().split('\n')) {
    const [key = '', item] = line.split(' ');
    byItem.set(Number(item), [...(byItem.get(Number(item)) ?? []), key]);
  }
  return byItem;
}

async function outcome() {
  const data = path.join(home, 'data');
  const trust = path.join(home, 'trust.json');
  const file = path.join(data, 'writ.db');
  const report = await verifyData({
    dir: path.join(data, 'audit'),
    vkeys: [],
    old: [],
    trust,
    run: null,
    payloads: true,
  });
  const store = await openSqliteStore({ file, extendLog, clock: systemClock, readOnly: true });
  try {
    const [run] = await store.runs();
    if (run === undefined) throw new Error('no run');
    const output = finishedState(run)?.output ?? null;
    return {
      report,
      run,
      attempts: await store.attempts(run.id),
      parts: (await store.parts(run.id)).size,
      output: output === null ? null : (openJson(await store.payload(output)) as (number | null)[]),
    };
  } finally {
    await store.close();
  }
}

describe(`a map of ${ITEMS} items whose process is killed ${KILLS} times`, () => {
  it('that is not idempotent: each item has its effect at most once, and every success has one', async () => {
    for (let kill = 0; kill < KILLS; kill++) await live('test-once', 7 + kill * 4);
    expect(await live('test-once', null)).toBe('status completed');
    const { report, run, attempts, output, parts } = await outcome();
    expect(report).toMatchObject({ verdict: 'verified', openIntents: [], findings: [] });
    expect([run.status, parts, output?.length]).toEqual(['completed', 0, ITEMS]);
    const effects = effectsByItem();
    expect([...effects.values()].filter((keys) => keys.length > 1)).toEqual([]);
    output?.forEach((value, item) => {
      if (value === null) return;
      expect(value).toBe(item);
      expect(effects.has(item), `item ${item}`).toBe(true);
    });
    // Only what was on its way at a kill is lost, and every item was attempted.
    const lost = attempts.filter((attempt) => attempt.status === 'indeterminate');
    expect(output?.filter((value) => value === null).length).toBe(lost.length);
    expect(lost.length).toBeLessThanOrEqual(KILLS * 16);
    expect(new Set(attempts.map((attempt) => attempt.item)).size).toBeGreaterThanOrEqual(ITEMS);
  });

  it('that is idempotent: each item succeeds, all its effects under one key', async () => {
    for (let kill = 0; kill < KILLS; kill++) await live('test-again', 5 + kill * 5);
    expect(await live('test-again', null)).toBe('status completed');
    const { report, attempts, output } = await outcome();
    expect(report).toMatchObject({ verdict: 'verified', openIntents: [], findings: [] });
    expect(output).toEqual(Array.from({ length: ITEMS }, (_, i) => i));
    const effects = effectsByItem();
    expect(effects.size).toBe(ITEMS);
    for (const [item, keys] of effects) expect(new Set(keys).size, `item ${item}`).toBe(1);
    const again = [...effects.values()].filter((keys) => keys.length > 1).length;
    expect(again).toBeLessThanOrEqual(attempts.filter((one) => one.status === 'indeterminate').length);
  });
});
