import { describe, expect, it } from 'vitest';
import { matches, MAX_DEPTH, MAX_FILES, MAX_FILES_BYTES } from '../files.js';
import { basesOf, checkUnread, foldersAbove, wantedFiles } from './outputs.js';
import { tarOf } from './tar.js';

const named = (...paths: string[]): Uint8Array =>
  tarOf(paths.map((path) => ({ path, bytes: Buffer.from(path) })));
const found = (archive: Uint8Array, ...patterns: string[]): string[] =>
  wantedFiles(archive, patterns).map(({ path }) => path);

describe('output patterns', () => {
  it.each([
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['**', 'a/b/c', true],
    ['out/**', 'out', true],
    ['out/**', 'out/a/b', true],
    ['out/**/*.json', 'out/x.json', true],
    ['out/**/*.json', 'out/a/b/x.json', true],
    ['out/**/*.json', 'out/a/b/x.txt', false],
    ['a*c*e', 'abcde', true],
    ['a*c*e', 'ae', false],
    ['a*a', 'a', false],
    ['*.tar.*', 'x.tar', false],
    ['[ab]', 'a', false],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(matches(pattern.split('/'), path.split('/'))).toBe(expected);
  });

  it('is quick about a pattern that could be tried over and over', () => {
    const pattern = Array.from({ length: 60 }, () => '**').concat('x');
    expect(
      matches(
        pattern,
        Array.from({ length: MAX_DEPTH }, () => 'a'),
      ),
    ).toBe(false);
    expect(matches(['a*'.repeat(100)], ['a'.repeat(200)])).toBe(true);
    expect(matches([`${'a*'.repeat(100)}b`], ['a'.repeat(250)])).toBe(false);
  });

  it('asks for no more than the folders its patterns begin with', () => {
    expect(basesOf(['out/**', 'out/a', 'x.json', '*.txt'])).toEqual(['./', './out', './out/a', './x.json']);
  });
});

describe('wantedFiles', () => {
  it('gives what a pattern names, sorted, and nothing else', () => {
    expect(found(named('b', 'a', 'c/d'), 'b', 'a')).toEqual(['a', 'b']);
  });

  it.each(['../x', '/etc/passwd', 'a/../../b', 'a//b', 'a\u0001b'])('refuses the path %j', (path) => {
    expect(() => found(named(path), '**')).toThrow(/not plain/);
  });

  it('lets exactly the limits through', () => {
    const many = Array.from({ length: MAX_FILES }, (_, at) => `f${at}`);
    expect(found(named(...many), '*').length).toBe(MAX_FILES);
    expect(() => found(named(...many, 'more'), '*')).toThrow(/more than/);
    const deep = Array.from({ length: MAX_DEPTH }, () => 'd').join('/');
    expect(found(named(deep), '**')).toEqual([deep]);
    expect(() => found(named(`${deep}/d`), '**')).toThrow(/deeper/);
    const full = tarOf([{ path: 'f', bytes: Buffer.alloc(MAX_FILES_BYTES) }]);
    expect(found(full, '*')).toEqual(['f']);
    const over = tarOf([{ path: 'f', bytes: Buffer.alloc(MAX_FILES_BYTES + 1) }]);
    expect(() => found(over, '*')).toThrow(/bytes/);
  });
});

describe('the folders above what tar is given', () => {
  it('are all of them, once, and none of what tar looks at itself', () => {
    expect(foldersAbove(basesOf(['a', '*', '**/x', 'd/*']))).toEqual([]);
    expect(foldersAbove(basesOf(['d/a', 'd/e/b', 'd/e/*.txt', 'f/g/**']))).toEqual(['./d', './d/e', './f']);
  });
});

describe('what tar could not read', () => {
  const code = (lines: string, ...patterns: string[]): string => {
    try {
      checkUnread(Buffer.from(lines), patterns);
      return '';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const deep = Array.from({ length: MAX_DEPTH + 1 }, () => 'd').join('/');

  it.each([
    ['', ['*'], ''],
    // What is only absent, and what tar adds.
    ['tar: ./x: No such file or directory\ntar: error exit delayed from previous errors\n', ['x'], ''],
    [
      'tar: ./x: Cannot stat: No such file or directory\ntar: Exiting with failure status due to previous errors',
      ['x'],
      '',
    ],
    ["tar: can't open './a': Permission denied\n", ['a'], 'SANDBOX_OUTPUT_REFUSED'],
    ["tar: can't open './a': Permission denied\n", ['*.txt'], ''],
    ['tar: ./d: Permission denied\n', ['d/*'], 'SANDBOX_OUTPUT_REFUSED'],
    ['tar: ./s: socket ignored\n', ['*'], 'SANDBOX_OUTPUT_REFUSED'],
    [`tar: can't open './${deep}': Too many open files\n`, ['**'], 'SANDBOX_OUTPUT_LIMIT'],
    [`tar: can't open './${deep}': Too many open files\n`, ['*'], ''],
    // Not understood: nothing is taken for granted.
    ['tar: short write\n', ['*'], 'SANDBOX_OUTPUT_REFUSED'],
    ['sh: whatever', ['*.txt'], 'SANDBOX_OUTPUT_REFUSED'],
  ] as const)('%j, wanted %j: %j', (lines, patterns, expected) => {
    expect(code(lines, ...patterns)).toBe(expected);
  });
});
