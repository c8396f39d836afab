import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Document, Scalar } from 'yaml';
import { readDocument } from './document.js';
import { field } from './located.js';
import { innerOffset } from './text-place.js';

/** The text at `key`, its value and its place in the source. */
function read(source: string): (inner: number) => number | undefined {
  const { root } = readDocument(source);
  const node = field(root ?? undefined, 'key')?.value;
  return (inner) => innerOffset(source, node, inner);
}

describe('a place inside a text', () => {
  it.each<[string, number, string]>([
    ['key: abc', 1, 'bc'],
    ['key: "abc"', 0, 'abc"'],
    ["key: 'it''s x'", 5, "x'"],
    ['key: "a\\n\\"\\u00e9\\U0001F30A x"', 7, 'x"'],
    ['key: "a\\\n   b"', 1, 'b"'],
    ['key: >-\n  a\n  b\n\n  c', 4, 'c'],
    ['key: | # note a b c\n  a b\n', 2, 'b'],
    ['key: a\n  b\n\n  c', 4, 'c'],
    ['key: &x abc', 2, 'c'],
    ['key: !!str abc', 2, 'c'],
    ['{"key": "a\\tb"}', 2, 'b"}'],
    ['key: a  \n  b', 1, 'b'],
  ])('%j: character %i is at %j', (source, inner, expected) => {
    const at = read(source)(inner) ?? -1;
    expect(source.slice(at, at + expected.length)).toBe(expected);
  });

  it('behind the end is right behind the last sign', () => {
    expect(read('key: abc\nnext: 1')(3)).toBe(8);
    expect(read('key: "abc\\u0041"')(4)).toBe(15);
    expect(read('key: |\n  abc\n\nnext: 1')(4)).toBe(12);
  });

  it('is not told for what has no signs, and for what is no text', () => {
    expect(read('key: ""')(0)).toBeUndefined();
    expect(read('key: 12')(0)).toBeUndefined();
    expect(innerOffset('abc', undefined, 0)).toBeUndefined();
  });

  it('is that of the same character, whatever way the text is written', () => {
    const styles = ['PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_FOLDED', 'BLOCK_LITERAL'] as const;
    const words = fc.array(
      fc.constantFrom('a', 'bc', '{{x}}', "it's", '"q"', '\n', '\n\n', '  ', 'é', '🌊', '#', ': '),
      {
        minLength: 1,
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(words, fc.constantFrom(...styles), (parts, style) => {
        const text = parts.join(' ');
        const scalar = new Scalar(text);
        scalar.type = style;
        const source = new Document({ key: scalar }).toString({ lineWidth: 30 });
        const { root } = readDocument(source);
        const node = field(root ?? undefined, 'key')?.value;
        if (node?.kind !== 'scalar' || typeof node.value !== 'string') throw new Error(source);
        const { value } = node;
        for (let i = 0; i < value.length; i++) {
          if (/\s/.test(value[i] ?? '')) continue;
          const at = innerOffset(source, node, i);
          // A double-quoted text may escape it.
          if (at !== undefined && source[at] !== '\\') expect(source[at], source).toBe(value[i]);
          if (source[node.offset] !== '"') expect(at, source).toBeDefined();
        }
      }),
      { numRuns: 300 },
    );
  });
});
