// Meters against a model of them: calls are charged, come to an end, or are lost with their process, in any order and
// through two handles. What is used is what the model says, and nothing is charged that has no room.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.js';
import type { LayerBudget } from '../../src/policy/index.js';
import { metersOf, reserve, settleCharges } from '../../src/runtime/attempt/charges.js';
import { extendLog } from '../../src/runtime/log/log.js';
import type { Charge, Store } from '../../src/runtime/ports.js';
import { codeOf, fixedClock } from '../contract/store.js';

const NOW = Date.parse('2026-03-01T23:59:59.999Z');

const budget = fc.record({
  layer: fc.constantFrom('org' as const, 'workflow' as const),
  name: fc.constantFrom('a', 'b'),
  period: fc.constantFrom('run' as const, 'day' as const),
  budget: fc.constantFrom(
    'calls' as const,
    'tokens' as const,
    'costMicroUsd' as const,
    'wallClockMs' as const,
  ),
  limit: fc.integer({ min: 0, max: 40 }),
});
const budgets = fc.uniqueArray(budget, {
  minLength: 1,
  maxLength: 6,
  selector: ({ layer, name, period, budget: what }) => `${layer} ${name} ${period} ${what}`,
});
const command = fc.oneof(
  fc.record({ kind: fc.constant('begin' as const), run: fc.constantFrom('r', 's'), estimate: fc.nat(9) }),
  fc.record({
    kind: fc.constant('end' as const),
    which: fc.nat(20),
    usage: fc.option(fc.record({ tokens: fc.nat(15), costMicroUsd: fc.nat(15) })),
    durationMs: fc.nat(20),
  }),
  fc.record({ kind: fc.constant('lose' as const), which: fc.nat(20) }),
);

type Command = typeof command extends fc.Arbitrary<infer One> ? One : never;

interface Call {
  readonly charges: readonly Charge[];
}

const keyOf = ({ layer, name, scope, budget: what }: Omit<Charge, 'add' | 'atMost'>) =>
  JSON.stringify([layer, name, scope, what]);

async function withStores(work: (stores: readonly [Store, Store]) => Promise<void>): Promise<void> {
  const home = mkdtempSync(path.join(tmpdir(), 'writ-meters-'));
  const file = path.join(home, 'writ.db');
  const open = () => openSqliteStore({ file, extendLog, clock: fixedClock() });
  const first = await open();
  const second = await open();
  try {
    await work([first, second]);
  } finally {
    await first.close();
    await second.close();
    rmSync(home, { recursive: true, force: true });
  }
}

describe('meters', () => {
  it('hold what was charged and settled, and never take what has no room', async () => {
    let refused = 0;
    let charged = 0;
    const law = async (limits: readonly Omit<LayerBudget, 'estimate'>[], commands: readonly Command[]) =>
      withStores(async (stores) => {
        const model = new Map<string, number>();
        const open: Call[] = [];
        const take = (which: number) => open.splice(which % Math.max(1, open.length), 1)[0];
        for (const [turn, one] of commands.entries()) {
          const store = stores[turn % 2 === 0 ? 0 : 1];
          if (one.kind === 'begin') {
            const uses = limits.map((use): LayerBudget => {
              const isOwn = use.budget === 'calls' || use.budget === 'wallClockMs';
              return { ...use, estimate: isOwn ? 1 : one.estimate };
            });
            const charges = reserve(uses, metersOf(uses, one.run, NOW));
            const fits = charges.every(
              (charge) => (model.get(keyOf(charge)) ?? 0) + charge.add <= (charge.atMost ?? 0),
            );
            expect(await codeOf(store.commit({ charges, entries: [] }))).toBe(
              fits ? 'resolved' : 'STORE_CONFLICT',
            );
            if (!fits) refused += 1;
            if (!fits) continue;
            charged += 1;
            for (const charge of charges)
              model.set(keyOf(charge), (model.get(keyOf(charge)) ?? 0) + charge.add);
            open.push({ charges });
            continue;
          }
          const call = take(one.which);
          if (call === undefined || one.kind === 'lose') continue;
          const { usage, durationMs } = one;
          const spent =
            usage === null
              ? null
              : { inputTokens: usage.tokens, outputTokens: 0, costMicroUsd: usage.costMicroUsd };
          await store.commit({ charges: settleCharges(call.charges, durationMs, spent), entries: [] });
          for (const charge of call.charges) {
            const actual: Record<string, number> = {
              calls: 1,
              wallClockMs: durationMs,
              tokens: usage?.tokens ?? charge.add,
              costMicroUsd: usage?.costMicroUsd ?? charge.add,
            };
            const used = (model.get(keyOf(charge)) ?? 0) - charge.add + (actual[charge.budget] ?? 0);
            model.set(keyOf(charge), used);
          }
        }
        for (const [key, used] of model) {
          const [layer = '', name = '', scope = '', what = ''] = JSON.parse(key) as string[];
          expect(await stores[1].used([{ layer, name, scope, budget: what }])).toEqual([used]);
        }
      });
    await fc.assert(fc.asyncProperty(budgets, fc.array(command, { maxLength: 30 }), law), { numRuns: 100 });
    // Both were met often enough for the law to say something; how often is chance.
    expect(charged).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(10);
  });
});
