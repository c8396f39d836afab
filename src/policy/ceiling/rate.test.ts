import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Facts } from './facts.js';
import { callCharge, rateList, ratesOf, waitMs } from './rate.js';

const facts = (functionId: string, agentName: string | null = null): Facts => ({
  ...{ functionId, agentName, agentDigest: agentName === null ? null : `sha256:${'0'.repeat(64)}` },
  ...{ sandbox: null, network: [], mounts: [], credentials: [], limits: {}, labels: null },
});
const T0 = Date.UTC(2026, 0, 1);

describe('a rate', () => {
  it('counts a function by its id and a package by its repository or with its digest, and no erasure', () => {
    const rates = rateList(
      ['tool::http_*', 'ghcr.io/bank/*', 'audit::*'].map((match) => ({ match, count: 1, perSeconds: 1 })),
    );
    const of = (one: Facts) => ratesOf(rates, one).map(({ match }) => match);
    expect(of(facts('tool::http_get'))).toEqual(['tool::http_*']);
    expect(of(facts(`ghcr.io/bank/a@sha256:${'0'.repeat(64)}`, 'ghcr.io/bank/a'))).toEqual([
      'ghcr.io/bank/*',
    ]);
    expect(of(facts('audit::erase'))).toEqual([]);
    expect(of(facts('tool::HTTP_get'))).toEqual([]);
  });

  it('counts the forms that people are asked to fill in', () => {
    const rates = rateList(
      ['human::form', 'human::*', '*'].map((match) => ({ match, count: 1, perSeconds: 1 })),
    );
    expect(ratesOf(rates, facts('human::form'))).toEqual(rates);
    expect(ratesOf(rates, facts('audit::erase'))).toEqual([]);
  });

  it('keeps 5 a minute beside 100 an hour, and one of two that say the same', () => {
    const [minute, hour] = [
      { match: '*', count: 5, perSeconds: 60 },
      { match: '*', count: 100, perSeconds: 3600 },
    ];
    expect(rateList([minute, hour, { ...minute }])).toHaveLength(2);
  });

  it('has room for exactly so many calls at once, and for one more when its share of the time has gone', () => {
    const rate = { match: '*', count: 3, perSeconds: 1 };
    let paid = 0;
    const call = (nowMs: number): number => {
      const wait = waitMs(rate, nowMs, paid);
      const { from, add } = callCharge(rate, nowMs);
      if (wait === 0) paid = Math.max(paid, from) + add;
      return wait;
    };
    expect([call(T0), call(T0), call(T0)]).toEqual([0, 0, 0]);
    const wait = call(T0);
    expect(wait).toBe(334);
    expect(call(T0 + wait - 1)).toBe(1);
    expect(call(T0 + wait)).toBe(0);
  });

  it('of zero has no room ever, and a meter that was not read none either', () => {
    expect(waitMs({ match: '*', count: 0, perSeconds: 1 }, T0, 0)).toBe(Number.POSITIVE_INFINITY);
    for (const unread of [Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(waitMs({ match: '*', count: 5, perSeconds: 1 }, T0, unread)).not.toBe(0);
    }
  });

  it('never lets more through than its bucket holds and gets back meanwhile', () => {
    const law = (count: number, perSeconds: number, gaps: readonly number[]) => {
      const rate = { match: '*', count, perSeconds };
      let [nowMs, paid, made] = [T0, 0, 0];
      for (const gap of gaps) {
        nowMs += gap;
        if (waitMs(rate, nowMs, paid) > 0) continue;
        const { from, add } = callCharge(rate, nowMs);
        paid = Math.max(paid, from) + add;
        made += 1;
        expect(made).toBeLessThanOrEqual(count + ((nowMs - T0) / 1000 / perSeconds) * count);
      }
    };
    const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 });
    fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), gaps, law), {
      numRuns: 2000,
    });
  });
});
