// A row of the database says that somebody may, that nobody objected, or that there is still time. Whoever can write the
// data directory and holds a key of their own changes it; the guard asks policy, the votes and the signatures instead.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { loadPersonKey } from '../../src/adapters/keys/person-key.js';
import { decisionBytes } from '../../src/approval/decision.js';
import type { ApprovalRecord, Vote } from '../../src/runtime/ports.js';
import { refusalOf, steps, T0, useTeam } from './fixture.js';

const here = useTeam();
const HOUR = 3_600_000;
const ONE = 'functionId: "tool::test_one"';
const GATED = steps([`${ONE}, approval: sync`]);
const BY_REVIEWERS = steps([`${ONE}, approval: { mode: sync, approverRoles: ["role:reviewer"] }`]);

async function waiting(text = GATED, policies?: string) {
  const { team } = here;
  const writ = await team.open(policies === undefined ? {} : { policies });
  const run = await team.run(writ, text);
  return { team, writ, run, approval: await team.pending(writ, run.id) };
}

/** As root on the machine could. */
function setRow(
  { id }: ApprovalRecord,
  column: 'state' | 'votes' | 'created_at_ms' | 'expires_at_ms' | 'function_id' | 'initiator' | 'more',
  value: string | number,
): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(`UPDATE approval SET ${column} = ? WHERE id = ?`).run(value, id).changes).toBe(1);
  } finally {
    db.close();
  }
}

/** What `person` signs with their own key, at whatever time and for whomever they like. */
function ownVote(
  { id, subjectDigest, expiresAtMs }: ApprovalRecord,
  person: string,
  { atMs = T0, delegation, breakGlass }: Partial<Pick<Vote, 'atMs' | 'delegation' | 'breakGlass'>> = {},
): Vote {
  const key = loadPersonKey(path.join(here.team.home, `${person}.key`));
  const bytes = decisionBytes({
    ...{ approvalId: id, subjectDigest, decision: 'approve', approver: `user:${person}` },
    ...{ at: new Date(atMs).toISOString(), expiresAt: new Date(expiresAtMs).toISOString() },
    ...{ reasonCommitment: null, delegation: delegation ?? null, breakGlass: breakGlass ?? null },
  });
  return {
    ...{ seq: 0, approver: `user:${person}`, keyId: key.publicKey, assurance: 'key', decision: 'approve' },
    ...{ reason: null, atMs, signature: Buffer.from(key.sign(bytes)).toString('base64') },
    ...(delegation === undefined ? {} : { delegation }),
    ...(breakGlass === undefined ? {} : { breakGlass }),
  };
}

function forge(approval: ApprovalRecord, vote: Vote): void {
  setRow(approval, 'votes', JSON.stringify([vote]));
  setRow(approval, 'state', 'approved');
}

async function expectNothingRan(runId: string): Promise<void> {
  expect(here.team.functions.calls).toEqual([]);
  expect(await here.team.types(runId)).not.toContain('step.intended');
}

/** It is asked for again, and whoever may decides about that request. */
async function expectAskedAgain(forged: Awaited<ReturnType<typeof waiting>>): Promise<void> {
  const { team, writ, run, approval } = forged;
  expect((await team.drive(writ, run.id)).status).toBe('waiting');
  expect(team.functions.calls).toEqual([]);
  expect(await team.types(run.id)).not.toContain('step.intended');
  const again = await team.pending(writ, run.id);
  expect(again.id).not.toBe(approval.id);
  await team.approve(writ, again);
  expect((await team.drive(writ, run.id)).status).toBe('completed');
  expect(team.functions.calls).toHaveLength(1);
}

