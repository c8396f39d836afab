import { describe, expect, it } from 'vitest';
import type { Json } from '../json.js';
import { newFrame } from './frame.js';
import { assigned } from './variables.js';

const frame = newFrame('', null, 'A', 0);
const LIMIT = 256 * 1024;
const assign =
  (value: Json): (() => unknown) =>
  () =>
    assigned(frame, { v: value });

describe('a variable', () => {
  it('has at most 256 KiB of UTF-8 as JSON', () => {
    for (const [character, bytes] of [
      ['x', 1],
      ['é', 2],
      ['😀', 4],
    ] as const) {
      const most = character.repeat(Math.floor((LIMIT - 2) / bytes));
      expect(assign(most), character).not.toThrow();
      expect(assign(most + character), character).toThrow(/The variable 'v' is larger than 262144 bytes/);
    }
    expect(assign(Array.from({ length: 30_000 }, () => 123_456_789)), 'numbers').toThrow(/larger/);
  });

  it('is measured alone: many of them have their room together', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`v${at}`, 'x'.repeat(LIMIT - 2)]));
    expect(() => assigned(frame, many)).not.toThrow();
    const more = Object.fromEntries(Array.from({ length: 42 }, (_, at) => [`v${at}`, 'x'.repeat(LIMIT - 2)]));
    expect(() => assigned(frame, more)).toThrow(/together/);
  });
});
