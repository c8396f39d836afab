import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { callIntrinsic, isIntrinsic, parseIntrinsic, readText } from './intrinsic.js';
import { CALL_MAX_LENGTH } from './parse.js';
import type { Sources } from '../sources.js';

function from(input: Json, bytes = new Uint8Array(32)): Sources {
  return {
    input,
    context: () => ({ Execution: { Id: 'run-1' } }),
    variable: (name) => (name === 'limit' ? 5 : undefined),
    random: () => bytes,
  };
}

function call(text: string, input: Json = {}): Json {
  return callIntrinsic(parseIntrinsic(text), from(input));
}

function fault(run: () => unknown): { readonly code: string; readonly message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'nothing thrown', message: '' };
}

const code = (run: () => unknown): string => fault(run).code;

describe('an intrinsic function', () => {
  it.each<[string, Json, Json]>([
    ["States.Format('Hello {}.', $.a)", { a: 'x' }, 'Hello x.'],
    ["States.Format('{}{}', 'a', 'b')", {}, 'ab'],
    ["States.Format('no places')", {}, 'no places'],
    ["States.Format('')", {}, ''],
    ['States.Format($.t, $.a)', { t: 'T {}', a: 1 }, 'T 1'],
    [
      "States.Format('{} {} {} {}', $.a, $.b, $.c, $.d)",
      { a: null, b: 1.1, c: true, d: '' },
      'null 1.1 true ',
    ],
    ["States.Format('{}', $)", { Arg1: 1, Arg2: [] }, '{Arg1=1, Arg2=[]}'],
    ["States.Format('{}', $)", [1, 'a', null, { b: false }], '[1, a, null, {b=false}]'],
    ["States.Format('\\{\\} {} \\'q\\' \\\\', 1)", {}, "{} 1 'q' \\"],
    ["States.Format('\\{{}\\}', 1)", {}, '{1}'],
    ['States.Format(\'\\{"a": {}\\}\', 1)', {}, '{"a": 1}'],
    ['States.Format($.t, 1)', { t: 'C:\\dir\\{\\} {}' }, 'C:\\dir{} 1'],
    ["States.Format('{}', $.a)", { a: '{} {}' }, '{} {}'],
    ["States.Format('{}', $$.Execution.Id)", {}, 'run-1'],
    ["States.Format('{}', $limit)", {}, '5'],
    ['States.StringToJson($)', '', null],
    ['States.StringToJson($)', ' \n', null],
    ['States.StringToJson($)', '-0', 0],
    ['States.StringToJson($)', '[1e300, "1e400"]', [1e300, '1e400']],
    ['States.StringToJson($)', '1e-400', 0],
    ['States.StringToJson($)', '{"a": [1, "b"]}', { a: [1, 'b'] }],
    ['States.StringToJson(\'\\{"a":1\\}\')', {}, { a: 1 }],
    ['States.JsonToString($)', { a: [1, 'b "c"'], d: null }, '{"a":[1,"b \\"c\\""],"d":null}'],
    ['States.Array()', {}, []],
    [
      "States.Array(1, -2.5e1, 'a', true, false, null, $.x, $limit)",
      { x: { y: 1 } },
      [1, -25, 'a', true, false, null, { y: 1 }, 5],
    ],
    ['States.ArrayPartition($, 4)', [1, 2, 3, 4, 5, 6, 7, 8, 9], [[1, 2, 3, 4], [5, 6, 7, 8], [9]]],
    ['States.ArrayPartition($, 2.4)', [1, 2, 3], [[1, 2], [3]]],
    ['States.ArrayPartition($, 4)', [], []],
    ['States.ArrayPartition($, 2.6)', [1, 2, 3], [[1, 2], [3]]],
    ['States.ArrayContains($.l, $.v)', { l: [1, { a: 1, b: [2] }], v: { b: [2], a: 1 } }, true],
    ['States.ArrayContains($.l, 5)', { l: [1, '5'] }, false],
    ['States.ArrayRange(1, 9, 2)', {}, [1, 3, 5, 7, 9]],
    ['States.ArrayRange(0, 10, 3)', {}, [0, 3, 6, 9]],
    ['States.ArrayRange(1, 9, 9)', {}, [1]],
    ['States.ArrayRange(1.6, 1.4, 1)', {}, [1]],
    ['States.ArrayRange(5.4, -0.6, -2.4)', {}, [5, 3, 1]],
    ['States.ArrayRange(3, 1, -1)', {}, [3, 2, 1]],
    ['States.ArrayRange(1, 3, -1)', {}, []],
    ['States.ArrayRange(5, 5, 1)', {}, [5]],
    ['States.ArrayGetItem($, 5)', [1, 2, 3, 4, 5, 6], 6],
    ['States.ArrayGetItem($, 0)', [null], null],
    ['States.ArrayGetItem($, 1.2)', [1, 2, 3], 2],
    ['States.ArrayGetItem($, 999)', [], null],
    ['States.ArrayLength($)', [1, 2], 2],
    ['States.ArrayUnique($)', [1, 2, 3, 3, 3, 4, 1.0], [1, 2, 3, 4]],
    [
      'States.ArrayUnique($)',
      [{ a: 1, b: 2 }, { b: 2, a: 1 }, '1', 1, null, null],
      [{ a: 1, b: 2 }, '1', 1, null],
    ],
    ["States.Base64Encode('Data to encode')", {}, 'RGF0YSB0byBlbmNvZGU='],
    ['States.Base64Encode($)', 'grün 🌊', 'Z3LDvG4g8J+Mig=='],
    ["States.Base64Decode('RGVjb2RlZCBkYXRh')", {}, 'Decoded data'],
    ["States.Base64Decode('Z3LDvG4g8J+Mig')", {}, 'grün 🌊'],
    ["States.Base64Decode('')", {}, ''],
    ["States.Base64Decode(' YWJj ZA== ')", {}, 'abcd'],
    ["States.Base64Decode('!!!YWJj')", {}, 'abc'],
    ["States.Base64Decode('YWI=cd')", {}, 'ab'],
    ["States.Base64Decode('YWJjZ')", {}, 'abc'],
    ["States.Hash('input data', 'SHA-1')", {}, 'aaff4a450a104cd177d28d18d74485e8cae074b7'],
    ["States.Hash('input data', 'MD5')", {}, '812f45842bc6d66ee14572ce20db8e86'],
    [
      'States.JsonMerge($.a, $.b, false)',
      { a: { x: { p: 1 }, y: 1 }, b: { x: { q: 2 }, z: 3 } },
      { x: { q: 2 }, y: 1, z: 3 },
    ],
    ['States.MathAdd($.a, $.b)', { a: 111, b: -1 }, 110],
    ['States.MathAdd(1.5, -1.5)', {}, 1],
    ["States.StringSplit('1,2,3', ',')", {}, ['1', '2', '3']],
    ["States.StringSplit('This.is+a,test=string', '.+,=')", {}, ['This', 'is', 'a', 'test', 'string']],
    ["States.StringSplit('Hello\nWorld', '\n')", {}, ['Hello', 'World']],
    ["States.StringSplit(',a,,b,', ',')", {}, ['a', 'b']],
    ["States.StringSplit('abc', '')", {}, ['abc']],
    ["States.StringSplit('', ',')", {}, []],
    ['States.MathAdd( States.ArrayLength( $.l ) , -1 )', { l: [1, 2] }, 1],
    ['States.ArrayGetItem($.l[?(@.k == Foo)].v, 0)', { l: [{ k: 'Bar' }, { k: 'Foo', v: 7 }] }, 7],
    ["States.Format('{}', $.l.length())", { l: [1, 2] }, '2'],
    ["States.Format('{}', $['a, b'])", { 'a, b': 1 }, '1'],
  ])('%s of %j gives %j', (text, input, expected) => {
    expect(isIntrinsic(text)).toBe(true);
    expect(call(text, input)).toEqual(expected);
    expect(readText(text, from(input))).toEqual(expected);
  });

  it.each<[string, Json]>([
    ["States.Format('{}')", {}],
    ["States.Format('', 1)", {}],
    ["States.Format('\\{\\}', 1)", {}],
    ['States.Format(1)', {}],
    ['States.Format()', {}],
    ['States.StringToJson(1)', {}],
    ["States.StringToJson('\\{')", {}],
    ["States.StringToJson('1 2')", {}],
    ["States.StringToJson('1e400')", {}],
    ["States.StringToJson('[[-1E+999]]')", {}],
    [`States.StringToJson('${'9'.repeat(310)}')`, {}],
    ['States.StringToJson()', {}],
    ['States.JsonToString()', {}],
    ['States.JsonToString(1, 2)', {}],
    ['States.ArrayPartition($, 0)', [1]],
    ['States.ArrayPartition($, -1)', [1]],
    ["States.ArrayPartition($, '1')", [1]],
    ['States.ArrayPartition(1, 1)', {}],
    ['States.ArrayContains($, 1)', { a: 1 }],
    ['States.ArrayRange(1, 2, 0)', {}],
    ['States.ArrayRange(1, 1001, 0.4)', {}],
    ['States.ArrayRange(0, 1000, 1)', {}],
    ['States.ArrayRange(0, 1e300, 1)', {}],
    ['States.ArrayGetItem($, 2)', [1, 2]],
    ['States.ArrayGetItem($, -1)', [1, 2]],
    ['States.ArrayLength($)', 'text'],
    ['States.ArrayUnique($)', {}],
    ['States.Base64Encode(1)', {}],
    ['States.Base64Decode(1)', {}],
    ['States.ArrayPartition($, 0.6)', [1]],
    ['States.ArrayGetItem($, -1)', []],
    ['States.MathRandom(1.4, 1.6)', {}],
    ["States.Hash('a', 'SHA1')", {}],
    ["States.Hash('a', '__proto__')", {}],
    ['States.JsonMerge($, $, true)', {}],
    ["States.JsonMerge($, $, 'false')", {}],
    ['States.JsonMerge($, 1, false)', {}],
    ['States.MathAdd(2147483647, 1)', {}],
    ['States.MathAdd(2147483648, -1)', {}],
    ["States.MathAdd(1, '1')", {}],
    ['States.MathRandom(1, 1)', {}],
    ['States.MathRandom(2, 1)', {}],
    ["States.MathRandom(1, 9, 'x')", {}],
    ['States.StringSplit(1, 2)', {}],
    ['States.UUID(1)', {}],
  ])('%s of %j is States.IntrinsicFailure', (text, input) => {
    const { code: found, message } = fault(() => call(text, input));
    expect(found).toBe('STEP_INTRINSIC');
    const name = /^States\.\w+/.exec(text)?.[0] ?? '';
    expect(message).toContain(
      `There was an error while evaluating the intrinsic function: ${text}. Invalid arguments in ${name}: `,
    );
  });

  it.each([
    ["States.Format('Hello {', 1)", '}', '{'],
    ["States.Format('Hello {{}}', 1)", '}', '{'],
    ["States.Format('}')", '{', '}'],
  ])('%s has a brace alone, which has to be escaped', (text, missing, brace) => {
    expect(fault(() => call(text, {}))).toEqual({
      code: 'STEP_INTRINSIC',
      message:
        `There was an error while evaluating the intrinsic function: ${text}. ` +
        `Invalid template in States.Format: matching '${missing}' not found for '${brace}'.`,
    });
  });

  it('takes as many items and characters as its limits say, and not one more', () => {
    expect(call('States.ArrayRange(1, 1000, 1)')).toHaveLength(1000);
    expect(code(() => call('States.ArrayRange(1, 1001, 1)'))).toBe('STEP_INTRINSIC');
    for (const text of ['States.Base64Encode($)', "States.Hash($, 'SHA-256')", 'States.Base64Decode($)']) {
      expect(typeof call(text, 'a'.repeat(10_000))).toBe('string');
      expect(code(() => call(text, 'a'.repeat(10_001)))).toBe('STEP_INTRINSIC');
    }
    expect(call('States.MathAdd(2147483646, 1)')).toBe(2147483647);
    expect(call('States.MathAdd(-2147483647, -1)')).toBe(-2147483648);
  });
});

