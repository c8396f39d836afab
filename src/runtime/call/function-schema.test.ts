import { describe, expect, it } from 'vitest';
import { problemOf } from './function-schema.js';

describe('problemOf', () => {
  const schema = {
    type: 'object',
    properties: { amount: { type: 'integer', maximum: 9 }, when: { type: 'string', format: 'date' } },
    required: ['amount'],
    additionalProperties: false,
  };

  it('finds nothing where the value fits, and where there is no schema', () => {
    expect(problemOf(schema, { amount: 9, when: '2026-01-31' })).toBeNull();
    expect(problemOf(null, 'anything')).toBeNull();
    expect(problemOf(true, 'anything')).toBeNull();
  });

  it('names the path and the rule, never the value', () => {
    expect(problemOf(schema, { amount: 4711 })).toBe('/amount must be <= 9');
    expect(problemOf(schema, {})).toBe("it must have required property 'amount'");
    expect(problemOf(schema, { amount: 1, when: 'tomorrow' })).toBe('/when must match format "date"');
    expect(problemOf(schema, { amount: 1, amuont: 4711 })).toBe(
      'it must NOT have additional properties ("amuont")',
    );
    expect(problemOf({ enum: ['a', 1] }, 'other')).toBe('it must be one of "a", 1');
  });

  it('lets nothing through under a schema that can not be applied', () => {
    for (const broken of [7, 'x', { type: 'nothing' }, { $ref: 'http://elsewhere.example/s' }]) {
      expect(() => problemOf(broken, 1)).toThrow(
        expect.objectContaining({ code: 'FUNCTION_FAILED' }) as Error,
      );
    }
    expect(problemOf({ $async: true }, 1)).not.toBeNull();
    expect(problemOf({ not: {} }, 1)).not.toBeNull();
  });
});
