import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from './json-reader.js';

const read = (text: string): unknown => parseJson(new TextEncoder().encode(text));

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        // Longer integers may not be exact; they have their own cases below.
        if (/[0-9]{16}/.test(text)) return;
        expect(read(text)).toEqual(JSON.parse(text));
      }),
    );
  });
  it.each([
    ['two equal keys', '{"a":1,"a":1}'],
    ['keys equal after unescaping', '{"a":1,"\\u0061":2}'],
    ['equal keys __proto__', '{"__proto__":1,"__proto__":2}'],
    ['a byte order mark', '\ufeff{}'],
    ['bytes after the value', '{} {}'],
    ['an unpaired high surrogate', '"\\ud800"'],
    ['an unpaired low surrogate', '"\\udc00x"'],
    ['surrogates in the wrong order', '"\\udc00\\ud800"'],
    ['a raw control character', '"\u0001"'],
    ['a raw newline in a string', '"\n"'],
    ['an unknown escape', '"\\x41"'],
    ['an escape named like a property', '"\\constructor"'],
    ['short hex digits', '"\\u12"'],
    ['an unended string', '"abc'],
    ['an integer beyond 2^53', '9007199254740993'],
    ['a negative integer beyond 2^53', '-9007199254740993'],
    ['a very long integer', '1'.repeat(400)],
    ['a number that overflows', '1e400'],
    ['a number that vanishes', '1e-400'],
    ['a leading zero', '01'],
    ['a plus sign', '+1'],
    ['a bare point', '1.'],
    ['hexadecimal', '0x1'],
    ['NaN', 'NaN'],
    ['a trailing comma in an array', '[1,]'],
    ['a trailing comma in an object', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['a comment', '{}//'],
    ['a no-break space', '\u00a0{}'],
    ['nothing', ''],
    ['an open array', '['],
    ['a missing colon', '{"a" 1}'],
  ])('refuses %s', (_name, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }));
  });
  it('refuses bytes that are not UTF-8, overlong forms and encoded surrogates', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(() => parseJson(Uint8Array.from(bytes))).toThrow(
        expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }),
      );
    }
  });
  it('reads exact integers at the border and numbers written with an exponent', () => {
    expect(read('9007199254740991')).toBe(9007199254740991);
    expect(read('9007199254740992')).toBe(9007199254740992);
    expect(read('-0')).toBe(-0);
    expect(read('0e5')).toBe(0);
    expect(read('1E30')).toBe(1e30);
  });
  it('keeps a key named __proto__ and sets no prototype', () => {
    const value = read('{"__proto__":{"x":1}}') as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });
  it('reads 64 levels of nesting and refuses 65, of arrays and of objects, however deep the input goes', () => {
    expect(() => read('['.repeat(64) + ']'.repeat(64))).not.toThrow();
    expect(() => read('['.repeat(65) + ']'.repeat(65))).toThrow('nested deeper');
    expect(() => read('{"a":'.repeat(65) + '1' + '}'.repeat(65))).toThrow('nested deeper');
    expect(() => read('['.repeat(1_000_000))).toThrow('nested deeper');
  });
  it('reads 4,194,304 values and refuses one more', () => {
    // The list is a value itself.
    expect(read(`[${'0,'.repeat(4_194_302)}0]`)).toHaveLength(4_194_303);
    expect(() => read(`[${'0,'.repeat(4_194_303)}0]`)).toThrow('more than 4194304 values');
  });
  it('reads a fraction of 400 digits and refuses an integer of as many', () => {
    expect(read(`0.${'3'.repeat(400)}`)).toBe(1 / 3);
    expect(() => read('3'.repeat(400))).toThrow('too large');
    expect(() => read(`-${'0'.repeat(400)}`)).toThrow();
  });
});
