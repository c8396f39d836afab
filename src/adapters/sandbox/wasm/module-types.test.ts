// How much a module's types may cost the runner, which reads them beside all its other work.
import { describe, expect, it } from 'vitest';
import { Reader } from './module-reader.js';
import { readTypes, type Types } from './module-types.js';

const FUNCTION_TYPE = 0x60;
const I32 = 0x7f;
/** In LEB128. */
const THOUSAND = [0xe8, 0x07];
const LIST = [FUNCTION_TYPE, ...THOUSAND, ...new Array<number>(1_000).fill(I32), 0];

function read(...parts: readonly (readonly number[])[]): Types | null {
  const bytes = Uint8Array.from(parts.flat());
  return readTypes(new Reader(bytes, 0, bytes.length));
}

describe("a module's types", () => {
  it('are written out when they are asked for, where they are short', () => {
    const types = read([2, FUNCTION_TYPE, 2, I32, 0x7e, 1, I32, FUNCTION_TYPE, 0, 1, 0x7c]);
    expect([1, 0, 1, 2, -1].map((index) => types?.at(index))).toEqual([
      '() -> (f64)',
      '(i32, i64) -> (i32)',
      '() -> (f64)',
      undefined,
      undefined,
    ]);
  });

  it('hole: types of a thousand parameters each cost five times their bytes: their number is told', () => {
    const types = read(THOUSAND, ...new Array<readonly number[]>(1_000).fill(LIST));
    expect([0, 999].map((index) => types?.at(index))).toEqual(['(1000 values) -> ()', '(1000 values) -> ()']);
    expect(types?.at(1_000)).toBeUndefined();
  });

  it('hole: a million types cost ten times their bytes, though a few are asked for: four bytes each are kept', () => {
    const count = 1_000_000;
    const one = [FUNCTION_TYPE, 20, ...new Array<number>(20).fill(I32), 0];
    const bytes = new Uint8Array(3 + count * one.length);
    bytes.set([0xc0, 0x84, 0x3d]);
    for (let i = 0; i < count; i += 1) bytes.set(one, 3 + i * one.length);
    const before = process.memoryUsage();
    const types = readTypes(new Reader(bytes, 0, bytes.length));
    const after = process.memoryUsage();
    expect(types?.at(count - 1)).toBe(`(${new Array<string>(20).fill('i32').join(', ')}) -> ()`);
    const kept = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    expect(kept).toBeLessThan(2 * bytes.length);
  });

  it('hide nothing in a long list: the engine judges what is not known here', () => {
    expect(read([1], [...LIST.slice(0, -2), 0x63, 0])).toBeNull();
  });
});
