import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timestampMs, timestampNs } from './timestamp.js';

describe('a timestamp', () => {
  it('is the instant the platform says, for every date of four-digit years', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date(-62167219200000), max: new Date(253402300799999), noInvalidDate: true }),
        (date) => {
          expect(timestampMs(date.toISOString())).toBe(date.getTime());
        },
      ),
    );
  });

  it.each<[string, bigint]>([
    ['1970-01-01T00:00:00Z', 0n],
    ['1970-01-01T00:00:00.000000001Z', 1n],
    ['1970-01-01T01:00:00+01:00', 0n],
    ['1969-12-31T23:30:00-00:30', 0n],
    ['2024-02-29T00:00:00Z', 1709164800000000000n],
    ['1969-12-31T23:59:59.5Z', -500000000n],
  ])('%s is %s ns', (text, expected) => {
    expect(timestampNs(text)).toBe(expected);
  });

  it('rounds up to milliseconds, so that a wait never ends early', () => {
    expect(timestampMs('1970-01-01T00:00:00.000000001Z')).toBe(1);
    expect(timestampMs('1970-01-01T00:00:00.001Z')).toBe(1);
    expect(timestampMs('1969-12-31T23:59:59.9995Z')).toBe(0);
  });

  it.each([
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-01-01t00:00:00Z',
    '2026-01-01T00:00:00z',
    '2026-01-01 00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:60Z',
    '2026-01-01T00:00:00.1234567890Z',
    '2026-01-01T00:00:00+1:00',
    '26-01-01T00:00:00Z',
    ' 2026-01-01T00:00:00Z',
    '',
  ])('%j is none', (text) => {
    expect(timestampNs(text)).toBeNull();
    expect(timestampMs(text)).toBeNull();
  });
});
