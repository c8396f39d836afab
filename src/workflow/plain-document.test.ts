// The quick reader is a second reader of the same documents: whatever it answers, the parser answers too, every value and
// place, and has nothing to say about it.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { flowLines, jsonText, styledYaml, yamlLines } from '../../test/property/yaml-text.js';
import { readDocument, readWithParser } from './document.js';
import { MAX_PLAIN_DOCUMENT, readPlainDocument } from './plain-document.js';

/** Fails where the quick reader answers and the parser says something else. True when it answered. */
function agree(text: string): boolean {
  const root = readPlainDocument(text);
  if (root === null) return false;
  const parsed = readWithParser(text);
  expect({ text, root, found: [] }).toEqual({ text, root: parsed.root, found: parsed.findings.list() });
  return true;
}

describe('the quick reader of workflows', () => {
  it('says nothing that the parser does not say, of lines as people write them and slip', () => {
    let answered = 0;
    fc.assert(
      fc.property(yamlLines, (text) => {
        if (agree(text)) answered += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(answered).toBeGreaterThan(1_000);
  });

  it('says what the parser says of documents in every style, and of JSON, and reads most of them', () => {
    let answered = 0;
    fc.assert(
      fc.property(styledYaml, flowLines, jsonText, fc.json(), (text, ...others) => {
        for (const other of others) agree(other);
        if (agree(text)) answered += 1;
      }),
      { numRuns: 5_000 },
    );
    expect(answered).toBeGreaterThan(2_500);
  });

  it('says what the parser says of the templates', () => {
    const folder = fileURLToPath(new URL('templates/', import.meta.url));
    const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const text = readFileSync(folder + file, 'utf8');
      agree(text);
      expect(readDocument(text)).toEqual(readWithParser(text));
    }
  });

  it('reads a chain of steps by itself, as text and as JSON, and leaves a longer one to the parser', () => {
    const chain = (count: number) => ({
      id: 'chain',
      steps: Array.from({ length: count }, (_, n) => ({
        name: `S${n}`,
        functionId: 'tool::health_check',
        config: { n, text: '{{item}}', ok: true },
      })),
    });
    for (const indent of [undefined, 2]) expect(agree(JSON.stringify(chain(200), null, indent))).toBe(true);
    expect(agree('id: chain\nsteps:\n  - name: S1\n    functionId: tool::health_check\n')).toBe(true);
    const long = JSON.stringify(chain(3_000));
    expect(long.length).toBeGreaterThan(MAX_PLAIN_DOCUMENT);
    expect(agree(long)).toBe(false);
  });

  it.each([
    ['a key twice', 'a: 1\na: 2'],
    ['a second document', 'a: 1\n---\nb: 2'],
    ['an alias', 'a: &x 1\nb: *x'],
    ['a merge key', '<<: {a: 1}'],
    ['a tag', 'a: !!str b'],
    ['a null', 'a: null'],
    ['a number that is not whole', 'a: 1.5'],
    ['a number beyond what is exact', 'a: 9007199254740993'],
    ['letters beyond ASCII', 'a: gr\u00fc\u00dfe'],
    ['nothing', ''],
  ])('leaves %s to the parser', (_, text) => {
    expect(readPlainDocument(text)).toBeNull();
  });
});
