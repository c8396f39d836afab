import { describe, expect, it } from 'vitest';
import { openRateLimit } from './rate.js';

describe('a rate limit', () => {
  it('lets so many through at once, then as many a minute, and says when to come again', () => {
    const limit = openRateLimit(60);
    for (let i = 0; i < 60; i++) expect(limit.take('a', 0)).toBe(0);
    expect(limit.take('a', 0)).toBe(1);
    expect(limit.take('a', 999)).toBe(1);
    expect(limit.take('a', 1_001)).toBe(0);
    expect(limit.take('a', 1_001)).toBe(1);
    expect(openRateLimit(1).take('a', 0)).toBe(0);
  });

  it('counts each caller by itself, and time does not run back', () => {
    const limit = openRateLimit(1);
    expect(limit.take('a', 10_000)).toBe(0);
    expect(limit.take('b', 10_000)).toBe(0);
    expect(limit.take('a', 0)).toBeGreaterThan(0);
    expect(limit.take('a', 10_000)).toBeGreaterThan(0);
  });

  it('knows a bounded number of callers, and forgets the one that was quiet for longest', () => {
    const limit = openRateLimit(1);
    expect(limit.take('first', 0)).toBe(0);
    for (let i = 0; i < 10_000; i++) limit.take(`caller ${i}`, 1);
    expect(limit.take('first', 1)).toBe(0);
    expect(limit.take('caller 9999', 1)).toBeGreaterThan(0);
  });
});
