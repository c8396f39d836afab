import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import {
  isDefinite,
  parsePath,
  parseReferencePath,
  PATH_MAX_LENGTH,
  PATH_MAX_VISITS,
  readPath,
  readWaitPath,
  tryReadPath,
  writePath,
} from './path.js';
import type { Sources } from '../sources.js';

function from(input: Json, variables: Readonly<Record<string, Json>> = {}): Sources {
  return {
    input,
    context: () => ({ Execution: { Id: 'run-1' }, l: [1, 2] }),
    variable: (name) => (Object.hasOwn(variables, name) ? variables[name] : undefined),
    random: () => new Uint8Array(32),
  };
}

function read(source: string, input: Json, variables: Readonly<Record<string, Json>> = {}): Json {
  return readPath(parsePath(source), from(input, variables));
}

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return error.message;
    throw error;
  }
  return 'nothing thrown';
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

const DATA: Json = {
  claim: { id: 7, 'a b': 'x', 'risk-score': 0.5, items: [1, { n: 2 }, 3] },
  'it\'s "q"': 'quoted',
  'ключ 🌊': 'unicode',
};

describe('a path', () => {
  it.each<[string, Json]>([
    ['$', DATA],
    ['$.claim.id', 7],
    ['$.claim.risk-score', 0.5],
    ["$['claim']['a b']", 'x'],
    ['$["claim"]["a b"]', 'x'],
    ['$.claim.items[0]', 1],
    ['$.claim.items[-1]', 3],
    ['$.claim.items[1].n', 2],
    ["$['it\\'s \"q\"']", 'quoted'],
    ['$["it\'s \\"q\\""]', 'quoted'],
    ["$['ключ 🌊']", 'unicode'],
    ["$['\\u0063laim'].id", 7],
    ["$[ 'claim' ].id", 7],
    ['$$.Execution.Id', 'run-1'],
  ])('%s reads one value', (source, expected) => {
    expect(read(source, DATA)).toEqual(expected);
  });

  it.each([
    '$.nope',
    '$.claim.nope.x',
    '$.claim.items[3]',
    '$.claim.items[-4]',
    '$.claim[0]',
    '$.claim.items.n',
  ])('%s that is not there is an error that names it, or an answer', (source) => {
    const path = parsePath(source);
    expect(code(() => readPath(path, from(DATA)))).toBe('STEP_PATH_UNRESOLVED');
    expect(() => readPath(path, from(DATA))).toThrow(source);
    expect(tryReadPath(path, from(DATA))).toEqual({ found: false });
  });

  it('finds null as a value', () => {
    expect(tryReadPath(parsePath('$.a'), from({ a: null }))).toEqual({ found: true, value: null });
  });

  it.each([
    '',
    'a.b',
    '.a',
    '$.',
    '$a b',
    '$.a b',
    '$.a.',
    '$[',
    '$[]',
    "$['a",
    "$['a'",
    '$[x]',
    '$.a]',
    '$.a(',
    ' $.a',
    '$..',
    '$...a',
    '$.a..',
    '$.a.size()',
    '$.length().a',
    '$.items[0,]',
    '$.items[1:2:3:4]',
    '$.items[?]',
    '$.items[?()]',
    '$.items[?(1)]',
    '$.items[?(@.a ==)]',
    '$.items[?(@.a == 1]',
    '$.items[?(@.a =~ /x/)]',
    '$.items[?(@.a == [[1]])]',
    '$.items[(@.length-1)]',
    "States.Format('{}', $.a)",
    '@.a',
  ])('%j is no path', (source) => {
    expect(code(() => parsePath(source))).toBe('DOC_EXPRESSION');
  });

  it('holds at its limits and is refused one above', () => {
    expect(parsePath(`$.${'x'.repeat(PATH_MAX_LENGTH - 2)}`).segments).toHaveLength(1);
    expect(code(() => parsePath(`$.${'x'.repeat(PATH_MAX_LENGTH - 1)}`))).toBe('DOC_EXPRESSION');
    expect(parsePath(`$${'.a'.repeat(64)}`).segments).toHaveLength(64);
    expect(code(() => parsePath(`$${'.a'.repeat(65)}`))).toBe('DOC_EXPRESSION');
  });

  it('treats __proto__ as an ordinary key and never as the prototype', () => {
    const own = JSON.parse('{"__proto__": {"x": 1}}') as Json;
    expect(read('$.__proto__.x', own)).toBe(1);
    for (const source of ['$.__proto__', '$.constructor', '$.toString', '$.a.length']) {
      expect(tryReadPath(parsePath(source), from({ a: 'text' }))).toEqual({ found: false });
    }
    const written = writePath(parsePath('$.__proto__.polluted'), {}, true);
    expect(JSON.stringify(written)).toBe('{"__proto__":{"polluted":true}}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('writing to a path', () => {
  it.each<[string, Json, Json]>([
    ['$', { a: 1 }, 9],
    ['$.b', { a: 1 }, { a: 1, b: 9 }],
    ['$.a', { a: 1 }, { a: 9 }],
    ['$.b.c.d', {}, { b: { c: { d: 9 } } }],
    ["$['b c']", {}, { 'b c': 9 }],
    ['$.l[1]', { l: [1, 2] }, { l: [1, 9] }],
    ['$.l[-1].x', { l: [{ y: 1 }] }, { l: [{ y: 1, x: 9 }] }],
  ])('%s keeps the rest and creates what is missing', (source, document, expected) => {
    const before = JSON.stringify(document);
    expect(writePath(parseReferencePath(source), document, 9)).toEqual(expected);
    expect(JSON.stringify(document)).toBe(before);
  });

  it.each<[string, Json]>([
    ['$.a.b', { a: 1 }],
    ['$.a.b', { a: 'text' }],
    ['$.a.b', { a: null }],
    ['$.a.b', { a: [] }],
    ['$.a', 'text'],
    ['$.a', []],
    ['$[0]', {}],
    ['$.l[2]', { l: [1, 2] }],
    ['$.l[0]', {}],
  ])('%s onto what is not an object is STEP_RESULT_PATH: %j', (source, document) => {
    expect(code(() => writePath(parseReferencePath(source), document, 9))).toBe('STEP_RESULT_PATH');
  });

  it('names the path and the input, as the service does, when it can not', () => {
    expect(message(() => writePath(parseReferencePath('$.a.b'), { a: 1 }, 9))).toBe(
      'Unable to apply ReferencePath $.a.b to input {"a":1}',
    );
  });

  it.each([
    '$$.x',
    '$name.x',
    '$.a[*]',
    '$..a',
    '$.a[0:1]',
    '$.a[0,1]',
    "$['a','b']",
    '$.a[?(@.b)]',
    '$.a.length()',
  ])('%s is no reference path', (source) => {
    expect(code(() => parseReferencePath(source))).toBe('DOC_EXPRESSION');
  });

  it('is read back by the same path', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 6 }), fc.jsonValue(), (keys, value) => {
        const path = {
          source: 'made',
          root: 'input',
          segments: keys,
          definite: true,
          single: true,
          function: null,
        } as const;
        const written = writePath(path, {}, value as Json);
        expect(readPath(path, from(written))).toEqual(value);
      }),
    );
  });
});

