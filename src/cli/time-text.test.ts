import { expect, it } from 'vitest';
import { clockText, durationText, timeText } from './time-text.js';

it.each([
  [-5, '0 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [59_990, '59.9 s'],
  [60_000, '1 min 0 s'],
  [3_599_999, '59 min 59 s'],
  [3_600_000, '1 h 0 min'],
  [86_400_000, '1 d 0 h'],
])('%d ms reads %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

it('writes times in UTC', () => {
  const ms = Date.UTC(2026, 2, 1, 9, 30, 5, 123);
  expect([timeText(ms), clockText(ms)]).toEqual(['2026-03-01 09:30:05Z', '09:30:05']);
});
