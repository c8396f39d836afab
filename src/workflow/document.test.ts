import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DOCUMENT_MAX_BYTES, readDocument } from './document.js';
import { toJson } from './located.js';

function read(text: string): unknown {
  const { root, findings } = readDocument(text);
  return { value: root === null ? undefined : toJson(root), codes: findings.list().map((one) => one.code) };
}

function places(text: string): readonly string[] {
  return readDocument(text)
    .findings.list()
    .map((one) => `${one.code} ${one.line}:${one.column}`);
}

describe('reading a document', () => {
  it('reads YAML 1.2 and JSON alike', () => {
    const value = { a: [1, 2.5, -3, true, null, 'x'], 'ключ 🌊': 'grüße', yes: 'no', on: 'off' };
    expect(read(JSON.stringify(value))).toEqual({ value, codes: [] });
    expect(read('\uFEFFa: [1, 2.5, -3, true, ~, x]\nключ 🌊: grüße\nyes: no\non: off\n')).toEqual({
      value,
      codes: [],
    });
    expect(read('{\n\t"a":\t"\\ud83c\\udf0a\\/"\n}')).toEqual({ value: { a: '🌊/' }, codes: [] });
  });

  it('keeps every JSON value as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1), (value, indent) => {
        const object = { a: value };
        // -0 has no place in canonical JSON.
        const text = JSON.stringify(object, (_, inner: unknown) => (inner === 0 ? 0 : inner), indent);
        fc.pre(!/\\u(?:d[89a-f])/i.test(text) && !text.includes('""'));
        expect((read(text) as { value: unknown }).value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('makes texts of keys that look like numbers', () => {
    expect(read('1: a\ntrue: b\n')).toEqual({ value: { '1': 'a', true: 'b' }, codes: [] });
  });

  it('keeps __proto__ an own key', () => {
    const { root } = readDocument('{"__proto__": {"polluted": 1}, "constructor": 2}');
    const value = root === null ? null : toJson(root);
    expect(JSON.stringify(value)).toBe('{"__proto__":{"polluted":1},"constructor":2}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it.each<[string, readonly string[]]>([
    ['', ['DOC_SYNTAX 1:1']],
    ['# only a comment\n', ['DOC_SYNTAX 1:1']],
    ['a: 1\nb: [1,\n', ['DOC_SYNTAX 2:7']],
    ['a: b: c', ['DOC_SYNTAX 1:4']],
    ['a: 1\n---\nb: 2\n', ['DOC_SYNTAX 2:1']],
    ['a: 1\nb:\n  c: 1\n  c: 2\na: 3\n', ['DOC_DUPLICATE_FIELD 4:3', 'DOC_DUPLICATE_FIELD 5:1']],
    ['{"a": 1,\n "a": 2}', ['DOC_DUPLICATE_FIELD 2:2']],
    ['a: !custom x', ['DOC_UNSUPPORTED 1:4']],
    ['a: !!binary aGk=', ['DOC_UNSUPPORTED 1:4']],
    ['a: !!js/function "x"', ['DOC_UNSUPPORTED 1:4']],
    ['%YAML 1.1\n---\na: yes', ['DOC_UNSUPPORTED 1:1']],
    ['a: *nope', ['DOC_SYNTAX 1:4']],
    ['a: .inf', ['DOC_BAD_VALUE 1:4']],
    ['a: .nan', ['DOC_BAD_VALUE 1:4']],
    ['a: "\\ud800"', ['DOC_BAD_VALUE 1:4']],
    ['a: 9007199254740993', ['DOC_NUMBER_PRECISION 1:4']],
    ['? [a]\n: 1', ['DOC_SYNTAX 1:3']],
    // A field of somebody's data may be called so; a slip of the pen may not.
    ['"": 1', []],
    [': 1', ['DOC_SYNTAX 1:1']],
    ['a: &a {b: 1}\nc:\n  <<: *a\n', ['DOC_UNSUPPORTED 3:3']],
    ['c: {"<<": 1}', []],
  ])('%j is told with its place', (text, expected) => {
    expect(places(text).map((one) => one.replace(/^(DOC_UNSUPPORTED) 1:\d+$/, '$1 1'))).toEqual(
      expected.map((one) => one.replace(/^(DOC_UNSUPPORTED) 1:\d+$/, '$1 1')),
    );
  });

  it('is bounded: bytes, depth, aliases, values, parts', () => {
    const big = (size: number) => `a: ${'x'.repeat(size - 3)}`;
    expect(places(big(DOCUMENT_MAX_BYTES))).toEqual([]);
    expect(places(big(DOCUMENT_MAX_BYTES + 1))).toEqual(['DOC_TOO_LARGE 1:1']);
    expect(places(`a: ${'é'.repeat(DOCUMENT_MAX_BYTES / 2)}`)).toEqual(['DOC_TOO_LARGE 1:1']);
    expect(places(`${'['.repeat(58)}1${']'.repeat(58)}`)).toEqual([]);
    for (const unit of ['[', '[ ', '{a: ', '- ', '? ', 'a: ', '{"a":[']) {
      // Where it becomes too deep, and not where it begins.
      const place = expect.stringMatching(/^DOC_TOO_LARGE 1:\d{2,3}$/);
      expect(places(unit.repeat(100_000)), unit).toEqual([place]);
    }
    const aliases = (n: number) => `a: &x 1\nb: [${'*x, '.repeat(n)}]`;
    expect(places(aliases(100))).toEqual([]);
    expect(places(aliases(101))).toEqual([expect.stringContaining('DOC_TOO_LARGE')]);
    const laughs = Array.from(
      { length: 20 },
      (_, i) => `k${i + 1}: &k${i + 1} [*k${i},*k${i},*k${i},*k${i}]`,
    );
    expect(places(`k0: &k0 [1]\n${laughs.join('\n')}`).at(-1)).toContain('DOC_TOO_LARGE');
    expect(places('a: &a [*a]').at(-1)).toMatch(/DOC_(TOO_LARGE|SYNTAX)/);
    expect(places(`[${'1,'.repeat(400_000)}]`)).toEqual([expect.stringMatching(/^DOC_TOO_LARGE 1:\d{6}$/)]);
  });

  it('never throws, whatever the text', () => {
    const parts = [
      'a',
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&x ',
      '*x',
      '!t ',
      '|\n',
      '>\n',
      '#',
      '? ',
      ',',
      '%YAML 1.1\n',
      '---\n',
      '\t',
      '🌊',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 40 }), (pieces) => {
        readDocument(pieces.join(''));
      }),
      { numRuns: 1000 },
    );
  });
});
