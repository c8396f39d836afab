// Budgets of a ceiling: how much may be used in one run, and on one day (UTC) by all runs together. Each layer has
// meters of its own and is charged for everything that runs under it; what is used is not known here and comes in as a
// value. A call is judged by the least that it will use; one that uses an amount nobody knows is refused.
import type { BudgetSpec } from './shape.js';

/** `costMicroUsd` is written `usd` in documents: millionths of a dollar. */
export const BUDGET_NAMES = ['calls', 'costMicroUsd', 'tokens', 'wallClockMs'] as const;
export type BudgetName = (typeof BUDGET_NAMES)[number];

export const BUDGET_PERIODS = ['run', 'day'] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** Whole numbers; an absent name is not limited. */
export type BudgetSet = { readonly [name in BudgetName]?: number };
export type BudgetCeiling = { readonly run: BudgetSet; readonly day: BudgetSet };

export const NO_BUDGET: BudgetCeiling = { run: {}, day: {} };

/** What a call will use at least, beside itself and its time. 0 = nothing; null = some, and nobody knows how much. */
export interface Estimate {
  readonly tokens: number | null;
  readonly costMicroUsd: number | null;
}

/** A call that costs neither tokens nor money. */
export const NO_COST: Estimate = { tokens: 0, costMicroUsd: 0 };

/** One budget that a call is charged to. */
export interface BudgetUse {
  readonly period: BudgetPeriod;
  readonly budget: BudgetName;
  readonly limit: number;
  /** What the call will use at least, above 0; null = not known. */
  readonly estimate: number | null;
}

/** The budgets of one ceiling that a call uses, in a fixed order. `undefined` = nothing is known of the call. */
export function budgetUses(ceiling: BudgetCeiling, estimate: Estimate | undefined): readonly BudgetUse[] {
  if (!hasBudget(ceiling)) return [];
  // A call's own time is known when it has ended: until then it counts as begun.
  const least = { tokens: null, costMicroUsd: null, ...estimate, calls: 1, wallClockMs: 1 };
  return BUDGET_PERIODS.flatMap((period) =>
    BUDGET_NAMES.flatMap((budget) => {
      const limit = ceiling[period][budget];
      return limit === undefined || least[budget] === 0
        ? []
        : [{ period, budget, limit, estimate: least[budget] }];
    }),
  );
}

export function hasBudget({ run, day }: BudgetCeiling): boolean {
  for (const name of BUDGET_NAMES) if (run[name] !== undefined || day[name] !== undefined) return true;
  return false;
}

/** Whether there is no room for it. Written so that a number that compares with nothing (NaN) does not fit. */
export function isOver({ limit, estimate }: BudgetUse, used: number): boolean {
  return estimate === null || !(used + estimate <= limit);
}

/** `budget.tokens`, `budget.perDay.usd`: as in the document. */
export function budgetField({ period, budget }: Pick<BudgetUse, 'period' | 'budget'>): string {
  const name = budget === 'costMicroUsd' ? 'usd' : budget;
  return period === 'run' ? `budget.${name}` : `budget.perDay.${name}`;
}

/** An amount as people write it: dollars with a point, everything else as it is. */
export function amountText(budget: BudgetName, amount: number): string {
  if (budget !== 'costMicroUsd') return String(amount);
  const text = String(amount).padStart(7, '0');
  const cents = text.slice(-6).replace(/0{1,4}$/, '');
  return `${text.slice(0, -6)}.${cents}`;
}

export const UNKNOWN_AMOUNT = 'an amount that is not known';

/** What a refusal says was asked for, and what is used already. */
export function requestText({ budget, estimate }: BudgetUse, used: number): string {
  if (estimate === null) return UNKNOWN_AMOUNT;
  const more = `${amountText(budget, estimate)} more`;
  return used === 0 ? more : `${more}, ${amountText(budget, used)} are used`;
}

/** The normal form of what a document says. */
export function readBudget(spec: BudgetSpec | undefined): BudgetCeiling {
  if (spec === undefined) return NO_BUDGET;
  const { perDay, ...run } = spec;
  return { run: readSet(run), day: readSet(perDay ?? {}) };
}

function readSet({ calls, usd, tokens, wallClockMs }: Omit<BudgetSpec, 'perDay'>): BudgetSet {
  return set({
    calls,
    costMicroUsd: usd === undefined ? undefined : microUsd(usd),
    tokens,
    wallClockMs,
  });
}

/** A decimal of the schema's form; above what can be counted exactly it is no safe integer. */
export function microUsd(text: string): number {
  const [whole = '', fraction = ''] = text.split('.');
  return Number(whole) * 1_000_000 + Number(fraction.padEnd(6, '0'));
}

/** The smaller of each. */
export function meetBudgets(a: BudgetCeiling, b: BudgetCeiling): BudgetCeiling {
  const smaller = (x: BudgetSet, y: BudgetSet): BudgetSet => {
    const least = (name: BudgetName): number | undefined => {
      const [one, other] = [x[name], y[name]];
      return one === undefined ? other : other === undefined ? one : Math.min(one, other);
    };
    return set({
      calls: least('calls'),
      costMicroUsd: least('costMicroUsd'),
      tokens: least('tokens'),
      wallClockMs: least('wallClockMs'),
    });
  };
  return { run: smaller(a.run, b.run), day: smaller(a.day, b.day) };
}

/** In the order of the names, absent ones left out: one set has one text. */
function set(amounts: Readonly<Record<BudgetName, number | undefined>>): BudgetSet {
  return Object.fromEntries(
    BUDGET_NAMES.flatMap((name) => (amounts[name] === undefined ? [] : [[name, amounts[name]] as const])),
  );
}
