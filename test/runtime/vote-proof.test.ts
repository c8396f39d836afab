// Which vote counts without a signature: of whom approvers.yaml says so, never where two people must be told apart, and
// never one that shows a key or a signature all the same, which nothing has checked.
import { describe, expect, it } from 'vitest';
import { refusalOf, steps, useTeam } from './fixture.js';

const here = useTeam();

/** Bob's account on this machine is enough for him. */
async function waiting(mode: 'sync' | 'two-person') {
  const { team } = here;
  const policies = team.policiesWith('approvers.yaml', (document) => {
    document.setIn(['people', 1, 'osUser'], 'bob-here');
    document.setIn(['people', 1, 'assurance'], ['key', 'os']);
  });
  const writ = await team.open({ policies });
  const run = await team.run(writ, steps([`functionId: "tool::test_one", approval: ${mode}`]));
  return { team, writ, run, approval: await team.pending(writ, run.id) };
}

async function expectNothingRan(runId: string): Promise<void> {
  expect(here.team.functions.calls).toEqual([]);
  expect(await here.team.types(runId)).not.toContain('step.intended');
}

describe('HOLE: a vote without a signature', () => {
  it('is none where two people must sign: one account could be both', async () => {
    const { team, writ, run, approval } = await waiting('two-person');
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    const error = await refusalOf(writ.decide(approval.id, vote, writ.principalOfUser('bob-here')));
    expect(error).toMatchObject({ code: 'APPROVAL_SIGNATURE_INVALID', exitCode: 3 });
    await team.approve(writ, approval, 'carol');
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    await expectNothingRan(run.id);
  });

  it('is none that comes with a key or a signature, which nothing would check', async () => {
    const { team, writ, run, approval } = await waiting('sync');
    const vote = { decision: 'approve', digest: approval.subjectDigest, reason: null } as const;
    const account = writ.principalOfUser('bob-here');
    const { publicKey } = await team.as(writ, 'bob');
    for (const shown of [{ publicKey }, { sign: () => new Uint8Array(64) }]) {
      const error = await refusalOf(writ.decide(approval.id, vote, { ...account, ...shown }));
      expect(error).toMatchObject({ code: 'APPROVAL_SIGNATURE_INVALID', exitCode: 3 });
    }
    expect((await team.drive(writ, run.id)).status).toBe('waiting');
    await expectNothingRan(run.id);
    await writ.decide(approval.id, vote, account);
    expect((await team.drive(writ, run.id)).status).toBe('completed');
  });
});
