// How much a module's types may cost the runner, which reads them beside all its other work.
import { describe, expect, it } from 'vitest';
import { Reader } from './module-reader.js';
import { readTypes } from './module-types.js';

const FUNCTION_TYPE = 0x60;
const I32 = 0x7f;
/** In LEB128. */
const THOUSAND = [0xe8, 0x07];
const LIST = [FUNCTION_TYPE, ...THOUSAND, ...new Array<number>(1_000).fill(I32), 0];

function read(...parts: readonly (readonly number[])[]): readonly string[] | null {
  const bytes = Uint8Array.from(parts.flat());
  return readTypes(new Reader(bytes, 0, bytes.length));
}

describe("a module's types", () => {
  it('are written out where they are short', () => {
    expect(read([1, FUNCTION_TYPE, 2, I32, 0x7e, 1, I32])).toEqual(['(i32, i64) -> (i32)']);
  });

  it('hole: types of a thousand parameters each cost five times their bytes: their number is kept', () => {
    const types = read(THOUSAND, ...new Array<readonly number[]>(1_000).fill(LIST));
    expect(types).toHaveLength(1_000);
    expect(new Set(types)).toEqual(new Set(['(1000 values) -> ()']));
  });

  it('hide nothing in a long list: the engine judges what is not known here', () => {
    expect(read([1], [...LIST.slice(0, -2), 0x63, 0])).toBeNull();
  });
});
