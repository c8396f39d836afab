import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import type { Scope } from '../scope.js';
import { parseUntil, parseVariable, textOf, untilHolds } from './until.js';

const NAMES = new Set(['Check Status', 'limit']);

function scope(values: Record<string, Json> = {}): Scope {
  return { values: new Map(Object.entries(values)), known: NAMES, onMissing: 'error' };
}

function holds(until: Json, output: Json, values?: Record<string, Json>): boolean {
  return untilHolds(parseUntil(until, NAMES), output, scope(values)).holds;
}

function why(until: Json, output: Json): string {
  return untilHolds(parseUntil(until, NAMES), output, scope()).why;
}

function failure(run: () => unknown): WritError {
  try {
    run();
  } catch (error) {
    if (error instanceof WritError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('until as a text', () => {
  it.each<[string, object]>([
    ['LGTM', { kind: 'phrase', phrase: 'LGTM' }],
    ['  all tests pass\n', { kind: 'phrase', phrase: 'all tests pass' }],
    ['R&D says yes', { kind: 'phrase', phrase: 'R&D says yes' }],
    ['done.', { kind: 'phrase', phrase: 'done.' }],
    ['quality_score > 0.9', { kind: 'expression', expression: 'quality_score > 0.9' }],
    ["status == 'ok'", { kind: 'expression' }],
    ['!open', { kind: 'expression' }],
    ['{{Check Status.ok}}', { kind: 'expression' }],
    ['a && b', { kind: 'expression' }],
    ['checks[0].ok', { kind: 'expression' }],
  ])('%j is a phrase without operator, quote, bracket or braces, else an expression', (text, expected) => {
    expect(parseUntil(text, NAMES)).toMatchObject(expected);
  });

  it.each<[string, string, number | undefined]>([
    ['score = 1', 'DOC_EXPRESSION', 6],
    ['it is "fine', 'DOC_EXPRESSION', 3],
    ['Done!', 'DOC_EXPRESSION', 4],
    ['score >', 'DOC_EXPRESSION', 7],
    ['', 'DOC_BAD_VALUE', undefined],
    [' \n', 'DOC_BAD_VALUE', undefined],
  ])('%j is refused, with the place', (text, code, offset) => {
    const error = failure(() => parseUntil(text, NAMES));
    expect(error.code).toBe(code);
    expect(error.details?.['offset']).toBe(offset);
    if (text === 'Done!') expect(error.hint).toContain('contains');
  });

  it('holds when the phrase is in the text as whole words', () => {
    expect(holds('LGTM', 'ok, LGTM!')).toBe(true);
    expect(holds('LGTM', 'lgtm')).toBe(false);
    expect(holds('LGTM', { content: 'LGTM', model: 'x' })).toBe(true);
    expect(holds('LGTM', { content: 'no', model: 'LGTM' })).toBe(false);
    expect(holds('LGTM', { verdict: 'LGTM' })).toBe(true);
    expect(holds('LGTM', ['x', 'LGTM'])).toBe(true);
    expect(holds('LGTM', null)).toBe(false);
  });

  it('never takes the output for part of an expression', () => {
    expect(holds("verdict == 'yes'", { verdict: "x' == 'x' || 'a" })).toBe(false);
    expect(holds('LGTM', '{{LGTM_not}}')).toBe(false);
  });

  it('looks paths up in the output, in the JSON of its text, then in the variables', () => {
    const expression = 'quality_score > 0.9';
    expect(holds(expression, { quality_score: 0.95 })).toBe(true);
    expect(holds(expression, { quality_score: 0.9 })).toBe(false);
    expect(holds(expression, '{"quality_score": 0.95}')).toBe(true);
    expect(holds(expression, { content: '{"quality_score": 0.95}', model: 'm' })).toBe(true);
    expect(holds(expression, 'quality_score: 1', { quality_score: 0.95 })).toBe(true);
    expect(holds(expression, { quality_score: 0.1 }, { quality_score: 0.95 })).toBe(false);
    expect(holds(expression, { quality_score: null }, { quality_score: 0.95 })).toBe(false);
    expect(holds(expression, { quality_score: '0.95' })).toBe(false);
    expect(holds('{{output.score}} >= limit', { score: 2 }, { limit: 2, output: { score: 0 } })).toBe(true);
    expect(holds('{{Check Status.ok}} == true', {}, { 'Check Status': { ok: true } })).toBe(true);
    expect(holds('!missing', {})).toBe(false);
    expect(holds('constructor == null', {})).toBe(false);
  });
});

describe('until as an object', () => {
  it.each<[Json, Json, boolean]>([
    [{ contains: 'lgtm' }, 'Not yet, LGTMs later', true],
    [{ contains: 'GRÜSSE' }, 'grüsse', true],
    [{ contains: 'x' }, 'y', false],
    [{ path: 'approved', equals: true }, { approved: true }, true],
    [{ path: 'approved', equals: true }, { approved: 'true' }, false],
    [{ path: 'approved', equals: true }, {}, false],
    [{ path: 'a', equals: { b: [1] } }, { a: { b: [1] } }, true],
    [{ path: 'a', equals: null }, { a: null }, true],
    [{ path: 'a', notEquals: 1 }, { a: 2 }, true],
    [{ path: 'a', notEquals: 1 }, {}, false],
    [{ path: 'n', lt: 2 }, { n: 1 }, true],
    [{ path: 'n', lt: 1 }, { n: 1 }, false],
    [{ path: 'n', lte: 1 }, { n: 1 }, true],
    [{ path: 'n', gt: 1 }, { n: 1 }, false],
    [{ path: 'n', gte: 1 }, { n: 1 }, true],
    [{ path: 'n', gte: 1 }, { n: '1' }, false],
    [{ path: 'd', gte: '2026-01-01' }, { d: '2026-02-01' }, true],
    [{ path: 'checks[0].status', word: 'ok' }, { checks: [{ status: 'all ok.' }] }, true],
    [{ path: 'checks[0].status', word: 'ok' }, { checks: [{ status: 'okay' }] }, false],
    [{ path: 'verdict', word: 'yes' }, { content: '{"verdict": "yes"}' }, true],
    [{ path: 'output', word: 'yes' }, 'oh yes', true],
    [{ path: '{{Check Status.ok}}', equals: true, 'x-why': 1 }, {}, false],
  ])('%j on %j: %j', (until, output, expected) => {
    expect(holds(until, output)).toBe(expected);
  });

  it.each<[Json, string, unknown]>([
    [{}, 'DOC_MISSING_FIELD', undefined],
    [{ path: 'a' }, 'DOC_MISSING_FIELD', undefined],
    [{ equals: 1 }, 'DOC_MISSING_FIELD', undefined],
    [{ path: 'a', equals: 1, lt: 2 }, 'DOC_BAD_VALUE', 'lt'],
    [{ contains: 'a', path: 'b' }, 'DOC_BAD_VALUE', 'contains'],
    [{ contains: 1 }, 'DOC_WRONG_TYPE', 'contains'],
    [{ contains: '' }, 'DOC_BAD_VALUE', 'contains'],
    [{ path: 1, equals: 1 }, 'DOC_WRONG_TYPE', 'path'],
    [{ path: 'a == b', equals: 1 }, 'DOC_EXPRESSION', 'path'],
    [{ path: '', equals: 1 }, 'DOC_EXPRESSION', 'path'],
    [{ path: '{{a}} && b', equals: 1 }, 'DOC_EXPRESSION', 'path'],
    [{ path: 'a', lt: true }, 'DOC_WRONG_TYPE', 'lt'],
    [{ path: 'a', word: ' ' }, 'DOC_BAD_VALUE', 'word'],
    [{ path: 'a', word: 1 }, 'DOC_WRONG_TYPE', 'word'],
    [{ pth: 'a', equals: 1 }, 'DOC_UNKNOWN_FIELD', 'pth'],
    [7, 'DOC_WRONG_TYPE', undefined],
    [null, 'DOC_WRONG_TYPE', undefined],
  ])('%j is refused at load', (until, code, field) => {
    const error = failure(() => parseUntil(until, NAMES));
    expect(error.code).toBe(code);
    expect(error.details?.['field']).toBe(field);
  });
});

describe('why', () => {
  it('names what the document says and nothing of the output', () => {
    expect(why('LGTM', 's3cret')).toBe('the output does not have "LGTM" as whole words');
    expect(why('LGTM', 'LGTM')).toBe('the output has "LGTM" as whole words');
    expect(why({ contains: 'x' }, 's3cret')).toBe('the output does not contain "x"');
    expect(why('score > 0.9', {})).toBe('"score > 0.9" is not true: the output has no "score"');
    expect(why('score > 0.9', { score: 's3cret' })).toBe(
      '"score > 0.9" is not true: it compares values of two types',
    );
    expect(why('score > 0.9', { score: 0.5 })).toBe('"score > 0.9" is not true');
    expect(why({ path: 'score', gte: 0.9 }, { score: 0.5 })).toBe('"score" gte 0.9 is not true');
    expect(why({ path: 'score', gte: 0.9 }, {})).toBe('the output has no "score"');
  });

  it('stays short', () => {
    expect(why('x'.repeat(2000), '').length).toBeLessThan(300);
    expect(why({ path: 'a', equals: 'x'.repeat(2000) }, { a: 1 }).length).toBeLessThan(300);
  });
});

it('is asked of any output without an error', () => {
  let deep: Json = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  for (const until of ['LGTM', 'a.b > 1', { contains: 'x' }, { path: 'a', equals: 1 }] as const) {
    expect(holds(until, deep)).toBe(false);
    fc.assert(
      fc.property(fc.jsonValue(), (output) => {
        untilHolds(parseUntil(until), output as Json, scope());
      }),
      { numRuns: 100 },
    );
  }
});

it('the text of an output is its content, itself, or its JSON', () => {
  expect(textOf('a')).toBe('a');
  expect(textOf({ content: 'b', x: 1 })).toBe('b');
  expect(textOf({ content: 1 })).toBe('{"content":1}');
  expect(textOf([1])).toBe('[1]');
  expect(textOf(null)).toBe('null');
});

describe('a lone path', () => {
  it.each<[string, string, readonly (string | number)[]]>([
    ['input.docs', 'input', ['docs']],
    ['{{ input.docs }}', 'input', ['docs']],
    ['Check Status.list[0]', 'Check Status', ['list', 0]],
    ["a['b c']", 'a', ['b c']],
  ])('%j is read with or without braces', (source, head, segments) => {
    expect(parseVariable(source, NAMES)).toMatchObject({ head, segments });
  });

  it.each<[string, number]>([
    ['a.b c', 3],
    ['a.', 2],
    ['a[', 2],
  ])('%j is none, and the place is in the text as written', (source, offset) => {
    expect(failure(() => parseVariable(source, NAMES)).details?.['offset']).toBe(offset);
  });
});
