// How long a server that is too busy asks to be left alone (RFC 9110 section 10.2.3). Attacker-controlled: whoever waits
// for it sets a bound of their own besides.

/** The longest that is believed. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** Seconds or a date; 0 for anything else, and for what is over at `nowMs`. */
export function retryAfterMs(text: string | null, nowMs: number): number {
  if (text === null) return 0;
  const ms = /^\d{1,9}$/u.test(text)
    ? Number(text) * 1_000
    : /GMT$/u.test(text)
      ? Date.parse(text) - nowMs
      : 0;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : 0;
}
