import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64.js';
import { decodeBundle, decodeTile, encodeBundle, encodeTile } from './tile.js';
import { checkpointPath, parseCheckpointPath, parseTilePath, tilePath, tilesOfSize } from './tile-path.js';

describe('tile paths', () => {
  it('name one tile each, in both directions', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.nat(63));
    const tile = fc.record({ level, n: fc.bigInt(0n, 2n ** 55n), width: fc.integer({ min: 1, max: 256 }) });
    fc.assert(
      fc.property(tile, (value) => {
        expect(parseTilePath(tilePath(value))).toEqual(value);
      }),
    );
    expect(tilePath({ level: 0, n: 1234067n, width: 256 })).toBe('tile/0/x001/x234/067');
  });
  it.each([
    'tile/0/x000/001',
    'tile/00/000',
    'tile/64/000',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/0/000/',
    'tile/0/001/002',
    'tile/0/x001',
    'tile/Entries/000',
    '/tile/0/000',
    'tile/0/000\n',
    'tile/0/../000',
    `tile/0/${'x999/'.repeat(6)}999`,
    `tile/0/${'x999/'.repeat(9)}999`,
  ])('refuse %j', (path) => {
    expect(parseTilePath(path)).toBeNull();
  });
  it('count the tiles at the borders of a level', () => {
    expect(tilesOfSize(0n)).toEqual([]);
    expect(tilesOfSize(65_535n).map((t) => [t.full, t.partial])).toEqual([
      [255n, 255],
      [0n, 255],
    ]);
    expect(tilesOfSize(65_536n).map((t) => [t.full, t.partial])).toEqual([
      [256n, 0],
      [1n, 0],
      [0n, 1],
    ]);
    expect(tilesOfSize(2n ** 63n - 1n)).toHaveLength(8);
  });
  it('of checkpoints have 20 digits', () => {
    expect(checkpointPath(5n)).toBe('checkpoints/00000000000000000005');
    expect(parseCheckpointPath('checkpoints/00000000000000000000')).toBe(0n);
    expect(parseCheckpointPath('checkpoints/5')).toBeNull();
    expect(parseCheckpointPath('checkpoints/09223372036854775808')).toBeNull();
  });
});

describe('tiles and bundles', () => {
  it('are read back as they were written', () => {
    const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 256 });
    fc.assert(
      fc.property(entries, (list) => {
        expect(decodeBundle(encodeBundle(list), list.length)).toEqual(list);
      }),
    );
    const hashes = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    expect(decodeTile(encodeTile(hashes), 2)).toEqual(hashes);
  });
  it('hold entries of 0 and 65,535 bytes, and none longer', () => {
    const entries = [new Uint8Array(0), new Uint8Array(65_535)];
    expect(decodeBundle(encodeBundle(entries), 2)).toEqual(entries);
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow(
      expect.objectContaining({ code: 'AUDIT_ENTRY_INVALID' }),
    );
  });
  it('are refused with another count or length', () => {
    const bundle = encodeBundle([Uint8Array.of(1), Uint8Array.of(2)]);
    expect(decodeBundle(bundle, 1)).toBeNull();
    expect(decodeBundle(bundle, 3)).toBeNull();
    expect(decodeBundle(bundle.subarray(0, -1), 2)).toBeNull();
    expect(decodeBundle(Uint8Array.of(...bundle, 0), 2)).toBeNull();
    expect(decodeTile(new Uint8Array(63), 2)).toBeNull();
    expect(decodeTile(new Uint8Array(96), 2)).toBeNull();
  });
});

describe('base64', () => {
  it('has one text for one value', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = encodeBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect(decodeBase64(text)).toEqual(bytes);
      }),
    );
    for (const text of ['QQ', 'QQ=', 'QR==', 'QQ==\n', 'Q Q=', '-_-_', 'QQ==QQ==', '====', '=QQ=']) {
      expect(decodeBase64(text)).toBeNull();
    }
  });
});