describe('randomness of intrinsic functions', () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 });

  it('a UUID is version 4 and made of the bytes that come in', () => {
    const uuid = callIntrinsic(parseIntrinsic('States.UUID()'), from({}, new Uint8Array(32).fill(0xff)));
    expect(uuid).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
  });

  it('MathRandom stays from its first number to below its last', () => {
    fc.assert(
      fc.property(
        bytes,
        fc.integer({ min: -50, max: 50 }),
        fc.integer({ min: 1, max: 9 }),
        (seed, start, size) => {
          const text = `States.MathRandom(${start}, ${start + size})`;
          const value = callIntrinsic(parseIntrinsic(text), from({}, seed));
          expect(value).toBeGreaterThanOrEqual(start);
          expect(value).toBeLessThan(start + size);
          expect(Number.isInteger(value)).toBe(true);
        },
      ),
    );
  });

  it('MathRandom reaches its ends', () => {
    const value = (last: number) =>
      callIntrinsic(parseIntrinsic('States.MathRandom(10, 12)'), from({}, new Uint8Array(32).fill(last, 31)));
    expect([value(0), value(1), value(2)]).toEqual([10, 11, 10]);
  });

  it('the same seed gives the same number whatever the source says, another seed another one', () => {
    const seeded = (seed: number, fill: number) =>
      callIntrinsic(
        parseIntrinsic(`States.MathRandom(0, 1000000, ${seed})`),
        from({}, new Uint8Array(32).fill(fill)),
      );
    expect(seeded(7, 1)).toBe(seeded(7, 2));
    expect(seeded(7, 1)).not.toBe(seeded(8, 1));
  });
});

