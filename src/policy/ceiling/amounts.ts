// How much a request may take: its limits, what it costs, how often it comes.
import { amountText, budgetField, budgetUses, isOver, requestText } from './budget.js';
import type { BudgetUse } from './budget.js';
import { LIMIT_NAMES } from './ceiling.js';
import type { Ceiling, LimitSet } from './ceiling.js';
import type { UnapprovedRequest } from './facts.js';
import { ratesOf, rateText } from './rate.js';
import { NONE, type Violation } from './violation.js';

/** The limits a step gets: its own where they fit, lowered where a layer clamps, else the ceiling's. */
export function effectiveLimits(
  ceiling: Ceiling,
  asked: LimitSet,
): { readonly limits: LimitSet; readonly narrowed: readonly string[] } {
  const limits: { [name: string]: number } = {};
  const narrowed: string[] = [];
  for (const name of LIMIT_NAMES) {
    const values = [asked[name], ceiling.limits[name], ceiling.clampedLimits[name]].filter(
      (value) => value !== undefined,
    );
    if (values.length === 0) continue;
    const value = Math.min(...values);
    limits[name] = value;
    if (asked[name] !== undefined && value < asked[name]) narrowed.push(name);
  }
  return { limits, narrowed };
}

export function limitViolations(ceiling: Ceiling, asked: LimitSet): readonly Violation[] {
  const found: Violation[] = [];
  for (const name of LIMIT_NAMES) {
    const limit = ceiling.limits[name];
    const requested = asked[name];
    // Written so that a value that compares with nothing (NaN) is a violation.
    if (limit === undefined || requested === undefined || requested <= limit) continue;
    const field = `limits.${name}`;
    found.push({ field, code: 'CEILING_LIMITS', limit: String(limit), requested: String(requested) });
  }
  return found;
}

/** Exact with respect to the meet where both sides are judged with the same amounts used. */
export function budgetViolations(
  { budget }: Ceiling,
  { facts, used }: UnapprovedRequest,
): readonly Violation[] {
  return budgetUses(budget, facts.estimate).flatMap((use) => {
    const spent = used?.[use.period]?.[use.budget] ?? 0;
    return isOver(use, spent) ? [budgetViolation(use, spent)] : [];
  });
}

export function budgetViolation(use: BudgetUse, used: number): Violation {
  const { limit, budget } = use;
  return {
    field: budgetField(use),
    code: 'CEILING_BUDGET',
    limit: amountText(budget, limit),
    requested: requestText(use, used),
  };
}

/** What is in the buckets is not known here (`underRates`): only one that holds nothing refuses by itself. */
export function rateViolations(ceiling: Ceiling, { facts }: UnapprovedRequest): readonly Violation[] {
  if (ceiling.rates === undefined) return NONE;
  return ratesOf(ceiling.rates, facts)
    .filter(({ count }) => count === 0)
    .map((rate) => ({ field: 'rates', code: 'CEILING_RATES', limit: rateText(rate), requested: 'one more' }));
}
