// Two handles on the same data, as two processes have: one drives a run, both may decide, the log stays one.
import { describe, expect, it } from 'vitest';
import { eventually, hangForEver, refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

describe('a run that somebody is driving', () => {
  it('is busy for everybody else, in this process and in another', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', hangForEver);
    const runId = await team.start(writ, steps([ONE]));
    const stop = new AbortController();
    const driven = writ.drive(runId, { stopAt: 'finished', signal: stop.signal });
    await eventually(() => (team.functions.calls.length === 1 ? true : null));
    for (const other of [writ, await team.open()]) {
      expect(await refusalOf(team.drive(other, runId))).toMatchObject({ code: 'RUN_BUSY', exitCode: 6 });
    }
    expect(team.functions.calls).toHaveLength(1);
    stop.abort();
    await driven;
  });

  it('goes on by itself when another process approves', async () => {
    const { team } = here;
    const writ = await team.open();
    const other = await team.open();
    const runId = await team.start(writ, steps([`${ONE}, approval: sync`]));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    const approvalId = await eventually(async () => {
      const { waitingFor } = await other.status(runId);
      return waitingFor?.kind === 'approval' ? waitingFor.approvalId : null;
    });
    await team.approve(other, (await other.approval(approvalId)).record);
    await eventually(async () => {
      team.clock.advance(50);
      return (await other.status(runId)).status === 'completed' || null;
    });
    expect(await driven).toMatchObject({ status: 'completed' });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('ends by itself when nobody decides until the border', async () => {
    const { team } = here;
    const writ = await team.open();
    const runId = await team.start(writ, steps([`${ONE}, approval: { mode: sync, expiresSeconds: 10 }`]));
    const driven = writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
    await eventually(async () => (await writ.status(runId)).waitingFor?.kind === 'approval' || null);
    team.clock.advance(9_999);
    expect((await writ.status(runId)).status).toBe('waiting');
    team.clock.advance(1);
    expect(await driven).toMatchObject({ status: 'failed', exitCode: 4 });
    expect(team.functions.calls).toEqual([]);
  });
});

describe('two decisions at once', () => {
  it('make one request terminal exactly once', async () => {
    const { team } = here;
    const first = await team.open();
    const second = await team.open();
    for (let round = 0; round < 5; round++) {
      const run = await team.run(first, steps([`${ONE}, approval: sync`]));
      const approval = await team.pending(first, run.id);
      const votes = await Promise.allSettled([
        team.approve(first, approval, 'bob'),
        team.deny(second, approval, 'carol'),
        team.approve(second, approval, 'bob'),
        team.deny(first, approval, 'carol'),
      ]);
      const decided = await team.facts(run.id, 'approval.decided');
      expect(decided).toHaveLength(1);
      const { state } = (await first.approval(approval.id)).record;
      expect(decided[0]?.['state']).toBe(state);
      for (const vote of votes) {
        if (vote.status === 'fulfilled') expect(vote.value.state).toBe(state);
        else expect(vote.reason).toMatchObject({ kind: 'refusal' });
      }
      const before = team.functions.calls.length;
      const done = await team.drive(second, run.id);
      expect(done.exitCode).toBe(state === 'approved' ? 0 : 4);
      expect(team.functions.calls.length - before).toBe(state === 'approved' ? 1 : 0);
    }
  });

  it('a thousand at once in two handles give one outcome, and the step runs once or never', async () => {
    const { team } = here;
    const handles = [await team.open(), await team.open()] as const;
    const run = await team.run(handles[0], steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(handles[0], run.id);
    const votes = await Promise.allSettled(
      Array.from({ length: 1_000 }, (_, at) => {
        const writ = handles[at % 2 === 0 ? 0 : 1];
        return at % 3 === 0 ? team.deny(writ, approval, 'carol') : team.approve(writ, approval, 'bob');
      }),
    );
    const decided = await team.facts(run.id, 'approval.decided');
    expect(decided).toHaveLength(1);
    const { state, votes: counted } = (await handles[0].approval(approval.id)).record;
    expect(counted).toHaveLength(1);
    for (const vote of votes) {
      if (vote.status === 'fulfilled') expect(vote.value.state).toBe(state);
      else expect(vote.reason).toMatchObject({ kind: 'refusal' });
    }
    await team.drive(handles[1], run.id);
    expect(team.functions.calls).toHaveLength(state === 'approved' ? 1 : 0);
  });

  it('by two people, where two are needed, are both counted', async () => {
    const { team } = here;
    const first = await team.open();
    const second = await team.open();
    const run = await team.run(first, steps([`${ONE}, approval: two-person`]));
    const approval = await team.pending(first, run.id);
    await Promise.all([team.approve(first, approval, 'bob'), team.approve(second, approval, 'carol')]);
    expect((await first.approval(approval.id)).record).toMatchObject({ state: 'approved', version: 2 });
    expect((await team.drive(first, run.id)).status).toBe('completed');
  });
});

describe('two runs at once in two handles', () => {
  it('leave one log that verifies, each run in its own order', async () => {
    const { team } = here;
    const handles = [await team.open(), await team.open()];
    const text = steps([ONE, 'functionId: "tool::test_two"', 'functionId: "tool::test_three"']);
    const runs = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((i) => team.run(handles[i % 2] as (typeof handles)[number], text, { i })),
    );
    for (const run of runs) {
      expect(run.status).toBe('completed');
      const entries = await team.entries(run.id);
      expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, i) => i));
      expect(entries.filter((entry) => entry.type === 'step.intended')).toHaveLength(3);
    }
    expect(team.functions.calls).toHaveLength(18);
    const report = await team.verify();
    expect(report).toMatchObject({ verdict: 'verified', openIntents: [] });
  });
});