const SHOP: Json = {
  limit: 10,
  names: ['a', 'c'],
  items: [
    { id: 'a', price: 8, open: true, tags: ['x'] },
    { id: 'b', price: 12, open: false, tags: [] },
    { id: 'c', price: 22, isbn: null, maker: { id: 'm' } },
    'text',
  ],
  numbers: [3, 1, 2],
  mixed: [1, 'a', 3],
};

describe('a path that may mean several values', () => {
  it.each<[string, Json]>([
    ['$.items[*].id', ['a', 'b', 'c']],
    ['$.numbers[*]', [3, 1, 2]],
    ['$.items[0].*', ['a', 8, true, ['x']]],
    ['$..id', ['a', 'b', 'c', 'm']],
    ["$..['id']", ['a', 'b', 'c', 'm']],
    ['$..maker.id', ['m']],
    ['$.items..id', ['a', 'b', 'c', 'm']],
    ['$..tags[0]', ['x']],
    ['$.numbers[0:2]', [3, 1]],
    ['$.numbers[1:]', [1, 2]],
    ['$.numbers[:-1]', [3, 1]],
    ['$.numbers[:]', [3, 1, 2]],
    ['$.numbers[::2]', [3, 2]],
    ['$.numbers[::-1]', [2, 1, 3]],
    ['$.numbers[2:0:-1]', [2, 1]],
    ['$.numbers[::0]', []],
    ['$.numbers[5:9]', []],
    ['$.numbers[ 0 : 2 ]', [3, 1]],
    ['$.numbers[0,2]', [3, 2]],
    ['$.numbers[0,-1,9]', [3, 2]],
    ["$['items','numbers'][0]", [{ id: 'a', price: 8, open: true, tags: ['x'] }, 3]],
    [
      "$.items[*]['id','price']",
      [
        { id: 'a', price: 8 },
        { id: 'b', price: 12 },
        { id: 'c', price: 22 },
      ],
    ],
    ["$.items[2:]['maker','isbn']", [{ maker: { id: 'm' }, isbn: null }]],
    ["$..['id','isbn']", [{ id: 'c', isbn: null }]],
    ['$$.l[*]', [1, 2]],
  ])('%s gives its matches in order', (source, expected) => {
    expect(isDefinite(parsePath(source))).toBe(false);
    expect(read(source, SHOP)).toEqual(expected);
  });

  it.each<[string, Json]>([
    ["$['limit','names']", { limit: 10, names: ['a', 'c'] }],
    ["$.items[0]['price','id','nope']", { price: 8, id: 'a' }],
    ["$.items[2].maker['nope','never']", {}],
    ["$['__proto__','limit']", { limit: 10 }],
  ])(
    'of several names at its end, %s gives the part of the object that has them (Jayway)',
    (source, expected) => {
      expect(read(source, SHOP)).toEqual(expected);
      expect(isDefinite(parsePath(source))).toBe(false); // no reference path, and nothing a Choice compares
    },
  );

  it.each(["$.limit['a','b']", "$.nope['a','b']", "$.numbers['a','b']", "$unset['a','b']"])(
    '%s has no object to give a part of',
    (source) => {
      expect(code(() => read(source, SHOP))).toBe('STEP_PATH_UNRESOLVED');
      expect(tryReadPath(parsePath(source), from(SHOP))).toEqual({ found: false });
    },
  );

  it.each([
    '$[*]',
    '$.nope[*]',
    '$.nope[*].type',
    '$.nope[0:2]',
    '$.nope[?(@.x)]',
    '$..nope',
    '$.limit[*].a',
    '$unset[*]',
  ])('%s without a match is an empty list, also when the parent is missing', (source) => {
    expect(read(source, {})).toEqual([]);
    expect(tryReadPath(parsePath(source), from({}))).toEqual({ found: true, value: [] });
  });
});

