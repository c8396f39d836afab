import { expect, it } from 'vitest';
import { retryAfterMs } from './retry-after.js';

const DAY_MS = 24 * 3_600_000;

it('a server is left alone as long as it asks, capped, and not for words', () => {
  expect(retryAfterMs('120', 0)).toBe(120_000);
  expect(retryAfterMs('999999999', 0)).toBe(DAY_MS);
  expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 0)).toBe(60_000);
  expect(retryAfterMs(null, 0)).toBe(0);
  for (const text of ['-1', '1e9', '1.5', 'soon', '', 'GMT', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    expect(retryAfterMs(text, 5_000)).toBe(0);
});
