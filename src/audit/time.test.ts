import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTime, parseTime } from './time.js';

/** By the engine's own reading of dates, which is slower. */
function byTheEngine(text: string): number | null {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/.test(text)) return null;
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text ? ms : null;
}

const YEAR_10000 = 253_402_300_800_000;

describe('the time of an entry', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: YEAR_10000 - 1 }), (ms) => {
        expect(parseTime(formatTime(ms) ?? '')).toBe(ms);
      }),
    );
    expect(formatTime(YEAR_10000)).toBeNull();
  });

  it('is a real instant in one spelling, whatever else looks like it', () => {
    const two = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, '0'));
    const likely = fc
      .tuple(
        fc.constantFrom('0000', '0099', '0100', '1900', '2000', '2023', '2024', '9999'),
        two,
        two,
        two,
        two,
      )
      .map(([year, month, day, hour, rest]) => `${year}-${month}-${day}T${hour}:${rest}:${rest}.1${rest}Z`);
    fc.assert(
      fc.property(likely, (text) => {
        expect(parseTime(text)).toBe(byTheEngine(text));
      }),
      { numRuns: 2000 },
    );
    for (let month = 1; month <= 12; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = `2024-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}T23:59:59.999Z`;
        expect(parseTime(text), text).toBe(byTheEngine(text));
      }
    }
  });

  it('is none after any one character is changed to one that is no digit, removed or doubled', () => {
    const whole = '2026-03-01T09:30:00.123Z';
    expect(parseTime(whole)).toBe(Date.parse(whole));
    for (let at = 0; at < whole.length; at++) {
      for (const mark of ['', whole.charAt(at).repeat(2), '/', ';', ' ', 'é', '\0', '-', ':', 'z', '٣']) {
        const text = whole.slice(0, at) + mark + whole.slice(at + 1);
        expect(parseTime(text), text).toBe(byTheEngine(text));
      }
    }
  });
});
