import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { platformSha256 } from '../adapters/hash.js';
import { leafHash, nodeHash, treeHasher } from './tree-hash.js';

const node = (...parts: Uint8Array[]): Uint8Array =>
  new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('the hashes of the tree', () => {
  it('are those of RFC 6962 for any length, whatever was hashed before', () => {
    const hasher = treeHasher(platformSha256);
    // Longer and shorter ones take turns: the message array is used again.
    for (const length of [0, 1, 70_000, 5, 1022, 1023, 1024, 1025, 65_535, 0, 300]) {
      const entry = bytes(length, length % 251);
      const expected = node(Uint8Array.of(0), entry);
      expect(hasher.leaf(entry)).toEqual(expected);
      expect(leafHash(entry)).toEqual(expected);
    }
    for (const [left, right] of [
      [bytes(32, 1), bytes(32, 2)],
      [bytes(31, 1), bytes(33, 2)],
      [bytes(0, 0), bytes(0, 0)],
      [bytes(32, 3), bytes(32, 4)],
    ] as const) {
      const expected = node(Uint8Array.of(1), left, right);
      expect(hasher.node(left, right)).toEqual(expected);
      expect(nodeHash(left, right)).toEqual(expected);
    }
  });
  it('do not change when the next one is made, nor with their input', () => {
    const hasher = treeHasher(platformSha256);
    const entry = bytes(10, 7);
    const first = hasher.leaf(entry);
    const kept = first.slice();
    entry.fill(8);
    hasher.leaf(entry);
    hasher.node(first, kept);
    expect(first).toEqual(kept);
  });
});