describe('the text of a call', () => {
  it.each([
    'States.',
    'States.Nope()',
    'States.toString()',
    'States.Format',
    "States.Format('a'",
    "States.Format('a",
    "States.Format('a',)",
    "States.Format(,'a')",
    "States.Format('a' 'b')",
    "States.Format('a') x",
    'States.Format("a")',
    'States.Format(a)',
    'States.Format($.)',
    'States.Format($[)',
    'States.MathAdd(1.5.5, 1)',
    'States.MathAdd(1e999, 1)',
    'States.MathAdd(0x10, 1)',
    'States.Array(trueish)',
    'states.Format()',
    'States.Format ',
  ])('%j is refused', (text) => {
    expect(code(() => parseIntrinsic(text))).toBe('DOC_EXPRESSION');
  });

  it('refuses every backslash that is no escape, as the service does at load', () => {
    for (const escape of ['\\"', '\\n', '\\t', '\\u0041', '\\/', '\\a', '\\']) {
      expect(code(() => parseIntrinsic(`States.Format('a${escape}')`))).toBe('DOC_EXPRESSION');
    }
    expect(call("States.Format('\\'\\{\\}\\\\')")).toBe("'{}\\");
  });

  it('names a function that is nearly the one written, and the place', () => {
    try {
      parseIntrinsic("States.Array(States.Fromat('x'))");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ hint: 'did you mean "Format"?', details: { offset: 13 } });
    }
  });

  it('may nest calls 10 deep and not 11, and has a longest text', () => {
    const nested = (depth: number) => `${'States.Array('.repeat(depth)}1${')'.repeat(depth)}`;
    expect(JSON.stringify(call(nested(10)))).toBe(`${'['.repeat(10)}1${']'.repeat(10)}`);
    expect(code(() => parseIntrinsic(nested(11)))).toBe('DOC_EXPRESSION');
    const long = (length: number) => `States.Format('${'x'.repeat(length - 17)}')`;
    expect(call(long(CALL_MAX_LENGTH))).toHaveLength(CALL_MAX_LENGTH - 17);
    expect(code(() => parseIntrinsic(long(CALL_MAX_LENGTH + 1)))).toBe('DOC_EXPRESSION');
  });
});

