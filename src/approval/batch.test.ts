import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SubjectDigest } from '../json.js';
import { batchDigest, MAX_BATCH } from './batch.js';

const digest = (n: number): SubjectDigest => n.toString(16).padStart(64, '0') as SubjectDigest;

describe('the digest of a batch', () => {
  it('is SHA-256 over the sorted digests, whatever their order', () => {
    const text = `${digest(1)}\n${digest(2)}\n${digest(3)}\n`;
    const expected = createHash('sha256').update(text).digest('hex');
    expect(batchDigest([digest(3), digest(1), digest(2)])).toBe(expected);
    expect(batchDigest([digest(1), digest(2), digest(3)])).toBe(expected);
  });

  it('is another one when a request is left out or exchanged', () => {
    const all = batchDigest([digest(1), digest(2), digest(3)]);
    expect(batchDigest([digest(1), digest(2)])).not.toBe(all);
    expect(batchDigest([digest(1), digest(2), digest(4)])).not.toBe(all);
  });

  it.each<[string, readonly SubjectDigest[]]>([
    ['of one', [digest(1)]],
    ['of none', []],
    ['with one twice', [digest(1), digest(1)]],
    ['of more than 50', Array.from({ length: MAX_BATCH + 1 }, (_, n) => digest(n))],
  ])('is none %s', (_, digests) => {
    expect(() => batchDigest(digests)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });

  it('is there for 50', () => {
    expect(batchDigest(Array.from({ length: MAX_BATCH }, (_, n) => digest(n)))).toMatch(/^[0-9a-f]{64}$/);
  });
});
