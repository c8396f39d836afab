import { expect, it } from 'vitest';
import { withDefaults } from './input-default.js';

const LIST = (depth: number): object =>
  depth === 0
    ? { type: 'string', default: 'x'.repeat(100) }
    : {
        type: 'array',
        default: Array.from({ length: 150 }, () => ({})),
        items: { type: 'object', properties: { next: LIST(depth - 1) } },
      };

it('hole: defaults within the items of defaults multiply no further than a bound', () => {
  const schema = JSON.parse(JSON.stringify({ properties: { all: LIST(4) } }));
  expect(() => withDefaults(schema, {})).toThrow(/more than 4 MiB/);
});

it('hole: many items of the input are not each given a large default without a bound', () => {
  const schema = { items: { properties: { text: { default: 'x'.repeat(60_000) } } } };
  expect(() =>
    withDefaults(
      schema,
      Array.from({ length: 10_000 }, () => ({})),
    ),
  ).toThrow(/more than 4 MiB/);
  expect(withDefaults(schema, [{}, { text: 'own' }])).toEqual([
    { text: 'x'.repeat(60_000) },
    { text: 'own' },
  ]);
});

it('leaves items alone that prefixItems are about', () => {
  const schema = { prefixItems: [{}], items: { properties: { z: { default: 1 } } } };
  expect(withDefaults(schema, [{ k: 1 }, { k: 2 }])).toEqual([{ k: 1 }, { k: 2, z: 1 }]);
});