describe('a filter', () => {
  it.each<[string, Json]>([
    ['@.price < 10', ['a']],
    ['@.price <= 12', ['a', 'b']],
    ['@.price > 12', ['c']],
    ['@.price >= 12', ['b', 'c']],
    ['@.price == 12', ['b']],
    ['@.price == 12.0', ['b']],
    ['@.price != 12', ['a', 'c']],
    ["@.id == 'a'", ['a']],
    ['@.id == "a"', ['a']],
    ['@.id == a', ['a']],
    ["'a' == @.id", ['a']],
    ["@.id > 'a'", ['b', 'c']],
    ['@.open', ['a', 'b']],
    ['@.isbn', ['c']],
    ['@.isbn == null', ['c']],
    ['@.open == true', ['a']],
    ['!@.open', ['c']],
    ['!(@.open == true)', ['b', 'c']],
    ['@.price > 5 && @.price < 20', ['a', 'b']],
    ['@.price < 10 || @.price > 20', ['a', 'c']],
    ['@.price > 20 || @.price > 5 && @.open == true', ['a', 'c']],
    ['(@.price > 20 || @.price > 5) && @.open == true', ['a']],
    ["@.id in ['a', 'c']", ['a', 'c']],
    ["@.id nin ['a', 'c']", ['b']],
    ['@.id IN $.names', ['a', 'c']],
    ["'x' in @.tags", ['a']],
    ['@.price < $.limit', ['a']],
    ['@.price < $most', ['a', 'b']],
    ['@.tags.length() > 0', ['a']],
    ["@.maker.id == 'm'", ['c']],
    ["@['id'] == 'b'", ['b']],
    ['@.tags[?(@ == $.items[0].tags[0])]', ['a']],
    ['@.nope == @.neither', []],
    ["@.price == '12'", []],
    ["@.price < '99'", []],
  ])('%s', (test, expected) => {
    expect(read(`$.items[?(${test})].id`, SHOP, { most: 20 })).toEqual(expected);
    expect(read(`$.items[?${test}].id`, SHOP, { most: 20 })).toEqual(expected);
  });

  it('looks at the items of a list as values, and at an object as a whole', () => {
    expect(read('$.numbers[?(@ > 1)]', SHOP)).toEqual([3, 2]);
    expect(read('$.items[2].maker[?(@.id)]', SHOP)).toEqual([{ id: 'm' }]);
    expect(read('$.limit[?(@ > 1)]', SHOP)).toEqual([]);
  });

  it('goes down with `..`, parents before children', () => {
    expect(read('$..[?(@.id)].id', SHOP)).toEqual(['a', 'b', 'c', 'm']);
    expect(read('$..[?(@ == 3)]', SHOP)).toEqual([3, 3]);
  });

  it('may be nested to its limit and not one deeper', () => {
    const nested = (depth: number) => `$.a[?(${'('.repeat(depth)}@.b${')'.repeat(depth)})]`;
    expect(isDefinite(parsePath(nested(14)))).toBe(false);
    expect(code(() => parsePath(nested(17)))).toBe('DOC_EXPRESSION');
    expect(code(() => parsePath(`$${'[?(@'.repeat(17)}.a${')]'.repeat(17)}`))).toBe('DOC_EXPRESSION');
    expect(code(() => parsePath(`$.a[?(${'!'.repeat(500)}@.b)]`))).toBe('DOC_EXPRESSION');
  });
});

