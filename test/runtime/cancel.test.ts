// Cancelling: it works while the run waits and while a step runs, from any process, and it is final.
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocks } from '../../src/adapters/store/locks.js';
import type { Locks } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import {
  eventually,
  hangForEver,
  hangUntilAbort,
  interfering,
  refusalOf,
  states,
  steps,
  useTeam,
} from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

/** Cancels while others move: the clock goes on until the answer is there. */
async function cancel(writ: Writ, runId: string, by = 'alice') {
  const { team } = here;
  let over = false;
  const end = (): void => {
    over = true;
  };
  const cancelled = writ.cancel(runId, await team.as(writ, by));
  void cancelled.then(end, end);
  await eventually(() => {
    if (!over) team.clock.advance(50);
    return over || null;
  });
  return cancelled;
}

describe('a run that waits for an approval', () => {
  it.each(['pending', 'approved'])('is cancelled, and what was %s is withdrawn', async (state) => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(writ, run.id);
    if (state === 'approved') await team.approve(writ, approval);
    expect(await cancel(writ, run.id)).toMatchObject({ status: 'cancelled', exitCode: 1, waitingFor: null });
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect((await team.types(run.id)).slice(-3)).toEqual([
      'authz.decided',
      'approval.withdrawn',
      'run.finished',
    ]);
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    expect((await team.drive(writ, run.id)).status).toBe('cancelled');
    expect(team.functions.calls).toEqual([]);
  });

  it('is cancelled by somebody who may, and the log says who', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, steps([`${ONE}, approval: sync`]));
    for (const name of ['bob', 'audrey']) {
      expect(await refusalOf(cancel(writ, run.id, name))).toMatchObject({
        code: 'POLICY_NO_MATCH',
        exitCode: 3,
      });
    }
    expect((await writ.status(run.id)).status).toBe('waiting');
    await cancel(writ, run.id, 'olivia');
    const last = (await team.entries(run.id)).at(-1);
    expect(last).toMatchObject({ type: 'run.finished', actor: { id: 'user:olivia' } });
  });

  it('whose process does not answer is told after ten seconds, however long each look at it takes', async () => {
    const { team } = here;
    let looks = 0;
    const writ = await team.open({
      locks: (locks) => ({
        ...locks,
        tryHold(name) {
          looks += 1;
          return locks.tryHold(name);
        },
      }),
    });
    const run = await team.run(writ, steps([`${ONE}, approval: sync`]));
    // A process that has the run and is stopped, as by a debugger.
    const frozen = openLocks(path.join(team.data, 'locks')).tryHold(`run.${run.id}`);
    looks = 0;
    let over = false;
    const told = writ.cancel(run.id, await team.as(writ, 'alice')).catch((error: unknown) => {
      over = true;
      return error;
    });
    await eventually(() => {
      // A second and more goes by for each look: by the pauses alone it would be told after 200 of them.
      team.clock.advance(1_200);
      return over || null;
    });
    expect(await told).toMatchObject({ code: 'RUN_BUSY' });
    expect(looks).toBeLessThan(50);
    frozen?.release();
    expect((await team.drive(writ, run.id)).status).toBe('cancelled');
  });

  it('is cancelled although somebody votes at the same moment', async () => {
    const { team } = here;
    const plain = await team.open();
    const run = await team.run(plain, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(plain, run.id);
    const writ = await team.open({
      store: (inner) =>
        interfering(inner, 'run.finished', async () => {
          await team.approve(plain, approval);
        }),
    });
    expect(await cancel(writ, run.id)).toMatchObject({ status: 'cancelled' });
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect(team.functions.calls).toEqual([]);
  });
});

