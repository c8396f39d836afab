// The short way to read an entry and the strict one give the same answer for every text: the short way may say that it
// can't tell, never anything else.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildEntry, parseEntry, type Entry } from '../../src/audit/entry.js';
import { readFrame, scanFrame } from '../../src/audit/entry-frame.js';
import { canonicalize } from '../../src/audit/canonical.js';
import { checkEntry } from '../../src/audit/entry-schema.js';
import { parseJson } from '../../src/audit/json-reader.js';
import type { Json, JsonObject } from '../../src/json.js';

const H = 'ab'.repeat(32);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Reader, canonical form and schema one after the other, as FORMAT.md says it. */
function strictly(text: string): Entry | null {
  try {
    const value = parseJson(utf8(text));
    return canonicalize(value) === text ? checkEntry(value) : null;
  } catch {
    return null;
  }
}

/**
 * The answers agree: equal entries, or the short way leaves it to the strict one. Returns whether it was used. Text that
 * UTF-8 can't say never gets there.
 */
function agrees(text: string): boolean {
  if (!text.isWellFormed()) return false;
  const frame = readFrame(utf8(text));
  const strict = strictly(text);
  if (frame === null) return false;
  expect(isDeepStrictEqual(frame, strict), text).toBe(true);
  const data = scanFrame(utf8(text))?.data;
  for (const [key, value] of Object.entries(frame.data)) expect(data?.get(key)).toEqual(value);
  for (const key of ['toString', 'absent', '']) {
    if (!Object.hasOwn(frame.data, key)) expect(data?.get(key)).toBeUndefined();
  }
  return true;
}

function textOf(data: JsonObject, over: Record<string, Json> = {}): string {
  const value: Record<string, Json> = {
    actor: { id: 'user:alice', via: 'cli' },
    commit: { input: H },
    data,
    policy: H,
    prev: null,
    run: 'run-1',
    seq: 0,
    tenant: 'default',
    time: '2026-03-01T09:30:00.123Z',
    type: 'step.intended',
    v: 1,
    workflow: { hash: H, id: 'w' },
    ...over,
  };
  return canonicalize(value);
}

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    '',
    '__proto__',
    'toJSON',
    'constructor',
    '1',
    '10',
    '9',
    '\u2028',
    '\ud800',
    '\udc00x',
    '"',
    '\\',
  ),
);
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 1e21, 1e-7, 5e-324),
);
const data = fc.dictionary(
  word,
  fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      word,
      number,
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(word, tie('value'), { maxKeys: 4 }),
    ),
  })).value,
  { maxKeys: 5 },
) as fc.Arbitrary<JsonObject>;

