import { describe, expect, it } from 'vitest';
import type { LogRow } from '../../../runtime/ports.js';
import { RecentRows } from './recent-rows.js';

const rows = (first: bigint, count: number, bytes = 1): LogRow[] =>
  Array.from({ length: count }, (_, i) => ({
    index: first + BigInt(i),
    bytes: new Uint8Array(bytes).fill(i),
    leafHash: new Uint8Array(32).fill(i),
    run: 'r',
    seq: i,
    type: 'authz.decided',
  }));

describe('rows that nobody has published', () => {
  it('are those that were added one behind the other', () => {
    const recent = new RecentRows();
    expect(recent.between(0n, 1n)).toBeNull();
    recent.add(rows(10n, 3));
    recent.add(rows(13n, 2));
    expect(recent.between(10n, 15n)?.map(({ leafHash }) => leafHash[0])).toEqual([0, 1, 2, 0, 1]);
    expect(recent.between(12n, 14n)).toHaveLength(2);
    expect(recent.between(9n, 11n)).toBeNull();
    expect(recent.between(14n, 16n)).toBeNull();
  });

  it('start anew behind rows of another process', () => {
    const recent = new RecentRows();
    recent.add(rows(0n, 3));
    recent.add(rows(5n, 2));
    expect(recent.between(0n, 1n)).toBeNull();
    expect(recent.between(5n, 7n)).toHaveLength(2);
  });

  it('keep the file of the log that the next publication writes again', () => {
    const recent = new RecentRows();
    recent.add(rows(0n, 600));
    recent.published(599n);
    expect(recent.between(511n, 512n)).toBeNull();
    expect(recent.between(512n, 600n)).toHaveLength(88);
    recent.published(512n);
    expect(recent.between(512n, 600n)).toHaveLength(88);
  });

  it('may be published by another process, which knows more of them', () => {
    const recent = new RecentRows();
    recent.add(rows(0n, 10));
    recent.published(10_000n);
    expect(recent.between(9n, 10n)).toBeNull();
    recent.add(rows(10_000n, 2));
    expect(recent.between(10_000n, 10_002n)).toHaveLength(2);
  });

  it('are let go when they are too many to keep', () => {
    const recent = new RecentRows();
    for (let i = 0n; i < 600n; i++) recent.add(rows(i, 1, 65_535));
    expect(recent.between(0n, 1n)).toBeNull();
    expect(recent.between(599n, 600n)).toHaveLength(1);
  });
});
