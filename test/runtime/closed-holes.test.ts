// Holes that were open once: each test is named after its class, and fails when its defence is taken away.
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { refusalOf, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const GATED = steps([`${ONE}, config: { amount: "{{input.amount}}" }, approval: sync`]);
const YEAR = 365 * 24 * 3_600_000;

describe('an outcome that can not be recorded', () => {
  it.each([
    ['an unpaired surrogate in its error', () => Promise.reject(new Error('\ud83d'))],
    [
      'a surrogate pair cut by the length of a cause',
      () => Promise.reject(new Error(`${'😀'.repeat(1001)}x`)),
    ],
  ])('%s: does not run again under the same approval', async (_, answer) => {
    const { team } = here;
    const writ = await team.open({
      functions: [
        {
          functionIds: ['tool::test_one'],
          invoke: (request) => (calls.push(request.idempotencyKey), answer()),
        },
      ],
    });
    const calls: string[] = [];
    const run = await team.run(writ, steps([`${ONE}, approval: sync, idempotent: true`]));
    await team.approve(writ, await team.pending(writ, run.id));
    expect(await team.drive(writ, run.id)).toMatchObject({
      status: 'failed',
      error: { code: 'FUNCTION_FAILED' },
    });
    await team.drive(writ, run.id);
    expect(calls).toHaveLength(1);
  });
});

describe('a restored backup', () => {
  it('of the whole data directory is noticed at start, before an approval is used twice', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED, { amount: 7 });
    await team.approve(writ, await team.pending(writ, run.id));
    const backup = path.join(team.home, 'backup');
    await writ.close();
    cpSync(team.data, backup, { recursive: true });
    const again = await team.open();
    expect((await team.drive(again, run.id)).status).toBe('completed');
    await again.close();
    const kept = path.join(team.home, 'kept');
    cpSync(team.data, kept, { recursive: true });
    rmSync(team.data, { recursive: true });
    cpSync(backup, team.data, { recursive: true });
    expect((await refusalOf(team.open())).code).toBe('AUDIT_ROLLBACK');
    rmSync(team.data, { recursive: true });
    cpSync(kept, team.data, { recursive: true });
    expect(team.functions.calls).toHaveLength(1);
  });
});

describe('a clock that jumped ahead and came back', () => {
  it('stops everything instead of stopping the time that expiries are judged by', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED, { amount: 7 });
    const approval = await team.pending(writ, run.id);
    team.clock.set(T0 + YEAR);
    await team.run(writ, steps([ONE]));
    team.clock.set(T0 + 1_000);
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('STORE_CLOCK');
    expect((await refusalOf(team.run(writ, steps([ONE])))).code).toBe('STORE_CLOCK');
    expect(team.functions.calls).toHaveLength(1);
    team.clock.set(T0 + YEAR + 1);
    const later = await team.open();
    expect((await refusalOf(team.approve(later, approval))).code).toBe('APPROVAL_EXPIRED');
  });

  it('a few minutes are an adjustment', async () => {
    const { team } = here;
    const writ = await team.open();
    await team.run(writ, steps([ONE]));
    team.clock.set(T0 - 4 * 60_000);
    expect((await team.run(writ, steps([ONE]))).status).toBe('completed');
  });
});

describe('a stored subject that was swapped', () => {
  it('is not shown under the digest of another, and nobody can sign for it', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED, { amount: 7 });
    const approval = await team.pending(writ, run.id);
    const commitment = Buffer.from(approval.subject, 'hex');
    const db = new Database(path.join(team.data, 'writ.db'));
    const before = db.prepare('SELECT bytes FROM payload WHERE commitment = ?').pluck().get(commitment);
    const put = db.prepare('UPDATE payload SET bytes = ? WHERE commitment = ?');
    put.run(Buffer.from(String(before).replace('"amount":7', '"amount":5')), commitment);
    expect((await refusalOf(writ.approval(approval.id))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    put.run(before, commitment);
    db.close();
    expect((await writ.approval(approval.id)).record.state).toBe('pending');
  });
});

describe('whoever started a run', () => {
  it('can not approve it where the document only says sync', async () => {
    const { team } = here;
    const policies = team.policiesWith('roles/default.yaml', (document) => {
      document.addIn(['members', 'role:reviewer'], 'user:alice');
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, GATED, { amount: 7 });
    const approval = await team.pending(writ, run.id);
    expect((await refusalOf(team.approve(writ, approval, 'alice'))).code).toBe(
      'APPROVAL_SEPARATION_OF_DUTIES',
    );
    expect(team.functions.calls).toEqual([]);
  });
});

describe('a run with its own time limit', () => {
  it('is approved once: the request shows the limit that will hold', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, `timeoutMs: 60000\n${GATED}`, { amount: 7 });
    const approval = await team.pending(writ, run.id);
    team.clock.advance(30_000);
    await team.approve(writ, approval);
    team.clock.advance(30_000);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(await team.facts(run.id, 'approval.requested')).toHaveLength(1);
  });
});

describe('a start that policy refuses', () => {
  it('registers nothing that somebody else could run by its id', async () => {
    const { team } = here;
    const writ = await team.open();
    await team.start(writ, steps([ONE]));
    const before = await writ.workflows();
    const denied = await refusalOf(team.start(writ, steps([`${ONE}, config: { amount: 999 }`]), {}, 'bob'));
    expect(denied).toMatchObject({ code: 'POLICY_NO_MATCH', exitCode: 3 });
    expect(await writ.workflows()).toEqual(before);
  });
});

describe('a loop over large data that meets no task', () => {
  it('ends the run instead of the process', async () => {
    const { team } = here;
    const writ = await team.open();
    const flow = JSON.stringify({
      apiVersion: 'agentrc.workflow/v0.1',
      kind: 'AgentWorkflow',
      metadata: { name: 'test-loop' },
      spec: {
        startAt: 'A',
        states: {
          A: { type: 'Pass', resultPath: '$.copy', next: 'B' },
          B: { type: 'Choice', choices: [{ variable: '$.x', isPresent: false, next: 'End' }], default: 'A' },
          End: { type: 'Succeed' },
        },
      },
    });
    const run = await team.run(writ, flow, { x: 'x'.repeat(100_000) });
    expect(run).toMatchObject({ status: 'failed', error: { code: 'STEP_DATA_LIMIT' } });
  });
});

describe('a step that fails before its first attempt', () => {
  it.each([
    ['a name that its input does not have', 'config: { amount: "{{input.amount}}" }', 'step "s1": '],
    ['a list that is not there', 'mode: fanout, items: "{{input.list}}"', 'step "s1": '],
  ])('%s: is told in the results, and named in the error of the run', async (_, line, told) => {
    const { team } = here;
    const writ = await team.open();
    const { status, error, steps: rows } = await team.run(writ, steps([`${ONE}, ${line}`]));
    expect(status).toBe('failed');
    expect(error?.message).toContain(told);
    expect(rows).toMatchObject([
      { stepPath: 's1', status: 'failed', attempts: 0, error: { code: error?.code } },
    ]);
    expect(team.functions.calls).toEqual([]);
  });
});
