import { describe, expect, it } from 'vitest';
import { isRelative, matches } from './files.js';

const fits = (pattern: string, path: string): boolean => matches(pattern.split('/'), path.split('/'));

describe('output patterns', () => {
  it.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a', false],
    ['a', 'a/b', false],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['**', 'a/b/c', true],
    ['**/x.csv', 'x.csv', true],
    ['**/x.csv', 'a/b/x.csv', true],
    ['**/x.csv', 'a/x.csv/b', false],
    ['a/**', 'a', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'b/a', false],
    ['a/**/b', 'a/b', true],
    ['a/**/b/*.csv', 'a/b/c/b/d.csv', true],
    ['**/a/**/b', 'a/c/a/b', true],
    ['**/a/**/b', 'b/a/c', false],
    ['**/**', 'a', true],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(fits(pattern, path)).toBe(expected);
  });

  it('folders named to be tried over and over cost no more than others', () => {
    const started = process.cpuUsage();
    expect(fits(`${'**/a/'.repeat(15)}b`, Array(32).fill('a').join('/'))).toBe(false);
    const { user } = process.cpuUsage(started);
    expect(user).toBeLessThan(1_000_000); // it was hours
  });
});

describe('the name of a file', () => {
  it.each(['a/b', 'ä', '-rf', '...', 'a b', '~', 'می\u200cخواهم', '❤\ufe0f'])('can be %j', (path) => {
    expect(isRelative(path)).toBe(true);
  });

  // A list of files would show another name, or none.
  it.each([
    '\u001b[2J',
    'a\nb',
    '\u0085',
    '\u009b2J',
    'gpj.\u202eexe',
    '\u2066x',
    'a\u2028b',
    '\u200f',
    '\ufffd',
    'a\u200bb',
    '\ufeffa',
    'a\u00adb',
    'a\u{e0041}',
    '\u3164',
  ])('has nothing in it that steers what shows it: %j', (path) => {
    expect(isRelative(path)).toBe(false);
  });
});
