// Our paths and those of an RFC 9535 implementation give the same matches where both languages say the same: texts are
// made so that they stay in what is common (no filter on an object, operands that are there and of one type).
import fc from 'fast-check';
import { query } from 'json-p3';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../json.js';
import { isDefinite, parsePath, tryReadPath } from './path.js';
import type { Sources } from '../sources.js';

function from(input: Json): Sources {
  return { input, context: () => ({}), variable: () => undefined, random: () => new Uint8Array(32) };
}

/** All matches of ours: a definite path gives one or none. */
function matches(source: string, data: Json): Json {
  const path = parsePath(source);
  const found = tryReadPath(path, from(data));
  if (!isDefinite(path)) return found.found ? found.value : 'an indefinite path always gives a list';
  return found.found ? [found.value] : [];
}

const KEYS = ['a', 'b', 'c', 'a-b', 'ключ', '__proto__', 'x y'];
const key = fc.constantFrom(...KEYS);
const index = fc.integer({ min: -4, max: 4 });
const scalar = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom('a', 'b', '', '🌊'),
  fc.boolean(),
  fc.constant(null),
);

const { data } = fc.letrec<{ data: Json }>((tie) => ({
  data: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    fc.array(tie('data'), { maxLength: 5 }),
    // Own keys, `__proto__` too: as JSON.parse makes them.
    fc
      .array(fc.tuple(key, tie('data')), { maxLength: 4 })
      .map((members) => JSON.parse(objectText(members)) as Json),
  ),
}));

function objectText(members: readonly (readonly [string, Json])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

const quoted = key.map((name) => `'${name}'`);
const bound = fc.option(index, { nil: undefined }).map((one) => (one === undefined ? '' : String(one)));
const slice = fc
  .tuple(bound, bound, fc.option(fc.integer({ min: -2, max: 3 }), { nil: undefined }))
  .map(([a, b, step]) => `[${a}:${b}${step === undefined ? '' : `:${step}`}]`);
const single = fc.oneof(
  fc.constantFrom('.a', '.b', '.c', '.ключ'),
  quoted.map((name) => `[${name}]`),
  index.map((one) => `[${one}]`),
);
const several = fc.oneof(
  fc.constantFrom('.*', '[*]', '..*', '..[*]', '..a', '..b'),
  slice,
  slice.map((one) => `..${one}`),
  index.map((one) => `..[${one}]`),
  fc
    .tuple(fc.array(fc.oneof(quoted, index.map(String)), { minLength: 1, maxLength: 2 }), index)
    .map(([some, one]) => `[${some.join(', ')}, ${one}]`),
  // Of names alone it is a part of the object at the end of a path (path.test.ts), and further on what RFC 9535 says.
  fc.array(quoted, { minLength: 2, maxLength: 3 }).map((some) => `[${some.join(', ')}].*`),
);
const path = fc.array(fc.oneof(single, several), { maxLength: 5 }).map((parts) => `$${parts.join('')}`);

describe('a path and RFC 9535', () => {
  it('agree on names, indices, wildcards, slices, unions and `..`', () => {
    let matching = 0;
    fc.assert(
      fc.property(path, data, (source, document) => {
        const expected = query(source, document as never).values();
        expect(matches(source, document)).toEqual(expected);
        if (expected.length > 0) matching++;
      }),
      { numRuns: 5000 },
    );
    expect(matching).toBeGreaterThan(500); // the documents do hold what the paths look for
  });

  it('agree on filters over lists of objects', () => {
    const records = fc.array(
      fc.record(
        { n: fc.integer({ min: -3, max: 3 }), s: fc.constantFrom('a', 'b', 'c'), o: data },
        { requiredKeys: ['n', 's'] },
      ),
      { maxLength: 6 },
    );
    const number = fc.integer({ min: -3, max: 3 }).map(String);
    const text = fc.constantFrom("'a'", '"b"', "'c'");
    const operator = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
    const comparison = fc.oneof(
      fc.tuple(fc.constant('@.n'), operator, fc.oneof(number, fc.constantFrom('@.n', '$.limit'))),
      fc.tuple(number, operator, fc.constant('@.n')),
      fc.tuple(fc.constant('@.s'), operator, fc.oneof(text, fc.constant("@['s']"))),
    );
    const { test } = fc.letrec<{ test: string }>((tie) => ({
      test: fc.oneof(
        { maxDepth: 4 },
        comparison.map((parts) => parts.join(' ')),
        fc.constantFrom('@.o', '@.o.a', '!@.o', '@.o[0]', '@.o[*]', '@..a', '$.limit', '$.nope'),
        fc.tuple(tie('test'), fc.constantFrom('&&', '||'), tie('test')).map((parts) => parts.join(' ')),
        tie('test').map((one) => `(${one})`),
        tie('test').map((one) => `!(${one})`),
      ),
    }));
    fc.assert(
      fc.property(test, records, fc.integer({ min: -3, max: 3 }), (one, items, limit) => {
        const document = { items, limit } as unknown as Json;
        for (const source of [`$.items[?(${one})]`, `$.items[?${one}].n`]) {
          expect(matches(source, document)).toEqual(query(source, document as never).values());
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('agree on what is no path, where neither has more than the other', () => {
    for (const source of [
      '',
      'a',
      '$.',
      '$..',
      '$[',
      '$[]',
      "$['a",
      '$[a]',
      '$[1',
      '$[?]',
      '$[?@.a ==]',
      '$[0,]',
    ]) {
      expect(() => parsePath(source)).toThrow();
      expect(() => query(source, {})).toThrow();
    }
  });
});
