// A process dies between intent and outcome: what was done is not known. An idempotent step runs again under the same
// key, any other waits for a person; a gated one is asked for again.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../src/json.js';
import type { Locks } from '../../src/runtime/ports.js';
import { eventually, fail, faulty, hangForEver, refusalOf, states, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const GATED = `${ONE}, approval: sync`;

/** The step is called, its outcome never becomes durable, the process is gone. Approves what waits on the way. */
async function crash(text: string, input: Json = {}) {
  const { team } = here;
  const dying = await team.open({
    store: (inner) => faulty(inner, 'failAppendAndNotPersist', 'step.finished'),
  });
  const runId = await team.start(dying, text, input);
  const first = await dying
    .drive(runId, { stopAt: 'waiting', signal: team.stop.signal })
    .catch((error: unknown) => error);
  if (first instanceof Error) expect(first).toMatchObject({ code: 'STORE_IO' });
  else {
    await team.approve(dying, await team.pending(dying, runId));
    expect((await refusalOf(team.drive(dying, runId))).code).toBe('STORE_IO');
  }
  expect(team.functions.calls).toHaveLength(1);
  const writ = await team.open();
  return { team, writ, runId, alice: await team.as(writ, 'alice') };
}

describe('an idempotent step', () => {
  it('runs again under the same key as a new attempt, and the log shows the lost one', async () => {
    const { team, writ, runId } = await crash(steps([`${ONE}, idempotent: true, config: { a: 1 }`]));
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'completed', exitCode: 0 });
    expect(team.functions.calls.map(({ idempotencyKey, input }) => ({ idempotencyKey, input }))).toEqual([
      { idempotencyKey: `${runId}/s1/1`, input: { a: 1 } },
      { idempotencyKey: `${runId}/s1/1`, input: { a: 1 } },
    ]);
    expect(await team.types(runId)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'step.intended',
      'step.finished',
      'authz.decided',
      'ceiling.composed',
      'step.intended',
      'step.finished',
      'run.finished',
    ]);
    expect(await team.facts(runId, 'step.finished')).toMatchObject([
      { attempt: 1, status: 'indeterminate', code: 'STEP_INDETERMINATE' },
      { attempt: 2, status: 'succeeded' },
    ]);
  });

  it('that is gated runs again under the consumption it has, without a second question', async () => {
    const { team, writ, runId } = await crash(steps([`${GATED}, idempotent: true`]));
    expect((await team.drive(writ, runId)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.facts(runId, 'approval.consumed')).toHaveLength(1);
    expect(await team.facts(runId, 'approval.requested')).toHaveLength(1);
    const intents = await team.facts(runId, 'step.intended');
    expect(new Set(intents.map((data) => data['approvalId'])).size).toBe(1);
  });

  it('HOLE: that is gated asks again when nothing but a row says that it was approved', async () => {
    const { team, writ, runId } = await crash(steps([`${GATED}, idempotent: true`]));
    const db = new Database(path.join(team.data, 'writ.db'));
    expect(db.prepare(`UPDATE approval SET votes = '[]' WHERE run = ?`).run(runId).changes).toBe(1);
    db.close();
    expect((await team.drive(writ, runId)).status).toBe('waiting');
    expect(team.functions.calls).toHaveLength(1);
    expect(await team.pending(writ, runId)).toMatchObject({ attempt: 2, state: 'pending', votes: [] });
  });

  it('that is gated asks again when policy has changed since', async () => {
    const { team, runId } = await crash(steps([`${GATED}, idempotent: true`]));
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      document.setIn(['spec', 'limits', 'timeoutMs'], 200_000);
    });
    const changed = await team.open({ policies });
    expect((await team.drive(changed, runId)).status).toBe('waiting');
    expect(team.functions.calls).toHaveLength(1);
    expect(await team.pending(changed, runId)).toMatchObject({ attempt: 2, votes: [] });
  });

  it('that failed after it had run again asks again for its retry', async () => {
    const retry = 'errorMode: retry, maxRetries: 1, retry: { initialMs: 0 }';
    const { team, writ, runId } = await crash(steps([`${GATED}, idempotent: true, ${retry}`]));
    team.functions.answer('tool::test_one', fail());
    expect((await team.drive(writ, runId)).status).toBe('waiting');
    expect(team.functions.calls).toHaveLength(2);
    expect(await team.pending(writ, runId)).toMatchObject({ attempt: 3, votes: [] });
  });
});