describe('a run whose step is running', () => {
  it.each([
    ['a function that listens', hangUntilAbort],
    ['a function that does not', hangForEver],
  ])('is cancelled from another handle: %s', async (_, hang) => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    team.functions.answer('tool::test_one', hang);
    const text = steps([`${ONE}, errorMode: retry, retry: { initialMs: 0 }`, 'functionId: "tool::test_two"']);
    const runId = await team.start(writ, text);
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    expect(await cancel(other, runId)).toMatchObject({ status: 'cancelled' });
    expect(await driven).toMatchObject({ status: 'cancelled' });
    expect(team.functions.calls).toHaveLength(1);
    expect(team.functions.calls[0]?.signal.aborted).toBe(true);
    expect(await team.facts(runId, 'step.finished')).toMatchObject([
      { status: 'cancelled', code: 'STEP_CANCELLED' },
    ]);
    expect((await writ.status(runId)).steps).toMatchObject([
      { status: 'cancelled', error: { code: 'STEP_CANCELLED', message: expect.stringContaining('stopped') } },
      { status: 'pending', attempts: 0 },
    ]);
    expect((await team.types(runId)).at(-1)).toBe('run.finished');
    // Never again: neither by driving nor by resuming.
    expect((await team.drive(other, runId)).status).toBe('cancelled');
    const alice = await team.as(other, 'alice');
    for (const promise of [other.resume(runId, alice), other.cancel(runId, alice)]) {
      expect(await refusalOf(promise)).toMatchObject({ code: 'RUN_ALREADY_FINISHED', exitCode: 2 });
    }
    expect(team.functions.calls).toHaveLength(1);
  });

  it('is cancelled from another handle although the clock was set back', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort);
    const runId = await team.start(writ, steps([ONE]));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    team.clock.setBack(200_000);
    expect(await cancel(other, runId)).toMatchObject({ status: 'cancelled' });
    expect(await driven).toMatchObject({ status: 'cancelled' });
  });

  it('that stops with its process has not failed: no retry is used, nothing is skipped', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort);
    const runId = await team.start(writ, steps([`${ONE}, errorMode: skip`, 'functionId: "tool::test_two"']));
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    stop.abort();
    expect(await driven).toMatchObject({ status: 'indeterminate' });
    expect(await team.facts(runId, 'step.finished')).toMatchObject([{ status: 'cancelled' }]);
    expect(team.functions.calls).toHaveLength(1);
  });

  it('and is idempotent runs again with the same key after its process was stopped', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangUntilAbort, () => 'again');
    const runId = await team.start(writ, steps([`${ONE}, idempotent: true`]));
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    stop.abort();
    await driven;
    expect(await team.drive(await team.open(), runId)).toMatchObject({
      status: 'completed',
      output: 'again',
    });
    expect(new Set(team.functions.calls.map((call) => call.idempotencyKey)).size).toBe(1);
  });

  it('that succeeded before anybody could stop it keeps its outcome', async () => {
    const { team } = here;
    const writ = await team.open();
    let answer: (value: string) => void = () => undefined;
    team.functions.answer(
      'tool::test_one',
      () =>
        new Promise<string>((resolve) => {
          answer = resolve;
        }),
    );
    const runId = await team.start(writ, steps([ONE]));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    const other = await team.open();
    const asked = other.cancel(runId, await team.as(other, 'alice'));
    await eventually(async () => (await other.status(runId)).waitingFor?.kind === 'cancel' || null);
    answer('done');
    await driven;
    team.clock.advance(50);
    expect(await asked).toMatchObject({ status: 'completed', waitingFor: null, exitCode: 0 });
    expect((await team.facts(runId, 'run.finished')).length).toBe(1);
  });
});

describe('a run that ends at the moment it is cancelled', () => {
  it('stays as it ended: one end, not two', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE]));
    // Whoever drives it gets there first: between the look at the run and the lock.
    const finish = async (): Promise<void> => {
      await team.drive(writ, runId);
    };
    const ends: Promise<void>[] = [];
    const locks = (inner: Locks): Locks => ({
      hold: (name, timeoutMs) => inner.hold(name, timeoutMs),
      names: () => inner.names(),
      tryHold: (name) => {
        if (ends.length === 0 && name === `run.${runId}`) {
          ends.push(finish());
          return null;
        }
        return inner.tryHold(name);
      },
    });
    const other = await team.open({ locks });
    const view = await cancel(other, runId).catch((error: unknown) => error);
    await Promise.all(ends);
    expect((await writ.status(runId)).status).not.toBe('running');
    expect(await team.facts(runId, 'run.finished')).toHaveLength(1);
    expect(view).toMatchObject({ status: (await writ.status(runId)).status });
  });

  it('is not ended a second time by the one who cancels', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE]));
    await writ.close();
    let reads = 0;
    // The run finishes after the canceller's request is durable and before it looks under the lock.
    const other = await team.open({
      locks: (inner) => ({
        hold: (name, timeoutMs) => inner.hold(name, timeoutMs),
        names: () => inner.names(),
        tryHold: (name) => {
          reads += name === `run.${runId}` ? 1 : 0;
          return inner.tryHold(name);
        },
      }),
      store: (inner) =>
        new Proxy(inner, {
          get: (target, name) => {
            if (name !== 'run' || reads !== 1) {
              const value: unknown = Reflect.get(target, name);
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            }
            return async (id: string) => {
              const run = await target.run(id);
              return run === null ? null : { ...run, status: 'completed' };
            };
          },
        }),
    });
    await other.cancel(runId, await team.as(other, 'alice')).catch(() => undefined);
    expect(await team.facts(runId, 'run.finished')).toHaveLength(0);
    await team.drive(await team.open(), runId);
  });
});

describe('a run that was started and not driven yet', () => {
  it('is cancelled at once by its own process', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([ONE]));
    expect(await writ.cancel(runId, await team.as(writ, 'alice'))).toMatchObject({ status: 'cancelled' });
    expect(await team.types(runId)).toEqual(['run.started', 'authz.decided', 'run.finished']);
  });
});

describe('a run that waits for a timer', () => {
  it('is cancelled without waiting for it', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = states('W', {
      W: { type: 'Wait', seconds: 3600, next: 'A' },
      A: { type: 'Task', resource: 'tool::test_one', end: true },
    });
    const runId = await team.start(writ, text);
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(async () => (await writ.status(runId)).waitingFor?.kind === 'timer' || null);
    expect(await cancel(await team.open(), runId)).toMatchObject({ status: 'cancelled' });
    expect(await driven).toMatchObject({ status: 'cancelled' });
    expect(team.functions.calls).toEqual([]);
  });
});
