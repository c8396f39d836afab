import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import type { Secret } from './ports.js';
import { handleOf, NO_REDACTION, openRedactor } from './redaction.js';

const VALUE = 'p"ss/w\\rd+tüñ ✓?';

function redactor(...secrets: readonly (readonly [name: string, value: string | Uint8Array])[]) {
  const known: readonly Secret[] = secrets.map(([name, value]) => ({
    name,
    value: typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : value,
  }));
  return openRedactor({ current: () => known });
}

const ascii = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

describe('a secret in a text', () => {
  const handle = handleOf('api');
  const spellings: readonly (readonly [string, string])[] = [
    ['as it is', VALUE],
    ['in JSON', JSON.stringify(VALUE).slice(1, -1)],
    ['in JSON within JSON', JSON.stringify(JSON.stringify(VALUE).slice(1, -1)).slice(1, -1)],
    ['in JSON of ASCII alone', ascii(VALUE).slice(1, -1)],
    ['in JSON with escaped slashes', JSON.stringify(VALUE).slice(1, -1).replaceAll('/', '\\/')],
    ['percent-encoded', encodeURIComponent(VALUE)],
    ['percent-encoded in lower case', encodeURIComponent(VALUE).replace(/%../g, (hex) => hex.toLowerCase())],
    ['as a form field', new URLSearchParams({ v: VALUE }).toString().slice(2)],
    ['in hex', Buffer.from(VALUE).toString('hex')],
    ['in hex, upper case', Buffer.from(VALUE).toString('hex').toUpperCase()],
  ];
  it.each(spellings)('is replaced %s', (_, spelled) => {
    expect(redactor(['api', VALUE]).text(`before ${spelled} after`)).toBe(`before ${handle} after`);
  });

  it.each([
    ['base64', 'base64'],
    ['base64url', 'base64url'],
  ] as const)('is replaced in %s, wherever the encoded text begins', (_, encoding) => {
    for (const before of ['', 'u', 'us', 'user:']) {
      for (const after of ['', 'x', 'xy']) {
        const text = Buffer.from(before + VALUE + after).toString(encoding);
        const redacted = redactor(['api', VALUE]).text(text);
        expect(redacted).toContain(handle);
        const left = redacted.split(handle).map((part) => Buffer.from(part, encoding).toString());
        expect(left.join('')).not.toContain(VALUE.slice(2, -2));
      }
    }
  });

  it('is replaced at every place', () => {
    expect(redactor(['api', 'abcdefgh']).text('abcdefgh,abcdefghabcdefgh')).toBe(
      `${handle},${handle}${handle}`,
    );
  });

  it('is taken as text, not as a pattern, and its replacement too', () => {
    const { text } = redactor(['api', '.*.*.*.*'], ['other', "$&$1$'$`"]);
    expect(text("anything .*.*.*.* $&$1$'$`")).toBe(`anything ${handle} ${handleOf('other')}`);
  });

  it('that contains another secret is replaced whole', () => {
    const both = redactor(['short', 'abcdefgh'], ['long', 'xxabcdefghxx']);
    expect(both.text('xxabcdefghxx abcdefgh')).toBe(`${handleOf('long')} ${handleOf('short')}`);
  });

  it('leaves everything else alone', () => {
    const text = 'abcdefg abcdefgi ABCDEFGH';
    expect(redactor(['api', 'abcdefgh']).text(text)).toBe(text);
  });
});

describe('a secret in JSON', () => {
  it('is replaced in strings and keys at any depth', () => {
    const value: Json = { a: ['abcdefgh', { abcdefgh: 'x abcdefgh' }], n: 1 };
    const handle = handleOf('api');
    expect(redactor(['api', 'abcdefgh']).json(value)).toEqual({
      a: [handle, { [handle]: `x ${handle}` }],
      n: 1,
    });
  });

  it('ends at a depth that nothing stored can have, also in a value that contains itself', () => {
    const cyclic: Record<string, Json> = {};
    cyclic['self'] = cyclic;
    expect(() => redactor(['api', 'abcdefgh']).json(cyclic)).not.toThrow();
  });

  it('is replaced as a whole number, and not as a part of one', () => {
    const { json } = redactor(['pin', '12345678']);
    expect(json([12345678, 123456789])).toEqual([handleOf('pin'), 123456789]);
  });

  it('gives the very same value when nothing is found, and keeps a key __proto__', () => {
    const value = JSON.parse('{"__proto__": {"a": [1]}, "b": "abcdefgh"}') as Json;
    expect(redactor(['api', 'nothing like it']).json(value)).toBe(value);
    const redacted = redactor(['api', 'abcdefgh']).json(value);
    expect(JSON.stringify(redacted)).toBe(`{"__proto__":{"a":[1]},"b":"${handleOf('api')}"}`);
  });
});

describe('a secret in bytes', () => {
  it('is replaced between bytes that are no text', () => {
    const around = (middle: Uint8Array): Uint8Array =>
      new Uint8Array(Buffer.concat([Buffer.of(0, 255, 0xc3), middle, Buffer.of(0x80, 10)]));
    const redacted = redactor(['api', VALUE]).bytes(around(Buffer.from(VALUE)));
    expect(redacted).toEqual(around(Buffer.from(handleOf('api'))));
  });

  it('that is no text itself is found in hex, base64 and percent-encoding', () => {
    const value = new Uint8Array([0, 255, 254, 128, 1, 2, 3, 200]);
    const { text } = redactor(['raw', value]);
    for (const spelled of [
      Buffer.from(value).toString('hex'),
      Buffer.from(value).toString('base64').replace(/.=*$/, ''),
      '%00%FF%FE%80%01%02%03%C8',
    ]) {
      expect(text(spelled)).toContain(handleOf('raw'));
    }
  });
});

describe('any secret', () => {
  const secret = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 }).filter((value) => {
    return Buffer.byteLength(value) >= 8 && !handleOf('api').includes(value);
  });

  it('is gone from any JSON, which stays the same when it is redacted again', () => {
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
        const { json, text } = redactor(['api', value]);
        const once = json({ [before + value]: [before + value + after, JSON.stringify({ value })] });
        const written = JSON.stringify(once);
        expect(text(written)).toBe(written);
        expect(json(once)).toBe(once);
      }),
    );
  });

  it('is gone from any bytes', () => {
    fc.assert(
      fc.property(secret, fc.uint8Array(), fc.uint8Array(), (value, before, after) => {
        const bytes = new Uint8Array(Buffer.concat([before, Buffer.from(value), after]));
        const redacted = Buffer.from(redactor(['api', value]).bytes(bytes));
        expect(redacted.includes(Buffer.from(value))).toBe(false);
      }),
    );
  });
});

describe('the list of secrets', () => {
  it('is read at every call, so that a new one counts at once', () => {
    let known: readonly Secret[] = [];
    const { text } = openRedactor({ current: () => known });
    expect(text('abcdefgh')).toBe('abcdefgh');
    known = [{ name: 'new', value: new Uint8Array(Buffer.from('abcdefgh')) }];
    expect(text('abcdefgh')).toBe(handleOf('new'));
    known = [];
    expect(text('abcdefgh')).toBe('abcdefgh');
  });

  it('may be empty', () => {
    const bytes = new Uint8Array([1]);
    expect([NO_REDACTION.text('a'), NO_REDACTION.json('a'), NO_REDACTION.bytes(bytes)]).toEqual([
      'a',
      'a',
      bytes,
    ]);
  });
});
