// Executed arguments differ from the approved ones: the class of fault this product exists for. Somebody who can
// write the database changes the input, the stored subject or the approval; nothing of it may run.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const GATED = steps(['functionId: "tool::test_one", config: { amount: "{{input.amount}}" }, approval: sync']);

async function approved() {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, GATED, { amount: 7 });
  const approval = await team.pending(writ, run.id);
  await team.approve(writ, approval);
  return { team, writ, run, approval };
}

/** As root on the machine could. */
function tamper(sql: string, ...values: readonly unknown[]): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    expect(db.prepare(sql).run(...values).changes).toBeGreaterThan(0);
  } finally {
    db.close();
  }
}

describe('after the approval', () => {
  it('a changed input is another act: the approval is withdrawn and the new value is asked for', async () => {
    const { team, writ, run, approval } = await approved();
    tamper(
      `UPDATE run_part SET value = replace(value, '"input":{"amount":7}', '"input":{"amount":7000}')
       WHERE run = ? AND key = 'frame/'`,
      run.id,
    );
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect(team.functions.calls).toEqual([]);
    expect((await writ.approval(approval.id)).record.state).toBe('withdrawn');
    const again = await team.pending(writ, run.id);
    expect(again.subjectDigest).not.toBe(approval.subjectDigest);
    expect((await writ.approval(again.id)).subject).toMatchObject({ input: { amount: 7000 } });
  });

  it('a changed stored subject is refused', async () => {
    const { team, writ, run, approval } = await approved();
    team.payloadsIntact = false;
    tamper(
      `UPDATE payload SET bytes = CAST(replace(CAST(bytes AS TEXT), '"amount":7', '"amount":9') AS BLOB)
       WHERE commitment = ?`,
      Buffer.from(approval.subject, 'hex'),
    );
    expect(await team.drive(writ, run.id)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      error: { code: 'APPROVAL_DIGEST_MISMATCH' },
    });
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(run.id)).not.toContain('step.intended');
    await writ.publish();
    expect((await team.verify(true)).verdict).toBe('payload-mismatch');
  });

  it('an erased stored subject is refused', async () => {
    const { team, writ, run, approval } = await approved();
    team.payloadsIntact = false;
    tamper(
      'UPDATE payload SET bytes = NULL, salt = NULL WHERE commitment = ?',
      Buffer.from(approval.subject, 'hex'),
    );
    expect(await team.drive(writ, run.id)).toMatchObject({ status: 'failed', exitCode: 4 });
    expect(team.functions.calls).toEqual([]);
  });

  it('a changed digest in the row is refused', async () => {
    const { team, writ, run, approval } = await approved();
    tamper('UPDATE approval SET subject_digest = ? WHERE id = ?', '0'.repeat(64), approval.id);
    expect(await team.drive(writ, run.id)).toMatchObject({
      status: 'failed',
      exitCode: 4,
      error: { code: 'APPROVAL_DIGEST_MISMATCH' },
    });
    // What ended is not what was asked for, and the log shows it.
    team.verdict = 'order-broken';
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(run.id)).not.toContain('step.intended');
  });

  it('an approval of another act does not open this gate', async () => {
    const { team, writ, approval: donor } = await approved();
    const victim = await team.run(writ, GATED, { amount: 9_999 });
    tamper('UPDATE attempt SET approval_id = ? WHERE run = ?', donor.id, victim.id);
    tamper(
      `UPDATE run SET waiting_for = json_set(waiting_for, '$.approvalId', ?) WHERE id = ?`,
      donor.id,
      victim.id,
    );
    tamper(
      `UPDATE run_part SET value = json_set(value, '$.task.approval.approvalId', ?) WHERE run = ? AND key = 'frame/'`,
      donor.id,
      victim.id,
    );
    await team.drive(writ, victim.id);
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(victim.id)).not.toContain('step.intended');
  });

  it('a request that was only marked as approved, without a vote, does not open the gate', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED, { amount: 7 });
    const approval = await team.pending(writ, run.id);
    tamper(`UPDATE approval SET state = 'approved' WHERE id = ?`, approval.id);
    expect((await team.drive(writ, run.id)).status).not.toBe('completed');
    expect(team.functions.calls).toEqual([]);
    expect(await team.types(run.id)).not.toContain('step.intended');
  });

  it('a used approval that was set back to approved does not open it twice', async () => {
    const { team } = here;
    const writ = await team.open();
    team.functions.answer('tool::test_one', () => {
      throw new Error('once more');
    });
    const text = steps([
      'functionId: "tool::test_one", approval: sync, errorMode: retry, retry: { initialMs: 0 }',
    ]);
    const run = await team.run(writ, text);
    const approval = await team.pending(writ, run.id);
    await team.approve(writ, approval);
    await team.drive(writ, run.id);
    expect(team.functions.calls).toHaveLength(1);
    tamper(`UPDATE approval SET state = 'approved' WHERE id = ?`, approval.id);
    tamper('UPDATE attempt SET approval_id = ? WHERE run = ? AND attempt = 2', approval.id, run.id);
    tamper(
      `UPDATE run SET waiting_for = json_set(waiting_for, '$.approvalId', ?) WHERE id = ?`,
      approval.id,
      run.id,
    );
    tamper(
      `UPDATE run_part SET value = json_set(value, '$.task.approval.approvalId', ?) WHERE run = ? AND key = 'frame/'`,
      approval.id,
      run.id,
    );
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    expect(team.functions.calls).toHaveLength(1);
  });
});