describe('any other step', () => {
  it('is not run again: the run waits for a person', async () => {
    const { team, writ, runId } = await crash(steps([ONE]));
    for (let i = 0; i < 3; i++) {
      expect(await team.drive(writ, runId)).toMatchObject({
        status: 'indeterminate',
        exitCode: 1,
        waitingFor: { kind: 'person', stepPath: 's1', attempt: 1 },
        steps: [{ status: 'indeterminate', attempts: 1 }],
      });
    }
    expect(team.functions.calls).toHaveLength(1);
    expect((await team.types(runId)).filter((type) => type === 'step.finished')).toHaveLength(1);
  });

  it('needs a choice, by somebody who may resume', async () => {
    const { team, writ, runId, alice } = await crash(steps([ONE]));
    await team.drive(writ, runId);
    expect(await refusalOf(writ.resume(runId, alice))).toMatchObject({
      code: 'RUN_INDETERMINATE',
      exitCode: 1,
    });
    const bob = await team.as(writ, 'bob');
    expect(await refusalOf(writ.resume(runId, bob, { lost: 'rerun' }))).toMatchObject({ exitCode: 3 });
    expect((await team.drive(writ, runId)).status).toBe('indeterminate');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('runs again when a person says so', async () => {
    const { team, writ, runId, alice } = await crash(steps([ONE]));
    await team.drive(writ, runId);
    await writ.resume(runId, alice, { lost: 'rerun' });
    expect((await team.drive(writ, runId)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(2);
    expect((await refusalOf(writ.resume(runId, alice, { lost: 'rerun' }))).code).toBe('RUN_ALREADY_FINISHED');
  });

  it('that is gated needs a new approval to run again', async () => {
    const { team, writ, runId, alice } = await crash(steps([GATED]));
    await team.drive(writ, runId);
    await writ.resume(runId, alice, { lost: 'rerun' });
    expect(await team.drive(writ, runId)).toMatchObject({ status: 'waiting', exitCode: 10 });
    expect(team.functions.calls).toHaveLength(1);
    const again = await team.pending(writ, runId);
    expect(again).toMatchObject({ attempt: 2, state: 'pending', votes: [] });
    await team.approve(writ, again);
    expect((await team.drive(writ, runId)).status).toBe('completed');
    expect(await team.facts(runId, 'approval.consumed')).toHaveLength(2);
  });

  describe('HOLE: who has a lost step run again approves it alone', () => {
    /** Alice's run, whose gated step carol, who may decide too, has run again. */
    async function rerun(more = '') {
      const separated = `${ONE}, approval: { mode: sync, separationOfDuties: true }${more}`;
      const crashed = await crash(steps([separated]));
      const { team, writ, runId } = crashed;
      expect((await team.drive(writ, runId)).status).toBe('indeterminate');
      await writ.resume(runId, await team.as(writ, 'carol'), { lost: 'rerun' });
      return crashed;
    }

    it('they may neither approve nor deny nor edit: another person decides', async () => {
      const { team, writ, runId } = await rerun();
      expect((await team.drive(writ, runId)).status).toBe('waiting');
      const again = await team.pending(writ, runId);
      expect(again).toMatchObject({ attempt: 2, redriver: 'user:carol' });
      const edit = { digest: again.subjectDigest, input: { amount: 8 } };
      for (const act of [
        () => team.approve(writ, again, 'carol'),
        () => team.deny(writ, again, 'carol'),
        async () => writ.editApproval(again.id, edit, await team.as(writ, 'carol')),
      ])
        expect((await refusalOf(act())).code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
      expect((await team.drive(writ, runId)).status).toBe('waiting');
      expect(team.functions.calls).toHaveLength(1);
      await team.approve(writ, again, 'bob');
      expect((await team.drive(writ, runId)).status).toBe('completed');
      // Who has decided what about the lost attempt stands in the log.
      const resumed = (await team.facts(runId, 'authz.decided')).filter(
        (one) => one['action'] === 'run.resume',
      );
      expect(resumed).toMatchObject([{ subject: 'user:carol', verdict: 'allow', lost: 'rerun' }]);
    });

    it('nor any retry of it, in another process either', async () => {
      const { team, writ, runId } = await rerun(', errorMode: retry, retry: { initialMs: 0 }');
      team.functions.answer('tool::test_one', fail());
      await team.drive(writ, runId);
      await team.approve(writ, await team.pending(writ, runId), 'bob');
      const later = await team.open();
      expect((await team.drive(later, runId)).status).toBe('waiting');
      const retried = await team.pending(later, runId);
      expect(retried).toMatchObject({ attempt: 3, redriver: 'user:carol' });
      expect((await refusalOf(team.approve(later, retried, 'carol'))).code).toBe(
        'APPROVAL_SEPARATION_OF_DUTIES',
      );
    });

    it('a redrive after it is asked for by who redrives', async () => {
      const { team, writ, runId } = await rerun();
      await team.drive(writ, runId);
      await team.deny(writ, await team.pending(writ, runId), 'bob');
      expect((await team.drive(writ, runId)).status).toBe('failed');
      await writ.redrive(runId, await team.as(writ, 'alice'));
      await team.drive(writ, runId);
      expect((await team.pending(writ, runId)).redriver).toBe('user:alice');
    });

    it('of another step, which the run comes to by itself, they may', async () => {
      const { team, writ, runId } = await crash(steps([ONE, `${ONE}, approval: { mode: sync }`]));
      await team.drive(writ, runId);
      await writ.resume(runId, await team.as(writ, 'carol'), { lost: 'rerun' });
      await team.drive(writ, runId);
      const next = await team.pending(writ, runId);
      expect(next.redriver).toBeUndefined();
      await team.approve(writ, next, 'carol');
      expect((await team.drive(writ, runId)).status).toBe('completed');
    });
  });

  it('counted as failed fails the run, and no retry hides it', async () => {
    const text = steps([`${ONE}, errorMode: retry, maxRetries: 5, retry: { initialMs: 0 }`]);
    const { team, writ, runId, alice } = await crash(text);
    await team.drive(writ, runId);
    await writ.resume(runId, alice, { lost: 'fail' });
    expect(await team.drive(writ, runId)).toMatchObject({
      status: 'failed',
      exitCode: 1,
      error: { code: 'STEP_INDETERMINATE' },
    });
    expect(team.functions.calls).toHaveLength(1);
  });

  it.each(['States.ALL', 'Step.Indeterminate'])('counted as failed is caught by %s', async (name) => {
    const text = states('A', {
      A: {
        type: 'Task',
        resource: 'tool::test_one',
        catch: [{ errorEquals: [name], resultPath: '$.why', next: 'B' }],
        end: true,
      },
      B: { type: 'Pass', end: true },
    });
    const { team, writ, runId, alice } = await crash(text);
    await team.drive(writ, runId);
    await writ.resume(runId, alice, { lost: 'fail' });
    expect(await team.drive(writ, runId)).toMatchObject({
      status: 'completed',
      output: { why: { Error: 'Step.Indeterminate' } },
    });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('may be cancelled instead', async () => {
    const { team, writ, runId, alice } = await crash(steps([ONE]));
    await team.drive(writ, runId);
    expect((await writ.cancel(runId, alice)).status).toBe('cancelled');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('may be cancelled before anybody has looked at what was lost', async () => {
    const { team, writ, runId, alice } = await crash(steps([ONE]));
    expect((await writ.cancel(runId, alice)).status).toBe('cancelled');
    expect(await team.facts(runId, 'step.finished')).toMatchObject([{ status: 'indeterminate' }]);
  });
});

describe('a process that is gone while its function hangs', () => {
  /** Locks of a machine of its own: as if the operating system had freed those of the dead process. */
  const elsewhere = (): ((inner: Locks) => Locks) => {
    const held = new Set<string>();
    const tryHold: Locks['tryHold'] = (name) => {
      if (held.has(name)) return null;
      held.add(name);
      return { name, release: () => void held.delete(name) };
    };
    return (inner) => ({
      tryHold,
      hold: (name, timeoutMs) => inner.hold(name, timeoutMs),
      names: () => [...held],
    });
  };

  it('leaves an intent that the next process finds, and its late answer changes nothing', async () => {
    const { team } = here;
    const dead = await team.open();
    let answer: (value: string) => void = () => undefined;
    team.functions.answer(
      'tool::test_one',
      () =>
        new Promise<string>((resolve) => {
          answer = resolve;
        }),
      hangForEver,
    );
    const runId = await team.start(dead, steps([ONE]));
    const driven = dead
      .drive(runId, { stopAt: 'finished', signal: team.stop.signal })
      .catch((error: unknown) => error);
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    const writ = await team.open({ locks: elsewhere() });
    expect((await team.drive(writ, runId)).status).toBe('indeterminate');
    answer('too late');
    // Not dead after all: its outcome loses against what was recorded meanwhile.
    await driven;
    expect((await writ.status(runId)).status).toBe('indeterminate');
    expect(await team.facts(runId, 'step.finished')).toMatchObject([{ status: 'indeterminate' }]);
    expect(team.functions.calls).toHaveLength(1);
  });
});

describe('starting the same thing again after a crash', () => {
  it('finds the interrupted run, whatever the order of the keys', async () => {
    const { team, writ, runId, alice } = await crash(steps([`${ONE}, idempotent: true`]), {
      b: 1,
      a: { d: 2, c: 3 },
    });
    const workflow = { text: steps([`${ONE}, idempotent: true`]), file: null };
    const ask = (input: Json, by = alice, agents = {}) => writ.interrupted({ workflow, input, agents }, by);
    expect(await ask({ a: { c: 3, d: 2 }, b: 1 })).toBe(runId);
    expect(await ask({ b: 1, a: { d: 2, c: 4 } })).toBe(null);
    expect(await ask({ b: 1, a: { d: 2, c: 3 } }, await team.as(writ, 'carol'))).toBe(null);
    expect(await ask({ b: 1, a: { d: 2, c: 3 } }, alice, { 'claims-triage': 'other' })).toBe(null);
    const edited = { text: steps([`${ONE}, idempotent: true, timeoutMs: 9`]), file: null };
    expect(await writ.interrupted({ workflow: edited, input: { b: 1, a: { d: 2, c: 3 } } }, alice)).toBe(
      null,
    );
    await team.drive(writ, runId);
    expect(await ask({ b: 1, a: { d: 2, c: 3 } })).toBe(null);
  });

  it('does not take over a run that somebody is advancing, or that waits for a person', async () => {
    const { team } = here;
    const writ = await team.open();
    const alice = await team.as(writ, 'alice');
    team.functions.answer('tool::test_one', hangForEver);
    const workflow = { text: steps([ONE]), file: null };
    const runId = await writ.start({ workflow, input: {} }, alice);
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    expect(await (await team.open()).interrupted({ workflow, input: {} }, alice)).toBe(null);
    stop.abort();
    await driven;
    const gated = { text: steps([GATED]), file: null };
    await team.run(writ, gated.text);
    expect(await writ.interrupted({ workflow: gated, input: {} }, alice)).toBe(null);
  });
});
