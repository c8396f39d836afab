// Another process holds the store for longer than a commit waits: a large store that is written anew after an erasure,
// a disk that stands still. Nothing was written then, so nothing is lost: a run waits on, and a person tries again.
import { describe, expect, it } from 'vitest';
import { WritError } from '../../src/errors.js';
import type { Store } from '../../src/runtime/ports.js';
import { replacing } from '../contract/fault-store.js';
import { eventually, fail, refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const TIMES = 3;

/** Another process has the store at the next `times` commits of an entry of type `at`. */
function heldAt(at: string, times = TIMES, before: () => void = () => undefined) {
  const held = { left: times };
  const store = (inner: Store): Store =>
    replacing(inner, {
      commit: (change) => {
        if (held.left === 0 || !change.entries.some(({ type }) => type === at)) return inner.commit(change);
        held.left -= 1;
        before();
        return Promise.reject(new WritError('STORE_BUSY', 'another process holds the write lock'));
      },
    });
  return { store, held };
}

describe('a store that another process holds for long', () => {
  it('keeps an outcome waiting for as long as it takes: it is recorded, and the step ran once', async () => {
    const { team } = here;
    const { store, held } = heldAt('step.finished');
    const writ = await team.open({ store });
    const waits: string[] = [];
    writ.onWait(({ code }) => waits.push(code));
    const run = await team.run(writ, steps([ONE, 'functionId: "tool::test_two"']));
    expect(run.status).toBe('completed');
    expect(held.left).toBe(0);
    expect(waits).toEqual(Array.from({ length: TIMES }, () => 'STORE_BUSY'));
    expect(team.functions.calls.map(({ functionId }) => functionId)).toEqual([
      'tool::test_one',
      'tool::test_two',
    ]);
  });

  it.each(['step.intended', 'step.finished'])(
    'stops nothing that runs beside at %s: all steps of a fanout run once',
    async (at) => {
      const { team } = here;
      const writ = await team.open({ store: heldAt(at).store });
      const group = Array.from({ length: 8 }, () => `${ONE}, mode: fanout`);
      expect((await team.run(writ, steps(group))).status).toBe('completed');
      expect(team.functions.calls).toHaveLength(8);
      expect(new Set(team.functions.calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(8);
    },
  );

  it('at the intent: nothing runs before it is durable, and then once', async () => {
    const { team } = here;
    const callsThen: number[] = [];
    const { store } = heldAt('step.intended', TIMES, () => callsThen.push(team.functions.calls.length));
    const writ = await team.open({ store });
    const run = await team.run(writ, steps([ONE]));
    expect(run.status).toBe('completed');
    expect(callsThen).toEqual([0, 0, 0]);
    expect(await team.types(run.id)).toEqual([
      'run.started',
      ...['authz.decided', 'ceiling.composed', 'step.intended', 'step.finished', 'run.finished'],
    ]);
    expect(team.functions.calls).toHaveLength(1);
  });

  it('at the intent of an approved step: an approval that expires meanwhile is not used', async () => {
    const { team } = here;
    const { store } = heldAt('approval.consumed', 1, () => team.clock.advance(8 * 24 * 3_600_000));
    const writ = await team.open({ store });
    const waiting = await team.run(writ, steps([`${ONE}, approval: sync`]));
    await team.approve(writ, await team.pending(writ, waiting.id));
    const run = await team.drive(writ, waiting.id);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'APPROVAL_EXPIRED' } });
    expect(team.functions.calls).toEqual([]);
  });

  it('does not end the process that saw it: what was refused to a person goes through a moment later', async () => {
    const { team } = here;
    const writ = await team.open({ store: heldAt('approval.decided', 1).store });
    const waiting = await team.run(writ, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(writ, waiting.id);
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('STORE_BUSY');
    expect(await team.approve(writ, approval)).toMatchObject({ state: 'approved', version: 1 });
    expect((await team.drive(writ, waiting.id)).status).toBe('completed');
    expect(await team.facts(waiting.id, 'approval.decided')).toHaveLength(1);
  });

  it('holds up nobody who ends the process: the run goes on with the next one', async () => {
    const { team } = here;
    const { store } = heldAt('step.intended', Infinity, () => team.stop.abort());
    const writ = await team.open({ store });
    const runId = await team.start(writ, steps([ONE]));
    const stopped = await writ
      .drive(runId, { stopAt: 'waiting', signal: team.stop.signal })
      .then(({ status }) => status);
    expect(stopped).toBe('running');
    expect(team.functions.calls).toEqual([]);
    const next = await team.open();
    await next.drive(runId, { stopAt: 'waiting', signal: new AbortController().signal });
    expect((await next.results(runId)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('at the publication after a run: it has completed, and is published a moment later', async () => {
    const { team } = here;
    const checkpoints = { isHeld: true, written: 0 };
    const writ = await team.open({
      store: (inner) =>
        replacing(inner, {
          putCheckpoint: (row) => {
            if (checkpoints.isHeld)
              return Promise.reject(new WritError('STORE_BUSY', 'another process holds the write lock'));
            checkpoints.written += 1;
            return inner.putCheckpoint(row);
          },
        }),
    });
    const run = await team.run(writ, steps([`${ONE}, approval: sync`]));
    expect(run.status).toBe('waiting');
    expect(await team.approve(writ, await team.pending(writ, run.id))).toMatchObject({ state: 'approved' });
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed', exitCode: 0 });
    checkpoints.isHeld = false;
    await eventually(() => {
      team.clock.advance(1_000);
      return checkpoints.written > 0 || null;
    });
  });

  it('at the withdrawal of what a failed run leaves: nobody can decide any more, and its end is the last entry', async () => {
    const { team } = here;
    const { store, held } = heldAt('approval.withdrawn', 2);
    const writ = await team.open({ store });
    const asked = new Promise<void>((resolve) => {
      writ.onEntry(({ type }) => {
        if (type === 'approval.requested') resolve();
      });
    });
    team.functions.answer('tool::test_two', (call) => asked.then(() => fail()(call)));
    const text = steps([
      `${ONE}, approval: async, mode: fanout`,
      'functionId: "tool::test_two", mode: fanout, errorMode: fail',
    ]);
    const run = await team.run(writ, text);
    expect([run.status, held.left]).toEqual(['failed', 0]);
    expect((await team.types(run.id)).slice(-2)).toEqual(['approval.withdrawn', 'run.finished']);
  });
});
