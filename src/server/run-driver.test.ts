import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ManualClock } from '../../test/runtime/fixture.js';
import { WritError } from '../errors.js';
import type { ApprovalEvent } from '../runtime/approval/outbox.js';
import { systemClock } from '../adapters/clock.js';
import type { ApprovalRecord, Clock, RunRecord } from '../runtime/ports.js';
import { openRunDriver, type RunDriver } from './run-driver.js';

type DrivenWrit = Parameters<typeof openRunDriver>[0];

/** It has ended, or waits for people. */
const AWAKE = { wakeAtMs: null } as RunRecord;

let driver: RunDriver | null = null;
afterEach(() => driver?.stop());

interface Trial {
  readonly driven: string[];
  readonly failed: unknown[];
  /** Where each of them happened. */
  readonly places: string[];
  /** Another process commits this event. */
  commit(event: Partial<ApprovalEvent>): void;
}

/** A driver beside a store in which nothing waits, but for `over`. */
function trial(over: Partial<DrivenWrit> = {}, clock: Clock = systemClock): Trial {
  const events: ApprovalEvent[] = [];
  const driven: string[] = [];
  const failed: unknown[] = [];
  const places: string[] = [];
  const writ: DrivenWrit = {
    wakeUps: async () => [],
    decidedRuns: async () => [],
    abandoned: async () => [],
    outbox: {
      start: async () => ({ events: [], next: 0n }),
      end: async () => BigInt(events.length),
      read: async (first) => ({
        events: events.slice(Number(first)),
        next: BigInt(events.length),
        end: true,
      }),
    },
    changeCounter: () => events.length,
    drive: async (run) => {
      driven.push(run);
      return AWAKE;
    },
    ...over,
  };
  driver = openRunDriver(writ, {
    failed: (error, what) => {
      failed.push(error);
      places.push(what);
    },
    clock,
  });
  driver.start();
  return { driven, failed, places, commit: (event) => void events.push(event as ApprovalEvent) };
}

/** A second at a time, so that whoever looks in between has time to. */
async function goesBy(clock: ManualClock, ms: number): Promise<void> {
  const endMs = clock.nowMs() + ms;
  while (clock.nowMs() < endMs) {
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    clock.set(Math.min(endMs, clock.nowMs() + 1_000));
  }
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}

const decided = (run: string, state: ApprovalRecord['state']): Partial<ApprovalEvent> => {
  const record: Partial<ApprovalRecord> = { run, state };
  return { type: 'approval.decided', timeMs: 0, record: record as ApprovalRecord };
};

