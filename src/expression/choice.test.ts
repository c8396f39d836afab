import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { CHOICE_OPERATORS, type ChoiceRule, evaluateChoice as evaluate } from './choice.js';

function evaluateChoice(rule: ChoiceRule, input: Json, context: Json): boolean {
  return evaluate(rule, {
    input,
    context: () => context,
    variable: (name) => (name === 'limit' ? 5 : undefined),
    random: () => new Uint8Array(32),
  });
}

function is(
  operator: string,
  value: Json,
  operand: Json,
  data: Readonly<Record<string, Json>> = {},
): boolean {
  return evaluateChoice({ variable: '$.v', operator, operand }, { ...data, v: value }, { C: 5 });
}

describe('a Choice rule', () => {
  it.each<[string, Json, Json, boolean]>([
    ['stringEquals', 'high', 'high', true],
    ['stringEquals', 'High', 'high', false],
    ['stringLessThan', 'a', 'b', true],
    ['stringGreaterThan', 'a', 'b', false],
    ['stringLessThanEquals', 'a', 'a', true],
    ['stringGreaterThanEquals', 'b', 'a', true],
    ['stringLessThan', '🌊', '\uffff', true],
    ['numericEquals', 1, 1.0, true],
    ['numericLessThan', 1, 2, true],
    ['numericGreaterThan', 2, 2, false],
    ['numericLessThanEquals', 2, 2, true],
    ['numericGreaterThanEquals', 1, 2, false],
    ['booleanEquals', false, false, true],
    ['booleanEquals', true, false, false],
    ['timestampEquals', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00+01:00', true],
    ['timestampLessThan', '2026-01-01T00:00:00.000000001Z', '2026-01-01T00:00:00.000000002Z', true],
    ['timestampGreaterThan', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z', true],
    ['timestampLessThanEquals', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', true],
    ['timestampGreaterThanEquals', '2025-12-31T23:59:59Z', '2026-01-01T00:00:00Z', false],
    ['stringMatches', 'log-2026.txt', 'log-*.txt', true],
    ['stringMatches', 'log-.txt', 'log-*.txt', true],
    ['stringMatches', 'log.txt', 'log-*.txt', false],
    ['stringMatches', 'a*b', 'a\\*b', true],
    ['stringMatches', 'axb', 'a\\*b', false],
    ['stringMatches', 'a\\b', 'a\\\\b', true],
    ['stringMatches', 'aa', 'a*a*a', false],
    ['stringMatches', 'a.c', 'a.c', true],
    ['stringMatches', 'abc', 'a.c', false],
    ['stringMatches', '', '*', true],
  ])('%s of %j and %j is %j', (operator, value, operand, expected) => {
    expect(is(operator, value, operand)).toBe(expected);
  });

  it.each<[string, Json]>([
    ['isNull', null],
    ['isNumeric', 0],
    ['isString', ''],
    ['isBoolean', false],
    ['isTimestamp', '2026-01-01T00:00:00Z'],
    ['isPresent', null],
  ])('%s answers for true and for false', (operator, value) => {
    expect(is(operator, value, true)).toBe(true);
    expect(is(operator, value, false)).toBe(false);
    const other: Json = operator === 'isNull' ? 1 : operator === 'isPresent' ? value : {};
    if (operator !== 'isPresent') {
      expect(is(operator, other, true)).toBe(false);
      expect(is(operator, other, false)).toBe(true);
    }
  });

  it('is false, not an error, for a wrong type on either side', () => {
    expect(is('stringEquals', 1, '1')).toBe(false);
    expect(is('numericEquals', '1', 1)).toBe(false);
    expect(is('booleanEquals', 'true', true)).toBe(false);
    expect(is('timestampEquals', '2026-01-01t00:00:00Z', '2026-01-01T00:00:00Z')).toBe(false);
    expect(is('timestampEquals', '2026-01-01T00:00:00', '2026-01-01T00:00:00Z')).toBe(false);
    expect(is('stringMatches', 1, '*')).toBe(false);
    expect(is('stringEqualsPath', 'a', '$.o', { o: 1 })).toBe(false);
  });

  it('takes the operand of …Path from the data or the context', () => {
    expect(is('numericEqualsPath', 5, '$.o', { o: 5 })).toBe(true);
    expect(is('numericEqualsPath', 5, '$$.C')).toBe(true);
    expect(is('booleanEqualsPath', true, '$.o', { o: true })).toBe(true);
    expect(is('timestampLessThanPath', '2026-01-01T00:00:00Z', '$.o', { o: '2026-01-01T00:00:01Z' })).toBe(
      true,
    );
  });

  it('fails on a variable or operand that is not there, but not under isPresent', () => {
    const missing = { variable: '$.nope', operator: 'stringEquals', operand: 'x' };
    const code = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        return error instanceof WritError ? error.code : error;
      }
      return null;
    };
    expect(code(() => evaluateChoice(missing, {}, {}))).toBe('STEP_PATH_UNRESOLVED');
    expect(code(() => evaluateChoice({ ...missing, operator: 'isNull', operand: true }, {}, {}))).toBe(
      'STEP_PATH_UNRESOLVED',
    );
    expect(code(() => is('stringEqualsPath', 'x', '$.nope'))).toBe('STEP_PATH_UNRESOLVED');
    expect(evaluateChoice({ ...missing, operator: 'isPresent', operand: false }, {}, {})).toBe(true);
    expect(evaluateChoice({ ...missing, operator: 'isPresent', operand: true }, {}, {})).toBe(false);
  });

  it('composes with and, or, not; and stops at a guard', () => {
    const present = { variable: '$.v', operator: 'isPresent', operand: true };
    const high = { variable: '$.v', operator: 'stringEquals', operand: 'high' };
    expect(evaluateChoice({ and: [present, high] }, {}, {})).toBe(false);
    expect(evaluateChoice({ and: [present, high] }, { v: 'high' }, {})).toBe(true);
    expect(evaluateChoice({ or: [{ not: present }, high] }, {}, {})).toBe(true);
    expect(evaluateChoice({ not: { or: [high] } }, { v: 'low' }, {})).toBe(true);
  });

  it('reads variables on either side', () => {
    expect(is('numericEqualsPath', 5, '$limit')).toBe(true);
    expect(evaluateChoice({ variable: '$limit', operator: 'numericLessThan', operand: 6 }, {}, {})).toBe(
      true,
    );
    expect(evaluateChoice({ variable: '$unset', operator: 'isPresent', operand: false }, {}, {})).toBe(true);
  });

  it('words a missing value as the service does', () => {
    const missing = { variable: '$.nope', operator: 'stringEquals', operand: 'x' };
    expect(() => evaluateChoice(missing, {}, {})).toThrow(
      "Invalid path '$.nope': The choice state's condition path references an invalid value.",
    );
  });

  it('is false for an operator that does not exist', () => {
    expect(is('toString', 'x', 'x')).toBe(false);
  });

  it('any rule over any data is true, false or States.Runtime', () => {
    const path = fc.constantFrom('$', '$.a', '$.a.b', '$.a[0]', '$$.C', '$limit', '$unset', '$..a');
    const { rule } = fc.letrec<{ rule: ChoiceRule }>((tie) => ({
      rule: fc.oneof(
        { maxDepth: 4 },
        fc
          .tuple(
            path,
            fc.constantFrom(...CHOICE_OPERATORS),
            fc.oneof(path, fc.jsonValue() as fc.Arbitrary<Json>),
          )
          .map(([variable, [operator, kind], operand]) => ({
            variable,
            operator,
            operand: kind === 'path' ? '$.a' : operand,
          })),
        fc.array(tie('rule'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
        fc.array(tie('rule'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
        tie('rule').map((not) => ({ not })),
      ),
    }));
    fc.assert(
      fc.property(rule, fc.jsonValue(), (one, data) => {
        try {
          expect(evaluateChoice(one, { a: data as Json }, { C: data as Json })).toBeTypeOf('boolean');
        } catch (error) {
          expect(error).toMatchObject({ code: 'STEP_PATH_UNRESOLVED' });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a pattern full of stars takes no exponential time', () => {
    expect(is('stringMatches', 'a'.repeat(20_000), `${'*a'.repeat(2_000)}*b`)).toBe(false);
  });

  it('knows 39 operators', () => {
    expect(CHOICE_OPERATORS.size).toBe(39);
  });
});
