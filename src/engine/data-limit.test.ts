import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { isWithin, withinLimits } from './data-limit.js';

const nested = (levels: number): Json => Array.from({ length: levels }).reduce<Json>((inner) => [inner], 1);

describe('the data limit', () => {
  it('lets data of 60 levels pass and refuses 61', () => {
    expect(() => withinLimits(nested(60))).not.toThrow();
    expect(() => withinLimits(nested(61))).toThrow(/nested deeper/);
  });
  it('counts shared data as often as it would be written', () => {
    const doubled = Array.from({ length: 40 }).reduce<Json>((inner) => ({ a: inner, b: inner }), 'x');
    expect(() => withinLimits(doubled)).toThrow(/larger than/);
  });
  it('in bytes is that of the JSON in UTF-8, to the byte', () => {
    const texts: readonly [Json, number][] = [
      ['é'.repeat(100), 202],
      ['\u0001'.repeat(100), 602],
      ['😀'.repeat(100), 402],
      [Array.from({ length: 100 }, () => 123_456_789), 1001],
      [{ é: null }, 11],
    ];
    for (const [value, bytes] of texts) {
      expect(isWithin(value, bytes), JSON.stringify(value)).toBe(true);
      expect(isWithin(value, bytes - 1), JSON.stringify(value)).toBe(false);
    }
  });
  it('gives the value itself back', () => {
    const value = { a: [1, 'two', null] };
    expect(withinLimits(value)).toBe(value);
  });
});
