// Several requests approved by one command: each has its own vote, and what becomes of one is not lost with another.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOB, entriesOf, errorOf, newDesk, startWaitingForEach, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

describe('approving several requests together', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = await newDesk(hosted);
  });
  afterAll(() => desk.remove());

  const claims = [1, 2, 3].map((amount) => ({ id: `C-${amount}`, amount }));
  const together = async (ids: readonly string[]): Promise<string> => {
    const { value } = await desk.json(['approvals', 'show', ...ids]);
    return (value as { batchDigest: string }).batchDigest;
  };

  it('when one is refused, tells which votes are recorded, and goes on with their run', async () => {
    const { run, asked } = await startWaitingForEach(desk, claims);
    const ids = asked.map(({ id }) => id);
    const digest = await together(ids);
    expect(await desk.json(['approvals', 'deny', ids[1] ?? '', '--no-continue'], BOB)).toMatchObject({
      code: 0,
    });
    const tried = await desk.json(['approvals', 'approve', ...ids, '--digest', digest], BOB);
    expect(tried.code).toBe(4);
    expect(errorOf(tried)).toMatchObject({
      code: 'APPROVAL_ALREADY_VOTED',
      details: { recorded: [0, 2].map((at) => ({ id: ids[at], state: 'approved' })) },
    });
    // It went on: to its end, which a denied item is.
    expect(entriesOf(desk, run).at(-1)).toMatchObject({ type: 'run.finished' });
  });

  it('again changes nothing, and takes no digest but that of all of them', async () => {
    const { run, asked } = await startWaitingForEach(desk, claims);
    const ids = asked.map(({ id }) => id);
    const two = ids.slice(0, 2);
    const other = await desk.json(['approvals', 'approve', ...two, '--digest', await together(ids)], BOB);
    expect(errorOf(other).code).toBe('APPROVAL_DIGEST_MISMATCH');
    for (let times = 0; times < 2; times += 1) {
      const words = ['approvals', 'approve', ...two, '--digest', await together(two), '--no-continue'];
      expect(await desk.run(words, BOB)).toMatchObject({ code: 0 });
    }
    const votes = entriesOf(desk, run).filter(({ type }) => type === 'approval.decided');
    expect(votes.map(({ data }) => data['approvalId'])).toEqual(two);
  });
});
