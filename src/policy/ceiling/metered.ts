// What is left of budgets and rates, after everything else has been decided. The amounts used come from meters that others
// charge at the same time: this answer is for people and for the log; the store compares once more when it charges.
import { isOver } from './budget.js';
import { labelOf, type LayerName } from './ceiling.js';
import type { Decision } from '../decision/decision.js';
import { budgetViolation } from './amounts.js';
import type { Violation } from './violation.js';
import { rateText, waitMs } from './rate.js';

/** `used`: what is used of `decision.budgets`, in that order. A denial names layer, budget, limit and amount used. */
export function underMeters(decision: Decision, used: readonly number[]): Decision {
  const over = decision.budgets.flatMap((budget, index): Refused[] => {
    // A meter that wasn't read can't be shown to have room.
    const amount = used[index] ?? Number.POSITIVE_INFINITY;
    if (!isOver(budget, amount)) return [];
    const hint =
      budget.period === 'day'
        ? 'wait for the next day (UTC), or have the owner of the ceiling raise the budget'
        : 'have the owner of the ceiling raise the budget, and start a new run';
    const { layer, name } = budget;
    return [{ layer, name, violation: budgetViolation(budget, amount), hint }];
  });
  return refusedBy(decision, over);
}

/** `paidUntil`: what the meters of `decision.rates` hold, in that order. A denial says when there is room again. */
export function underRates(decision: Decision, paidUntil: readonly number[], nowMs: number): Decision {
  const over = decision.rates.flatMap(({ layer, name, ...rate }, index): Refused[] => {
    const wait = waitMs(rate, nowMs, paidUntil[index] ?? Number.POSITIVE_INFINITY);
    if (wait === 0) return [];
    const requested = `one more, ${(wait / 1000).toFixed(3)} s too early`;
    const violation = { field: 'rates', code: 'CEILING_RATES', limit: rateText(rate), requested } as const;
    return [
      {
        layer,
        name,
        violation,
        hint: 'start it again then, or have the owner of the ceiling raise the rate',
      },
    ];
  });
  return refusedBy(decision, over);
}

interface Refused {
  readonly layer: LayerName;
  readonly name: string;
  readonly violation: Violation;
  readonly hint: string;
}

function refusedBy(decision: Decision, over: readonly Refused[]): Decision {
  const [first] = over;
  if (first === undefined) return decision;
  const { field, limit, requested, code } = first.violation;
  const ceiling = decision.ceiling.flatMap((record) => {
    const refused = over.filter(({ layer, name }) => layer === record.layer && name === record.name);
    if (refused.length === 0) return [record];
    const { layer, name, hash } = record;
    return refused.map(({ violation }) => {
      return {
        ...{ layer, name, hash, ok: false },
        field: violation.field,
        limit: violation.limit,
        requested: violation.requested,
      };
    });
  });
  return {
    ...decision,
    verdict: 'deny',
    code,
    message: `${labelOf(first)}: ${field} is ${limit}, the request asks for ${requested}`,
    hint: first.hint,
    ceiling,
    ...{ budgets: [], rates: [] },
  };
}
