import { describe, expect, it } from 'vitest';
import { canonicalJson, sharedJson } from './canonical-json.js';
import type { Json } from './json.js';

function nested(depth: number, innermost: Json, wrap: (inner: Json) => Json): Json {
  let value = innermost;
  for (let i = 0; i < depth; i++) value = wrap(value);
  return value;
}

const INVALID = expect.objectContaining({ code: 'AUDIT_JSON_INVALID' }) as Error;

describe('canonical JSON (RFC 8785)', () => {
  it('writes the example of section 3.2.2', () => {
    const value = {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts keys by UTF-16 code units, not by code points (section 3.2.3)', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const value = Object.fromEntries(keys.map((key) => [key, 0]));
    expect(Object.keys(JSON.parse(canonicalJson(value)) as object)).toEqual([
      '1',
      '\r',
      '\u0080',
      '\u00f6',
      '\u20ac',
      '\ud83d\ude00',
      '\ufb33',
    ]);
  });

  it('sorts keys that look like numbers as text', () => {
    expect(canonicalJson({ 2: 'b', 10: 'a', '': 'c' })).toBe('{"":"c","10":"a","2":"b"}');
  });

  it.each<[number, string]>([
    [-0, '0'],
    [1.0, '1'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
    [123456789012345680000, '123456789012345680000'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
  ])('writes %d as %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
    expect(canonicalJson([value, { n: value }])).toBe(`[${text},{"n":${text}}]`);
  });

  it('keeps __proto__ as a key like any other, and adds none', () => {
    const value = JSON.parse('{"b":1,"__proto__":{"x":1},"a":2}') as Json;
    expect(canonicalJson(value)).toBe('{"__proto__":{"x":1},"a":2,"b":1}');
  });

  it('writes and sorts any number of keys, long ones too, again as it did before', () => {
    const keys = Array.from({ length: 1_500 }, (_, n) => `key "${n}" ${'ä'.repeat(n % 80)}`);
    const object = Object.fromEntries(keys.map((key, n) => [key, n]));
    const sorted = keys.toSorted().map((key) => `${JSON.stringify(key)}:${object[key]}`);
    for (const _ of [1, 2]) expect(canonicalJson(object)).toBe(`{${sorted.join()}}`);
  });

  it('normalises no text: two spellings of one letter stay two', () => {
    expect(canonicalJson('\u00e9')).not.toBe(canonicalJson('e\u0301'));
  });

  it('escapes controls, quote and backslash, and nothing else', () => {
    expect(canonicalJson('\b\t\n\f\r\u0000\u001f\u007f\u2028\u2029\ud83d\ude00</"\\')).toBe(
      '"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028\u2029\ud83d\ude00</\\"\\\\"',
    );
  });

  it.each<[string, unknown]>([
    ['a lone high surrogate', '\ud83d'],
    ['a lone low surrogate', 'a\ude00b'],
    ['surrogates in the wrong order', '\ude00\ud83d'],
    ['a lone surrogate in a key', { '\ud83d': 1 }],
    ['NaN', Number.NaN],
    ['Infinity', [Number.POSITIVE_INFINITY]],
    ['-Infinity', { a: Number.NEGATIVE_INFINITY }],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['undefined in a list', [undefined]],
    ['a hole in a list', new Array<unknown>(1)],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a symbol key', { [Symbol('s')]: 1 }],
    ['a bigint', 1n],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['bytes', new Uint8Array(2)],
  ])('refuses %s', (_, value) => {
    expect(() => canonicalJson(value as Json)).toThrow(INVALID);
  });

  it.each<[string, (inner: Json) => Json]>([
    ['lists', (inner) => [inner]],
    ['objects', (inner) => ({ a: inner })],
  ])('takes 64 %s inside one another and refuses 65', (_, wrap) => {
    for (const innermost of [0, 'text', null]) {
      expect(JSON.parse(canonicalJson(nested(64, innermost, wrap)))).toEqual(nested(64, innermost, wrap));
      expect(() => canonicalJson(nested(65, innermost, wrap))).toThrow(INVALID);
    }
    expect(canonicalJson(nested(63, [], wrap))).not.toBe('');
    expect(() => canonicalJson(nested(64, [], wrap))).toThrow(INVALID);
    expect(() => canonicalJson(nested(64, {}, wrap))).toThrow(INVALID);
  });

  it('refuses a value that holds itself instead of running for ever', () => {
    const self: Record<string, Json> = {};
    self['self'] = self;
    expect(() => canonicalJson(self)).toThrow(INVALID);
  });
});

describe('a value whose text is made once', () => {
  it('has the text it had, wherever it stands, and can not change any more', () => {
    const inner = { b: [1, { c: 'x' }], a: null };
    const text = canonicalJson(inner);
    const shared = sharedJson(inner);
    expect(shared).toBe(inner);
    expect(canonicalJson(shared)).toBe(text);
    expect(canonicalJson({ z: shared, y: [shared] })).toBe(`{"y":[${text}],"z":${text}}`);
    expect(() => Object.assign(shared, { a: 1 })).toThrow(TypeError);
    expect(() => Object.assign(shared.b[1] as object, { c: 'y' })).toThrow(TypeError);
  });

  it('counts among the 64 that may be inside one another', () => {
    const three = sharedJson([[[]]]);
    const wrapped = (depth: number): Json => nested(depth, three, (inner) => [inner]);
    expect(JSON.parse(canonicalJson(wrapped(61)))).toEqual(wrapped(61));
    expect(() => canonicalJson(wrapped(62))).toThrow(INVALID);
    expect(() => canonicalJson(three, 62)).toThrow(INVALID);
    expect(canonicalJson(three, 61)).toBe('[[[]]]');
  });

  it('is refused where it is not JSON, and is not kept', () => {
    const bad = { a: undefined } as unknown as Json;
    expect(() => sharedJson(bad)).toThrow(INVALID);
    expect(Object.isFrozen(bad)).toBe(false);
  });
});
