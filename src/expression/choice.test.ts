import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { CHOICE_OPERATORS, evaluateChoice } from './choice.js';

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

  it('knows 39 operators', () => {
    expect(CHOICE_OPERATORS.size).toBe(39);
  });
});
