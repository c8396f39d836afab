import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTar, tarOf } from './tar.js';

const path = fc
  .array(fc.stringMatching(/^[a-zA-Z0-9_ü-]{1,30}$/), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('/'));

describe('tar', () => {
  it('reads back what it writes, long names and odd sizes too', () => {
    const file = fc.record({ path, bytes: fc.uint8Array({ maxLength: 1_100 }) });
    fc.assert(
      fc.property(fc.array(file, { maxLength: 8 }), (files) => {
        const entries = readTar(tarOf(files));
        expect(entries.map((entry) => [entry.path, Buffer.from(entry.bytes)])).toEqual(
          files.map((one) => [one.path, Buffer.from(one.bytes)]),
        );
        expect(entries.every(({ kind }) => kind === 'file')).toBe(true);
      }),
    );
  });

  it('names the folder that has to be there', () => {
    expect(readTar(tarOf([], 'a/b'))).toMatchObject([{ path: 'a/b', kind: 'directory' }]);
  });

  it('refuses an archive that is cut off, wherever', () => {
    const archive = tarOf([{ path: 'a', bytes: Buffer.alloc(700) }]);
    for (let length = 0; length < archive.length - 1_024; length += 128) {
      expect(() => readTar(archive.subarray(0, length))).toThrow(/no archive/);
    }
  });

  it('never throws anything but a refusal, whatever bytes come', () => {
    const archive = tarOf([{ path: 'a', bytes: Buffer.alloc(700, 'x') }]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 5 }),
        (changes) => {
          const changed = Uint8Array.from(archive);
          for (const [at, byte] of changes) changed[at] = byte;
          try {
            readTar(changed);
          } catch (error) {
            expect(error).toMatchObject({ code: 'SANDBOX_OUTPUT_REFUSED' });
          }
        },
      ),
    );
  });
});
