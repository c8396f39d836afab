import { expect, it } from 'vitest';
import { tomlPlaces } from './toml-place.js';

it('hole: blanks before a line separator in a value are read once', () => {
  const text = `a =${' '.repeat(200_000)}"\u2028"\n[b]\nc = 1`;
  expect(tomlPlaces(text)('b.c')).toEqual({ line: 3, column: 1 });
});

it('hole: a path of a hundred thousand dots is not looked for at each of them', () => {
  expect(tomlPlaces('x = 1')('.'.repeat(100_000))).toEqual({ line: 1, column: 1 });
});
