import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { ApprovalEvent } from '../runtime/approval/outbox.js';
import { DueRuns, type WaitingRuns } from './due-runs.js';

/** A store in which nothing waits, but for `over`; `change` is a commit of any process. */
function trial(over: Partial<WaitingRuns> = {}) {
  const events: ApprovalEvent[] = [];
  let counter = 0;
  let looks = 0;
  const writ: WaitingRuns = {
    approvalKeys: async () => {
      looks++;
      return [];
    },
    dueTasks: async () => [],
    decidedRuns: async () => [],
    outbox: {
      start: async () => ({ events: [], next: 0n }),
      end: async () => BigInt(events.length),
      read: async (first) => {
        return { events: events.slice(Number(first)), next: BigInt(events.length), end: true };
      },
    },
    changeCounter: () => counter,
    ...over,
  };
  const change = (event?: Partial<ApprovalEvent>): void => {
    counter++;
    if (event !== undefined) events.push(event as ApprovalEvent);
  };
  return { due: new DueRuns(writ), change, looks: () => looks };
}

const approval = (run: string, expiresAtMs: number) => {
  return { id: `apr_${run}`, run, stepPath: 's', functionId: 'f', expiresAtMs };
};

describe('a run is due', () => {
  it('when its request expires, at that moment and not before, with no other look in between', async () => {
    const { due, looks } = trial({ dueTasks: async () => [{ run: 'task', dueMs: 200 }] });
    expect(await due.take(0)).toEqual([]);
    expect(await due.take(199)).toEqual([]);
    expect(looks()).toBe(1);
    expect(await due.take(200)).toEqual(['task']);
  });

  it('a while after another process has decided about it, which may go on with it itself', async () => {
    const { due, change } = trial();
    await due.take(0);
    const record = { run: 'decided', state: 'approved' } as ApprovalEvent['record'];
    change({ type: 'approval.decided', timeMs: 1_000, record });
    expect(await due.take(1_000)).toEqual([]);
    expect(await due.take(3_999)).toEqual([]);
    expect(await due.take(4_000)).toEqual(['decided']);
    expect(await due.take(9_000)).toEqual([]);
  });

  it('once, however often something of it has expired', async () => {
    const { due } = trial({
      approvalKeys: async () => [approval('one', 5), approval('two', 6), approval('one', 7)],
      dueTasks: async () => [{ run: 'two', dueMs: 0 }],
    });
    expect(await due.take(10)).toEqual(['one', 'two']);
  });

  it('not before the time it was put back to, though its request has expired', async () => {
    const { due, change } = trial({ approvalKeys: async () => [approval('busy', 5), approval('other', 5)] });
    due.put('busy', 30_000);
    change();
    expect(await due.take(10)).toEqual(['other']);
    change();
    expect(await due.take(29_999)).toEqual(['other']);
    expect(await due.take(30_000)).toEqual(['busy', 'other']);
  });

  it('at the next look where one failed on its way: what was found before is not lost', async () => {
    let isBroken = true;
    const { due } = trial({
      decidedRuns: async () => ['decided'],
      dueTasks: async () => {
        if (isBroken) throw new WritError('STORE_BUSY', 'the store is in use');
        return [];
      },
    });
    await expect(due.take(0)).rejects.toThrow('the store is in use');
    isBroken = false;
    expect(await due.take(1)).toEqual(['decided']);
  });

  it('when it rests and its timer is over, or before that when a request of it expires', async () => {
    const { due } = trial({ approvalKeys: async () => [approval('asks', 300)] });
    due.rest('asks', 500);
    due.rest('sleeps', 500);
    due.rest('awake', 400);
    due.rest('awake', null);
    expect(await due.take(299)).toEqual([]);
    expect(await due.take(300)).toEqual(['asks']);
    const { due: later } = trial();
    later.rest('sleeps', 500);
    expect(await later.take(499)).toEqual([]);
    expect(await later.take(500)).toEqual(['sleeps']);
    expect(await later.take(9_000)).toEqual([]);
  });
});
