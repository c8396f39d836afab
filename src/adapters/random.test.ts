import { describe, expect, it } from 'vitest';
import { systemRandom } from './random.js';

describe('system random', () => {
  it('gives as many bytes as asked for, other ones each time', () => {
    expect(systemRandom.bytes(0)).toHaveLength(0);
    expect(systemRandom.bytes(100_000)).toHaveLength(100_000);
    expect(systemRandom.bytes(32)).not.toEqual(systemRandom.bytes(32));
  });
});
