import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Commitment } from '../../json.js';
import { buildEntry, readEntry, type Entry, type EntryFields } from '../entry.js';
import { encodeBundle } from '../tile.js';
import { layOutBatch } from './entry-batch.js';
import { readBatch, type JudgedEntry } from './judged-entry.js';

const fields: EntryFields = {
  type: 'step.intended',
  run: 'run-1',
  tenant: 'default',
  actor: { id: 'user:alice', via: 'cli' },
  workflow: null,
  policy: null,
  data: { stepPath: 'a', attempt: 1 },
  commit: { input: 'ab'.repeat(32) as Commitment, output: 'cd'.repeat(32) as Commitment },
};

function entry(seq: number, over: Partial<EntryFields> = {}): Uint8Array {
  return buildEntry(
    { ...fields, ...over },
    { seq, prev: new Uint8Array(32), timeMs: 1_772_357_400_123 + seq },
  );
}

/** Of every kind, with those that the strict reader reads between the others. */
const ENTRIES = [
  entry(0),
  entry(1, { data: { stepPath: 'line\nbreak', attempt: 2 } }),
  entry(2, { run: 'é' }),
  Uint8Array.of(0xff, 0xfe),
  entry(1_000_000_000),
  new TextEncoder().encode('{}'),
  new Uint8Array(0),
  entry(3, { data: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, i])) }),
  entry(4, { commit: {} }),
];

const BATCH = encodeBundle(ENTRIES);

describe('the entries of a batch', () => {
  it('are read the same, whoever found their parts', () => {
    const read = (layouts: Int32Array | null): unknown[] =>
      [...readBatch(BATCH, layouts)].map((one) =>
        'fault' in one
          ? one
          : {
              ...{
                type: one.type,
                run: one.run,
                seq: one.seq,
                prev: one.prev,
                timeMs: one.timeMs,
                time: one.time,
              },
              ...{ tenant: one.tenant, actor: one.actor, policy: one.policy, workflow: one.workflow },
              ...{ commit: one.commit, data: one.data.all(), step: one.data.get('stepPath') },
            },
      );
    const here = read(null);
    expect(read(layOutBatch(BATCH))).toEqual(here);
    expect(here).toMatchObject([
      { seq: 0, run: 'run-1', time: '2026-03-01T09:30:00.123Z', step: 'a', commit: fields.commit },
      { seq: 1, step: 'line\nbreak' },
      { seq: 2, run: 'é' },
      { fault: 'json' },
      { seq: 1_000_000_000 },
      { fault: 'schema' },
      { fault: 'json' },
      { seq: 3, data: { k0: 0, k399: 399 } },
      { seq: 4, commit: {} },
    ]);
  });

  it('are not read when some were not laid out', () => {
    const [first] = ENTRIES;
    const layouts = layOutBatch(encodeBundle(first === undefined ? [] : [first]));
    expect(() => [...readBatch(BATCH, layouts.subarray(0, layouts[0]))]).toThrow(/not laid out/);
  });

  it('are those that stand there, however long they are and whatever their neighbours are', () => {
    const longest = 65_535 - entry(0, { data: { a: '' } }).length;
    const kinds = [
      () => entry(1),
      () => entry(2, { data: { stepPath: 'größe', attempt: 3 }, run: 'läuft' }),
      () => entry(3, { data: { a: 'x'.repeat(longest) } }),
      () => entry(4, { data: { a: 'x'.repeat(30_000), stepPath: 's' } }),
      () => entry(5, { data: { stepPath: 'tab\t' } }),
      () => Uint8Array.of(0x7b, 0x22, 0xc3),
      () => Uint8Array.of(0xa9),
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 12 }), (chosen) => {
        const entries = chosen.map((kind) => kind());
        const read = [...readBatch(encodeBundle(entries), null)].map((one) =>
          'fault' in one ? one : { ...asEntry(one), data: one.data.all() },
        );
        expect(read).toEqual(entries.map(readEntry));
      }),
      { numRuns: 60 },
    );
  });
});

function asEntry(one: JudgedEntry): Omit<Entry, 'data'> {
  const { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, commit } = one;
  return { v, type, seq, prev, run, tenant, actor, workflow, policy, time, timeMs, commit };
}