describe('HOLE: a row that says it is approved', () => {
  it('although it was taken back: the vote that took it back is in the row too', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    const revoke = { decision: 'revoke', digest: null, reason: null } as const;
    await writ.decide(approval.id, revoke, await team.as(writ, 'bob'));
    setRow(approval, 'state', 'approved');
    expect(await team.drive(writ, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 4, error: { code: 'APPROVAL_DIGEST_MISMATCH' } },
    });
    await expectNothingRan(run.id);
  });

  it('by somebody with a key whom policy does not let decide, where anybody who may is enough', async () => {
    const forged = await waiting();
    expect(forged.approval.quorum).toEqual([{ role: 'role:any', n: 1 }]);
    forge(forged.approval, ownVote(forged.approval, 'olivia'));
    await expectAskedAgain(forged);
  });

  it('in an emergency, by a holder of that role whom policy does not let use it', async () => {
    const policies = here.team.policiesWith('approvers.yaml', (document) => {
      document.set('breakGlass', { role: 'role:operator', reviewWithinHours: 24 });
    });
    const forged = await waiting(BY_REVIEWERS, policies);
    forge(forged.approval, ownVote(forged.approval, 'olivia', { breakGlass: true }));
    await expectAskedAgain(forged);
  });

  it('by somebody who may decide about another function, which the row now names', async () => {
    const policies = here.team.policiesWith('rbac/test.yaml', (document) => {
      document.addIn(['rules'], {
        ...{ id: 'TEST-90', effect: 'allow', subject: 'role:operator', domain: 'default' },
        ...{ action: 'approval.decide', resource: 'tool::raw_disk' },
      });
    });
    const forged = await waiting(GATED, policies);
    setRow(forged.approval, 'function_id', 'tool::raw_disk');
    await forged.team.approve(forged.writ, forged.approval, 'olivia');
    await expectAskedAgain(forged);
  });

  it('by a delegation that had ended before the request, with a vote of a time when it had not', async () => {
    const policies = here.team.policiesWith('approvers.yaml', (document) => {
      const scope = { roles: ['role:reviewer'], domains: ['default'] };
      const notAfter = new Date(T0 - HOUR).toISOString().replace('.000Z', 'Z');
      document.set('delegations', [{ from: 'user:bob', to: 'user:audrey', scope, notAfter }]);
    });
    const forged = await waiting(BY_REVIEWERS, policies);
    forge(
      forged.approval,
      ownVote(forged.approval, 'audrey', { atMs: T0 - 2 * HOUR, delegation: 'user:bob' }),
    );
    await expectAskedAgain(forged);
  });
});

describe('HOLE: a row that says there is still time', () => {
  it('lets nobody decide later than the log says', async () => {
    const { team, writ, approval } = await waiting();
    setRow(approval, 'expires_at_ms', approval.expiresAtMs + 24 * HOUR);
    team.clock.set(approval.expiresAtMs + 1);
    expect((await refusalOf(team.approve(writ, approval))).code).toBe('APPROVAL_DIGEST_MISMATCH');
  });

  it('is none: with a vote over the other expiry in the row too, it is asked for again', async () => {
    const forged = await waiting();
    const { team, approval } = forged;
    const expiresAtMs = approval.expiresAtMs + 24 * HOUR;
    setRow(approval, 'expires_at_ms', expiresAtMs);
    forge(approval, ownVote({ ...approval, expiresAtMs }, 'bob', { atMs: approval.expiresAtMs + 1 }));
    team.clock.set(approval.expiresAtMs + 2);
    await expectAskedAgain(forged);
  });

  it('is none either when it says that it was made later', async () => {
    const { team, writ, run, approval } = await waiting();
    const expiresAtMs = approval.expiresAtMs + 24 * HOUR;
    setRow(approval, 'expires_at_ms', expiresAtMs);
    setRow(approval, 'created_at_ms', approval.createdAtMs + 24 * HOUR);
    forge(approval, ownVote({ ...approval, expiresAtMs }, 'bob', { atMs: approval.createdAtMs + 24 * HOUR }));
    team.clock.set(approval.createdAtMs + 24 * HOUR);
    expect(await team.drive(writ, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 4, error: { code: 'APPROVAL_DIGEST_MISMATCH' } },
    });
    expect(team.functions.calls).toEqual([]);
  });
});

describe('HOLE: a row that does not say who had a hand in it', () => {
  it('lets nobody approve what they have changed themselves', async () => {
    const { team, writ, run, approval } = await waiting();
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    const made = await writ.editApproval(approval.id, edit, await team.as(writ, 'bob'));
    await team.drive(writ, run.id);
    setRow(made, 'more', '{}');
    expect((await refusalOf(team.approve(writ, made))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    forge(made, ownVote(made, 'bob'));
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect(team.functions.calls).toEqual([]);
  });

  it('lets nobody approve the run that they have started', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED, {}, 'carol');
    const approval = await team.pending(writ, run.id);
    setRow(approval, 'initiator', 'user:alice');
    const db = new Database(path.join(team.data, 'writ.db'));
    db.prepare(`UPDATE run SET initiator = 'user:alice' WHERE id = ?`).run(run.id);
    db.close();
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    forge(approval, ownVote(approval, 'carol'));
    expect(await team.drive(writ, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 3, error: { code: 'RUN_CHANGED' } },
    });
    expect(team.functions.calls).toEqual([]);
  });
});

