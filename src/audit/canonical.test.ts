import { describe, expect, it } from 'vitest';
import { canonicalize } from './canonical.js';

describe('canonical form', () => {
  it('sorts keys by UTF-16 code units, not by code points or locale', () => {
    expect(canonicalize({ '\ufb33': 1, '\u{1f600}': 2, b: 3, B: 4, '10': 5, '9': 6, '': 7 })).toBe(
      '{"":7,"10":5,"9":6,"B":4,"b":3,"\u{1f600}":2,"\ufb33":1}',
    );
  });
  it('escapes only what RFC 8785 names', () => {
    expect(canonicalize('\b\t\n\f\r"\\/\u0001\u001f\u007f\u2028é')).toBe(
      '"\\b\\t\\n\\f\\r\\"\\\\/\\u0001\\u001f\u007f\u2028é"',
    );
  });
  it('writes -0 as 0 and keeps two spellings of a letter apart', () => {
    expect(canonicalize(-0)).toBe('0');
    expect(canonicalize('\u00e9')).not.toBe(canonicalize('e\u0301'));
  });
  it('keeps a key named __proto__', () => {
    expect(canonicalize(new TextEncoder().encode('{"b":1,"__proto__":2}'))).toBe('{"__proto__":2,"b":1}');
  });
  it.each([
    ['NaN', NaN],
    ['Infinity', -Infinity],
    ['undefined', undefined],
    ['undefined in an object', { a: undefined }],
    ['a hole in an array', [1, , 2]], // eslint-disable-line no-sparse-arrays
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a symbol key', { [Symbol('a')]: 1 }],
    ['an unpaired surrogate', '\ud800'],
    ['an unpaired surrogate in a key', { '\udc00': 1 }],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalize(value as never)).toThrow(
      expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }),
    );
  });
  it('refuses a cyclic value instead of running out of stack', () => {
    const value: Record<string, unknown> = {};
    value['self'] = value;
    expect(() => canonicalize(value as never)).toThrow('nested deeper');
  });
});
