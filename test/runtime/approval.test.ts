// An approval opens the gate once, for one exact act, by somebody who may, before it expires.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { displayHash } from '../../src/approval/display.js';
import { verifyDecision } from '../../src/approval/decision.js';
import { subjectDigest, type Subject } from '../../src/approval/subject.js';
import type { SubjectDigest } from '../../src/json.js';
import type { Principal } from '../../src/runtime/writ.js';
import { fail, interfering, refusalOf, states, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';
const GATED = `${ONE}, config: { amount: "{{input.amount}}" }, approval: sync`;
const HOUR = 3_600_000;

async function waiting(text = steps([GATED]), by = 'alice') {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, text, { amount: 7 }, by);
  expect(run).toMatchObject({ status: 'waiting', exitCode: 10 });
  return { team, writ, run, approval: await team.pending(writ, run.id) };
}

async function neverRuns(runId: string): Promise<void> {
  const { team } = here;
  expect(team.functions.calls).toEqual([]);
  const types = await team.types(runId);
  expect(types).not.toContain('step.intended');
  expect(types).not.toContain('approval.consumed');
}

describe('a gated step', () => {
  it('waits, and nothing has run', async () => {
    const { team, run, approval } = await waiting();
    expect(run.waitingFor).toEqual({
      kind: 'approval',
      approvalId: approval.id,
      stepPath: 's1',
      expiresAtMs: T0 + HOUR,
    });
    expect(await team.types(run.id)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'approval.requested',
    ]);
    await neverRuns(run.id);
  });

  it('is asked for once, however often the run is driven', async () => {
    const { team, writ, run, approval } = await waiting();
    for (let i = 0; i < 3; i++) expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect((await team.pending(writ, run.id)).id).toBe(approval.id);
    expect(await team.facts(run.id, 'approval.requested')).toHaveLength(1);
  });

  it('shows the subject that its digest is made of', async () => {
    const { team, writ, run, approval } = await waiting();
    const { subject } = await writ.approval(approval.id);
    expect(subject).toMatchObject({
      run: run.id,
      input: { amount: 7 },
      function: 'tool::test_one',
      attempt: 1,
    });
    expect(subjectDigest(subject as unknown as Subject)).toBe(approval.subjectDigest);
    expect(Object.keys(subject as object)).toHaveLength(15);
    await team.approve(writ, approval);
  });

  it('names its step as the author did', async () => {
    const { team } = here;
    const writ = await team.open();
    const text = steps([GATED]).replace('name: s1', 'name: "Pay out"');
    const run = await team.run(writ, text, { amount: 7 });
    const { record, step } = await writ.approval((await team.pending(writ, run.id)).id);
    expect([record.stepPath, step]).toEqual(['pay_out', 'Pay out']);
  });

  it('logs the hash of what is shown, and shows why with the line of the rule', async () => {
    const { team } = here;
    const policies = team.policiesWith('ceilings/org.yaml', (document) => {
      const match = { functions: ['tool::test_*'] };
      document.setIn(['spec', 'approval', 'rules'], [{ match, minimum: 'sync' }]);
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, steps([GATED]), { amount: 7 });
    const { display, why = [] } = await writ.approval((await team.pending(writ, run.id)).id);
    expect(await team.facts(run.id, 'approval.requested')).toMatchObject([
      { displayHash: displayHash(display) },
    ]);
    const text = readFileSync(path.join(policies, 'ceilings', 'org.yaml'), 'utf8');
    const line = text.split('\n').findIndex((one) => one.includes('- match:')) + 1;
    expect(why.join('\n')).toContain(`[ceilings/org.yaml:${line}]`);
  });

  it('runs exactly once when approved, the approval consumed directly before the intent', async () => {
    const { team, writ, run, approval } = await waiting();
    expect((await team.approve(writ, approval)).state).toBe('approved');
    await neverRuns(run.id);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'completed', exitCode: 0 });
    expect(team.functions.calls.map((call) => call.input)).toEqual([{ amount: 7 }]);
    expect(await team.types(run.id)).toEqual([
      'run.started',
      'authz.decided',
      'ceiling.composed',
      'approval.requested',
      'approval.decided',
      'authz.decided',
      'ceiling.composed',
      'approval.consumed',
      'step.intended',
      'step.finished',
      'run.finished',
    ]);
    const [intended] = await team.facts(run.id, 'step.intended');
    expect(intended?.['approvalId']).toBe(approval.id);
    expect((await writ.approval(approval.id)).record.state).toBe('consumed');
    // What was asked for, approved and intended is one commitment.
    const entries = await team.entries(run.id);
    const commitments = entries.filter(
      ({ type }) => type === 'approval.requested' || type === 'step.intended',
    );
    expect(new Set(commitments.map((entry) => entry.commit['input'])).size).toBe(1);
  });

  it('takes the same vote again as a replay, before and after it ran', async () => {
    const { team, writ, run, approval } = await waiting();
    const first = await team.approve(writ, approval);
    const size = (await team.entries(run.id)).length;
    expect(await team.approve(writ, approval)).toEqual(first);
    expect(await team.entries(run.id)).toHaveLength(size);
    await team.drive(writ, run.id);
    const after = (await team.entries(run.id)).length;
    expect((await team.approve(writ, approval)).state).toBe('consumed');
    expect(await team.entries(run.id)).toHaveLength(after);
    expect(team.functions.calls).toHaveLength(1);
  });

  it('tells a second approver that it was used', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    const late = await refusalOf(team.approve(writ, approval, 'carol'));
    expect(late).toMatchObject({ code: 'APPROVAL_ALREADY_DECIDED', exitCode: 4 });
    await team.drive(writ, run.id);
    expect(await refusalOf(team.approve(writ, approval, 'carol'))).toMatchObject({
      code: 'APPROVAL_CONSUMED',
    });
    expect(await refusalOf(team.deny(writ, approval, 'carol'))).toMatchObject({ code: 'APPROVAL_CONSUMED' });
    expect(team.functions.calls).toHaveLength(1);
  });

  it('is not approved under another digest, or under none', async () => {
    const { team, writ, run, approval } = await waiting();
    const bob = await team.as(writ, 'bob');
    const vote = { decision: 'approve', reason: null } as const;
    const other = approval.subjectDigest.replace(/^./, (digit) =>
      digit === '0' ? '1' : '0',
    ) as SubjectDigest;
    for (const digest of [other, approval.subjectDigest.slice(0, 4) as SubjectDigest]) {
      const error = await refusalOf(writ.decide(approval.id, { ...vote, digest }, bob));
      expect(error.code).toBe('APPROVAL_DIGEST_MISMATCH');
    }
    const none = await refusalOf(writ.decide(approval.id, { ...vote, digest: null }, bob));
    expect(none).toMatchObject({ code: 'USAGE', exitCode: 2 });
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'pending', votes: [] });
    await team.drive(writ, run.id);
    await neverRuns(run.id);
  });

  it('waits for a reason where one is required', async () => {
    const gate = 'approval: { mode: sync, reasonRequired: true }';
    const { team, writ, run, approval } = await waiting(steps([`${ONE}, ${gate}`]));
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('APPROVAL_REASON_REQUIRED');
    const bob = await team.as(writ, 'bob');
    const vote = { decision: 'approve', digest: approval.subjectDigest } as const;
    const tooLong = await refusalOf(writ.decide(approval.id, { ...vote, reason: 'x'.repeat(2001) }, bob));
    expect(tooLong.code).toBe('USAGE');
    await writ.decide(approval.id, { ...vote, reason: 'looks right to me' }, bob);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    const log = JSON.stringify(await team.entries(run.id));
    expect(log).not.toContain('looks right');
  });
});

