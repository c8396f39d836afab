import { describe, expect, it } from 'vitest';
import { WritError } from '../errors.js';
import type { ApprovalEvent } from '../runtime/approval/outbox.js';
import { DueRuns, type WaitingRuns } from './due-runs.js';

const nobody = (): boolean => false;

/** A store in which nothing waits, but for `over`; `change` is a commit of any process. */
function trial(over: Partial<WaitingRuns> = {}) {
  const events: ApprovalEvent[] = [];
  let counter = 0;
  let looks = 0;
  const writ: WaitingRuns = {
    decidedRuns: async () => [],
    abandoned: async () => [],
    outbox: {
      start: async () => ({ events: [], next: 0n }),
      end: async () => BigInt(events.length),
      read: async (first) => {
        return { events: events.slice(Number(first)), next: BigInt(events.length), end: true };
      },
    },
    changeCounter: () => counter,
    ...over,
    wakeUps: async (limit) => {
      looks++;
      return over.wakeUps?.(limit) ?? [];
    },
  };
  const change = (event?: Partial<ApprovalEvent>): void => {
    counter++;
    if (event !== undefined) events.push(event as ApprovalEvent);
  };
  const due = new DueRuns(writ);
  return { due, take: (nowMs: number) => due.take(nowMs, nobody), change, looks: () => looks };
}

