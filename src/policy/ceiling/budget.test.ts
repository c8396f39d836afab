import { describe, expect, it } from 'vitest';
import { plainFacts } from '../../../test/policy/facts.js';
import type { Json } from '../../json.js';
import { amountText, budgetUses, isOver, microUsd, NO_COST } from './budget.js';
import type { BudgetUse, Estimate } from './budget.js';
import { NO_CEILING } from './ceiling.js';
import { checkCeilingSpec, parseCeilingSpec } from './spec.js';
import { composeCeilings } from './meet.js';
import type { CeilingRequest } from './facts.js';
import { permits } from './permits.js';

const budgetOf = (budget: Json) => parseCeilingSpec({ budget }, 'test').budget;
const problems = (budget: Json) => {
  const result = checkCeilingSpec({ budget });
  return result.ok ? [] : result.problems.map(({ pointer }) => pointer);
};

describe('a budget in a document', () => {
  it('is read per run and per day, money in millionths of a dollar', () => {
    expect(
      budgetOf({ usd: '20.00', tokens: 5, perDay: { calls: 7, wallClockMs: 9, usd: '0.000001' } }),
    ).toEqual({
      run: { costMicroUsd: 20_000_000, tokens: 5 },
      day: { calls: 7, costMicroUsd: 1, wallClockMs: 9 },
    });
    expect(microUsd('9007199254.740991')).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('absent is no bound, and zero is not absent', () => {
    expect(parseCeilingSpec({}, 'test').budget).toEqual(NO_CEILING.budget);
    expect(budgetOf({})).toEqual({ run: {}, day: {} });
    expect(budgetOf({ tokens: 0, usd: '0' })).toEqual({ run: { costMicroUsd: 0, tokens: 0 }, day: {} });
  });

  it('refuses what it does not know, and what can not be counted', () => {
    expect(problems({ dollars: 1 })).toEqual(['/budget/dollars']);
    expect(problems({ perDay: { perDay: {} } })).toEqual(['/budget/perDay/perDay']);
    for (const usd of [1, '-1', '1e3', '', '1.0000001', ' 1', '٣', null]) {
      expect(problems({ usd })).toEqual(['/budget/usd']);
    }
    for (const tokens of [-1, 1.5, '1', null, 2 ** 53])
      expect(problems({ tokens })).toEqual(['/budget/tokens']);
    expect(problems({ usd: '9007199254.740992' })).toEqual(['/budget/usd']);
    expect(problems({ perDay: { usd: '999999999999' } })).toEqual(['/budget/perDay/usd']);
  });

  it('meets by the smaller of each, each period by itself', () => {
    const specs = [
      { tokens: 5, calls: 9, perDay: { calls: 2 } },
      { tokens: 7, usd: '1', perDay: { tokens: 3 } },
    ];
    const layers = specs.map((budget) => ({ spec: parseCeilingSpec({ budget }, 'test') }));
    expect(composeCeilings(layers).budget).toEqual({
      run: { calls: 9, costMicroUsd: 1_000_000, tokens: 5 },
      day: { calls: 2, tokens: 3 },
    });
  });
});

describe('what a call uses of a budget', () => {
  const all = { usd: '1', tokens: 10, calls: 3, wallClockMs: 1000 };

  it('is itself and its time in any case, tokens and money where it spends them', () => {
    const names = (estimate: Estimate) => budgetUses(budgetOf(all), estimate).map(({ budget }) => budget);
    expect(names(NO_COST)).toEqual(['calls', 'wallClockMs']);
    expect(names({ tokens: 4, costMicroUsd: 0 })).toEqual(['calls', 'tokens', 'wallClockMs']);
    expect(names({ tokens: null, costMicroUsd: 1 })).toEqual([
      'calls',
      'costMicroUsd',
      'tokens',
      'wallClockMs',
    ]);
  });

  it('fits up to the limit, and never when nobody knows how much it is', () => {
    const use: BudgetUse = { period: 'run', budget: 'tokens', limit: 10, estimate: 4 };
    expect([0, 6, 7, 10, Number.NaN, Number.POSITIVE_INFINITY].map((used) => isOver(use, used))).toEqual([
      false,
      false,
      true,
      true,
      true,
      true,
    ]);
    expect(isOver({ ...use, estimate: null }, 0)).toBe(true);
  });

  it('is written as in the document', () => {
    expect(
      [0, 1, 10_000, 1_000_000, 20_500_000, 123_456_789].map((n) => amountText('costMicroUsd', n)),
    ).toEqual(['0.00', '0.000001', '0.01', '1.00', '20.50', '123.456789']);
    expect(amountText('tokens', 20)).toBe('20');
  });
});

describe('permits', () => {
  const base: CeilingRequest = {
    nowMs: 0,
    action: 'function.invoke',
    resource: 'agent::chat',
    facts: plainFacts('agent::chat'),
    approval: null,
  };
  const ask = (budget: Json, estimate: Estimate | null, used: CeilingRequest['used'] = {}) =>
    permits(parseCeilingSpec({ budget }, 'test'), {
      ...base,
      facts: { ...base.facts, ...(estimate === null ? {} : { estimate }) },
      used,
    }).violations;

  it('adds what is used and what is asked for, and says both', () => {
    const estimate = { tokens: 4, costMicroUsd: 0 };
    expect(ask({ tokens: 10 }, estimate, { run: { tokens: 6 } })).toEqual([]);
    expect(ask({ tokens: 10 }, estimate, { run: { tokens: 7 } })).toEqual([
      { field: 'budget.tokens', code: 'CEILING_BUDGET', limit: '10', requested: '4 more, 7 are used' },
    ]);
    expect(ask({ perDay: { calls: 1 } }, NO_COST, { day: { calls: 1 }, run: { calls: 0 } })).toEqual([
      { field: 'budget.perDay.calls', code: 'CEILING_BUDGET', limit: '1', requested: '1 more, 1 are used' },
    ]);
  });

  it('refuses a call of unknown cost under a budget of money or tokens, and under no other', () => {
    const unknown = { tokens: 1, costMicroUsd: null };
    expect(ask({ tokens: 10, calls: 1 }, unknown)).toEqual([]);
    expect(ask({ usd: '5' }, unknown)).toEqual([
      {
        field: 'budget.usd',
        code: 'CEILING_BUDGET',
        limit: '5.00',
        requested: 'an amount that is not known',
      },
    ]);
    expect(ask({ usd: '5', tokens: 1, calls: 1 }, null).map(({ field }) => field)).toEqual([
      'budget.usd',
      'budget.tokens',
    ]);
  });

  it('a budget of zero lets nothing of its kind through', () => {
    expect(ask({ tokens: 0, usd: '0' }, NO_COST)).toEqual([]);
    expect(ask({ calls: 0 }, NO_COST)).toHaveLength(1);
    expect(ask({ tokens: 0 }, { tokens: 1, costMicroUsd: 0 })).toHaveLength(1);
  });
});
