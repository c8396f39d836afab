import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { platformSha256 } from '../adapters/hash.js';
import { canonicalJson, sharedJson } from '../canonical-json.js';
import type { Commitment, Hex, JsonObject } from '../json.js';
import { commitment } from './commitment.js';
import { buildEntry, parseEntry, type EntryFields } from './entry.js';
import { MAX_ENTRY_BYTES } from './tile.js';

const HEX = 'a'.repeat(64) as Hex & Commitment;
const fields: EntryFields = {
  type: 'step.intended',
  run: 'run id',
  tenant: 'default',
  actor: { id: 'user:alice', via: 'cli' },
  workflow: { id: 'claims-review', hash: HEX },
  policy: HEX,
  data: { attempt: 1, stepPath: 'deploy' },
  commit: { input: HEX },
};
const place = {
  seq: 12,
  prev: new Uint8Array(32).fill(0xab),
  timeMs: Date.parse('2026-03-01T09:30:00.123Z'),
};
const invalid = expect.objectContaining({ code: 'AUDIT_ENTRY_INVALID' });

describe('an entry', () => {
  it('has exactly these bytes', () => {
    expect(new TextDecoder().decode(buildEntry(fields, place))).toBe(
      `{"actor":{"id":"user:alice","via":"cli"},"commit":{"input":"${HEX}"},"data":{"attempt":1,"stepPath":"deploy"},` +
        `"policy":"${HEX}","prev":"${'ab'.repeat(32)}","run":"run id","seq":12,"tenant":"default",` +
        `"time":"2026-03-01T09:30:00.123Z","type":"step.intended","v":1,"workflow":{"hash":"${HEX}","id":"claims-review"}}`,
    );
  });
  it('writes absent values as null', () => {
    const bytes = buildEntry(
      { ...fields, run: null, workflow: null, policy: null },
      { ...place, seq: 0, prev: null },
    );
    expect(parseEntry(bytes)).toMatchObject({ run: null, workflow: null, policy: null, prev: null, v: 1 });
  });
  it('is read back as it was written', () => {
    expect(parseEntry(buildEntry(fields, place))).toEqual({
      ...fields,
      v: 1,
      seq: 12,
      prev: 'ab'.repeat(32),
      time: '2026-03-01T09:30:00.123Z',
      timeMs: place.timeMs,
    });
  });
  it('has a frame of its own, whichever entry was built before', () => {
    const other = 'b'.repeat(64) as Hex & Commitment;
    const frames: Partial<EntryFields>[] = [
      {},
      { run: null },
      { run: 'Läufe 🏃' },
      { tenant: 'bank' },
      { actor: { id: 'user:bob', via: 'cli' } },
      { actor: { id: 'user:alice', via: 'tüi' } },
      { workflow: null },
      { workflow: { id: 'claims-review', hash: other } },
      { workflow: { id: 'other', hash: HEX } },
      { policy: null },
      { policy: other },
    ];
    const text = (change: Partial<EntryFields>): string =>
      new TextDecoder().decode(buildEntry({ ...fields, ...change }, place));
    const expected = (change: Partial<EntryFields>): string =>
      canonicalJson({
        ...fields,
        ...change,
        v: 1,
        seq: 12,
        prev: 'ab'.repeat(32),
        time: '2026-03-01T09:30:00.123Z',
      });
    for (const before of frames) {
      for (const change of frames) {
        expect(text(before)).toBe(expected(before));
        expect(text(change)).toBe(expected(change));
      }
    }
  });
  it('is refused for a wrong frame right behind one that was right', () => {
    for (const change of [
      { run: '' },
      { tenant: '' },
      { actor: { id: '', via: 'cli' } },
      { policy: 'no hash' as Hex },
      { workflow: { id: 'claims-review', hash: 'no hash' as Hex } },
    ]) {
      for (const _ of [1, 2]) {
        buildEntry(fields, place);
        expect(() => buildEntry({ ...fields, ...change }, place)).toThrow(invalid);
      }
    }
    expect(() => buildEntry({ ...fields, workflow: undefined as unknown as null }, place)).toThrow();
  });
  it('keeps its bytes when others are built behind it, in letters of one byte and of more', () => {
    const datas: JsonObject[] = [{ x: 'plain' }, { x: 'ä'.repeat(300) }, { x: '🏃'.repeat(300) }, { x: 'y' }];
    const built = datas.map((data) => buildEntry({ ...fields, data }, place));
    expect(built.map((bytes) => parseEntry(bytes).data)).toEqual(datas);
  });
  it('is refused, each time, for an integer beyond 2^53-1 in a part that entries share', () => {
    const part = sharedJson({ limits: [{ n: 2 ** 53 }] });
    const good = sharedJson({ limits: [{ n: 2 ** 53 - 1 }] });
    for (const _ of [1, 2]) {
      expect(parseEntry(buildEntry({ ...fields, data: { good } }, place)).data).toEqual({ good });
      expect(() => buildEntry({ ...fields, data: { good, part } }, place)).toThrow(invalid);
    }
  });
  it('may have 65,535 bytes and not one more', () => {
    const room = MAX_ENTRY_BYTES - buildEntry({ ...fields, data: { x: '' } }, place).length;
    const longest = buildEntry({ ...fields, data: { x: 'y'.repeat(room) } }, place);
    expect(longest.length).toBe(65_535);
    expect(parseEntry(longest).type).toBe('step.intended');
    expect(() => buildEntry({ ...fields, data: { x: 'y'.repeat(room + 1) } }, place)).toThrow(invalid);
  });
  it.each([
    ['a type that is not noun.verbed', { type: 'StepIntended' }],
    ['an empty tenant', { tenant: '' }],
    ['an empty run', { run: '' }],
    ['an upper-case policy hash', { policy: 'A'.repeat(64) as Hex }],
    ['a short commitment', { commit: { input: 'ab' as Commitment } }],
    ['a label with a space', { commit: { 'in put': HEX } }],
    ['an integer beyond 2^53-1', { data: { n: 2 ** 53 } }],
    ['such an integer deep inside', { data: { a: [{ n: -(2 ** 53) }] } }],
  ])('is not built with %s', (_name, over) => {
    expect(() => buildEntry({ ...fields, ...over }, place)).toThrow(invalid);
  });
  it('is not built with what is no JSON, nor nested deeper than a reader accepts', () => {
    const nested = (depth: number): JsonObject => (depth === 1 ? {} : { a: nested(depth - 1) });
    // 64 with the entry itself.
    expect(parseEntry(buildEntry({ ...fields, data: nested(63) }, place)).data).toEqual(nested(63));
    const unreadable = expect.objectContaining({ code: 'AUDIT_JSON_INVALID' });
    expect(() => buildEntry({ ...fields, data: nested(64) }, place)).toThrow(unreadable);
    expect(() => buildEntry({ ...fields, data: { n: Number.NaN } }, place)).toThrow(unreadable);
    expect(() => buildEntry({ ...fields, tenant: '\ud800' }, place)).toThrow(unreadable);
  });
  it('is not built on a previous hash that is none', () => {
    for (const length of [0, 31, 33])
      expect(() => buildEntry(fields, { ...place, prev: new Uint8Array(length) })).toThrow(invalid);
  });
  it('is not built at a time outside the years 0 to 9999, nor with a negative seq', () => {
    expect(() => buildEntry(fields, { ...place, timeMs: 253_402_300_800_000 })).toThrow(invalid);
    expect(() => buildEntry(fields, { ...place, timeMs: Number.NaN })).toThrow(invalid);
    expect(() => buildEntry(fields, { ...place, seq: -1 })).toThrow(invalid);
  });
  it('is not read from another spelling of the same value', () => {
    const text = new TextDecoder().decode(buildEntry(fields, place));
    for (const other of [
      ` ${text}`,
      text.replace('"v":1', '"v":1.0'),
      text.replace('deploy', '\\u0064eploy'),
    ]) {
      expect(() => parseEntry(new TextEncoder().encode(other))).toThrow(invalid);
    }
  });
});

