// What the fields of a Map see: they stand in the Map's own scope, also where its children are runs of their own.
import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.js';

const DISTRIBUTED = { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' } };
const each = (state: object): object => ({
  StartAt: 'I',
  States: { I: { Type: 'Pass', End: true, ...state } },
});

/** A variable is set, then a Map with these fields runs over two items. */
function after(map: object, processor: object, language: 'JSONPath' | 'JSONata' = 'JSONPath'): object {
  const assign = { Type: 'Pass', Assign: { outer: { k: 7 }, per: 2 }, Next: 'M' };
  const state = { Type: 'Map', ItemProcessor: processor, End: true, QueryLanguage: language, ...map };
  return { StartAt: 'A', States: { A: assign, M: state } };
}

const PATHS = { ItemSelector: { 'v.$': '$outer.k', 'i.$': '$$.Map.Item.Value', 'in.$': '$[1]' } };
const QUERIES = {
  Items: '{% $states.input %}',
  ItemSelector: {
    v: '{% $outer.k %}',
    i: '{% $states.context.Map.Item.Value %}',
    in: '{% $states.input[1] %}',
  },
};
const SELECTED = [
  { v: 7, i: 'a', in: 'b' },
  { v: 7, i: 'b', in: 'b' },
];

describe('the selector of a Map', () => {
  it.each([
    ['inline, in JSONPath', after(PATHS, each({}))],
    ['distributed, in JSONPath', after(PATHS, { ...DISTRIBUTED, ...each({}) })],
    ['inline, in JSONata', after(QUERIES, each({}), 'JSONata')],
    ['distributed, in JSONata', after(QUERIES, { ...DISTRIBUTED, ...each({}) }, 'JSONata')],
  ])('sees the variables of the Map: %s', async (_, definition) => {
    expect(await simulate(definition, { input: ['a', 'b'] })).toMatchObject({ output: SELECTED });
  });

  it('sees them where the items go into batches too, as the batches do', async () => {
    const batched = {
      ...PATHS,
      ItemBatcher: { MaxItemsPerBatchPath: '$per', BatchInput: { 'b.$': '$outer' } },
    };
    const definition = after(batched, { ...DISTRIBUTED, ...each({}) });
    expect((await simulate(definition, { input: ['a', 'b'] })).output).toEqual([
      { BatchInput: { b: { k: 7 } }, Items: SELECTED },
    ]);
  });
});

describe('the states of a Map', () => {
  const reading = each({ Parameters: { 'v.$': '$outer.k' } });

  it('see the variables around an inline one', async () => {
    expect(await simulate(after({}, reading), { input: [1] })).toMatchObject({ output: [{ v: 7 }] });
  });

  it('see none of those around a distributed one, nor those that another item has set', async () => {
    const distributed = after({}, { ...DISTRIBUTED, ...reading });
    expect(await simulate(distributed, { input: [1] })).toMatchObject({ status: 'FAILED' });
    const own = {
      StartAt: 'I',
      States: {
        I: { Type: 'Pass', Assign: { 'own.$': '$' }, Next: 'J' },
        J: { Type: 'Pass', Parameters: { 'own.$': '$own' }, End: true },
      },
    };
    expect((await simulate(after({}, { ...DISTRIBUTED, ...own }), { input: [1, 2] })).output).toEqual([
      { own: 1 },
      { own: 2 },
    ]);
  });
});