describe('a run is due', () => {
  it('when its time has come, at that moment and not before, with no other look in between', async () => {
    const { due, take, looks } = trial({ wakeUps: async () => [{ run: 'sleeps', atMs: 200 }] });
    expect(await take(0)).toEqual([]);
    expect(due.nextMs).toBe(200);
    expect(await take(199)).toEqual([]);
    expect(looks()).toBe(1);
    expect(await take(200)).toEqual(['sleeps']);
  });

  it('by a time that another process has written down meanwhile', async () => {
    const wakeUps = [{ run: 'late', atMs: 900 }];
    const { due, take, change } = trial({ wakeUps: async () => wakeUps });
    expect(await take(0)).toEqual([]);
    wakeUps.unshift({ run: 'soon', atMs: 100 });
    change();
    expect(await take(50)).toEqual([]);
    expect(due.nextMs).toBe(100);
    expect(await take(100)).toEqual(['soon']);
  });

  it('a while after another process has decided about it, which may go on with it itself', async () => {
    const { take, change } = trial();
    await take(0);
    const record = { run: 'decided', state: 'approved' } as ApprovalEvent['record'];
    change({ type: 'approval.decided', timeMs: 1_000, record });
    expect(await take(1_000)).toEqual([]);
    expect(await take(3_999)).toEqual([]);
    expect(await take(4_000)).toEqual(['decided']);
    expect(await take(9_000)).toEqual([]);
  });

  it('once, however many of its times have come', async () => {
    const { take } = trial({
      wakeUps: async () => [
        { run: 'two', atMs: 0 },
        { run: 'one', atMs: 5 },
        { run: 'two', atMs: 6 },
      ],
    });
    expect(await take(10)).toEqual(['two', 'one']);
  });

  it('not before the time it was put back to, though its own had come before', async () => {
    const { due, take, change } = trial({
      wakeUps: async () => [
        { run: 'busy', atMs: 5 },
        { run: 'other', atMs: 5 },
      ],
    });
    due.put('busy', 30_000, 8);
    change();
    expect(await take(10)).toEqual(['other']);
    change();
    expect(await take(29_999)).toEqual(['other']);
    expect(await take(30_000)).toEqual(['busy', 'other']);
  });

  it('before the time it was put back to, once another time of its own has come', async () => {
    const wakeUps = [{ run: 'busy', atMs: 5 }];
    const { due, take, change } = trial({ wakeUps: async () => wakeUps });
    due.put('busy', 30_000, 8);
    expect(await take(10)).toEqual([]);
    // Whoever was driving it has let it go until then.
    wakeUps[0] = { run: 'busy', atMs: 4_000 };
    change();
    expect(await take(20)).toEqual([]);
    expect(await take(4_000)).toEqual(['busy']);
  });

  it('as soon as it was put back for, though the clock was set back meanwhile', async () => {
    const { due, take } = trial({ wakeUps: async () => [{ run: 'busy', atMs: 80_000 }] });
    await take(100_000);
    due.put('busy', 130_000, 100_000);
    expect(await take(70_000)).toEqual([]);
    // Its own time, which was over by that clock, is to come by this one.
    expect(due.nextMs).toBe(80_000);
    expect(await take(80_000)).toEqual(['busy']);
    due.put('other', 110_000, 80_000);
    expect(await take(10_000)).toEqual([]);
    expect(await take(39_999)).toEqual([]);
    expect(await take(40_000)).toEqual(['other']);
  });

  it('though more runs than are looked at in one go were put back', async () => {
    const runs = Array.from({ length: 700 }, (_, at) => ({ run: `run_${at}`, atMs: at }));
    const { due, take } = trial({ wakeUps: async (limit) => runs.slice(0, limit) });
    for (const { run } of runs.slice(0, 600)) due.put(run, 90_000, 600);
    expect(await take(1_000)).toEqual(runs.slice(600).map(({ run }) => run));
  });

  it('not while somebody here has it, and looked at again soon: whoever has it may change nothing', async () => {
    const { due } = trial({
      wakeUps: async () => [
        { run: 'here', atMs: 5 },
        { run: 'later', atMs: 60_000 },
      ],
    });
    let has = true;
    const inHand = (run: string): boolean => has && run !== 'none';
    expect(await due.take(10, inHand)).toEqual([]);
    expect(due.nextMs).toBe(1_010);
    has = false;
    expect(await due.take(1_010, inHand)).toEqual(['here']);
    // One that is driven and comes to rest until then is found, though nothing is written after it.
    has = true;
    await due.take(1_011, inHand);
    expect(due.nextMs).toBeLessThanOrEqual(60_000);
  });

  it('when nobody has advanced it at two looks, ten seconds apart, and it is not in hand or put back', async () => {
    let found: readonly string[] = ['killed', 'handed-over', 'here', 'broken'];
    let times = 0;
    const { due } = trial({
      abandoned: async () => {
        times++;
        return found;
      },
    });
    const take = (nowMs: number) => due.take(nowMs, (run) => run === 'here');
    due.put('broken', 600_000, 0);
    expect(await take(0)).toEqual([]);
    // The command that it was handed to has it now; another one is on its way there.
    found = ['killed', 'here', 'broken', 'newly'];
    expect(await take(9_999)).toEqual([]);
    expect(times).toBe(1);
    expect(await take(10_000)).toEqual(['killed']);
    found = ['here', 'broken'];
    expect(await take(20_000)).toEqual([]);
  });

  it('though the look for those that nobody advances fails: that is told, and done again later', async () => {
    let times = 0;
    const { take } = trial({
      wakeUps: async () => [{ run: 'late', atMs: 5 }],
      abandoned: async () => {
        times++;
        throw new WritError('STORE_BUSY', 'the store is in use');
      },
    });
    await expect(take(10)).rejects.toThrow('the store is in use');
    expect(await take(1_010)).toEqual(['late']);
    expect(times).toBe(1);
    await expect(take(10_010)).rejects.toThrow('the store is in use');
  });

  it('at the next look where one failed on its way: what was found before is not lost', async () => {
    let isBroken = true;
    const { take } = trial({
      decidedRuns: async () => ['decided'],
      wakeUps: async () => {
        if (isBroken) throw new WritError('STORE_BUSY', 'the store is in use');
        return [];
      },
    });
    await expect(take(0)).rejects.toThrow('the store is in use');
    isBroken = false;
    expect(await take(1)).toEqual(['decided']);
  });
});
