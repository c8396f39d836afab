import { describe, expect, it } from 'vitest';
import { GuardedRegExp, hasNestedRepetition } from './regex-guard.js';

describe('a repetition inside a repetition', () => {
  it.each([
    '(a+)+',
    '(a*)*',
    '(?:a+){2,}',
    '(a+){11}',
    '(x(a+))+',
    '((a+)b?)*',
    '(a{1,})+',
    '(?<name>a+)*?',
    '([)]+)+',
    '(a|b+)+',
    '(a{11})+',
  ])('is found in %s', (source) => {
    expect(hasNestedRepetition(source)).toBe(true);
  });

  it.each([
    'a+b*',
    '(a+)',
    '(a+)?',
    '(?:\\d{1,3}\\.){3}\\d{1,3}',
    '(a+)(b+)',
    '[+*]+',
    '\\(a+\\)+',
    '(ab)+',
    '(a+){2}',
    'a{,5}',
    '(\\+)+',
    '^[^@]+@[^@]+$',
    '(',
    ')',
    '[',
  ])('is not in %s', (source) => {
    expect(hasNestedRepetition(source)).toBe(false);
  });
});

describe('a guarded regular expression', () => {
  it('matches as the one it is made of, flags and groups included', () => {
    expect(new GuardedRegExp(/(B)c/i).exec('abC')).toMatchObject({ 0: 'bC', 1: 'b', index: 1 });
  });
});
