// An approval is bound to one exact action: change anything of it and the digest is another.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displaySubject, subjectBytes, subjectDigest, type Subject } from '../../src/approval/index.js';
import { canonicalJson } from '../../src/canonical-json.js';
import type { Hex, Json, JsonObject } from '../../src/json.js';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const hex = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex') as Hex);
const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }) as fc.Arbitrary<Json>;
const object = fc.dictionary(text, json, { maxKeys: 4 }) as fc.Arbitrary<JsonObject>;

const fields: { readonly [Key in keyof Subject]: fc.Arbitrary<Subject[Key]> } = {
  tenant: text,
  run: text,
  workflowHash: hex,
  stepPath: text,
  attempt: fc.integer({ min: 1, max: 1000 }),
  iteration: fc.option(fc.nat(1000)),
  item: fc.option(fc.nat(1000)),
  function: text,
  input: json,
  agentDigest: fc.option(hex),
  sandbox: fc.option(object),
  credentials: fc.uniqueArray(text, { maxLength: 4 }),
  policyHash: hex,
  ceilingHash: hex,
  limits: object,
  data: object,
};
const subject: fc.Arbitrary<Subject> = fc.record(fields);
const KEYS = Object.keys(fields) as readonly (keyof Subject)[];

function canonical(key: keyof Subject, value: Subject): string {
  return canonicalJson(key === 'credentials' ? [...value.credentials].sort() : (value[key] ?? null));
}

describe('the subject digest', () => {
  it.each(KEYS)('changes with %s', (key) => {
    fc.assert(
      fc.property(subject, subject, (one, other) => {
        fc.pre(canonical(key, one) !== canonical(key, other));
        expect(subjectDigest({ ...one, [key]: other[key] })).not.toBe(subjectDigest(one));
      }),
    );
  });

  it('does not change with the order of keys or of credential names', () => {
    fc.assert(
      fc.property(subject, (one) => {
        const entries = Object.entries(one).reverse();
        const turned = Object.fromEntries(entries) as unknown as Subject;
        expect(subjectDigest({ ...turned, credentials: [...one.credentials].reverse() })).toBe(
          subjectDigest(one),
        );
      }),
    );
  });

  it('tells values apart that look alike', () => {
    const pairs: readonly (readonly [Json, Json])[] = [
      [1, '1'],
      [null, 'null'],
      [[], {}],
      [[1, 2], [12]],
      [{ a: 'b' }, { 'a"': 'b' }],
      ['e\u0301', '\u00e9'],
      ['a', 'a\u200b'],
      [{ a: null }, {}],
    ];
    fc.assert(
      fc.property(subject, fc.constantFrom(...pairs), (one, [a, b]) => {
        expect(subjectDigest({ ...one, input: a })).not.toBe(subjectDigest({ ...one, input: b }));
      }),
    );
  });
});

/** Reads a display back; knows nothing of how it was written but the rules: indent, `- `, `key:`, JSON scalars. */
function readDisplay(lines: readonly string[]): Json {
  let at = 0;
  const scalar = (shown: string): Json => {
    const plain = shown.replace(/(\\+)u\{([0-9a-f]+)\}/g, (all, slashes: string, point: string) => {
      if (slashes.length % 2 === 0) return all;
      return slashes.slice(1) + String.fromCodePoint(Number.parseInt(point, 16));
    });
    return JSON.parse(plain) as Json;
  };
  const quoted = (shown: string): string => {
    const name = scalar(shown);
    if (typeof name !== 'string') throw new Error(`${shown} is no key`);
    return name;
  };
  const value = (indent: string): Json => {
    const first = lines[at] ?? '';
    const body = first.slice(indent.length);
    const isItem = /^-(?: |$)/.test(body) && !/^-\d/.test(body);
    const head = /^(?:([A-Za-z_][A-Za-z0-9_-]*)|("(?:[^"\\]|\\.)*")):(?: |$)/;
    if (!isItem && !head.test(body)) {
      at++;
      return scalar(body);
    }
    const items: Json[] = [];
    const entries: [string, Json][] = [];
    for (; at < lines.length && (lines[at] ?? '').startsWith(indent);) {
      const line = (lines[at] ?? '').slice(indent.length);
      const found = head.exec(line);
      const mark = isItem ? '-' : found?.[0].trimEnd();
      if (mark === undefined || line.startsWith(' ')) break;
      const rest = line.slice(mark.length);
      let inner: Json;
      at++;
      if (rest === '') inner = value(`${indent}  `);
      else inner = scalar(rest.slice(1));
      if (isItem) items.push(inner);
      else entries.push([found?.[1] ?? quoted(found?.[2] ?? ''), inner]);
    }
    return isItem ? items : Object.fromEntries(entries);
  };
  return value('');
}

describe('what an approver sees', () => {
  const key = fc.oneof(
    text,
    fc.constantFrom(
      'a',
      'b',
      '-',
      '- a',
      'a: 1',
      '  a',
      'a:',
      '"a"',
      '\\u202e',
      '\u202e',
      '\\n',
      '\n',
      '__proto__',
      '',
    ),
  );
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Json>(
        null,
        true,
        -1,
        0.5,
        '',
        'a: 1',
        '- a',
        '{}',
        '\\u202e',
        '\u202e',
        '\\u{e0041}',
        '\u{e0041}',
      ),
      fc.string({ unit: 'binary' }).filter((one) => one.isWellFormed()),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));

  it('can be read back into the value: nothing is lost and no two values look alike', () => {
    fc.assert(
      fc.property(value, (shown) => {
        expect(canonicalJson(readDisplay(displaySubject(shown)))).toBe(canonicalJson(shown));
      }),
      { numRuns: 1000 },
    );
  });

  it('holds no character that hides or moves text, for any subject', () => {
    fc.assert(
      fc.property(subject, value, (one, input) => {
        const bytes = subjectBytes({ ...one, input });
        const lines = displaySubject(JSON.parse(new TextDecoder().decode(bytes)) as Json);
        expect(lines.join('')).not.toMatch(
          /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u,
        );
      }),
    );
  });

  it('is the same text for the same bytes', () => {
    fc.assert(
      fc.property(subject, (one) => {
        const read = (): Json => JSON.parse(new TextDecoder().decode(subjectBytes(one))) as Json;
        expect(displaySubject(read())).toEqual(displaySubject(read()));
      }),
    );
  });
});
