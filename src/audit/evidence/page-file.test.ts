// The evidence page as a file: what goes in comes out, byte for byte, and nothing of it can end its own block.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../canonical-json.js';
import { escapeJson, evidenceOfPage, evidencePage, isOwnPage, unescapeJson } from './page-file.js';

const PARTS = { script: 'let a = 1 < 2;', style: 'p { color: red }' };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('the evidence page', () => {
  it('gives back the very bytes of the bundle, whatever they spell', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const json = utf8(canonicalJson(JSON.parse(JSON.stringify(value))));
        const back = evidenceOfPage(evidencePage(json, PARTS));
        expect(back === null ? null : textOf(back)).toBe(textOf(json));
      }),
    );
  });

  it.each([
    '</script>',
    '<!--',
    '\\u003c',
    '\\\\u003c',
    '\\\\<\\u003c',
    '<script type="application/json" id="evidence">',
  ])('keeps %s inside the data block', (hostile) => {
    const json = utf8(canonicalJson({ hostile }));
    const page = evidencePage(json, PARTS);
    expect(textOf(page).split('</script>')).toHaveLength(3);
    expect(evidenceOfPage(page)).toEqual(json);
    expect(unescapeJson(escapeJson(textOf(json)))).toBe(textOf(json));
  });

  it('allows its own script and style by hash, and nothing else', () => {
    const page = textOf(evidencePage(utf8('{}'), PARTS));
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1];
    expect(policy).toMatch(
      /^default-src 'none'; script-src 'sha256-[A-Za-z0-9+/=]{44}'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'$/,
    );
    expect(page).not.toMatch(/https?:|url\(|@import|\bsrc=|\bhref=/);
  });

  it('says that nothing was checked as long as its script has not run', () => {
    expect(textOf(evidencePage(utf8('{}'), PARTS))).toContain('Nothing here was checked');
  });

  it('refuses parts that would end their own element', () => {
    for (const script of ['a("</script>")', 'a("</SCRIPT>")', '<!-- b']) {
      expect(() => evidencePage(utf8('{}'), { ...PARTS, script })).toThrow(/end its own script/);
    }
    expect(() => evidencePage(utf8('{}'), { ...PARTS, style: '</style>' })).toThrow(/end its own script/);
  });

  it('finds no bundle in a page with none, with two, or with one that does not end', () => {
    const block = '<script type="application/json" id="evidence">{}</script>';
    expect(evidenceOfPage(utf8(''))).toBeNull();
    expect(evidenceOfPage(utf8(`${block}${block}`))).toBeNull();
    expect(evidenceOfPage(utf8('<script type="application/json" id="evidence">{}'))).toBeNull();
    expect(evidenceOfPage(utf8(block))).toEqual(utf8('{}'));
  });

  it('tells its own page from one that was changed around the bundle', () => {
    const json = utf8('{"a":"<"}');
    const page = evidencePage(json, PARTS);
    expect(isOwnPage(page, json, PARTS)).toBe(true);
    expect(isOwnPage(utf8(textOf(page).replace('1 < 2', '1 < 3')), json, PARTS)).toBe(false);
  });
});