describe('HOLE: a row that no longer says who denied it', () => {
  const TWO = steps([`${ONE}, approval: { mode: sync, quorum: 2 }`]);

  it('takes no vote of another, and its step never runs', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.deny(writ, approval);
    setRow(approval, 'votes', '[]');
    setRow(approval, 'state', 'pending');
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    const edited = await refusalOf(writ.editApproval(approval.id, edit, await team.as(writ, 'carol')));
    expect(edited.code).toBe('APPROVAL_DIGEST_MISMATCH');
    await expectNothingRan(run.id);
  });

  it('starts nothing when the vote of another stands in its place, signed', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.deny(writ, approval);
    forge(approval, ownVote(approval, 'carol'));
    expect(await team.drive(writ, run.id)).toMatchObject({
      ...{ status: 'failed', exitCode: 4, error: { code: 'APPROVAL_DIGEST_MISMATCH' } },
    });
    await expectNothingRan(run.id);
  });

  it('nor when one of two approvals was taken out, or was never cast', async () => {
    const { team, writ, run, approval } = await waiting(TWO);
    await team.approve(writ, approval, 'bob');
    const votes = [ownVote(approval, 'bob'), { ...ownVote(approval, 'carol'), seq: 1 }];
    setRow(approval, 'votes', JSON.stringify(votes));
    setRow(approval, 'state', 'approved');
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await expectNothingRan(run.id);
    const other = await waiting(TWO);
    await team.approve(other.writ, other.approval, 'bob');
    setRow(other.approval, 'votes', '[]');
    const refused = await refusalOf(team.approve(other.writ, other.approval, 'carol'));
    expect(refused.code).toBe('APPROVAL_DIGEST_MISMATCH');
  });

  it('nor that it was withdrawn, or has expired', async () => {
    const { team, writ, run, approval } = await waiting();
    await writ.cancel(run.id, await team.as(writ, 'alice'));
    setRow(approval, 'state', 'pending');
    expect((await refusalOf(team.approve(writ, approval, 'carol'))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    const late = await waiting();
    team.clock.set(late.approval.expiresAtMs);
    expect((await refusalOf(team.approve(writ, late.approval))).code).toBe('APPROVAL_EXPIRED');
    setRow(late.approval, 'state', 'pending');
    expect((await refusalOf(team.approve(writ, late.approval))).code).toBe('APPROVAL_DIGEST_MISMATCH');
    expect(team.functions.calls).toEqual([]);
  });

  it('nor who has changed the input, when it is asked for again', async () => {
    const { team, writ, run, approval } = await waiting();
    const edit = { digest: approval.subjectDigest, input: { amount: 8 } };
    const made = await writ.editApproval(approval.id, edit, await team.as(writ, 'bob'));
    await team.drive(writ, run.id);
    setRow(made, 'more', '{}');
    // Its one vote does not hold: it is asked for again.
    forge(made, { ...ownVote(made, 'carol'), signature: ownVote(made, 'bob').signature });
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    const again = await team.pending(writ, run.id);
    expect(again.editors).toEqual(['user:bob']);
    expect((await refusalOf(team.approve(writ, again, 'bob'))).code).toBe('APPROVAL_SEPARATION_OF_DUTIES');
    await expectNothingRan(run.id);
  });
});

describe('a row that somebody has written again', () => {
  it('counts when it says what the log says: what is refused above is not the writing as such', async () => {
    const { team, writ, run, approval } = await waiting();
    await team.approve(writ, approval);
    const { votes } = (await writ.approval(approval.id)).record;
    setRow(approval, 'votes', JSON.stringify(votes, null, 1));
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });

  it('starts nothing with a good vote that the log does not know', async () => {
    const { team, writ, run, approval } = await waiting();
    forge(approval, ownVote(approval, 'bob'));
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    await expectNothingRan(run.id);
  });
});