describe('a function at the end of a path', () => {
  it.each<[string, Json]>([
    ['$.numbers.length()', 3],
    ['$.items[0].length()', 4],
    ['$.numbers.min()', 1],
    ['$.numbers.max()', 3],
    ['$.numbers.sum()', 6],
    ['$.numbers.avg()', 2],
    ['$.mixed.sum()', 4],
    ['$.items[*].price.sum()', 42],
    ['$..id.length()', 4],
    ['$.items[?(@.price > 10)].length()', 2],
    ['$$.l.length()', 2],
  ])('%s', (source, expected) => {
    expect(read(source, SHOP)).toBe(expected);
  });

  it('fails where it has nothing to work on, and on a path that is not there', () => {
    for (const source of ['$.limit.length()', '$.names.sum()', '$.items[*].nope.min()', '$.nope.length()']) {
      expect(code(() => read(source, SHOP))).toBe('STEP_PATH_UNRESOLVED');
    }
    expect(code(() => read('$.n.sum()', { n: [1e308, 1e308] }))).toBe('STEP_PATH_UNRESOLVED');
  });

  it('is a key like any other without the parentheses, or in brackets', () => {
    expect(read('$.length', { length: 7 })).toBe(7);
    expect(read("$['length()']", { 'length()': 7 })).toBe(7);
  });
});

describe('a variable', () => {
  it('is read by its name, with a path behind it', () => {
    expect(read('$größe', {}, { größe: 1 })).toBe(1);
    expect(read('$list[1].a', {}, { list: [0, { a: 2 }] })).toBe(2);
    expect(read('$a.b[*]', {}, { a: { b: [1] } })).toEqual([1]);
  });

  it('that is not set is States.Runtime', () => {
    expect(code(() => read('$unset.a', {}))).toBe('STEP_PATH_UNRESOLVED');
    expect(message(() => read('$unset', {}))).toContain('$unset');
    expect(tryReadPath(parsePath('$unset'), from({}))).toEqual({ found: false });
    expect(tryReadPath(parsePath('$toString'), from({}))).toEqual({ found: false });
  });
});

describe('names of a path, as recorded in runs of the service', () => {
  it('keep a backslash that escapes nothing', () => {
    expect(read(`$['Test\\""Name"']`, { 'Test\\""Name"': 'Value"\\' })).toBe('Value"\\');
  });

  it('may hold hyphens, colons and at signs without quotes', () => {
    expect(read('$.delivery-partner', { 'delivery-partner': 'UQS' })).toBe('UQS');
    expect(read('$.@type', { '@type': 1 })).toBe(1);
    expect(read('$.ns:a', { 'ns:a': 1 })).toBe(1);
  });
});