describe('runs beside a server', () => {
  it('go on at the start where a request of theirs was decided and they have not gone on', async () => {
    const { driven } = trial({ decidedRuns: async () => ['approved', 'denied'] });
    await expect.poll(() => driven).toEqual(['approved', 'denied']);
  });

  it('go on when another process has decided and does not go on with them', async () => {
    const decidedRuns = vi.fn(async () => []);
    const { driven, commit } = trial({ decidedRuns });
    await expect.poll(() => decidedRuns).toHaveBeenCalled();
    commit(decided('asks-on', 'pending'));
    commit(decided('used', 'consumed'));
    for (const state of ['approved', 'denied', 'revoked', 'expired'] as const) commit(decided(state, state));
    await expect.poll(() => driven).toEqual(['approved', 'denied', 'revoked', 'expired']);
  });

  it('go on although the first look at them failed', async () => {
    let looks = 0;
    const busy = new WritError('STORE_BUSY', 'the store is in use');
    const { driven, failed } = trial({
      decidedRuns: async () => ['decided'],
      wakeUps: async () => {
        if (looks++ === 0) throw busy;
        return [];
      },
    });
    await expect.poll(() => driven).toEqual(['decided']);
    expect(failed).toEqual([busy]);
  });

  it('are left to the process that advances them, and a fault of one is told', async () => {
    const { driven, failed, places } = trial({
      decidedRuns: async () => ['theirs', 'broken', 'mine'],
      drive: async (run) => {
        driven.push(run);
        if (run === 'theirs') throw new WritError('RUN_BUSY', 'another process advances it');
        if (run === 'broken') throw new WritError('STORE_IO', 'broken');
        return AWAKE;
      },
    });
    await expect.poll(() => driven).toHaveLength(3);
    await expect.poll(() => failed).toMatchObject([{ code: 'STORE_IO', message: 'run broken: broken' }]);
    // Of few places, so that what is told stays little, however many runs there are.
    expect(places).toEqual(['run']);
  });

  it('are tried again when they could not go on, though nothing in the store changes', async () => {
    for (const code of ['STORE_BUSY', 'RUN_BUSY'] as const) {
      const clock = new ManualClock();
      const driven: string[] = [];
      trial(
        {
          decidedRuns: async () => ['decided'],
          drive: async (run) => {
            driven.push(run);
            if (driven.length === 1) throw new WritError(code, 'not now');
            return AWAKE;
          },
        },
        clock,
      );
      await expect.poll(() => driven).toHaveLength(1);
      await goesBy(clock, 30_000);
      await expect.poll(() => driven).toEqual(['decided', 'decided']);
      await driver?.stop();
    }
  });

  it('are tried again soon when another process had them, and then ever more seldom', async () => {
    const clock = new ManualClock();
    const startMs = clock.nowMs();
    const seconds: number[] = [];
    trial(
      {
        decidedRuns: async () => ['theirs'],
        drive: async () => {
          seconds.push(Math.round((clock.nowMs() - startMs) / 1_000));
          throw new WritError('RUN_BUSY', 'another process has it');
        },
      },
      clock,
    );
    await goesBy(clock, 100_000);
    const pauses = seconds.slice(1).map((at, i) => at - (seconds[i] ?? 0));
    for (const [i, least] of [1, 2, 4, 8, 16, 30].entries()) {
      expect(pauses[i], seconds.join()).toBeGreaterThanOrEqual(least);
      expect(pauses[i], seconds.join()).toBeLessThanOrEqual(least + 2);
    }
  });

  it('go on although the clock was set back an hour', async () => {
    const clock = new ManualClock();
    const { driven, commit } = trial({}, clock);
    await goesBy(clock, 2_000);
    clock.setBack(3_600_000);
    commit(decided('run_1', 'approved'));
    await goesBy(clock, 10_000);
    await expect.poll(() => driven).toEqual(['run_1']);
  });

  it('go on at the time that the store has for them, whoever wrote it down, and at no other', async () => {
    const clock = new ManualClock();
    const atMs = clock.nowMs() + 60_000;
    const left = ['first', 'second'];
    const driven: string[] = [];
    trial(
      {
        wakeUps: async () => left.map((run, i) => ({ run, atMs: atMs + 10_000 * i })),
        drive: async (run, { stopAt }) => {
          expect(stopAt).toBe('resting');
          driven.push(run);
          left.shift();
          return AWAKE;
        },
      },
      clock,
    );
    await goesBy(clock, 59_999);
    expect(driven).toEqual([]);
    await goesBy(clock, 1);
    await expect.poll(() => driven).toEqual(['first']);
    await goesBy(clock, 9_999);
    expect(driven).toEqual(['first']);
    await goesBy(clock, 1);
    await expect.poll(() => driven).toEqual(['first', 'second']);
  });

  it('that stand where they stood although their time has come are tried again later, ever more seldom', async () => {
    const clock = new ManualClock();
    const wakeAtMs = clock.nowMs();
    const driven: number[] = [];
    trial(
      {
        wakeUps: async () => [{ run: 'stuck', atMs: wakeAtMs }],
        drive: async () => {
          driven.push(clock.nowMs() - wakeAtMs);
          return { wakeAtMs } as RunRecord;
        },
      },
      clock,
    );
    await expect.poll(() => driven).toEqual([0]);
    await goesBy(clock, 29_000);
    expect(driven).toHaveLength(1);
    await goesBy(clock, 62_000);
    await expect.poll(() => driven).toHaveLength(3);
    expect(driven[1]).toBeGreaterThanOrEqual(30_000);
    expect(driven[2]).toBeGreaterThanOrEqual(90_000);
  });

  it('give their place to others while they rest', async () => {
    const clock = new ManualClock();
    const runs = Array.from({ length: 9 }, (_, at) => `run_${at}`);
    const driven: string[] = [];
    trial(
      {
        decidedRuns: async () => runs,
        drive: async (run) => {
          driven.push(run);
          return { wakeAtMs: clock.nowMs() + 60_000 } as RunRecord;
        },
      },
      clock,
    );
    await expect.poll(() => driven).toEqual(runs);
  });
});
