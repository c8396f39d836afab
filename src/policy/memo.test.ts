import { describe, expect, it } from 'vitest';
import { Memo } from './memo.js';

const value = (n: number) => ({ n });

describe('a memo', () => {
  it('gives back what was put in, and undefined for the rest', () => {
    const memo = new Memo<{ n: number }>(2);
    memo.set(value(1), 'a', 'b');
    expect(memo.get('a', 'b')).toEqual({ n: 1 });
    expect(memo.get('a')).toBeUndefined();
    expect(memo.get('a', 'c')).toBeUndefined();
    expect(memo.get('a', 'b', 'c')).toBeUndefined();
  });

  it('never takes one key for another, whatever stands in it', () => {
    const memo = new Memo<{ n: number }>(10);
    memo.set(value(1), 'a$$b', 'c');
    memo.set(value(2), 'a', 'b$$c');
    memo.set(value(3), '__proto__', 'constructor');
    expect(memo.get('a$$b', 'c')).toEqual({ n: 1 });
    expect(memo.get('a', 'b$$c')).toEqual({ n: 2 });
    expect(memo.get('__proto__', 'constructor')).toEqual({ n: 3 });
    expect(memo.get('toString', 'constructor')).toBeUndefined();
  });

  it('keeps what was last asked for, and never more than twice its bound', () => {
    const memo = new Memo<{ n: number }>(3);
    memo.set(value(0), 'kept');
    for (let n = 1; n <= 100; n += 1) {
      memo.set(value(n), String(n));
      expect(memo.get('kept')).toEqual({ n: 0 });
    }
    const known = Array.from({ length: 100 }, (_, i) => memo.get(String(100 - i))).filter(Boolean);
    expect(known.length).toBeLessThanOrEqual(6);
    expect(known[0]).toEqual({ n: 100 });
  });

  it('replaces the value of a key', () => {
    const memo = new Memo<{ n: number }>(2);
    memo.set(value(1), 'a');
    memo.set(value(2), 'a');
    expect(memo.get('a')).toEqual({ n: 2 });
  });
});
