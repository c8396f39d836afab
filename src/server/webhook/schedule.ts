// When an attempt to deliver a webhook is made again: the schedule of the Standard Webhooks specification.
import type { Random } from '../../runtime/ports.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** How long after attempt n the next is made. */
export const RETRY_AFTER_MS: readonly number[] = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const JITTER = 0.1;

/** When attempt `made` + 1 is to be made, with up to a tenth of the wait added; null = that was the last. */
export function nextAttemptMs(made: number, nowMs: number, random: Random): number | null {
  const wait = RETRY_AFTER_MS[made - 1];
  if (wait === undefined) return null;
  const [draw = 0] = random.bytes(1);
  return nowMs + Math.round(wait * (1 + (JITTER * draw) / 255));
}
