import { describe, expect, it } from 'vitest';
import type { LogRow } from '../../../runtime/ports.js';
import { ChainTails } from './chain-tails.js';

const range = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const row = (run: string, seq: number): LogRow => ({
  index: 0n,
  bytes: new Uint8Array(1),
  leafHash: range(seq),
  run,
  seq,
  type: 'run.started',
});

describe('remembered ends of chains', () => {
  it('are those of the last rows, of every chain', () => {
    const tails = new ChainTails();
    tails.extended(range(0), [row('a', 0), row('b', 0), row('a', 1)], range(1));
    expect(tails.of('a', range(1))).toEqual({ seq: 1, leafHash: range(1) });
    expect(tails.of('b', range(1))).toEqual({ seq: 0, leafHash: range(0) });
    expect(tails.of('c', range(1))).toBeNull();
    tails.extended(range(1), [row('b', 1)], range(2));
    expect(tails.of('a', range(2))?.seq).toBe(1);
    expect(tails.of('b', range(2))?.seq).toBe(1);
  });

  it('are unknown in another tree: a commit was undone, or another process has appended', () => {
    const tails = new ChainTails();
    tails.extended(range(0), [row('a', 0)], range(1));
    expect(tails.of('a', range(0))).toBeNull();
    expect(tails.of('a', range(9))).toBeNull();
  });

  it('are forgotten when the log goes on from another tree', () => {
    const tails = new ChainTails();
    tails.extended(range(0), [row('a', 5)], range(1));
    tails.extended(range(9), [row('b', 0)], range(2));
    expect(tails.of('a', range(2))).toBeNull();
    expect(tails.of('b', range(2))?.seq).toBe(0);
  });

  it('are bounded', () => {
    const tails = new ChainTails();
    tails.extended(
      range(0),
      Array.from({ length: 2_000 }, (_, i) => row(`r${i}`, 0)),
      range(1),
    );
    tails.extended(range(1), [row('last', 0)], range(2));
    expect(tails.of('r0', range(2))).toBeNull();
    expect(tails.of('last', range(2))?.seq).toBe(0);
  });
});
