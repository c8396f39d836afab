// The quick reader is a second reader of the same language: whatever it answers, the parser answers too, value and places.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { Problems } from './diagnostic.js';
import { pointerSegment, readDocument, readWithParser } from './document.js';
import { readPlain } from './plain-yaml.js';

/** Every pointer of the value, and one below each scalar that is none. */
function pointersOf(value: Json, pointer = ''): string[] {
  if (typeof value !== 'object' || value === null) return [pointer, `${pointer}/none`];
  return [
    pointer,
    ...Object.entries(value).flatMap(([key, one]) => pointersOf(one, pointer + pointerSegment(key))),
  ];
}

/** Fails where the quick reader answers and the parser says something else. True when it answered. */
function agree(text: string): boolean {
  const plain = readPlain(text);
  if (plain === null) return false;
  const problems = new Problems();
  const parsed = readWithParser('f.yaml', text, problems);
  if (parsed === null) {
    expect.fail(`only the quick reader takes ${JSON.stringify(text)}: ${JSON.stringify(plain.value)}`);
  }
  expect({ text, value: plain.value }).toEqual({ text, value: parsed.value });
  const quick = readDocument('f.yaml', text, new Problems());
  for (const pointer of pointersOf(plain.value)) {
    const places = (source: typeof quick) => [pointer, source?.place(pointer), source?.keyPlace(pointer)];
    expect({ text, places: places(quick) }).toEqual({ text, places: places(parsed) });
  }
  return true;
}

const word = fc.constantFrom(
  ...[
    'a',
    'rules',
    'role:x',
    'user:al',
    'tool::*',
    'a b',
    'x/y',
    '/d',
    'true',
    'True',
    'null',
    '~',
    '0',
    '12',
    '007',
    '1.5',
  ],
  ...[
    '0x1',
    '-1',
    '+1',
    '.5',
    'yes',
    '*',
    '?',
    '- x',
    'a: b',
    'a:',
    'a #b',
    'a#b',
    '#',
    '',
    ' a',
    'a ',
    "it's",
    '"q"',
    '\\',
    'é',
  ],
  ...[
    'a,b',
    '[a',
    'b]',
    '{a',
    'a}',
    '&a',
    '*a',
    '!a',
    '|',
    '>',
    '%',
    '@',
    '`',
    '2026-01-01T00:00:00Z',
    'a\u00a0b',
    'a\u200bb',
    'a\tb',
  ],
);
const quotedWord = fc
  .tuple(word, fc.constantFrom('plain', 'plain', 'single', 'double'))
  .map(([text, how]) => (how === 'plain' ? text : how === 'single' ? `'${text}'` : `"${text}"`));
const { flow } = fc.letrec<{ flow: string; list: string; map: string }>((tie) => ({
  flow: fc.oneof({ maxDepth: 3 }, quotedWord, tie('list'), tie('map')),
  list: fc.array(tie('flow'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
  map: fc
    .array(fc.tuple(quotedWord, fc.constantFrom(': ', ':', ' : '), tie('flow')), { maxLength: 3 })
    .map((pairs) => `{${pairs.map((pair) => pair.join('')).join(',')} }`),
}));
/** Lines as people write them, and as they slip. */
const line = fc
  .tuple(
    fc.constantFrom('', '', '  ', '  ', '    ', '   ', '\t'),
    fc.constantFrom('', '', '- ', '-  ', '- - ', '-'),
    fc.oneof(
      quotedWord.map((key) => `${key}:`),
      fc.tuple(quotedWord, flow).map(([key, value]) => `${key}: ${value}`),
      flow,
    ),
    fc.constantFrom('', '', '', ' ', ' # words', '# words', '\r'),
  )
  .map((parts) => parts.join(''));
const lines = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: line },
    { weight: 1, arbitrary: fc.constantFrom('', '# c', '  # c', '---', '...', '%YAML 1.2') },
  ),
  { maxLength: 8 },
);

