import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameReader } from './frames.js';

interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

function encoded(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ stream, bytes }) => {
      const header = Buffer.alloc(8);
      header[0] = stream === 'stderr' ? 2 : 1;
      header.writeUInt32BE(bytes.length, 4);
      return [header, bytes];
    }),
  );
}

function streams(frames: Iterable<Frame>): { stdout: string; stderr: string } {
  const out = { stdout: '', stderr: '' };
  for (const { stream, bytes } of frames) out[stream] += Buffer.from(bytes).toString('latin1');
  return out;
}

describe('frameReader', () => {
  it('gives back every stream however the bytes are cut into chunks', () => {
    const frame = fc.record({
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      bytes: fc.uint8Array({ maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat(30)), (frames, cuts) => {
        const seen: Frame[] = [];
        const read = frameReader((stream, bytes) => seen.push({ stream, bytes: Uint8Array.from(bytes) }));
        let rest = encoded(frames);
        for (const cut of cuts) {
          read(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        read(rest);
        expect(streams(seen)).toEqual(streams(frames));
      }),
    );
  });

  it('takes a payload that looks like a header for a payload', () => {
    const forged = encoded([{ stream: 'stderr', bytes: Buffer.from('evil') }]);
    const seen: Frame[] = [];
    frameReader((stream, bytes) => seen.push({ stream, bytes }))(
      encoded([{ stream: 'stdout', bytes: forged }]),
    );
    expect(streams(seen)).toEqual({ stdout: forged.toString('latin1'), stderr: '' });
  });
});
