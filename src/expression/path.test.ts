import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { parsePath, parseReferencePath, PATH_MAX_LENGTH, readPath, tryReadPath, writePath } from './path.js';

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

const DATA: Json = {
  claim: { id: 7, 'a b': 'x', 'risk-score': 0.5, items: [1, { n: 2 }, 3] },
  'it\'s "q"': 'quoted',
  'ключ 🌊': 'unicode',
};

describe('a path', () => {
  it.each<[string, Json]>([
    ['$', DATA],
    ['$.claim.id', 7],
    ['$.claim.risk-score', 0.5],
    ["$['claim']['a b']", 'x'],
    ['$["claim"]["a b"]', 'x'],
    ['$.claim.items[0]', 1],
    ['$.claim.items[-1]', 3],
    ['$.claim.items[1].n', 2],
    ["$['it\\'s \\\"q\\\"']", 'quoted'],
    ["$['ключ 🌊']", 'unicode'],
    ["$['\\u0063laim'].id", 7],
    ["$[ 'claim' ].id", 7],
    ['$$.Execution.Id', 'run-1'],
  ])('%s reads one value', (source, expected) => {
    expect(readPath(parsePath(source), DATA, { Execution: { Id: 'run-1' } })).toEqual(expected);
  });

  it.each([
    '$.nope',
    '$.claim.nope.x',
    '$.claim.items[3]',
    '$.claim.items[-4]',
    '$.claim[0]',
    '$.claim.items.n',
  ])('%s that is not there is an error that names it, or an answer', (source) => {
    const path = parsePath(source);
    expect(code(() => readPath(path, DATA, {}))).toBe('STEP_PATH_UNRESOLVED');
    expect(() => readPath(path, DATA, {})).toThrow(source);
    expect(tryReadPath(path, DATA, {})).toEqual({ found: false });
  });

  it('finds null as a value', () => {
    expect(tryReadPath(parsePath('$.a'), { a: null }, {})).toEqual({ found: true, value: null });
  });

  it.each([
    '$..id',
    '$.*',
    '$.claim.*',
    '$.items[*]',
    '$.items[0:2]',
    '$.items[:2]',
    '$.items[0,1]',
    "$['a','b']",
    '$.items[?(@.x == 1)]',
    '$name',
    '$name.x',
    '$.items.length()',
    "States.Format('{}', $.a)",
  ])('%s is refused because this version does not run it', (source) => {
    expect(code(() => parsePath(source))).toBe('DOC_UNSUPPORTED');
  });

  it.each([
    '',
    'a.b',
    '.a',
    '$.',
    '$a b',
    '$.a b',
    '$.a.',
    '$[',
    '$[]',
    "$['a",
    "$['a'",
    '$[x]',
    '$.a]',
    '$.a(',
    ' $.a',
  ])('%j is no path', (source) => {
    expect(['DOC_EXPRESSION', 'DOC_UNSUPPORTED']).toContain(code(() => parsePath(source)));
  });

  it('holds at its limits and is refused one above', () => {
    expect(parsePath(`$.${'x'.repeat(PATH_MAX_LENGTH - 2)}`).segments).toHaveLength(1);
    expect(code(() => parsePath(`$.${'x'.repeat(PATH_MAX_LENGTH - 1)}`))).toBe('DOC_EXPRESSION');
    expect(parsePath(`$${'.a'.repeat(64)}`).segments).toHaveLength(64);
    expect(code(() => parsePath(`$${'.a'.repeat(65)}`))).toBe('DOC_EXPRESSION');
  });

  it('treats __proto__ as an ordinary key and never as the prototype', () => {
    const own = JSON.parse('{"__proto__": {"x": 1}}') as Json;
    expect(readPath(parsePath('$.__proto__.x'), own, {})).toBe(1);
    for (const source of ['$.__proto__', '$.constructor', '$.toString', '$.a.length']) {
      expect(tryReadPath(parsePath(source), { a: 'text' }, {})).toEqual({ found: false });
    }
    const written = writePath(parsePath('$.__proto__.polluted'), {}, true);
    expect(JSON.stringify(written)).toBe('{"__proto__":{"polluted":true}}');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('writing to a path', () => {
  it.each<[string, Json, Json]>([
    ['$', { a: 1 }, 9],
    ['$.b', { a: 1 }, { a: 1, b: 9 }],
    ['$.a', { a: 1 }, { a: 9 }],
    ['$.b.c.d', {}, { b: { c: { d: 9 } } }],
    ["$['b c']", {}, { 'b c': 9 }],
    ['$.l[1]', { l: [1, 2] }, { l: [1, 9] }],
    ['$.l[-1].x', { l: [{ y: 1 }] }, { l: [{ y: 1, x: 9 }] }],
  ])('%s keeps the rest and creates what is missing', (source, document, expected) => {
    const before = JSON.stringify(document);
    expect(writePath(parseReferencePath(source), document, 9)).toEqual(expected);
    expect(JSON.stringify(document)).toBe(before);
  });

  it.each<[string, Json]>([
    ['$.a.b', { a: 1 }],
    ['$.a.b', { a: 'text' }],
    ['$.a.b', { a: null }],
    ['$.a.b', { a: [] }],
    ['$.a', 'text'],
    ['$.a', []],
    ['$[0]', {}],
    ['$.l[2]', { l: [1, 2] }],
    ['$.l[0]', {}],
  ])('%s onto what is not an object is STEP_RESULT_PATH: %j', (source, document) => {
    expect(code(() => writePath(parseReferencePath(source), document, 9))).toBe('STEP_RESULT_PATH');
  });

  it('refuses the context', () => {
    expect(code(() => parseReferencePath('$$.x'))).toBe('DOC_EXPRESSION');
  });

  it('is read back by the same path', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 6 }), fc.jsonValue(), (keys, value) => {
        const path = { source: 'made', root: 'input', segments: keys } as const;
        const written = writePath(path, {}, value as Json);
        expect(readPath(path, written, {})).toEqual(value);
      }),
    );
  });
});
