import { afterEach, describe, expect, it, vi } from 'vitest';
import { WritError } from '../errors.js';
import type { ApprovalEvent } from '../runtime/approval/outbox.js';
import type { ApprovalRecord, RunRecord } from '../runtime/ports.js';
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
function trial(over: Partial<DrivenWrit> = {}, nowMs = () => Date.now()): Trial {
  const events: ApprovalEvent[] = [];
  const driven: string[] = [];
  const failed: unknown[] = [];
  const places: string[] = [];
  const writ: DrivenWrit = {
    approvalKeys: async () => [],
    dueTasks: async () => [],
    decidedRuns: async () => [],
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
    nowMs,
  });
  driver.start();
  return { driven, failed, places, commit: (event) => void events.push(event as ApprovalEvent) };
}

const decided = (run: string, state: ApprovalRecord['state']): Partial<ApprovalEvent> => {
  const record: Partial<ApprovalRecord> = { run, state };
  return { type: 'approval.decided', timeMs: 0, record: record as ApprovalRecord };
};

describe('runs beside a server', () => {
  it('go on at the start where a request of theirs was decided and they have not gone on', async () => {
    const { driven } = trial({ decidedRuns: async () => ['approved', 'denied'] });
    await vi.waitFor(() => expect(driven).toEqual(['approved', 'denied']));
  });

  it('go on when another process has decided and does not go on with them', async () => {
    const decidedRuns = vi.fn(async () => []);
    const { driven, commit } = trial({ decidedRuns });
    await vi.waitFor(() => expect(decidedRuns).toHaveBeenCalled());
    commit(decided('asks-on', 'pending'));
    commit(decided('used', 'consumed'));
    for (const state of ['approved', 'denied', 'revoked', 'expired'] as const) commit(decided(state, state));
    await vi.waitFor(() => expect(driven).toEqual(['approved', 'denied', 'revoked', 'expired']), {
      timeout: 20_000,
    });
  });

  it('go on although the first look at them failed', async () => {
    let looks = 0;
    const busy = new WritError('STORE_BUSY', 'the store is in use');
    const { driven, failed } = trial({
      decidedRuns: async () => ['decided'],
      approvalKeys: async () => {
        if (looks++ === 0) throw busy;
        return [];
      },
    });
    await vi.waitFor(() => expect(driven).toEqual(['decided']), { timeout: 20_000 });
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
    await vi.waitFor(() => expect(driven).toHaveLength(3));
    await vi.waitFor(() =>
      expect(failed).toMatchObject([{ code: 'STORE_IO', message: 'run broken: broken' }]),
    );
    // Of few places, so that what is told stays little, however many runs there are.
    expect(places).toEqual(['run']);
  });

  it('are tried again when they could not go on, though nothing in the store changes', async () => {
    for (const code of ['STORE_BUSY', 'RUN_BUSY'] as const) {
      let now = 1_000_000;
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
        () => now,
      );
      await vi.waitFor(() => expect(driven).toHaveLength(1));
      now += 30_000;
      await vi.waitFor(() => expect(driven).toEqual(['decided', 'decided']), { timeout: 20_000 });
      await driver?.stop();
    }
  });

  it('give their place to others while they rest until a timer, and go on when it is due', async () => {
    let now = 1_000_000;
    const driven: string[] = [];
    const asked: string[] = [];
    const runs = Array.from({ length: 9 }, (_, at) => `run_${at}`);
    trial(
      {
        decidedRuns: async () => runs,
        drive: async (run, { stopAt }) => {
          asked.push(stopAt);
          driven.push(run);
          return driven.length > runs.length ? AWAKE : ({ wakeAtMs: now + 60_000 } as RunRecord);
        },
      },
      () => now,
    );
    await vi.waitFor(() => expect(driven).toEqual(runs));
    now += 60_000;
    await vi.waitFor(() => expect(driven).toEqual([...runs, ...runs]), { timeout: 20_000 });
    expect(new Set(asked)).toEqual(new Set(['resting']));
  });
});
