import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draftOf, MemoryStore, note } from '../../../test/audit/log-fixture.js';
import { platformSha256 } from '../../adapters/hash.js';
import { leafHash, parseEntry, rangeRoot } from '../../audit/index.js';
import { extendLog, extendLogWith } from './log.js';
import type { LogState } from '../ports.js';

const EMPTY: LogState = { size: 0n, compactRange: [], lastTimeMs: 0, publishedSize: 0n };

describe('extending the log', () => {
  it('gives each run its own chain and the log one index', () => {
    const { rows } = extendLog(EMPTY, new Map(), [note(0, 'a'), note(1, 'b'), note(2, 'a')], 1000);
    expect(rows.map(({ index, run, seq }) => [index, run, seq])).toEqual([
      [0n, 'a', 0],
      [1n, 'b', 0],
      [2n, 'a', 1],
    ]);
    const last = parseEntry(rows[2]?.bytes ?? new Uint8Array());
    expect(last.prev).toBe(Buffer.from(rows[0]?.leafHash ?? []).toString('hex'));
  });
  it('goes on from the tail of a run', () => {
    const tail = { seq: 41, leafHash: new Uint8Array(32).fill(9) };
    const { rows } = extendLog(EMPTY, new Map([['a', tail]]), [note(0, 'a')], 1000);
    expect(parseEntry(rows[0]?.bytes ?? new Uint8Array())).toMatchObject({ seq: 42, prev: '09'.repeat(32) });
  });
  it('keeps entries about the log itself in the chain named by the empty string', () => {
    const { rows } = extendLog(EMPTY, new Map(), [draftOf('log.opened', {}, { run: null })], 1000);
    expect(rows[0]).toMatchObject({ run: '', seq: 0 });
    expect(() => extendLog(EMPTY, new Map(), [draftOf('log.opened', {}, { run: '' })], 0)).toThrow(
      'run id is empty',
    );
  });
  it('never lets time go back', () => {
    const first = extendLog(EMPTY, new Map(), [note(0)], 5000);
    const second = extendLog(first.log, new Map(), [note(1)], 4000);
    expect(second.log.lastTimeMs).toBe(5000);
    expect(parseEntry(second.rows[0]?.bytes ?? new Uint8Array()).timeMs).toBe(5000);
    expect(extendLog(second.log, new Map(), [], 9000).log).toEqual(second.log);
  });
  it('refuses an entry that comes too late by its own time, at the border', () => {
    const late = { ...note(0), beforeMs: 1000 };
    expect(extendLog(EMPTY, new Map(), [late], 999).rows).toHaveLength(1);
    expect(() => extendLog(EMPTY, new Map(), [late], 1000)).toThrow(
      expect.objectContaining({ code: 'STORE_CONFLICT' }),
    );
    // The log's time counts where it is later than the clock's.
    const { log } = extendLog(EMPTY, new Map(), [note(1)], 1000);
    expect(() => extendLog(log, new Map(), [late], 500)).toThrow(
      expect.objectContaining({ code: 'STORE_CONFLICT' }),
    );
  });
  it('gives the root of every full tile once, whatever the size of the batches', () => {
    const whole = new MemoryStore();
    whole.append(
      Array.from({ length: 65_536 }, (_, i) => note(i)),
      1000,
    );
    expect([...whole.subtrees.keys()].filter((key) => key.startsWith('1/'))).toHaveLength(256);
    expect([...whole.subtrees.keys()].filter((key) => key.startsWith('2/'))).toEqual(['2/0']);
    expect(whole.state.compactRange).toEqual([whole.subtrees.get('2/0')]);
  });
  it('comes to the same tree in any batches', () => {
    const drafts = Array.from({ length: 300 }, (_, i) => note(i));
    const whole = new MemoryStore();
    whole.append(drafts, 1000);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 40 }), (sizes) => {
        const parts = new MemoryStore();
        let from = 0;
        for (const size of [...sizes, 300]) {
          parts.append(drafts.slice(from, from + size), 1000);
          from += size;
        }
        expect(parts.state).toEqual(whole.state);
        expect([...parts.subtrees]).toEqual([...whole.subtrees]);
      }),
      { numRuns: 10 },
    );
    expect(rangeRoot(whole.state.compactRange, 300n)).toHaveLength(32);
  });
  it('hashes exactly the bytes it gives', () => {
    const { rows } = extendLog(EMPTY, new Map(), [note(0)], 1000);
    expect(rows[0]?.leafHash).toEqual(leafHash(rows[0]?.bytes ?? new Uint8Array()));
  });
  it("gives the same rows with the platform's SHA-256", () => {
    const drafts = Array.from({ length: 600 }, (_, i) => note(i));
    const platform = extendLogWith(platformSha256)(EMPTY, new Map(), drafts, 1000);
    expect(platform).toEqual(extendLog(EMPTY, new Map(), drafts, 1000));
  });
  it('refuses an entry beyond 65,535 bytes and changes nothing', () => {
    const big = draftOf('secret.used', { x: 'y'.repeat(65_535) });
    expect(() => extendLog(EMPTY, new Map(), [note(0), big], 1000)).toThrow(
      expect.objectContaining({ code: 'AUDIT_ENTRY_INVALID' }),
    );
    expect(EMPTY).toEqual({ size: 0n, compactRange: [], lastTimeMs: 0, publishedSize: 0n });
  });
});
