import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Key } from './keys.js';
import { openQueueState, reduceQueue, topOf, type QueueItem, type QueueState } from './queue-state.js';

const item = (id: string, batch = 'b'): QueueItem => ({ id, batch });
const items = (count: number): QueueItem[] => Array.from({ length: count }, (_, at) => item(`r${at}`));
const press = (state: QueueState, ...texts: readonly string[]): QueueState =>
  texts.reduce((next, text) => reduceQueue(next, { type: 'key', key: keyOf(text) }), state);
const keyOf = (text: string): Key => (text === 'Enter' ? { kind: 'enter' } : { kind: 'text', text });
const open = (list: readonly QueueItem[], height = 5): QueueState =>
  openQueueState({ items: list, height, message: null, selected: null });

describe('the approval queue', () => {
  it('opens the selected request with Enter, and decides nothing with any key', () => {
    expect(press(open(items(3)), 'j', 'Enter').answer).toEqual({ kind: 'open', ids: ['r1'] });
    for (const key of ['a', 'd', 'e']) {
      expect(press(open(items(3)), key)).toMatchObject({
        answer: null,
        message: 'open the request first: Enter',
      });
    }
    expect(press(open(items(3)), 'w').why).toBe(true);
    expect(press(open(items(3)), 'w', 'j').why).toBe(false);
    expect(press(open([]), 'Enter').answer).toBeNull();
  });

  it('is left by q and by Escape', () => {
    expect(press(open(items(1)), 'q').answer).toEqual({ kind: 'left' });
    expect(reduceQueue(open(items(1)), { type: 'key', key: { kind: 'escape' } }).answer).toEqual({
      kind: 'left',
    });
  });

  it('keeps the selection on its request while the list changes around it', () => {
    const state = press(open(items(3)), 'j');
    const next = reduceQueue(state, { type: 'listed', items: [item('new'), ...items(3)] });
    expect(next.selected).toBe('r1');
    expect(next.message).toBeNull();
  });

  it('says so when the selected request is gone, and stands on the one in its place', () => {
    const state = press(open(items(3)), 'j');
    const next = reduceQueue(state, { type: 'listed', items: [item('r0'), item('r2')] });
    expect(next).toMatchObject({
      selected: 'r2',
      message: 'the request that was selected is decided or gone',
    });
    expect(reduceQueue(state, { type: 'listed', items: [] }).selected).toBeNull();
  });

  it('says what happened to the request it comes from', () => {
    expect(
      openQueueState({ items: items(2), height: 5, message: 'r9 is approved', selected: 'r9' }),
    ).toMatchObject({
      selected: 'r0',
      message: 'r9 is approved',
    });
  });

  it('makes a batch of marked requests of one step, in the order of the list, each of which can be left out', () => {
    const state = press(open(items(3)), ' ', ' ', ' ');
    expect(press(state, 'Enter').answer).toEqual({ kind: 'open', ids: ['r0', 'r1', 'r2'] });
    expect(press(state, 'k', ' ', 'Enter').answer).toEqual({ kind: 'open', ids: ['r0', 'r2'] });
    const other = press(open([item('a', 'one'), item('b', 'two')]), ' ', ' ');
    expect(other).toMatchObject({
      marked: ['a'],
      message: 'only items of one step of one run go into one batch',
    });
  });

  it('has at most 50 requests in a batch, and none that is gone', () => {
    let state = open(items(51));
    for (let at = 0; at < 51; at += 1) state = press(state, ' ');
    expect(state.marked).toHaveLength(50);
    expect(reduceQueue(state, { type: 'listed', items: items(2) }).marked).toEqual(['r0', 'r1']);
  });

  it('always has the selected request on the screen', () => {
    const keys = fc.array(
      fc.constantFrom<Key>({ kind: 'down' }, { kind: 'up' }, { kind: 'page-down' }, { kind: 'page-up' }),
      {
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        keys,
        (count, height, pressed) => {
          const state = pressed.reduce(
            (next, key) => reduceQueue(next, { type: 'key', key }),
            open(items(count), height),
          );
          const top = topOf(state);
          const at = state.items.findIndex(({ id }) => id === state.selected);
          expect(at).toBeGreaterThanOrEqual(top);
          expect(at).toBeLessThan(top + height);
        },
      ),
    );
  });
});
