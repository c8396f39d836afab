// When a failed attempt runs again. States Language: "Errors".
import { errorMatches } from '../workflow/error-match.js';
import type { Catcher, Retrier } from '../workflow/plan.js';
import type { StepError } from './state.js';

/** Milliseconds before retry number `n` (from 0); `draw` in [0, 1) is the jitter. */
export function retryDelayMs(retrier: Retrier, n: number, draw: number): number {
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
