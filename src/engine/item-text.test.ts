import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { ItemReader } from '../workflow/plan.js';
import { csvRows, itemsFromText, pointed } from './item-text.js';

const CONFIG: ItemReader['config'] = {
  inputType: 'CSV',
  csvHeaderLocation: 'FIRST_ROW',
  csvHeaders: null,
  csvDelimiter: 'COMMA',
  maxItems: null,
  itemsPointer: null,
};

function read(config: Partial<ItemReader['config']>, text: string, maxItems: number | null = null): Json {
  const answer = itemsFromText({ ...CONFIG, ...config }, text, maxItems);
  return answer.ok ? answer.items : answer.message;
}

describe('CSV', () => {
  it.each<[string, string, string[][] | null]>([
    [
      'cells and lines',
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a last line without end',
      'a,b\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'line ends of Windows',
      'a,b\r\nc,d\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'quotes, delimiters and line ends in quotes',
      '"a,b","c""d"\n"e\nf",g',
      [
        ['a,b', 'c"d'],
        ['e\nf', 'g'],
      ],
    ],
    [
      'empty cells, at the end too',
      ',\na,',
      [
        ['', ''],
        ['a', ''],
      ],
    ],
    ['no empty lines', 'a\n\n\nb\n', [['a'], ['b']]],
    ['lines of blanks', '   \n', [['   ']]],
    ['nothing', '', []],
    ['a quote without end', 'a,"b', null],
    ['single quotes as they are', "'a','b'", [["'a'", "'b'"]]],
  ])('reads %s', (_, text, rows) => {
    expect(csvRows(text, ',')).toEqual(rows);
  });

  it('names cells by the first line, or by given headers', () => {
    expect(read({}, 'A,B\n1,2\n')).toEqual([{ A: '1', B: '2' }]);
    expect(read({ csvHeaderLocation: 'GIVEN', csvHeaders: ['X', 'Y'] }, 'A,B\n')).toEqual([
      { X: 'A', Y: 'B' },
    ]);
  });

  it('fills missing cells with empty text and drops surplus ones', () => {
    expect(read({}, 'A,B\n1\n1,2,3\n')).toEqual([
      { A: '1', B: '' },
      { A: '1', B: '2' },
    ]);
  });

  it('makes no more cells of a wide header than ten million', () => {
    const wide = (columns: number, rows: number): string =>
      `${Array.from({ length: columns }, (_, at) => at).join(',')}\n${'1\n'.repeat(rows)}`;
    expect(read({}, wide(100_000, 101))).toMatch(/101 rows of 100000 columns/);
    expect(read({}, wide(1_000, 100))).toHaveLength(100);
  });

  it('takes headers once only', () => {
    expect(read({}, 'A,A\n1,2\n')).toMatch(/CSV headers cannot contain duplicates/);
  });

  it.each([
    ['PIPE', '|'],
    ['SEMICOLON', ';'],
    ['SPACE', ' '],
    ['TAB', '\t'],
  ] as const)('takes the delimiter %s', (csvDelimiter, sign) => {
    expect(read({ csvDelimiter }, `A${sign}B\n1${sign}2,3\n`)).toEqual([{ A: '1', B: '2,3' }]);
  });
});

describe('JSON', () => {
  it('is a list, or what a pointer leads to', () => {
    expect(read({ inputType: 'JSON' }, '[1,{"a":2}]')).toEqual([1, { a: 2 }]);
    expect(read({ inputType: 'JSON', itemsPointer: '/a/0' }, '{"a":[{"k":1}]}')).toEqual({ k: 1 });
  });

  it.each([
    ['{"a":1}', null, /non-iterable/],
    ['1', null, /non-iterable/],
    ['{', null, /parse/],
    ['{"a":1}', '/b', /leads to nothing/],
    ['{"a":1}', '/a', /non-iterable/],
  ])('%s with pointer %s is refused', (text, itemsPointer, message) => {
    expect(read({ inputType: 'JSON', itemsPointer }, text)).toMatch(message);
  });

  it('by lines takes one value a line and says which line is none', () => {
    expect(read({ inputType: 'JSONL' }, '{"a":1}\n\n2\n')).toEqual([{ a: 1 }, 2]);
    expect(read({ inputType: 'JSONL' }, '1\n{')).toMatch(/line 2/);
  });
});

describe('maxItems', () => {
  it('takes the first ones, of a list and of an object', () => {
    expect(read({ inputType: 'JSON' }, '[1,2,3]', 2)).toEqual([1, 2]);
    expect(read({ inputType: 'JSON', itemsPointer: '' }, '{"a":1,"b":2}', 1)).toEqual({ a: 1 });
  });
});

describe('a JSON pointer', () => {
  const document = { a: [{ 'x/y': 1, 'm~n': 2 }], __proto__x: 3, '': 4 };
  it.each<[string, Json | undefined]>([
    ['', document],
    ['/a/0/x~1y', 1],
    ['/a/0/m~0n', 2],
    ['/', 4],
    ['/a/-', undefined],
    ['/a/00', undefined],
    ['/a/1', undefined],
    ['/__proto__', undefined],
    ['/toString', undefined],
    ['a', undefined],
  ])('%j leads to %j', (pointer, value) => {
    expect(pointed(document, pointer)).toEqual(value);
  });
});

describe('PARQUET', () => {
  it('is not read, and says so', () => {
    expect(read({ inputType: 'PARQUET' }, 'PAR1')).toBe('PARQUET is not read.');
  });
});

describe('MANIFEST', () => {
  it('is a list in CSV; an inventory in JSON is not read, and says so', () => {
    expect(read({ inputType: 'MANIFEST' }, 'Bucket,Key\nb,k\n')).toEqual([{ Bucket: 'b', Key: 'k' }]);
    expect(read({ inputType: 'MANIFEST' }, ' {"files": [{"key": "k"}]}')).toContain('is not read');
  });
});
