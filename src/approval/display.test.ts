import { describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { displayHash, displaySubject, escapeHidden, revealHidden } from './display.js';

describe('hidden characters', () => {
  it.each<[string, string, string]>([
    ['right-to-left override', 'a\u202eb', 'a\\u202eb'],
    ['right-to-left isolate', '\u2067', '\\u2067'],
    ['right-to-left mark', '\u200f', '\\u200f'],
    ['Arabic letter mark', '\u061c', '\\u061c'],
    ['zero-width space', 'rm\u200b-rf', 'rm\\u200b-rf'],
    ['zero-width joiner', '\u200d', '\\u200d'],
    ['word joiner', '\u2060', '\\u2060'],
    ['byte order mark', '\ufeff', '\\ufeff'],
    ['soft hyphen', '\u00ad', '\\u00ad'],
    ['combining grapheme joiner', '\u034f', '\\u034f'],
    ['Hangul filler', '\u3164', '\\u3164'],
    ['variation selector', 'a\ufe0f', 'a\\ufe0f'],
    ['variation selector of the supplement', '\u{e0100}', '\\u{e0100}'],
    ['tag characters', '\u{e0041}', '\\u{e0041}'],
    ['NUL', '\0', '\\u0000'],
    ['escape of an ANSI sequence', '\u001b[2J', '\\u001b[2J'],
    ['one-character ANSI introducer', '\u009b2J', '\\u009b2J'],
    ['backspace', 'yes\b\b\bno', 'yes\\u0008\\u0008\\u0008no'],
    ['delete', '\u007f', '\\u007f'],
    ['bell', '\u0007', '\\u0007'],
    ['tab', 'a\tb', 'a\\tb'],
    ['line feed', 'a\nb', 'a\\nb'],
    ['carriage return', 'a\rb', 'a\\rb'],
    ['next line', '\u0085', '\\u0085'],
    ['line separator', '\u2028', '\\u2028'],
    ['paragraph separator', '\u2029', '\\u2029'],
    ['no-break space', 'a\u00a0b', 'a\\u00a0b'],
    ['ideographic space', '\u3000', '\\u3000'],
    ['braille blank', '\u2800', '\\u2800'],
    ['lone surrogate', '\ud800', '\\ud800'],
    ['private use', '\ue000', '\\ue000'],
    ['unassigned', '\u0378', '\\u0378'],
    ['noncharacter', '\uffff', '\\uffff'],
  ])('%s is written out', (_, text, shown) => {
    expect(revealHidden(text)).toBe(shown);
    expect(displaySubject({ a: text }).join('')).not.toContain(text);
  });

  it.each(['plain text, 1 < 2', 'Größe', '日本語', 'שלום', '😀', 'e\u0301'])('%s stays as it is', (text) => {
    expect(revealHidden(text)).toBe(text);
  });
});

describe('a JSON text for an editor', () => {
  it('has no hidden character that would show it as something else, and is the same value', () => {
    const hidden = [
      '\u202e',
      '\u200b',
      '\u0085',
      '\u2028',
      '\u00a0',
      '\u2800',
      '\u{e0041}',
      '\ufeff',
      '\ud800',
      '\t',
      '\u007f',
    ];
    const value = { [`a${hidden.join('')}`]: hidden, plain: 'Größe 😀 שלום', deep: [{ b: 'x\r\ny' }] };
    const text = escapeHidden(JSON.stringify(value, null, 2));
    expect(revealHidden(text.replaceAll('\n', ''))).toBe(text.replaceAll('\n', ''));
    expect(text).toContain('Größe 😀 שלום');
    expect(text).toContain('\\udb40\\udc41');
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe('the display of a subject', () => {
  it('is one line per value, indented under its key', () => {
    const subject = {
      function: 'tool::wasm',
      input: { argv: ['rm', '-rf', { deep: [] }], n: 1 },
      item: null,
      ok: true,
      none: {},
    };
    expect(displaySubject(subject)).toEqual([
      'function: "tool::wasm"',
      'input:',
      '  argv:',
      '    - "rm"',
      '    - "-rf"',
      '    -',
      '      deep: []',
      '  n: 1',
      'item: null',
      'ok: true',
      'none: {}',
    ]);
  });

  it.each<[unknown, string]>([
    ['text', '"text"'],
    [3, '3'],
    [null, 'null'],
    [[], '[]'],
    [{}, '{}'],
  ])('shows a lone %j', (value, line) => {
    expect(displaySubject(value as string)).toEqual([line]);
  });

  it('tells a written escape from the character it names, in values and in keys', () => {
    expect(displaySubject({ a: '\u202e' })).toEqual(['a: "\\u202e"']);
    expect(displaySubject({ a: '\\u202e' })).toEqual(['a: "\\\\u202e"']);
    expect(displaySubject({ '\u202e': 1 })).toEqual(['"\\u202e": 1']);
    expect(displaySubject({ '\\u202e': 1 })).toEqual(['"\\\\u202e": 1']);
  });

  it('tells true from "true" and 1 from "1"', () => {
    expect(displaySubject([true, 'true', 1, '1'])).toEqual(['- true', '- "true"', '- 1', '- "1"']);
  });

  it.each<[string, string]>([
    ['an indent', '  limits'],
    ['a list mark', '- a'],
    ['a key and its value', 'amount: 1'],
    ['another line', 'a\nfunction'],
    ['nothing', ''],
    ['a Latin word in other letters', 'li\u043cits'],
  ])('quotes a key that could pass for %s', (_, key) => {
    const [line = ''] = displaySubject({ [key]: 5 });
    expect(line).toMatch(/^".*": 5$/);
  });

  it('cuts nothing, however long', () => {
    const long = 'x'.repeat(100_000);
    expect(displaySubject({ input: { long, last: 1 } })).toEqual([
      'input:',
      `  long: "${long}"`,
      '  last: 1',
    ]);
    expect(displaySubject(Array.from({ length: 5000 }, (_, i) => i))).toHaveLength(5000);
  });

  it('keeps a newline in a value on the line of the value', () => {
    expect(displaySubject({ a: 'x\nfunction: "harmless"' })).toEqual(['a: "x\\nfunction: \\"harmless\\""']);
  });
});

describe('displayHash', () => {
  it('is SHA-256 over its domain and every line with its end, so that anybody can compute it', () => {
    const bytes = 'writ.display.v1\0input:\n  amount: 7\n';
    expect(displayHash(['input:', '  amount: 7'])).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  it('is another one for lines that fall elsewhere, and for a line more', () => {
    const hashes = [['ab', 'c'], ['a', 'bc'], ['abc'], ['ab', 'c', '']].map(displayHash);
    expect(new Set(hashes).size).toBe(4);
  });
});
