// The quick reader is a second reader of the same language: whatever it answers, the parser answers too, value and places.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowLines, jsonText, styledYaml, yamlLines } from '../../../test/property/yaml-text.js';
import type { Json } from '../../json.js';
import { Problems } from './diagnostic.js';
import { pointerSegment, readDocument, readWithParser } from './document.js';
import { MAX_PLAIN_LENGTH } from '../../plain-scalar.js';
import { readPlain } from '../../plain-yaml.js';
import { isVisible, MAX_TEXT_LENGTH } from './text.js';

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
  const plain = readPlain(text, isVisible);
  if (plain === null) return false;
  const problems = new Problems();
  const parsed = readWithParser('f.yaml', text, problems);
  if (parsed === null) {
    expect.fail(`only the quick reader takes ${JSON.stringify(text)}: ${JSON.stringify(plain.value)}`);
  }
  expect({ text, value: plain.value }).toEqual({ text, value: parsed.value });
  const quick = readDocument('f.yaml', text, new Problems());
  for (const pointer of pointersOf(plain.value)) {
    // A mapping with a key of digits is not for the quick reader: these are items of lists.
    const [, list, item] = /^(.*)\/([0-9]+)$/.exec(pointer) ?? [];
    const places = (source: typeof quick) => [
      ...[pointer, source?.place(pointer), source?.keyPlace(pointer)],
      list === undefined ? null : source?.itemLines(list)(Number(item)),
    ];
    expect({ text, places: places(quick) }).toEqual({ text, places: places(parsed) });
  }
  return true;
}

describe('the quick reader', () => {
  it('says nothing that the parser does not say, of lines as people write them and slip', () => {
    let answered = 0;
    fc.assert(
      fc.property(yamlLines, (text) => {
        if (agree(text)) answered += 1;
      }),
      { numRuns: 30_000 },
    );
    expect(answered).toBeGreaterThan(1_500);
  });

  it('says what the parser says of documents in every style, and reads most of them', () => {
    let answered = 0;
    let asked = 0;
    fc.assert(
      fc.property(styledYaml, (text) => {
        asked += 1;
        if (agree(text)) answered += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(answered).toBeGreaterThan(asked / 2);
  });

  it('says what the parser says of {} and [] over several lines, and reads JSON', () => {
    let answered = 0;
    fc.assert(
      fc.property(flowLines, jsonText, (text, json) => {
        if (agree(text)) answered += 1;
        if (json.startsWith('{') || json.startsWith('[')) expect([json, agree(json)]).toEqual([json, true]);
      }),
      { numRuns: 10_000 },
    );
    expect(answered).toBeGreaterThan(500);
  });

  it('reads the shipped policies by itself, as the parser does', () => {
    const root = fileURLToPath(new URL('../../../policies', import.meta.url));
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
    ['a key twice in JSON', '{"a":1,"a":2}'],
    ['an escape in JSON', '{"a":"\\n"}'],
    ['a null in JSON', '{"a":[null]}'],
    ['a number below zero in JSON', '{"a":-1}'],
    ['a number with an exponent in JSON', '{"a":1e+21}'],
    ['the prototype in JSON', '{"__proto__":1}'],
    ['a key of digits in JSON', '{"a":{"1":2}}'],
    ['an invisible character in JSON', '{"a":"b\u200bc"}'],
    ['a text that is too long in JSON', JSON.stringify({ a: 'b'.repeat(MAX_PLAIN_LENGTH + 1) })],
    ['a key that is too long in JSON', JSON.stringify({ ['b'.repeat(513)]: 1 })],
    ['JSON that is nested deeply', `${'['.repeat(18)}"a"${']'.repeat(18)}`],
  ])('leaves %s to the parser', (_, text) => {
    expect(readPlain(text, isVisible)).toBeNull();
  });

  it.each(['{"a":1}', '{"a":{"b":["c",{"d":true}]},"e":[]}\n', '[]', `${'['.repeat(17)}${']'.repeat(17)}`])(
    'says what the parser says of %j, as a program writes it',
    (text) => {
      expect(agree(text)).toBe(true);
    },
  );

  it('takes no text that is longer than one may be', () => {
    expect(MAX_PLAIN_LENGTH).toBeLessThanOrEqual(MAX_TEXT_LENGTH);
  });

  it('cuts off no space that is a letter to YAML', () => {
    for (const text of ['a: b\u00a0', 'a: b\u3000 # c', '- b\u2003\n- c']) expect(agree(text)).toBe(true);
  });

  it('ends quickly on deep and long text', () => {
    expect(readPlain('['.repeat(100_000), isVisible)).toBeNull();
    expect(readPlain(`a: ${'{a: '.repeat(50_000)}`, isVisible)).toBeNull();
    expect(readPlain('- '.repeat(100_000), isVisible)).toBeNull();
    expect(readPlain(`${'['.repeat(100_000)}${']'.repeat(100_000)}`, isVisible)).toBeNull();
    expect(readPlain(`${' # b\n\n'.repeat(200_000)}a: c`, isVisible)?.value).toEqual({ a: 'c' });
    expect(readPlain(`${'a:'.repeat(100_000)} b`, isVisible)).toBeNull();
    expect(readPlain(`"${'a'.repeat(500_000)}: b`, isVisible)).toBeNull();
  });
});
