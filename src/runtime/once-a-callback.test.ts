import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { onceACallback } from './once-a-callback.js';

function counted() {
  let reads = 0;
  return { read: () => (reads += 1), reads: () => reads };
}

describe('what is read once a callback', () => {
  it('is read once by all that goes on from one callback, and again in the next', async () => {
    const { read, reads } = counted();
    const source = onceACallback(read);
    const goesOn = async (): Promise<number> => {
      source.get();
      await Promise.resolve();
      return source.get();
    };
    expect(await Promise.all([goesOn(), goesOn(), goesOn()])).toEqual([1, 1, 1]);
    await setImmediate();
    expect([source.get(), reads()]).toEqual([2, 2]);
  });

  it('is read again once it was forgotten', () => {
    const source = onceACallback(counted().read);
    const before = [source.get(), source.get()];
    source.forget();
    expect([...before, source.get(), source.get()]).toEqual([1, 1, 2, 2]);
  });

  it('is asked again after it has thrown', () => {
    let isBroken = true;
    const source = onceACallback(() => {
      if (isBroken) throw new Error('broken');
      return 'whole';
    });
    expect(() => source.get()).toThrow('broken');
    isBroken = false;
    expect(source.get()).toBe('whole');
  });
});