describe('who may decide', () => {
  it.each([
    ['the initiator, who has no right to', 'alice', 'APPROVAL_NOT_ELIGIBLE'],
    ['somebody without the role', 'audrey', 'APPROVAL_NOT_ELIGIBLE'],
    ['an operator of other functions', 'olivia', 'APPROVAL_NOT_ELIGIBLE'],
    ['an admin', 'ada', 'APPROVAL_NOT_ELIGIBLE'],
  ])('not %s', async (_, name, code) => {
    const { team, writ, run, approval } = await waiting();
    for (const vote of [team.approve(writ, approval, name), team.deny(writ, approval, name)]) {
      expect(await refusalOf(vote)).toMatchObject({ code, exitCode: 3 });
    }
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'pending', votes: [] });
    expect((await team.facts(run.id, 'authz.decided')).slice(1)).toMatchObject([
      { verdict: 'deny', subject: `user:${name}`, action: 'approval.decide', attempt: null, code },
      { verdict: 'deny', subject: `user:${name}`, action: 'approval.decide', attempt: null, code },
    ]);
    await neverRuns(run.id);
  });

  it('not the initiator with every right, where duties are separated', async () => {
    const gate = 'approval: { mode: sync, separationOfDuties: true }';
    const { team, writ, run, approval } = await waiting(steps([`${ONE}, ${gate}`]), 'carol');
    const error = await refusalOf(team.approve(writ, approval, 'carol'));
    expect(error).toMatchObject({ code: 'APPROVAL_SEPARATION_OF_DUTIES', exitCode: 3 });
    await neverRuns(run.id);
    await team.approve(writ, approval, 'bob');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('no agent, no service, and nobody whom no file names', async () => {
    const { team, writ, run, approval } = await waiting();
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    for (const id of ['agent:claims-triage', 'service:writ', 'user:mallory', 'role:reviewer', 'bob']) {
      const principal: Principal = { id, assurance: 'os', publicKey: null, sign: null };
      const error = await refusalOf(writ.decide(approval.id, vote, principal));
      expect(error).toMatchObject({ code: 'APPROVAL_NOT_ELIGIBLE', exitCode: 3 });
    }
    const stranger = (): Principal =>
      writ.principalOfKey(`ed25519:${'A'.repeat(43)}=`, () => new Uint8Array(64));
    expect(stranger).toThrow(/no person/);
    await team.drive(writ, run.id);
    await neverRuns(run.id);
  });

  it("not somebody who merely uses a reviewer's name", async () => {
    const { team, writ, run, approval } = await waiting();
    const bob = await team.as(writ, 'bob');
    const alice = await team.as(writ, 'alice');
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    const forged: Principal[] = [
      { ...bob, sign: null, publicKey: null },
      { ...bob, sign: null },
      { ...bob, sign: alice.sign },
      { ...alice, id: 'user:bob' },
      { ...bob, sign: () => new Uint8Array(64) },
      { ...bob, sign: () => new Uint8Array(0) },
      // approvers.yaml accepts the account of nobody.
      { id: 'user:bob', assurance: 'os', publicKey: null, sign: null },
    ];
    for (const principal of forged) {
      const error = await refusalOf(writ.decide(approval.id, vote, principal));
      expect(error).toMatchObject({ code: 'APPROVAL_SIGNATURE_INVALID', exitCode: 3 });
    }
    expect((await writ.approval(approval.id)).record.votes).toEqual([]);
    await team.drive(writ, run.id);
    await neverRuns(run.id);
  });

  it('not with a key that was taken out of approvers.yaml meanwhile', async () => {
    const { team, writ, run, approval } = await waiting();
    const bob = await team.as(writ, 'bob');
    const policies = team.policiesWith('approvers.yaml', (document) => {
      document.setIn(['people', 1, 'keys'], []);
    });
    const changed = await team.open({ policies });
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    expect(await refusalOf(changed.decide(approval.id, vote, bob))).toMatchObject({
      code: 'APPROVAL_SIGNATURE_INVALID',
    });
    await neverRuns(run.id);
  });

  it('the account of the operating system, where approvers.yaml says that it is enough', async () => {
    const { team } = here;
    const policies = team.policiesWith('approvers.yaml', (document) => {
      document.setIn(['people', 1, 'osUser'], 'bob-here');
      document.setIn(['people', 1, 'assurance'], ['os']);
    });
    const writ = await team.open({ policies });
    const run = await team.run(writ, steps([GATED]), { amount: 7 });
    const approval = await team.pending(writ, run.id);
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    await writ.decide(approval.id, vote, writ.principalOfUser('bob-here'));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('either of two roles, where alternatives are named', async () => {
    const { team } = here;
    const policies = team.policiesWith('rbac/test.yaml', (document) => {
      document.addIn(['rules'], {
        id: 'TEST-90',
        effect: 'allow',
        subject: 'role:operator',
        domain: 'default',
        action: 'approval.decide',
        resource: 'tool::test_*',
        reason: 'operators too',
      });
    });
    const writ = await team.open({ policies });
    const gate = 'approval: { mode: sync, approverRoles: ["role:reviewer", "role:operator"] }';
    for (const name of ['bob', 'olivia']) {
      const run = await team.run(writ, steps([`${ONE}, ${gate}`]));
      await team.approve(writ, await team.pending(writ, run.id), name);
      expect((await team.drive(writ, run.id)).status).toBe('completed');
    }
  });

  it('two different people, where two are needed', async () => {
    const { team, writ, run, approval } = await waiting(steps([`${ONE}, approval: two-person`]));
    expect((await team.approve(writ, approval, 'bob')).state).toBe('pending');
    expect((await team.approve(writ, approval, 'bob')).votes).toHaveLength(1);
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    await neverRuns(run.id);
    expect((await team.approve(writ, approval, 'carol')).state).toBe('approved');
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('and the same person may still deny after approving, while it is pending', async () => {
    const { team, writ, run, approval } = await waiting(steps([`${ONE}, approval: two-person`]));
    await team.approve(writ, approval, 'bob');
    expect((await team.deny(writ, approval, 'bob')).state).toBe('denied');
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await neverRuns(run.id);
  });
});

describe('a signed decision', () => {
  it('verifies against the key that is enrolled, and over nothing else', async () => {
    const { team, writ, run, approval } = await waiting();
    const bob = await team.as(writ, 'bob');
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: 'fine' } as const;
    await writ.decide(approval.id, vote, bob);
    const [entry] = (await team.entries(run.id)).filter(({ type }) => type === 'approval.decided');
    const data = entry?.data ?? {};
    expect(data['keyId']).toBe(bob.publicKey);
    const text = (key: string): string => {
      const value = data[key];
      return typeof value === 'string' ? value : '';
    };
    const decision = {
      approvalId: approval.id,
      subjectDigest: approval.subjectDigest,
      decision: 'approve',
      approver: 'user:bob',
      at: text('at'),
      expiresAt: text('expiresAt'),
      reasonCommitment: entry?.commit['reason'] ?? null,
    } as const;
    expect(decision.reasonCommitment).not.toBe(null);
    const signature = Buffer.from(text('signature'), 'base64');
    const key = (one: Principal) => Buffer.from((one.publicKey ?? '').replace('ed25519:', ''), 'base64');
    expect(verifyDecision(decision, signature, key(bob))).toBe(true);
    expect(verifyDecision({ ...decision, decision: 'deny' }, signature, key(bob))).toBe(false);
    expect(verifyDecision({ ...decision, reasonCommitment: null }, signature, key(bob))).toBe(false);
    expect(verifyDecision(decision, signature, key(await team.as(writ, 'carol')))).toBe(false);
  });
});

describe('a denied step never runs', () => {
  it.each(['errorMode: fail', 'errorMode: skip', 'errorMode: retry, maxRetries: 3, retry: { initialMs: 0 }'])(
    'dialect 1, %s',
    async (mode) => {
      const { team, writ, run, approval } = await waiting(steps([`${ONE}, approval: sync, ${mode}`, ONE]));
      expect((await team.deny(writ, approval)).state).toBe('denied');
      expect(await team.drive(writ, run.id)).toMatchObject({
        status: 'failed',
        exitCode: 4,
        error: { code: 'APPROVAL_DENIED', name: 'Approval.Denied' },
      });
      await neverRuns(run.id);
      const alice = await team.as(writ, 'alice');
      expect((await refusalOf(writ.resume(run.id, alice))).code).toBe('RUN_ALREADY_FINISHED');
      expect((await team.drive(await team.open(), run.id)).status).toBe('failed');
      await neverRuns(run.id);
    },
  );

  const gated = (names: readonly string[]) =>
    states('A', {
      A: {
        type: 'Task',
        resource: 'tool::test_one',
        approval: { mode: 'sync' },
        catch: [{ errorEquals: names, resultPath: '$.why', next: 'B' }],
        end: true,
      },
      B: { type: 'Pass', end: true },
    });

  it.each([['States.ALL'], ['States.TaskFailed'], ['Approval.Expired'], ['Policy.Denied']])(
    'dialect 2, catch of %s does not catch it',
    async (name) => {
      const { team, writ, run, approval } = await waiting(gated([name]));
      await team.deny(writ, approval);
      expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
      await neverRuns(run.id);
    },
  );

  it('dialect 2, a catch by its name goes on without the step', async () => {
    const { team, writ, run, approval } = await waiting(gated(['Approval.Denied']));
    await team.deny(writ, approval);
    const done = await team.drive(writ, run.id);
    expect(done).toMatchObject({ status: 'completed', output: { why: { Error: 'Approval.Denied' } } });
    await neverRuns(run.id);
  });
});

describe('expiry', () => {
  it('lets the last millisecond count, for the vote and for the start', async () => {
    const { team, writ, run, approval } = await waiting();
    team.clock.set(approval.expiresAtMs - 1);
    await team.approve(writ, approval);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
  });

  it('at the border ends a request that nobody decided', async () => {
    const { team, writ, run, approval } = await waiting();
    team.clock.set(approval.expiresAtMs);
    expect(await team.drive(writ, run.id)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      error: { code: 'APPROVAL_EXPIRED', name: 'Approval.Expired' },
    });
    expect((await writ.approval(approval.id)).record.state).toBe('expired');
    expect(await team.types(run.id)).toContain('approval.expired');
    await neverRuns(run.id);
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('APPROVAL_EXPIRED');
  });

  it('at the border refuses the vote, and that ends the request', async () => {
    const { team, writ, run, approval } = await waiting();
    team.clock.set(approval.expiresAtMs);
    expect(await refusalOf(team.approve(writ, approval))).toMatchObject({
      code: 'APPROVAL_EXPIRED',
      exitCode: 4,
    });
    expect((await writ.approval(approval.id)).record).toMatchObject({ state: 'expired', votes: [] });
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect((await team.facts(run.id, 'approval.expired')).length).toBe(1);
    await neverRuns(run.id);
  });

  it('at the border stops a step that was approved but had not started', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    team.clock.set(approval.expiresAtMs);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect((await writ.approval(approval.id)).record.state).toBe('expired');
    await neverRuns(run.id);
  });

  it("counts by the store's clock, in the transaction that would consume it", async () => {
    const { team, run, approval, writ } = await waiting();
    await team.approve(writ, approval);
    team.clock.set(approval.expiresAtMs - 1);
    // The border passes between the last look and the commit.
    const late = await team.open({
      store: (inner) =>
        interfering(inner, 'approval.consumed', async () => team.clock.set(approval.expiresAtMs)),
    });
    expect(await team.drive(late, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await neverRuns(run.id);
  });

  it("counts by the store's clock, in the transaction of the vote", async () => {
    const { team, run, approval } = await waiting();
    team.clock.set(approval.expiresAtMs - 1);
    const late = await team.open({
      store: (inner) =>
        interfering(inner, 'approval.decided', async () => team.clock.set(approval.expiresAtMs)),
    });
    expect((await refusalOf(team.approve(late, approval))).code).toBe('APPROVAL_EXPIRED');
    await team.drive(late, run.id);
    await neverRuns(run.id);
  });

  it('is not undone by a clock that goes back', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    team.clock.set(approval.expiresAtMs + 60_000);
    // Somebody else writes to the log at the later time.
    await team.run(writ, steps([ONE]));
    team.functions.calls.length = 0;
    team.clock.set(approval.expiresAtMs - 60_000);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await neverRuns(run.id);
  });

  it.each(['errorMode: skip', 'errorMode: retry, retry: { initialMs: 0 }'])(
    'is a refusal under %s too',
    async (mode) => {
      const { team, writ, run, approval } = await waiting(steps([`${ONE}, approval: sync, ${mode}`, ONE]));
      team.clock.set(approval.expiresAtMs);
      expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
      await neverRuns(run.id);
    },
  );
});

describe('every attempt asks anew', () => {
  it('a retry of a gated step has another digest', async () => {
    const { team, writ, run, approval } = await waiting(
      steps([`${GATED}, errorMode: retry, maxRetries: 1, retry: { initialMs: 0 }`]),
    );
    team.functions.answer('tool::test_one', fail(), () => ({ ok: true }));
    await team.approve(writ, approval);
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'waiting', exitCode: 10 });
    expect(team.functions.calls).toHaveLength(1);
    const second = await team.pending(writ, run.id);
    expect(second).toMatchObject({ attempt: 2, state: 'pending', votes: [] });
    expect(second.subjectDigest).not.toBe(approval.subjectDigest);
    const bob = await team.as(writ, 'bob');
    const old = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    expect((await refusalOf(writ.decide(second.id, old, bob))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    await team.approve(writ, second);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(2);
    expect(new Set(team.functions.calls.map((call) => call.idempotencyKey)).size).toBe(1);
  });

  it('a run has a time limit of its own: waiting for people does not change what they are asked', async () => {
    const { team, writ, run, approval } = await waiting(steps([GATED], 'timeoutMs: 60000\n'));
    team.clock.advance(30 * 60_000);
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect((await team.pending(writ, run.id)).id).toBe(approval.id);
    await team.approve(writ, approval);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(await team.facts(run.id, 'approval.requested')).toHaveLength(1);
    expect(team.functions.calls[0]?.timeoutMs).toBe(60_000);
  });

  it('does not leave a request open when the function is gone', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    const without = await team.open({ functions: [] });
    expect(await team.drive(without, run.id)).toMatchObject({
      status: 'failed',
      exitCode: 2,
      error: { code: 'FUNCTION_NOT_FOUND' },
    });
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_ALREADY_DECIDED');
    await neverRuns(run.id);
  });
});