describe('the message for a path without a value', () => {
  it.each<[string, string]>([
    ['$.nope', "Invalid path '$.nope' : No results for path: $['nope']"],
    ['$.nope.x', "Invalid path '$.nope.x' : Missing property in path $['nope']"],
    ['$.limit.x', "Invalid path '$.limit.x' : Property ['x'] not found in path $['limit']"],
    ['$.numbers[7]', "Invalid path '$.numbers[7]' : No results for path: $['numbers'][7]"],
    [
      '$.limit[0]',
      "Invalid path '$.limit[0]' : Filter: [0] can only be applied to arrays. Current context is: 10",
    ],
  ])('%s is worded as the service words it', (source, expected) => {
    expect(message(() => read(source, SHOP))).toBe(expected);
  });
});

describe('a path of a Wait', () => {
  it('is worded by its field when it is not in the data', () => {
    expect(readWaitPath('SecondsPath', parsePath('$.s'), from({ s: 3 }))).toBe(3);
    expect(message(() => readWaitPath('SecondsPath', parsePath('$.s'), from({})))).toBe(
      'The SecondsPath parameter does not reference an input value: $.s',
    );
  });
});

describe('hostile data and paths', () => {
  it('a path that looks at too many values is stopped, whatever it is made of', () => {
    const wide: Json = Array.from({ length: PATH_MAX_VISITS + 1 }, (_, i) => i);
    const deep = { l: Array.from({ length: 400 }, () => Array.from({ length: 400 }, () => 1)) };
    let chain: Json = 1;
    for (let i = 0; i < 1000; i++) chain = [chain];
    for (const [source, data] of [
      ['$[*]', wide],
      ['$..*', deep],
      ['$..*..*', chain],
      ['$[?(@ == 1)]', wide],
      [
        '$.l[0][?(@ in $.l[1])]',
        { l: [Array.from({ length: 400 }, () => 1), Array.from({ length: 400 }, () => 2)] },
      ],
      ['$.l[*][?(@ == $.l[0][0])]', deep],
      ['$.l[?(@ == $.l[399])]', deep],
    ] as const) {
      expect(message(() => read(source, data))).toContain('looks at more than 100000 values');
    }
    expect(read('$.length()', wide)).toBe(PATH_MAX_VISITS + 1);
  });

  it('a budget holds at its limit', () => {
    expect(
      read(
        '$[*]',
        Array.from({ length: PATH_MAX_VISITS }, () => 0),
      ),
    ).toHaveLength(PATH_MAX_VISITS);
  });

  it('depth of the data does not exhaust the stack', () => {
    let deep: Json = 1;
    for (let i = 0; i < 50_000; i++) deep = { a: deep };
    expect(read('$..b', deep)).toEqual([]);
    expect(code(() => read('$.a.b', deep))).toBe('STEP_PATH_UNRESOLVED');
    expect(code(() => read('$.a[0]', deep))).toBe('STEP_PATH_UNRESOLVED');
  });

  it('any text is a path or DOC_EXPRESSION, and reading it gives JSON or STEP_PATH_UNRESOLVED', () => {
    const piece = fc.constantFrom(
      '$',
      '.',
      '..',
      '[',
      ']',
      '*',
      '?',
      '(',
      ')',
      '@',
      "'",
      '"',
      ',',
      ':',
      '-1',
      '0',
      '7',
      'a',
      '__proto__',
      'length()',
      '==',
      '<',
      'in',
      '&&',
      '||',
      '!',
      ' ',
      '\\',
      'true',
      '$$',
      '$v',
    );
    const text = fc.array(piece, { maxLength: 14 }).map((parts) => `$${parts.join('')}`);
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), fc.jsonValue(), (source, data) => {
        const before = JSON.stringify(data);
        try {
          const value = readPath(parsePath(source), from(data as Json, { v: data as Json }));
          expect(JSON.stringify(value)).toBeTypeOf('string');
        } catch (error) {
          if (!(error instanceof WritError)) throw error;
          expect(['DOC_EXPRESSION', 'STEP_PATH_UNRESOLVED']).toContain(error.code);
        }
        expect(JSON.stringify(data)).toBe(before);
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });
});
