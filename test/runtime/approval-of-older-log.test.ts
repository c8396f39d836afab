// A request that an older version logged without saying that it keeps people apart: an upgrade is no forgery.
import path from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical-json.js';
import type { Json } from '../../src/json.js';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const GATED = steps(['functionId: "tool::test_one", approval: sync']);

/** As the log of an older version has it. */
function forgetSeparation(approvalId: string): void {
  change((db) => {
    const rows = db.prepare(`SELECT idx, bytes FROM log_entry WHERE type = 'approval.requested'`).all() as {
      idx: number;
      bytes: Buffer;
    }[];
    for (const { idx, bytes } of rows) {
      const entry = JSON.parse(bytes.toString('utf8')) as { data: Record<string, Json> };
      if (entry.data['approvalId'] !== approvalId) continue;
      expect(entry.data['separationOfDuties']).toBe(true);
      delete entry.data['separationOfDuties'];
      db.prepare('UPDATE log_entry SET bytes = ? WHERE idx = ?').run(
        Buffer.from(canonicalJson(entry as unknown as Json)),
        idx,
      );
    }
  });
}

function change(work: (db: Database.Database) => void): void {
  const db = new Database(path.join(here.team.data, 'writ.db'));
  try {
    work(db);
  } finally {
    db.close();
  }
}

describe('a request of an older log', () => {
  it('that does not say whether it keeps people apart is decided where its row does (older-request-called-forged)', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED);
    const approval = await team.pending(writ, run.id);
    forgetSeparation(approval.id);
    await team.approve(writ, approval);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
    expect(team.functions.calls).toHaveLength(1);
    // The entry was made older after it had its leaf hash: an older version hashed it as it is now.
    team.verdict = 'entry-mismatch';
  });

  it('is refused where its row lets who started the run decide', async () => {
    const { team } = here;
    const writ = await team.open();
    const run = await team.run(writ, GATED);
    const approval = await team.pending(writ, run.id);
    forgetSeparation(approval.id);
    change((db) => db.prepare('UPDATE approval SET separation_of_duties = 0').run());
    await expect(team.approve(writ, approval)).rejects.toMatchObject({ code: 'APPROVAL_DIGEST_MISMATCH' });
    expect(team.functions.calls).toEqual([]);
  });
});
