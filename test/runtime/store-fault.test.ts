// The disk fails. Named by the two facts that matter: did the commit report an error, and did it persist.
import { describe, expect, it } from 'vitest';
import { faulty, refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

describe('failAppendAndNotPersist', () => {
  it('at the intent: nothing ran, and after reopening it runs once', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendAndNotPersist', 'step.intended') });
    const runId = await team.start(broken, steps([ONE]));
    expect(await refusalOf(team.drive(broken, runId))).toMatchObject({
      code: 'STORE_IO',
      kind: 'fatal',
      exitCode: 6,
    });
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(runId)).toEqual(['run.started']);
    expect((await team.drive(await team.open(), runId)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('at the intent of an approved step: the approval is still good, and good for one start', async () => {
    const { team } = here;
    const broken = await team.open({
      store: (s) => faulty(s, 'failAppendAndNotPersist', 'approval.consumed'),
    });
    const run = await team.run(broken, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(broken, run.id);
    await team.approve(broken, approval);
    expect((await refusalOf(team.drive(broken, run.id))).code).toBe('STORE_IO');
    expect(team.functions.calls).toEqual([]);
    const writ = await team.open();
    expect((await writ.approval(approval.id)).record.state).toBe('approved');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('at the outcome: fatal, and after reopening the attempt is indeterminate', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendAndNotPersist', 'step.finished') });
    const runId = await team.start(broken, steps([ONE, 'functionId: "tool::test_two"']));
    expect((await refusalOf(team.drive(broken, runId))).code).toBe('STORE_IO');
    expect((await team.drive(await team.open(), runId)).status).toBe('indeterminate');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('ends the process that saw it: every later commit fails, also where the disk would work again', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendAndNotPersist', 'step.intended') });
    const alice = await team.as(broken, 'alice');
    const bob = await team.as(broken, 'bob');
    const run = await team.run(broken, steps([`functionId: "tool::test_two", approval: sync`]));
    const approval = await team.pending(broken, run.id);
    const runId = await team.start(broken, steps([ONE]));
    await refusalOf(team.drive(broken, runId));
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    for (const act of [
      () => team.drive(broken, runId),
      () => team.start(broken, steps([ONE])),
      () => broken.decide(approval.id, vote, bob),
      () => broken.cancel(run.id, alice),
    ]) {
      expect(await refusalOf(act())).toMatchObject({ code: 'STORE_IO' });
    }
    expect(team.functions.calls).toEqual([]);
    expect((await (await team.open()).approval(approval.id)).record.state).toBe('pending');
  });

  it('at the decision: it was not acknowledged and is not there', async () => {
    const { team } = here;
    const broken = await team.open({
      store: (s) => faulty(s, 'failAppendAndNotPersist', 'approval.decided'),
    });
    const run = await team.run(broken, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(broken, run.id);
    expect((await refusalOf(team.approve(broken, approval))).code).toBe('STORE_IO');
    const writ = await team.open();
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'pending', votes: [] });
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
  });

  it('at the refusal of a start: refused all the same', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendAndNotPersist', 'authz.decided') });
    expect((await refusalOf(team.start(broken, steps([ONE]), {}, 'audrey'))).code).toBe('STORE_IO');
    expect(await broken.runs()).toEqual([]);
  });
});

describe('failAppendButPersist', () => {
  it('at the intent: nothing ran, but nobody can know, so a person decides', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendButPersist', 'step.intended') });
    const runId = await team.start(broken, steps([ONE]));
    expect((await refusalOf(team.drive(broken, runId))).code).toBe('STORE_IO');
    expect(team.functions.calls).toEqual([]);
    expect((await team.drive(await team.open(), runId)).status).toBe('indeterminate');
    expect(team.functions.calls).toEqual([]);
  });

  it('at the outcome: it is there, and nothing runs twice', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendButPersist', 'step.finished') });
    const runId = await team.start(broken, steps([ONE, 'functionId: "tool::test_two"']));
    expect((await refusalOf(team.drive(broken, runId))).code).toBe('STORE_IO');
    expect((await team.drive(await team.open(), runId)).status).toBe('completed');
    expect(team.functions.calls.map((call) => call.functionId)).toEqual(['tool::test_one', 'tool::test_two']);
  });

  it('at the decision: the same vote again is a replay', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendButPersist', 'approval.decided') });
    const run = await team.run(broken, steps([`${ONE}, approval: sync`]));
    const approval = await team.pending(broken, run.id);
    expect((await refusalOf(team.approve(broken, approval))).code).toBe('STORE_IO');
    const writ = await team.open();
    expect(await team.approve(writ, approval)).toMatchObject({ state: 'approved', version: 1 });
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(await team.facts(run.id, 'approval.decided')).toHaveLength(1);
  });

  it('at the request: the run waits for one request, not for two', async () => {
    const { team } = here;
    const broken = await team.open({ store: (s) => faulty(s, 'failAppendButPersist', 'approval.requested') });
    const runId = await team.start(broken, steps([`${ONE}, approval: sync`]));
    expect((await refusalOf(team.drive(broken, runId))).code).toBe('STORE_IO');
    const writ = await team.open();
    expect((await team.drive(writ, runId)).status).toBe('waiting');
    expect(await writ.approvals({ run: runId })).toHaveLength(1);
  });
});

describe('an entry that the log can not hold', () => {
  it('stops its own run before anything ran, not what others do', async () => {
    const { team } = here;
    const writ = await team.open();
    // Who would have to approve is part of an entry, and an entry has at most 65,535 bytes.
    const rule = (i: number): string =>
      `{ match: {}, minimum: sync, approverRoles: ["role:nobody-${i}-of-very-many-more-than-the-log-has-room-for"] }`;
    const all = Array.from({ length: 1000 }, (_, i) => rule(i)).join(', ');
    const huge = `ceilings: { approval: { rules: [${all}] } }\n`;
    const runId = await team.start(writ, steps([ONE], huge));
    const run = await team.drive(writ, runId);
    expect(run).toMatchObject({ status: 'failed', exitCode: 5, error: { code: 'AUDIT_ENTRY_INVALID' } });
    expect(team.functions.calls).toEqual([]);
    expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });
});
