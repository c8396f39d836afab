import { expect, it } from 'vitest';
import { newId, newUuid } from './ids.js';
import type { Random } from './ports.js';

const all = (byte: number): Random => ({ bytes: (n) => new Uint8Array(n).fill(byte) });

it('makes a version 4 UUID of the random bytes', () => {
  expect(newUuid(all(0))).toBe('00000000-0000-4000-8000-000000000000');
  expect(newUuid(all(0xff))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
  const counting: Random = { bytes: (n) => Uint8Array.from({ length: n }, (_, index) => index) };
  expect(newUuid(counting)).toBe('00010203-0405-4607-8809-0a0b0c0d0e0f');
});

it('names a run with 26 characters of base32', () => {
  expect(newId('run', all(0))).toBe(`run_${'a'.repeat(26)}`);
  expect(newId('apr', all(0xff))).toMatch(/^apr_[a-z2-7]{26}$/u);
});
