import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { areNumbered, choicesOf, typedValue } from './form-value.js';

const value = (schema: Json, text: string): unknown => {
  const typed = typedValue(schema, text);
  return 'value' in typed ? typed.value : typed.problem;
};

describe('what a person types into a field', () => {
  it.each<[Json, string, unknown]>([
    [{ type: 'string' }, 'pay it', 'pay it'],
    [{ type: 'string' }, ' "quoted" ', ' "quoted" '],
    [{ type: 'string' }, '17', '17'],
    [{ type: 'string' }, '""', ''],
    [{ type: 'boolean' }, 'yes', true],
    [{ type: 'boolean' }, ' N ', false],
    [{ type: 'boolean' }, 'TRUE', true],
    [{ type: 'boolean' }, '1', 'say yes or no'],
    [{ type: 'boolean' }, 'toString', 'say yes or no'],
    [{ type: 'number' }, ' 12.5 ', 12.5],
    [{ type: 'number' }, '-1e3', -1000],
    [{ type: 'number' }, '12,5', 'that is no number'],
    [{ type: 'number' }, '"12"', 'that is no number'],
    [{ type: 'number' }, '0x10', 'that is no number'],
    [{ type: 'number' }, 'NaN', 'that is no number'],
    [{ type: 'integer' }, '7', 7],
    [{ type: 'array' }, '["a", 1]', ['a', 1]],
    [{ type: ['string', 'null'] }, 'null', null],
    [{ type: ['string', 'null'] }, '"null"', 'null'],
    [{ type: ['string', 'null'] }, 'null it', 'that is no JSON; a text stands in "quotes"'],
    [{}, '{"a": 1, "a": 2}', 'that is no JSON; a text stands in "quotes"'],
    [true, '17', 17],
  ])('by %j, %j is %j', (schema, text, wanted) => {
    expect(value(schema, text)).toEqual(wanted);
  });

  it('is a choice by its number or in full, and nothing else', () => {
    const schema = { enum: ['approve', 'send back', null] };
    expect(
      ['1', 'approve', '"approve"', ' send back ', '3', 'null'].map((text) => value(schema, text)),
    ).toEqual(['approve', 'approve', 'approve', 'send back', null, null]);
    for (const text of ['0', '4', 'approv', '01', '1.0', '-1'])
      expect(value(schema, text)).toBe('that is none of them');
    expect(value({ const: 'only' }, '1')).toBe('only');
  });

  it('is never a choice by number where a choice is that number itself', () => {
    for (const choices of [
      [2, 1],
      ['2', 'x'],
      [3, 5, 1],
    ])
      expect(areNumbered(choices)).toBe(false);
    expect(value({ enum: [2, 1] }, '1')).toBe(1);
    expect(value({ enum: [10, 20] }, '1')).toBe(10);
    expect(value({ enum: [10, 20] }, '20')).toBe(20);
    // A text and a number that are written alike are two values.
    expect(value({ enum: ['7', 7] }, '"7"')).toBe('7');
    expect(value({ enum: ['7', 7] }, '7')).toBe('that is none of them');
  });

  it('is a choice by number beside choices that cannot be written as a number', () => {
    const odd = { toString: 0, valueOf: 0 };
    expect(value({ enum: [odd, [[1]], true] }, '1')).toEqual(odd);
    expect(value({ enum: [odd, [[1]], true] }, '2')).toEqual([[1]]);
  });

  it('is one of the choices, whatever they are and whatever is typed', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 }), fc.string(), (choices, text) => {
        const typed = typedValue({ enum: choices as Json[] }, text);
        if ('value' in typed) expect(choices).toContainEqual(typed.value);
      }),
    );
  });

  it('is a value or a problem, never an error', () => {
    const types = fc.constantFrom(
      'string',
      'boolean',
      'number',
      'integer',
      'array',
      'object',
      'null',
      undefined,
    );
    fc.assert(
      fc.property(types, fc.string(), (type, text) => {
        const typed = typedValue(type === undefined ? {} : { type }, text);
        expect('value' in typed || typed.problem !== '').toBe(true);
      }),
    );
  });

  it('knows the choices of a schema', () => {
    expect(choicesOf({ enum: [] })).toBeNull();
    expect(choicesOf({ const: null })).toEqual([null]);
    expect(choicesOf(true)).toBeNull();
  });
});
