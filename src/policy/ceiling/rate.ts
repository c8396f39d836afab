// Rates of a ceiling: so many calls of what matches in so many seconds. Each rate of each layer is a bucket of its own that
// fills up again evenly: `count` calls at once when nobody has called for `perSeconds`, and one more every
// `perSeconds / count` after that. A bucket is kept as one number, the moment until which it is paid for (GCRA, ITU-T
// I.371), so that a charge is a comparison and an addition. What has been charged before comes in as a value.
import type { Rate } from './ceiling.js';
import type { RateSpec } from './shape.js';
import { everyPackageName } from './facts.js';
import type { Facts } from './facts.js';
import { fnMatch } from '../rbac/glob.js';
import { sorted, unique } from './normal-form.js';

/** Sorted and without duplicates. 5 in a minute and 100 in an hour are two buckets: neither is the smaller. */
export function rateList(specs: readonly RateSpec[]): readonly Rate[] {
  return unique(specs.map(({ match, count, perSeconds }) => ({ match, count, perSeconds })));
}

/** The rates that count a call with these facts. An erasure, which the runner does itself, is not counted; a form is. */
export function ratesOf(rates: readonly Rate[] | undefined, facts: Facts): readonly Rate[] {
  if (rates === undefined || facts.functionId.startsWith('audit::')) return [];
  const forms = sorted([facts.functionId, ...everyPackageName(facts)]);
  return rates.filter(({ match }) => forms.some((form) => fnMatch(form, match)));
}

/** What one call takes of a bucket, in microseconds of its time; never less than its share. */
function callMicros({ count, perSeconds }: Rate): number {
  return Math.ceil((perSeconds * 1_000_000) / count);
}

/** A call made at `nowMs`, as it is charged: `from` is where an empty bucket stands. Microseconds since the epoch. */
export function callCharge(
  rate: Rate,
  nowMs: number,
): { readonly from: number; readonly add: number; readonly atMost: number } {
  const from = nowMs * 1000;
  const add = callMicros(rate);
  return { from, add, atMost: from + add * rate.count };
}

/** How long there is no room yet, in ms; 0 = there is. `paidUntil` as the meter has it. */
export function waitMs(rate: Rate, nowMs: number, paidUntil: number): number {
  if (rate.count === 0) return Number.POSITIVE_INFINITY;
  const { from, add, atMost } = callCharge(rate, nowMs);
  const over = Math.max(paidUntil, from) + add - atMost;
  // Written so that a number that compares with nothing (NaN) has no room.
  return over <= 0 ? 0 : Math.ceil(over / 1000);
}

/** As people write it: `60 in 60 s of tool::http_*`. */
export function rateText({ match, count, perSeconds }: Rate): string {
  return `${count} in ${perSeconds} s of ${match}`;
}
