// A vote may come as soon as the request is stored, before the step that asks has let go of it: the run goes on by it.
import { describe, expect, it } from 'vitest';
import type { Writ } from '../../src/runtime/writ.js';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const ONE = 'functionId: "tool::test_one"';

/** Bob approves whatever is asked, in the moment in which it is asked. */
function approvesAtOnce(writ: Writ, fail: (error: unknown) => void): void {
  const { team } = here;
  writ.onEntry(({ type, data }) => {
    const id = data['approvalId'];
    if (type !== 'approval.requested' || typeof id !== 'string') return;
    void writ
      .approval(id)
      .then(({ record }) => team.approve(writ, record))
      .catch(fail);
  });
}

describe('a vote in the moment of its request', () => {
  it('is seen, while other steps of the run move on beside it', async () => {
    const { team } = here;
    const writ = await team.open();
    const failures: unknown[] = [];
    approvesAtOnce(writ, (error) => failures.push(error));
    const group = Array.from({ length: 12 }, (_, at) =>
      at % 3 === 0 ? `${ONE}, approval: async, mode: fanout` : `${ONE}, mode: fanout`,
    );
    for (let round = 0; round < 5; round += 1) {
      const runId = await team.start(writ, steps(group), { round });
      const run = await writ.drive(runId, { stopAt: 'finished', signal: team.stop.signal });
      expect(run.status).toBe('completed');
      expect(await team.facts(runId, 'approval.consumed')).toHaveLength(4);
    }
    expect(failures).toEqual([]);
  });
});
