import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { withinLimits } from './data-limit.js';

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
  it('gives the value itself back', () => {
    const value = { a: [1, 'two', null] };
    expect(withinLimits(value)).toBe(value);
  });
});