/** A value, written in one of several good styles. */
const leafValue = fc.oneof(fc.constantFrom('role:x', 'a b', 'tool::x', 'x'), fc.nat(9999), fc.boolean());
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leafValue,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('id', 'rules', 'role:a', 'b.c', 'd-e'), tie('value'), { maxKeys: 4 }),
  ),
}));
function write(one: Json, indent: string, style: number): string {
  if (typeof one !== 'object' || one === null) return ` ${String(one)}`;
  const isFlow = (style & 1) === 1 && indent !== '';
  if (isFlow || Object.keys(one).length === 0) return ` ${JSON.stringify(one)}`;
  const next = style >> 1;
  if (Array.isArray(one)) {
    return `\n${one.map((item) => `${indent}-${compact(write(item as Json, `${indent}  `, next))}`).join('\n')}`;
  }
  const rows = Object.entries(one).map(
    ([key, child]) => `${indent}${key}:${write(child, `${indent}  `, next)}`,
  );
  return `\n${rows.join((style & 2) === 2 ? '\n# c\n\n' : '\n')}`;
}
/** `- key:` on one line. */
function compact(text: string): string {
  return text.replace(/^\n +/, ' ');
}

describe('the quick reader', () => {
  it('says nothing that the parser does not say, of lines as people write them and slip', () => {
    let answered = 0;
    fc.assert(
      fc.property(lines, (rows) => {
        if (agree(rows.join('\n'))) answered += 1;
      }),
      { numRuns: 30_000 },
    );
    expect(answered).toBeGreaterThan(300);
  }, 240_000);

  it('says what the parser says of documents in every style, and reads most of them', () => {
    let answered = 0;
    let asked = 0;
    fc.assert(
      fc.property(value, fc.nat(255), fc.constantFrom('', '\n', ' # end\n'), (one, style, end) => {
        if (typeof one !== 'object' || one === null) return;
        asked += 1;
        if (agree(write(one, '', style).trimStart() + end)) answered += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(answered).toBeGreaterThan(asked / 2);
  }, 240_000);

  it('reads the shipped policies by itself, as the parser does', () => {
    const root = fileURLToPath(new URL('../../policies', import.meta.url));
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.yaml'),
    );
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      const answered = agree(readFileSync(`${root}/${file}`, 'utf8'));
      // Tests are read when they are run; theirs may be written over several lines.
      if (!file.startsWith('tests')) expect([file, answered]).toEqual([file, true]);
    }
  });

  it.each([
    ['a tab', 'a:\tb'],
    ['an alias', 'a: *b'],
    ['an anchor', 'a: &b c'],
    ['a tag', 'a: !!str b'],
    ['a block scalar', 'a: |\n  b'],
    ['a key twice', 'a: 1\na: 2'],
    ['a key without a value', 'a:\nb: 1'],
    ['words on two lines', 'a: b\n  c'],
    ['a second document', 'a: 1\n---\nb: 2'],
    ['a directive', '%YAML 1.2\n---\na: 1'],
    ['an escape', 'a: "\\u0041"'],
    ['a doubled quote', "a: 'b''c'"],
    ['an octal number', 'a: 0o17'],
    ['a null', 'a: null'],
    ['an invisible character', 'a: b\u200bc'],
    ['the prototype', '"__proto__": 1'],
    ['a merge key', '<<: {a: 1}'],
    ['nothing', ''],
  ])('leaves %s to the parser', (_, text) => {
    expect(readPlain(text)).toBeNull();
  });

  it('ends quickly on deep and long text', () => {
    expect(readPlain('['.repeat(100_000))).toBeNull();
    expect(readPlain(`a: ${'{a: '.repeat(50_000)}`)).toBeNull();
    expect(readPlain('- '.repeat(100_000))).toBeNull();
    expect(readPlain(`${'a:'.repeat(100_000)} b`)).toBeNull();
    expect(readPlain(`"${'a'.repeat(500_000)}: b`)).toBeNull();
  });
});
