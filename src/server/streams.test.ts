import { describe, expect, it } from 'vitest';
import { openStreams } from './streams.js';

describe('event streams', () => {
  it('of one person are 16 at most, and ending one twice makes room for one', () => {
    const streams = openStreams();
    const ends = Array.from({ length: 16 }, () => streams.begin('user:bob'));
    expect(ends).not.toContain(null);
    expect(streams.begin('user:bob')).toBeNull();
    expect(streams.begin('user:carol')).not.toBeNull();
    ends[0]?.();
    ends[0]?.();
    expect(streams.begin('user:bob')).not.toBeNull();
    expect(streams.begin('user:bob')).toBeNull();
  });

  it('are 256 in all', () => {
    const streams = openStreams();
    for (let i = 0; i < 256; i++) expect(streams.begin(`user:${i % 32}`)).not.toBeNull();
    expect(streams.begin('user:late')).toBeNull();
  });
});