describe('a path argument without a value', () => {
  it('is States.Runtime and names the whole call as written', () => {
    expect(fault(() => call("States.Format('{}',$.nope)", { other: 1 }))).toEqual({
      code: 'STEP_PATH_UNRESOLVED',
      message:
        "The function 'States.Format('{}',$.nope)' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{\"other\":1}'",
    });
    expect(fault(() => call('States.Array(States.ArrayLength($.nope))', {})).message).toContain(
      "The function 'States.Array(States.ArrayLength($.nope))' had",
    );
    expect(fault(() => call('States.Array($.a[0])', { a: 1 })).message).toBe(
      "The function 'States.Array($.a[0])' had the following error: Filter: [0] can only be applied to arrays. Current context is: 1",
    );
  });

  it('is an empty list when the path is indefinite', () => {
    expect(call('States.ArrayLength($.nope[*])', {})).toBe(0);
  });
});

describe('hostile calls and data', () => {
  it('one value many times over does not become more text than a run may hold', () => {
    const data = 'x'.repeat(1024 * 1024);
    const many = `States.Array(${Array.from({ length: 65 }, () => '$').join(',')})`;
    expect(code(() => call(`States.JsonToString(${many})`, data))).toBe('STEP_INTRINSIC');
    expect(code(() => call(`States.ArrayUnique(${many})`, data))).toBe('STEP_INTRINSIC');
    expect(code(() => call(`States.Format('{}', ${many})`, data))).toBe('STEP_INTRINSIC');
    const places = '{}'.repeat(65);
    const dollars = Array.from({ length: 65 }, () => '$').join(',');
    expect(code(() => call(`States.Format('${places}', ${dollars})`, data))).toBe('STEP_INTRINSIC');
    expect(code(() => call(`States.Hash(${many}, 'MD5')`, data))).toBe('STEP_INTRINSIC');
  });

  it('data nested deeper than the stack is a fault, not a crash', () => {
    let deep: Json = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    for (const text of ['States.JsonToString($)', 'States.ArrayUnique($)', "States.Hash($, 'MD5')"]) {
      expect(code(() => call(text, deep))).toBe('STEP_INTRINSIC');
    }
    expect(call("States.Format('{}', $)", deep)).toContain('…');
    expect(call('States.ArrayContains($, $)', deep)).toBe(false);
    expect(code(() => call('States.Array($.nope)', deep))).toBe('STEP_PATH_UNRESOLVED');
  });

  it('keys that name prototypes are ordinary keys', () => {
    const input = JSON.parse('{"a": {"__proto__": {"polluted": 1}}, "b": {"constructor": 2}}') as Json;
    const merged = call('States.JsonMerge($.a, $.b, false)', input);
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":1},"constructor":2}');
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(JSON.stringify(call(`States.StringToJson('\\{"__proto__":1\\}')`))).toBe('{"__proto__":1}');
  });

  it('any text is a call or DOC_EXPRESSION; any data gives JSON, STEP_INTRINSIC or STEP_PATH_UNRESOLVED', () => {
    const names = [
      'Format',
      'StringToJson',
      'JsonToString',
      'Array',
      'ArrayPartition',
      'ArrayContains',
      'ArrayRange',
      'ArrayGetItem',
      'ArrayLength',
      'ArrayUnique',
      'Base64Encode',
      'Base64Decode',
      'Hash',
      'JsonMerge',
      'MathAdd',
      'MathRandom',
      'StringSplit',
      'UUID',
      'Nope',
    ];
    const operand = fc.oneof(
      fc.constantFrom(
        '$',
        '$.a',
        '$[0]',
        '$..*',
        '$$.Execution',
        '$limit',
        '1',
        '-3.5',
        'true',
        'false',
        'null',
        "'{}'",
        "','",
        "'SHA-256'",
        "'\\'",
        'x',
      ),
      fc.string({ maxLength: 8 }),
    );
    const { text } = fc.letrec<{ text: string }>((tie) => ({
      text: fc
        .tuple(
          fc.constantFrom(...names),
          fc.array(fc.oneof({ maxDepth: 3 }, operand, tie('text')), { maxLength: 4 }),
        )
        .map(([name, args]) => `States.${name}(${args.join(', ')})`),
    }));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), fc.jsonValue(), (source, data) => {
        try {
          expect(JSON.stringify(call(source, data as Json))).toBeTypeOf('string');
        } catch (error) {
          if (!(error instanceof WritError)) throw error;
          expect(['DOC_EXPRESSION', 'STEP_INTRINSIC', 'STEP_PATH_UNRESOLVED']).toContain(error.code);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
