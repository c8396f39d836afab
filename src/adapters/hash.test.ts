import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../audit/sha256.js';
import { platformSha256 } from './hash.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe("the platform's SHA-256", () => {
  it('gives the digests of FIPS 180-4', () => {
    expect(hex(platformSha256(new Uint8Array()))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(hex(platformSha256(new TextEncoder().encode('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
  it('agrees with the portable one on every length around a block and on any bytes', () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = new Uint8Array(length).fill(length);
      expect(platformSha256(bytes)).toStrictEqual(sha256(bytes));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(platformSha256(bytes)).toStrictEqual(sha256(bytes));
      }),
    );
  });
  it('reads only the bytes of a view, and its result stays when others follow', () => {
    const whole = Uint8Array.from({ length: 100 }, (_, i) => i);
    const first = platformSha256(whole.subarray(10, 20));
    const kept = first.slice();
    platformSha256(whole.subarray(20, 30));
    expect(first).toStrictEqual(kept);
    expect(first).toStrictEqual(sha256(whole.slice(10, 20)));
    expect(first.byteLength).toBe(32);
  });
});
