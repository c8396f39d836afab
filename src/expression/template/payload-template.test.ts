import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { fillPayload, payloadFaults } from './payload-template.js';
import type { Sources } from '../sources.js';

function from(input: Json): Sources {
  return {
    input,
    context: () => ({ Map: { Item: { Value: 'item', Index: 2 } } }),
    variable: (name) => (name === 'limit' ? 5 : undefined),
    random: () => new Uint8Array(32),
  };
}

function fault(run: () => unknown): { readonly code: string; readonly message: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'nothing thrown', message: '' };
}

describe('a payload template', () => {
  it('fills keys that end in .$ at any depth, cuts the suffix, and keeps the order of keys', () => {
    const template = {
      a: 1,
      'id.$': '$.claim.id',
      nested: { list: [{ 'v.$': '$$.Map.Item.Value' }, '$.claim.id', 7] },
      'limit.$': '$limit',
      'text.$': "States.Format('#{}', $.claim.id)",
      'all.$': '$',
      z: null,
    };
    const input = { claim: { id: 3 } };
    const filled = fillPayload(template, from(input));
    expect(JSON.stringify(filled)).toBe(
      '{"a":1,"id":3,"nested":{"list":[{"v":"item"},"$.claim.id",7]},"limit":5,"text":"#3","all":{"claim":{"id":3}},"z":null}',
    );
  });

  it('leaves every other text as it is, also one that looks like a path', () => {
    const template = { bucket: '$bucket', path: '$.a', call: 'States.UUID()', 'a.$b': '$.x' };
    expect(fillPayload(template, from({}))).toBe(template);
  });

  it('fills a list for an indefinite path, empty when nothing matches', () => {
    expect(fillPayload({ 'types.$': '$[*].type' }, from({}))).toEqual({ types: [] });
  });

  it('never looks at what it filled in as a template', () => {
    const input = { 'x.$': '$.secret', secret: 1 };
    expect(fillPayload({ 'a.$': '$' }, from(input))).toEqual({ a: input });
  });

  it('is JSON of any kind', () => {
    for (const template of [null, 1, 'text', true, [], {}, [1, { a: [] }]]) {
      expect(fillPayload(template, from({}))).toBe(template);
    }
    expect(fillPayload([{ 'a.$': '$.b' }, 1], from({ b: 2 }))).toEqual([{ a: 2 }, 1]);
    expect(fillPayload({ '.$': '$.b' }, from({ b: 2 }))).toEqual({ '': 2 });
  });

  it('names the path, the field and the input when a path is not in the data', () => {
    expect(
      fault(() => fillPayload({ o: { 'address.$': '$.application.address' } }, from({ flagged: false }))),
    ).toEqual({
      code: 'STEP_PATH_UNRESOLVED',
      message:
        "The JSONPath '$.application.address' specified for the field 'address.$' could not be found in the input '{\"flagged\":false}'",
    });
  });

  it('quotes a large input cut short, and never the context', () => {
    const { message } = fault(() => fillPayload({ 'a.$': '$.b' }, from({ x: 'y'.repeat(1_000_000) })));
    expect(message.length).toBeLessThan(20_000);
    expect(fault(() => fillPayload({ 'a.$': '$$.Nope' }, from({}))).message).not.toContain('item');
  });

  it('makes ordinary keys of names that lead to prototypes', () => {
    const template = JSON.parse('{"__proto__.$": "$.a", "b": {"__proto__": {"c.$": "$.a"}}}') as Json;
    const filled = fillPayload(template, from({ a: { polluted: true } }));
    expect(JSON.stringify(filled)).toBe(
      '{"__proto__":{"polluted":true},"b":{"__proto__":{"c":{"polluted":true}}}}',
    );
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('faults of a payload template', () => {
  it('are found without data, with their place', () => {
    const faults = payloadFaults({
      'ok.$': '$.a',
      'call.$': "States.Format('{}', $.a)",
      'number.$': 1,
      'plain.$': 'text',
      deep: [{ 'bad.$': '$.a[' }],
      'escape.$': `States.StringToJson('{"text":"An \\"escaped\\""}')`,
      twice: 1,
      'twice.$': '$.b',
    });
    expect(faults.map(({ at, code }) => [at.join('/'), code])).toEqual([
      ['number.$', 'DOC_EXPRESSION'],
      ['plain.$', 'DOC_EXPRESSION'],
      ['deep/0/bad.$', 'DOC_EXPRESSION'],
      ['escape.$', 'DOC_EXPRESSION'],
      ['twice.$', 'DOC_DUPLICATE_FIELD'],
    ]);
    expect(faults[3]?.message).toContain(
      "the value for the field 'escape.$' must be a valid JSONPath or a valid intrinsic function call",
    );
  });

  it('a template with none never throws anything but a fault of the data, and one with some is refused', () => {
    const text = fc.constantFrom(
      '$',
      '$.a',
      '$.a[0]',
      '$..a',
      '$$.Map',
      '$limit',
      '$x',
      'States.UUID()',
      "States.Format('{}', $.a)",
      'x',
      '$.',
      '',
    );
    const { template } = fc.letrec<{ template: Json }>((tie) => ({
      template: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
        fc.array(tie('template'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'toString'), tie('template'), { maxKeys: 3 }),
        fc.dictionary(fc.constantFrom('a.$', 'c.$', '__proto__.$', '.$'), text, { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(template, fc.jsonValue(), (one, data) => {
        const before = JSON.stringify(one);
        const faults = payloadFaults(one).filter(({ code }) => code === 'DOC_EXPRESSION');
        const { code } = fault(() => fillPayload(one, from(data as Json)));
        const allowed = ['nothing thrown', 'STEP_PATH_UNRESOLVED', 'STEP_INTRINSIC'];
        expect(faults.length > 0 ? [...allowed.slice(1), 'DOC_EXPRESSION'] : allowed).toContain(code);
        expect(JSON.stringify(one)).toBe(before);
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('end at the depth a document may have', () => {
    let deep: Json = { 'a.$': '$.b' };
    for (let i = 0; i < 10_000; i++) deep = [deep];
    expect(payloadFaults(deep)).toHaveLength(1);
    expect(fault(() => fillPayload(deep, from({}))).code).toBe('DOC_EXPRESSION');
  });
});