describe('the short way to read an entry', () => {
  it('reads what the writer writes', () => {
    const fields = {
      type: 'step.intended',
      run: 'run-1',
      tenant: 'default',
      actor: { id: 'user:alice', via: 'cli' },
      workflow: null,
      policy: null,
      data: { stepPath: 'a', attempt: 1, reason: 'why', é: [1.5, null, { b: true }], 9: 1, 10: -2 },
      commit: {},
    };
    const bytes = buildEntry(fields, { seq: 3, prev: new Uint8Array(32), timeMs: 1_772_357_400_123 });
    const text = new TextDecoder().decode(bytes);
    expect(agrees(text)).toBe(true);
    expect(parseEntry(bytes)).toMatchObject({ data: fields.data, seq: 3, timeMs: 1_772_357_400_123 });
  });

  it('never differs from the strict one, whatever the data', () => {
    let used = 0;
    fc.assert(
      fc.property(data, (value) => {
        // As the engine prints it: in order or not, canonical or not, with lone surrogates or not.
        const text = textOf({}).replace('"data":{}', () => `"data":${JSON.stringify(value)}`);
        if (agrees(text)) used += 1;
        let canonical: string;
        try {
          canonical = textOf(value);
        } catch {
          return;
        }
        if (agrees(canonical)) used += 1;
      }),
      { numRuns: 2000 },
    );
    expect(used).toBeGreaterThan(100);
  });

  it('never differs from the strict one after any one character is changed, removed or doubled', () => {
    const whole = textOf(
      { a: 1, b: 'x\n', c: [1.5, -2, null], d: { e: 'é', f: true } },
      { commit: { a: H, b: H } },
    );
    const marks = [
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      ' ',
      '0',
      '1',
      '-',
      'e',
      '.',
      'a',
      'Z',
      '\n',
      'é',
    ];
    for (let at = 0; at < whole.length; at++) {
      agrees(whole.slice(0, at) + whole.slice(at + 1));
      agrees(whole.slice(0, at) + whole.charAt(at) + whole.slice(at));
      for (const mark of marks) {
        agrees(whole.slice(0, at) + mark + whole.slice(at + 1));
        agrees(whole.slice(0, at) + mark + whole.slice(at));
      }
    }
  });

  it.each([
    ['a key twice', textOf({}).replace('"data":{}', '"data":{"a":1,"a":1}')],
    ['a key twice after unescaping', textOf({}).replace('"data":{}', '"data":{"a":1,"\\u0061":1}')],
    ['keys out of order', textOf({}).replace('"data":{}', '"data":{"b":1,"a":1}')],
    ['keys in numeric order', textOf({}).replace('"data":{}', '"data":{"9":1,"10":1}')],
    ['keys inside out of order', textOf({}).replace('"data":{}', '"data":{"a":[{"b":1,"a":1}]}')],
    ['an unpaired surrogate', textOf({}).replace('"data":{}', '"data":{"a":"\\ud800"}')],
    ['white space', textOf({}).replace('"data":{}', '"data":{"a": 1}')],
    ['a number in another spelling', textOf({}).replace('"data":{}', '"data":{"a":1e2}')],
    ['minus zero', textOf({}).replace('"data":{}', '"data":{"a":-0}')],
    ['an integer that is not exact', textOf({}).replace('"data":{}', '"data":{"a":9007199254740993}')],
    ['an integer beyond 2^53-1', textOf({ a: 2 ** 53 })],
    ['commit labels out of order', textOf({}, { commit: { a: H, b: H } }).replace('"a":', '"c":')],
    ['a commit label twice', textOf({}, { commit: { a: H, b: H } }).replace('"b":', '"a":')],
    ['a label of 65 characters', textOf({}, { commit: { ['x'.repeat(65)]: H } })],
    ['a policy in capitals', textOf({}, { policy: H.toUpperCase() })],
    ['a run that is empty', textOf({}, { run: '' })],
    ['a seq beyond 2^53-1', textOf({}, { seq: 2 ** 53 })],
    ['a time that is no instant', textOf({}, { time: '2026-02-30T09:30:00.123Z' })],
    ['another version', textOf({}, { v: 2 })],
    ['a key too many', textOf({}, { zz: 1 })],
    ['data that is a list', textOf({}, { data: [] })],
    [
      'data nested 64 deep',
      textOf({}, { data: nested(63) })
        .replace('"data":', '"data":{"a":')
        .replace(',"policy"', '},"policy"'),
    ],
    [
      'data nested beyond the stack',
      textOf({}).replace('"data":{}', `"data":{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`),
    ],
    ['bytes after the entry', `${textOf({})} `],
    ['nothing', ''],
  ])('leaves %s to the strict one, which refuses it', (_name, text) => {
    expect(readFrame(utf8(text))).toBeNull();
    expect(strictly(text)).toBeNull();
  });

  it('leaves to the strict one what is right but rare', () => {
    for (const text of [
      textOf({ a: 'line\nbreak' }),
      textOf({ '"': 1 }),
      textOf({}, { run: 'a"b' }),
      textOf({}, { seq: 2 ** 53 - 1 }),
    ]) {
      expect(readFrame(utf8(text))).toBeNull();
      expect(strictly(text)).not.toBeNull();
    }
  });

  it('never differs from the strict one when a member is missing, doubled or moved', () => {
    const whole = textOf({ a: 1 });
    const members = Object.entries(JSON.parse(whole) as Record<string, Json>).map(
      ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    expect(`{${members.join()}}`).toBe(whole);
    for (const [i, member] of members.entries()) {
      for (const [j] of members.entries()) {
        for (const changed of [
          members.filter((_, at) => at !== i && at !== j),
          members.toSpliced(j, 0, member),
          members.toSpliced(i, 1).toSpliced(j, 0, member),
          members.with(j, member),
        ]) {
          const text = `{${changed.join()}}`;
          expect(agrees(text)).toBe(text === whole);
        }
      }
    }
  });

  it('reads one member of the data as it reads all of them', () => {
    const value = {
      a: 'x',
      ab: null,
      b: [1, { a: 2 }],
      c: { a: 'inner', absent: 1 },
      d: -1.5,
      e: true,
      f: {},
      '': 'é',
    };
    expect(agrees(textOf(value))).toBe(true);
  });

  it('reads every label that a commitment may have', () => {
    const labels = ['!', '#', '0', '__proto__', 'constructor', '~', 'x'.repeat(64)];
    expect(agrees(textOf({}, { commit: Object.fromEntries(labels.map((label) => [label, H])) }))).toBe(true);
    for (const label of ['"', '\\', ' ', 'é', '', 'a b', '\x7f']) {
      expect(agrees(textOf({}, { commit: { [label]: H } }))).toBe(false);
    }
  });

  it('remembers no part of an entry that it did not recognise', () => {
    const good = textOf({});
    for (const [from, to] of [
      ['user:alice', 'user:bob'],
      ['"run-1"', '"run-2"'],
      ['default', 'other'],
      ['2026-03-01', '2026-02-30'],
      [`"policy":"${H}"`, '"policy":null'],
      [`"hash":"${H}"`, `"hash":"${H.toUpperCase()}"`],
    ] as const) {
      const other = good.replace(from, to);
      for (const text of [good, other, other, good]) {
        expect(agrees(text) || strictly(text) === null, text).toBe(true);
      }
    }
  });

  it('is not misled by data that looks like the end of an entry', () => {
    const inner = JSON.parse(textOf({})) as JsonObject;
    expect(agrees(textOf({ ...inner, x: inner }))).toBe(true);
    expect(agrees(textOf({ 'x,': ',policy:', z: '},' }))).toBe(true);
  });

  it('counts depth as the strict one does', () => {
    expect(agrees(textOf(nested(63)))).toBe(true);
    const deeper = textOf({}).replace('"data":{}', `"data":${JSON.stringify(nested(64))}`);
    expect(readFrame(utf8(deeper))).toBeNull();
    expect(strictly(deeper)).toBeNull();
  });
});

/** Objects inside one another, `levels` of them. */
function nested(levels: number): JsonObject {
  let value: JsonObject = {};
  for (let i = 1; i < levels; i++) value = { a: value };
  return value;
}
