// When a failed attempt runs again. States Language: "Errors".
import { errorMatches } from '../workflow/error-match.js';
import type { Catcher, Plan, Retrier } from '../workflow/plan.js';
import type { StepError } from './state.js';

const DAY_MS = 24 * 3_600_000;

/** What says when a retry comes, beside its retrier. */
export interface RetryTiming {
  /** In [0, 1): the jitter. */
  readonly draw: number;
  /** What failed asks to be left alone for so long (`Retry-After`); 0 = it has said nothing. Attacker-controlled. */
  readonly askedMs: number;
  /** The longest it is listened to: as long as an attempt may take; null = a day. */
  readonly mostMs: number | null;
  readonly dialect: Plan['dialect'];
}

/**
 * As `backoffMs`, after the time that was asked for: many who were told the same do not come back at once. In dialect 2
 * MaxDelaySeconds holds for both together; `maxMs` of dialect 1 is of the backoff.
 */
export function retryDelayMs(
  retrier: Retrier,
  n: number,
  { draw, askedMs, mostMs, dialect }: RetryTiming,
): number {
  const delayMs = Math.min(askedMs, mostMs ?? DAY_MS) + backoffMs(retrier, n, draw);
  return dialect === 'states' ? Math.min(delayMs, retrier.maxDelayMs ?? delayMs) : delayMs;
}

/** Milliseconds before retry number `n` (from 0); `draw` in [0, 1) is the jitter. */
export function backoffMs(retrier: Retrier, n: number, draw: number): number {
  const grown = retrier.intervalMs * retrier.backoffRate ** n;
  const capped = Math.min(retrier.maxDelayMs ?? Number.MAX_SAFE_INTEGER, grown);
  return Math.floor(retrier.jitter === 'full' ? capped * draw : capped);
}

/** The first retrier that names the error, when it still has attempts; refusals and fatal errors have none. */
export function retrierFor(
  retriers: readonly Retrier[],
  used: readonly number[],
  error: StepError,
): { readonly index: number; readonly retrier: Retrier } | null {
  const index = retriers.findIndex((retrier) => errorMatches(retrier.errorEquals, error, 'retry'));
  const retrier = retriers[index];
  if (retrier === undefined || (used[index] ?? 0) >= retrier.maxAttempts) return null;
  return { index, retrier };
}

export function catcherFor(catchers: readonly Catcher[], error: StepError): Catcher | null {
  return catchers.find((catcher) => errorMatches(catcher.errorEquals, error, 'catch')) ?? null;
}
