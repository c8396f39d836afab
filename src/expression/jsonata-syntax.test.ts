import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JSONATA_MAX_LENGTH, jsonataFault } from './jsonata-syntax.js';
import { nestedRepeat } from './pattern-guard.js';

describe('a JSONata expression at load', () => {
  it.each([
    '$states.input.items[value > 3].name',
    '$states.input.items^(price).{ "id": id, "n": $ }',
    '$states.input{kind: $sum(n)}',
    '$map($states.input.a, function($x, $i) { $x.b + $i })',
    '($f := function($n) { $n < 2 ? 1 : $n * $f($n - 1) }; $f($total))',
    '$states.input ~> |items|{"a": b}|',
    '$substring(?, 1)',
    '{"k": $states.result, "list": [1..3, $x]}',
    '$states.input.text ~> /^[a-z]+(-[a-z])?$/i',
    '$states.context.Execution.Id & "-" & $string($count)',
    '$states.input.*',
    '"text"',
    '1',
    '$replace($x, /(foo|bar)+/, "")',
    '$x[0]',
    'true',
    '$not(null)',
  ])('%s is one', (expression) => {
    expect(jsonataFault(expression)).toBeNull();
  });

  it.each<[string, string, number | null]>([
    ['', 'unexpected end of expression', 0],
    ['$states.', 'unexpected end of expression', 8],
    ['(1', 'expected ")" before end of expression', 2],
    ['a[1,2)', 'expected "]", got ","', 4],
    ['1 +* 2 2', '', null],
    ['/(/', 'no terminating / in regular expression', 3],
    ['/a(?<b/', '', null],
    ['$x.%.y', "the object representing the 'parent' cannot be derived from this expression", 2],
  ])('%s does not parse', (expression, message, offset) => {
    const fault = jsonataFault(expression);
    expect(fault).not.toBeNull();
    if (message !== '') expect(fault).toMatchObject({ message, offset });
  });

  it.each<[string, string, number]>([
    ['phone', 'phone', 5],
    ['phone.home', 'phone', 5],
    ['$x + phone', 'phone', 10],
    ['{"k": [phone]}', 'phone', 12],
    ['$sum(phone)', 'phone', 10],
    ['($x := phone; $x)', 'phone', 12],
    ['$x ? $y : phone', 'phone', 15],
    ['-phone', 'phone', 6],
    ['$map($states.input.a, function($x) { b })', 'b', 38],
    ['$', '$', 1],
    ['$.a', '$', 1],
    ['$$.a', '$$', 2],
  ])('%s looks at a top level that is not there', (expression, name, offset) => {
    expect(jsonataFault(expression)).toMatchObject({
      message: `reference to '${name}' at the top level is not supported`,
      offset,
    });
  });

  it('refuses a regular expression that repeats a repetition, wherever it stands', () => {
    for (const expression of [
      '$match($states.input.a, /^(a+)+$/)',
      '$states.input.a[$ ~> /(x*)*/]',
      '$map($x, function($y) { $y ~> /((a|b)+c?)+/ })',
      '$contains($x, /(\\d+,?){2,}/)',
    ]) {
      expect(jsonataFault(expression)?.message).toContain('repeats a repetition');
    }
  });

  it('has a longest text and a depth, and says so instead of ending the process', () => {
    const long = (length: number) => `"${'x'.repeat(length - 2)}"`;
    expect(jsonataFault(long(JSONATA_MAX_LENGTH))).toBeNull();
    expect(jsonataFault(long(JSONATA_MAX_LENGTH + 1))?.message).toContain('the limit is');
    for (const [open, close] of ['()', '[]', '{}'].map((pair) => [pair[0] ?? '', pair[1] ?? ''] as const)) {
      expect(jsonataFault(open.repeat(30_000) + close.repeat(30_000))).not.toBeNull();
    }
    expect(jsonataFault(`1${'+1'.repeat(30_000)}`)).not.toBeNull();
    expect(jsonataFault(`$x${'~>$x'.repeat(15_000)}`)).not.toBeNull();
  });

  it('any text gives a fault or none, and evaluates nothing', () => {
    const piece = fc.constantFrom(
      '$',
      'a',
      '.',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      '/',
      '+',
      '*',
      ':=',
      '~>',
      '|',
      '"',
      "'",
      '1',
      ' ',
      'function',
      '^',
      '%',
      '@',
      '#',
      '?',
      ':',
      ',',
      '..',
      '$eval("1")',
      '$error()',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          const fault = jsonataFault(text);
          if (fault === null) return;
          expect(fault.message).not.toBe('');
          expect(fault.hint).not.toBe('');
        },
      ),
      { numRuns: 3000 },
    );
  });

  const CORPUS = new URL('../../../shared/corpus/asl/validation-dev.jsonl', import.meta.url);
  it.skipIf(!existsSync(CORPUS))('every expression in a definition the service accepted is one', () => {
    let seen = 0;
    for (const line of readFileSync(CORPUS, 'utf8').split('\n').filter(Boolean)) {
      const row = JSON.parse(line) as { authority: string; valid: boolean; definition: unknown };
      if (row.authority !== 'aws-accepted' || !row.valid) continue;
      JSON.stringify(row.definition, (_key, value: unknown) => {
        if (typeof value === 'string' && value.startsWith('{%') && value.endsWith('%}')) {
          expect([value, jsonataFault(value.slice(2, -2))]).toEqual([value, null]);
          seen++;
        }
        return value;
      });
    }
    expect(seen).toBeGreaterThan(20);
  });
});

describe('a repeated repetition', () => {
  it.each([
    '(a+)+',
    '(a*)*',
    '(a+)*b',
    '(?:a+)+',
    '((a)+)+',
    '(a{1,})+',
    '(a{1,3})+',
    '(a+){2,}',
    '(a|b+)+',
    '([a)]+)+',
    '(a+)+?',
    '(x(a+))*',
  ])('%s is found', (pattern) => {
    expect(nestedRepeat(pattern)).not.toBeNull();
  });
  it.each([
    'a+',
    '(a+)',
    '(a+)?',
    '(a+){3}',
    '(ab)+',
    '(a?)+',
    '[a+]+',
    '(\\+)+',
    '\\(a+\\)+',
    '(a+b)(c+)',
    '(a|b)*',
    '(a{3})+',
    '[(+)]+',
    '^\\d+(\\.\\d+)?$',
  ])('%s is none', (pattern) => {
    expect(nestedRepeat(pattern)).toBeNull();
  });
});
