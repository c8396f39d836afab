import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fnMatch, literalPrefix, literalSuffix, patternProblem } from './glob.js';

describe('fnMatch', () => {
  it.each([
    ['tool::wasm', 'tool::wasm', true],
    ['tool::wasm', 'tool::*', true],
    ['tool::', 'tool::*', true],
    ['ghcr.io/bank/a/b', 'ghcr.io/*', true],
    ['.hidden', '*', true],
    ['', '*', true],
    ['', '', true],
    ['a', '', false],
    ['', '?', false],
    ['ab', '?', false],
    ['\u{1f600}', '?', true],
    ['\u{1f600}', '??', false],
    ['Tool::wasm', 'tool::*', false],
    ['tool::wasm2', 'tool::wasm', false],
    ['xtool::wasm', 'tool::wasm', false],
    ['a.b', 'a?b', true],
    ['abcabd', '*abd', true],
    ['abcabd', '*abc', false],
    ['abc', 'a**c', true],
    ['{a,b}', '{a,b}', true],
    ['a', '{a,b}', false],
    ['a', '[a]', false],
    ['a/../b', 'a/b', false],
    ['*', '*', true],
    ['tool::raw_*', 'tool::raw_*', true],
  ])('matches %j against %j: %s', (value, pattern, expected) => {
    expect(fnMatch(value, pattern)).toBe(expected);
  });

  it('agrees with a table-filling reference matcher on random text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ':', '*', '?'), maxLength: 12 });
    const value = fc.string({ unit: fc.constantFrom('a', 'b', ':'), maxLength: 12 });
    fc.assert(
      fc.property(value, text, (v, p) => fnMatch(v, p) === reference(v, p)),
      { numRuns: 20_000 },
    );
  });

  it('starts every match with the literal text before the first wildcard, and ends it with the one after the last', () => {
    const unit = fc.constantFrom('a', 'b', '*', '?', '\u{1f600}', '\ud83d', '\ude00');
    const text = fc.string({ unit, maxLength: 8 });
    fc.assert(
      fc.property(text, text, (v, p) => {
        const isWithin = v.startsWith(literalPrefix(p)) && v.endsWith(literalSuffix(p));
        return !fnMatch(v, p) || isWithin;
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['5,000 characters against 50 stars', 'a'.repeat(5000), `${'*a'.repeat(50)}b`],
    ['nested quantifier bait', 'a'.repeat(2000), `${'a*'.repeat(64)}b`],
    ['one star before a long tail', 'a'.repeat(2000), `*${'a'.repeat(200)}b`],
  ])('decides %s in no more looks than value times pattern', (_, value, pattern) => {
    const counted = new CountedText(value, value.length * pattern.length);
    expect(fnMatch(counted as unknown as string, pattern)).toBe(false);
    expect(counted.looks).toBeGreaterThan(0);
  });
});

/** A value that counts how often a character of it is looked at; beyond `most` it throws, so that no test has to end. */
class CountedText {
  looks = 0;
  readonly #text: string;
  readonly #most: number;

  constructor(text: string, most: number) {
    this.#text = text;
    this.#most = most;
  }

  get length(): number {
    return this.#text.length;
  }

  charCodeAt(index: number): number {
    this.#look();
    return this.#text.charCodeAt(index);
  }

  codePointAt(index: number): number | undefined {
    this.#look();
    return this.#text.codePointAt(index);
  }

  #look(): void {
    this.looks += 1;
    if (this.looks > this.#most) throw new Error(`${this.#most} looks were not enough`);
  }
}

describe('patternProblem', () => {
  it('refuses an empty pattern, 1,025 characters and 65 stars, and accepts the borders', () => {
    expect(patternProblem('')).not.toBeNull();
    expect(patternProblem('a'.repeat(1024))).toBeNull();
    expect(patternProblem('a'.repeat(1025))).toContain('1025');
    expect(patternProblem('*'.repeat(64))).toBeNull();
    expect(patternProblem('*'.repeat(65))).toContain('65');
  });
});

function reference(value: string, pattern: string): boolean {
  let row = [true, ...Array.from({ length: value.length }, () => false)];
  for (const char of pattern) {
    const next = [char === '*' && row[0] === true];
    for (let i = 1; i <= value.length; i += 1) {
      next[i] =
        char === '*'
          ? row[i] === true || next[i - 1] === true
          : row[i - 1] === true && (char === '?' || char === value[i - 1]);
    }
    row = next;
  }
  return row[value.length] === true;
}