describe('a commitment', () => {
  const salt = new Uint8Array(32).fill(1);
  it('is the HMAC of label and payload', () => {
    // Computed with: openssl dgst -sha256 -mac HMAC over 00 "input" 00 "abc", key 32 x 01.
    expect(commitment(salt, 'input', new TextEncoder().encode('abc'))).toBe(
      '2860f89e9ac75fa01bac305010c924a2745a21d43fd7ecda1a16f5316935b309',
    );
  });
  it('is the same with the SHA-256 of the platform, for short payloads and long ones', () => {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 4_024, 4_025, 5_000, 3]) {
      const payload = new Uint8Array(length).fill(7);
      const key = new Uint8Array(32).map((_, at) => 255 - at);
      const mac = createHmac('sha256', key).update('\0output\0').update(payload).digest('hex');
      expect(commitment(key, 'output', payload)).toBe(mac);
      expect(commitment(key, 'output', payload, platformSha256)).toBe(mac);
    }
  });
  it('changes with the salt, the label and the payload, and can not shift bytes between the last two', () => {
    const of = (label: string, text: string): string =>
      commitment(salt, label, new TextEncoder().encode(text));
    expect(
      new Set([
        of('a', 'bc'),
        of('ab', 'c'),
        of('abc', ''),
        commitment(new Uint8Array(32), 'a', new Uint8Array()),
      ]).size,
    ).toBe(4);
  });
  it('needs a salt of 32 bytes and a label without NUL', () => {
    expect(() => commitment(salt.subarray(1), 'a', salt)).toThrow(invalid);
    expect(() => commitment(salt, 'a\0b', salt)).toThrow(invalid);
    expect(() => commitment(salt, '', salt)).toThrow(invalid);
  });
});
