import { describe, expect, it } from 'vitest';
import { differenceLines } from './difference.js';

describe('the difference of two subjects', () => {
  it('names the place, what was there and what is there now', () => {
    const before = { attempt: 1, input: { amount: 7, to: ['a', 'b'], gone: true } };
    const after = { attempt: 2, input: { amount: 70, to: ['a', 'c', 'd'] } };
    expect(differenceLines(before, after)).toEqual([
      '- attempt: 1',
      '+ attempt: 2',
      '- input.amount: 7',
      '+ input.amount: 70',
      '- input.to[1]: "b"',
      '+ input.to[1]: "c"',
      '+ input.to[2]: "d"',
      '- input.gone: true',
    ]);
  });

  it('is empty for equal ones', () => {
    expect(differenceLines({ a: [1, { b: null }] }, { a: [1, { b: null }] })).toEqual([]);
  });

  it('writes hidden characters out, in values and in places, and tells 1 from "1"', () => {
    expect(differenceLines({ n: 1 }, { n: '1' })).toEqual(['- n: 1', '+ n: "1"']);
    expect(differenceLines({}, { 'a\u202e': '\u200bx' })).toEqual(['+ "a\\u202e": "\\u200bx"', '- : {}']);
    expect(differenceLines({ 'a.b': 1 }, { a: { b: 1 } })).toEqual(['+ a.b: 1', '- "a.b": 1']);
  });

  it('tells an empty list from an empty object and from nothing', () => {
    expect(differenceLines({ a: [] }, { a: {} })).toEqual(['- a: []', '+ a: {}']);
    expect(differenceLines({ a: [] }, { a: null })).toEqual(['- a: []', '+ a: null']);
  });
});
