// What is left of the budgets, after everything else has been decided. The amounts used come from meters that others
// charge at the same time: this answer is for people and for the log; the store compares once more when it charges.
import { isOver } from './budget.js';
import { labelOf } from './decide.js';
import type { Decision } from './decide.js';
import { budgetViolation } from './permits.js';

/** `used`: what is used of `decision.budgets`, in that order. A denial names layer, budget, limit and amount used. */
export function underMeters(decision: Decision, used: readonly number[]): Decision {
  const over = decision.budgets.flatMap((budget, index) => {
    // A meter that wasn't read can't be shown to have room.
    const amount = used[index] ?? Number.POSITIVE_INFINITY;
    return isOver(budget, amount) ? [{ budget, violation: budgetViolation(budget, amount) }] : [];
  });
  const [first] = over;
  if (first === undefined) return decision;
  const { field, limit, requested, code } = first.violation;
  const ceiling = decision.ceiling.flatMap((record) => {
    const refused = over.filter(({ budget }) => budget.layer === record.layer && budget.name === record.name);
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
    message: `${labelOf(first.budget)}: ${field} is ${limit}, the request asks for ${requested}`,
    hint:
      first.budget.period === 'day'
        ? 'wait for the next day (UTC), or have the owner of the ceiling raise the budget'
        : 'have the owner of the ceiling raise the budget, and start a new run',
    ceiling,
    budgets: [],
  };
}
