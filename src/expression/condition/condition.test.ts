import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { CONDITION_MAX_LENGTH, parseCondition } from './parse.js';
import { evaluateCondition } from './evaluate.js';
import type { Scope } from '../scope.js';

function scope(values: Record<string, Json>, known: readonly string[] = []): Scope {
  return { values: new Map(Object.entries(values)), known: new Set(known), onMissing: 'error' };
}

function holds(source: string, values: Record<string, Json>, known: readonly string[] = []): boolean {
  return evaluateCondition(parseCondition(source, new Set(known)), scope(values, known)).value;
}

function offsetOf(source: string): unknown {
  try {
    parseCondition(source);
  } catch (error) {
    if (error instanceof WritError && error.code === 'DOC_EXPRESSION') return error.details?.['offset'];
    throw error;
  }
  return 'parsed';
}

describe('a condition', () => {
  it.each<[string, Record<string, Json>, boolean]>([
    ["{{previous_step.status}} == 'success'", { previous_step: { status: 'success' } }, true],
    ["{{triage.severity}} == 'P0'", { triage: '{"severity":"P0"}' }, true],
    ["{{triage.severity}} == 'P0'", { triage: '{"severity":"P1"}' }, false],
    ['score > 0.9', { score: 0.91 }, true],
    ['score > 0.9', { score: 0.9 }, false],
    ['score >= 0.9', { score: 0.9 }, true],
    ['n < -1.5', { n: -2 }, true],
    ["a == 'x' || b == 'y' && c == 'z'", { a: 'x', b: '', c: '' }, true],
    ["(a == 'x' || b == 'y') && c == 'z'", { a: 'x', b: '', c: '' }, false],
    ['!done', { done: false }, true],
    ['!!done', { done: 'yes' }, true],
    ['!a == b', { a: 1, b: 2 }, true],
    ['list[0].id == 7', { list: [{ id: 7 }] }, true],
    ['list.[0].id == 7', { list: [{ id: 7 }] }, true],
    ['{{list.[0].[a b].["c"]}} == 7', { list: [{ 'a b': { c: 7 } }] }, true],
    ['list[1].id == 7', { list: [{ id: 7 }] }, false],
    ["o['a key'] == 1", { o: { 'a key': 1 } }, true],
    ['list.length > 1', { list: [1, 2] }, true],
    ["s == 'it\\'s'", { s: "it's" }, true],
    ['s == "a\\nb"', { s: 'a\nb' }, true],
    ['x == null', { x: null }, true],
    ["'grüße 🌊' == s", { s: 'grüße 🌊' }, true],
    ['größe > 1', { größe: 2 }, true],
  ])('%s on %j is %j', (source, values, expected) => {
    expect(holds(source, values)).toBe(expected);
  });

  it.each<[string, Json, Json, boolean]>([
    ['==', 1, '1', false],
    ['==', 0, false, false],
    ['==', null, false, false],
    ['==', [1, { a: 2 }], [1, { a: 2 }], true],
    ['==', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['==', { a: 1 }, { a: 1, b: 2 }, false],
    ['==', [1], { 0: 1 }, false],
    ['!=', 1, '1', true],
  ])('%s never coerces: %j and %j give %j', (operator, a, b, expected) => {
    expect(holds(`a ${operator} b`, { a, b })).toBe(expected);
  });

  it('orders only two numbers or two texts and says so', () => {
    const result = evaluateCondition(parseCondition("n < 'a'"), scope({ n: 1 }));
    expect(result).toMatchObject({ value: false, reason: 'type_mismatch' });
    expect(holds("a < 'b'", { a: 'a' })).toBe(true);
  });

  it('orders text by code point, not by UTF-16 unit', () => {
    expect(holds('a < b', { a: '\uffff', b: '🌊' })).toBe(true);
    expect(holds('a < b', { a: '🌋', b: '🌊' })).toBe(false);
  });

  it('takes true, numbers but 0, and what is not empty as true', () => {
    for (const value of [true, 1, -1, 'x', [0], { a: 1 }]) expect(holds('v', { v: value })).toBe(true);
    for (const value of [false, 0, '', [], {}, null]) expect(holds('v', { v: value })).toBe(false);
  });

  it.each(['a == 1 || missing', '!missing', 'missing == missing', '!(a == missing)', 'a || a.b.c'])(
    'is false as a whole when a path does not resolve: %s',
    (source) => {
      const result = evaluateCondition(parseCondition(source), scope({ a: 1 }));
      expect(result).toMatchObject({ value: false, reason: 'path_unresolved' });
      expect(result.unresolved.length).toBeGreaterThan(0);
    },
  );

  it('reports the values that resolved, for the audit entry', () => {
    const result = evaluateCondition(parseCondition('{{a.b}} == 1 && c'), scope({ a: { b: 1 } }));
    expect(result.values).toEqual([{ path: 'a.b', value: 1 }]);
    expect(result.unresolved).toEqual(['c']);
  });

  it('finds step names with blanks, hyphens and dots inside braces', () => {
    const values = { 'Check Status': { status: 'ok' }, 'Post-Mortem': 'x', 'v1.2 check': { ok: true } };
    expect(holds("{{Check Status.status}} == 'ok'", values)).toBe(true);
    expect(holds("{{ [Check Status].status }} == 'ok'", values)).toBe(true);
    expect(holds('{{Post-Mortem}}', values)).toBe(true);
    expect(holds('{{v1.2 check.ok}}', values, ['v1.2 check'])).toBe(true);
  });

  it.each(["x' == 'x' || 'a", "' || true || '", '}} == {{x', 'constructor', '{{x}}', '\\', '"'])(
    'compares the value %s as data and never parses it',
    (evil) => {
      expect(holds("{{x}} == 'P0'", { x: evil })).toBe(false);
      expect(holds('{{x}} == y', { x: evil, y: evil })).toBe(true);
    },
  );

  it('gives the same answer for every value as comparing directly', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (x, y) => {
        expect(holds('{{x}} == y', { x, y })).toBe(x === y);
      }),
    );
  });

  it.each([
    'constructor',
    '__proto__',
    'prototype',
    'a.constructor',
    "a['__proto__']",
    'a.toString',
    'l.map',
  ])('never resolves %s', (path) => {
    const own = JSON.parse('{"__proto__": 1, "constructor": 2}') as Json;
    const values = new Map<string, Json>([
      ['a', own],
      ['l', []],
      ['constructor', 1],
      ['__proto__', 1],
      ['prototype', 1],
    ]);
    const result = evaluateCondition(parseCondition(path), { ...scope({}), values });
    expect(result).toMatchObject({ value: false, reason: 'path_unresolved' });
  });

  it.each<[string, number]>([
    ['', 0],
    ['a ==', 4],
    ['a = 1', 2],
    ['a == 1 b', 7],
    ['a and b', 2],
    ['(a', 2],
    ['a)', 1],
    ["'open", 0],
    ["'bad \\q'", 5],
    ['{{a', 0],
    ['{{ }}', 0],
    ['{{a > 1}}', 2],
    ['a.', 2],
    ['a[', 2],
    ['a[-1]', 2],
    ['a < b < c', 6],
    ['a == !b', 5],
  ])('refuses %j and says where', (source, offset) => {
    expect(offsetOf(source)).toBe(offset);
  });

  it('holds at its limits and is refused one above', () => {
    const longest = `a == '${'x'.repeat(CONDITION_MAX_LENGTH - 7)}'`;
    expect(longest.length).toBe(CONDITION_MAX_LENGTH);
    expect(offsetOf(longest)).toBe('parsed');
    expect(offsetOf(`${longest} `)).toBe(0);
    expect(offsetOf(`${'('.repeat(32)}a${')'.repeat(32)}`)).toBe('parsed');
    expect(offsetOf(`${'('.repeat(33)}a${')'.repeat(33)}`)).not.toBe('parsed');
    expect(offsetOf(`${'!'.repeat(33)}a`)).not.toBe('parsed');
  });

  it('never throws anything but DOC_EXPRESSION', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab.[]{}()\'"!=<>&|1- \\') }), (source) => {
        offsetOf(source);
      }),
    );
  });
});
