import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/runtime/fixture.js';
import { WritError } from '../errors.js';
import type { Lock } from '../runtime/ports.js';
import { showPresence } from './presence.js';

const full = new WritError('STORE_FULL', 'the disk is full');

/** Fails with each of `faults` in turn, then holds. */
function trial(...faults: readonly (WritError | null)[]) {
  const clock = new ManualClock();
  const failed: unknown[] = [];
  const held = { tries: 0, released: 0 };
  const hold = async (): Promise<Lock | null> => {
    const fault = faults[held.tries++];
    if (fault === null) return null;
    if (fault !== undefined) throw fault;
    return { name: 'serve.1', release: () => void held.released++ };
  };
  const show = () => showPresence(hold, { failed: (error) => failed.push(error), clock });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  };
  return { show, pass, failed, held };
}

describe('a server is seen by other processes', () => {
  it('from its start to its end', async () => {
    const { show, pass, failed, held } = trial();
    const presence = await show();
    await pass(60_000);
    expect([held, failed]).toEqual([{ tries: 1, released: 0 }, []]);
    await presence.end();
    expect(held.released).toBe(1);
  });

  it('though it could not say so at its start: it tries again, and tells each failure', async () => {
    const { show, pass, failed, held } = trial(full, null);
    const presence = await show();
    expect(failed).toEqual([full]);
    await pass(9_999);
    expect(held.tries).toBe(1);
    await pass(1);
    expect(held.tries).toBe(2);
    await pass(10_000);
    await pass(60_000);
    expect([held.tries, failed]).toEqual([3, [full]]);
    await presence.end();
    expect(held.released).toBe(1);
  });

  it('or ends without ever having been seen', async () => {
    const { show, pass, held } = trial(full, full, full);
    const presence = await show();
    await presence.end();
    await pass(60_000);
    expect(held).toEqual({ tries: 1, released: 0 });
  });
});
