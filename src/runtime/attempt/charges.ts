// What an attempt is charged: the least that it will use with its intent, and with its outcome the difference to what it
// has used. An attempt that was lost keeps its charge, and so does a call that failed without saying what it had cost.
import type { BudgetName } from '../../policy/ceiling/budget.js';
import type { LayerBudget, LayerRate } from '../../policy/decision/decision.js';
import { callCharge } from '../../policy/ceiling/rate.js';
import type { Charge, Meter, Usage } from '../ports.js';

/** One per budget, in their order. `nowMs` gives the day. */
export function metersOf(budgets: readonly LayerBudget[], runId: string, nowMs: number): readonly Meter[] {
  const day = new Date(nowMs).toISOString().slice(0, 'YYYY-MM-DD'.length);
  return budgets.map(({ layer, name, period, budget }) => {
    return { layer, name, scope: period === 'run' ? runId : day, budget };
  });
}

/** Refused in the transaction where a budget has no room for it, whatever its meters showed before. */
export function reserve(budgets: readonly LayerBudget[], meters: readonly Meter[]): readonly Charge[] {
  return budgets.flatMap(({ estimate, limit }, index) => {
    const meter = meters[index];
    return meter === undefined ? [] : [{ ...meter, add: estimate, atMost: limit }];
  });
}

/** One per rate, in their order; a rate that is changed in its file begins with a new bucket. */
export function bucketsOf(rates: readonly LayerRate[]): readonly Meter[] {
  return rates.map(({ layer, name, match, count, perSeconds }) => {
    return { layer, name, scope: 'rate', budget: `${count}/${perSeconds} s ${match}` };
  });
}

/** One call now, of each bucket; it is never given back. */
export function take(
  rates: readonly LayerRate[],
  buckets: readonly Meter[],
  nowMs: number,
): readonly Charge[] {
  return rates.flatMap((rate, index) => {
    const bucket = buckets[index];
    return bucket === undefined ? [] : [{ ...bucket, ...callCharge(rate, nowMs) }];
  });
}

/** What has happened is charged, whether or not there was room for it. `usage` null = nobody knows. */
export function settleCharges(
  reserved: readonly Charge[],
  durationMs: number,
  usage: Usage | null,
): readonly Charge[] {
  const actual: Readonly<Record<BudgetName, number | null>> = {
    calls: 1,
    wallClockMs: Math.max(0, Math.round(durationMs)),
    tokens: usage === null ? null : usage.inputTokens + usage.outputTokens,
    costMicroUsd: usage === null ? null : usage.costMicroUsd,
  };
  return reserved.flatMap(({ add, from, ...meter }) => {
    // A call that was made stays made, whatever it has used.
    if (from !== undefined) return [];
    const used = actual[meter.budget as BudgetName];
    return used === null || used === add ? [] : [{ ...meter, add: used - add, atMost: null }];
  });
}
