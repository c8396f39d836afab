// `writ workflow graph RUN`: what became of the steps of a run, over the picture of its workflow.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BOB, FLOW, HIGH, LOW, newDesk, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

vi.setConfig({ testTimeout: 60_000 });

let desk: Desk;
beforeAll(async () => {
  desk = await newDesk(hosted);
});
afterAll(() => desk.remove());

/** The run's id, whatever became of it. */
async function runOf(input: string): Promise<string> {
  const { value } = await desk.json(['workflow', 'run', FLOW, '--input', input]);
  const { id } = value as { id: string };
  return id;
}

describe('writ workflow graph RUN', () => {
  it('tells of each step how it ended, and of one that waits that it waits', async () => {
    const done = (await desk.run(['workflow', 'graph', await runOf(LOW)])).stdout;
    expect(done).toMatch(/\["Triage<br\/>[^"]*, completed"\]:::completed/);
    expect(done).toMatch(/\["AutoApprove<br\/>[^"]*, completed"\]:::completed/);
    expect(done).toMatch(/\["HumanReview<br\/>[^",]*"\]$/m);
    const waits = (await desk.run(['workflow', 'graph', await runOf(HIGH), '--format', 'svg'])).stdout;
    expect(waits).toMatch(/>HumanReview<\/text><text[^>]*>[^<]* · waiting</);
  });

  it('draws a registered workflow by its id, without outcomes', async () => {
    const { code, stdout } = await desk.run(['workflow', 'graph', 'claims-review-flow'], BOB);
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/:::|classDef/);
    expect(stdout).toBe((await desk.run(['workflow', 'graph', FLOW])).stdout);
  });

  it('of what is neither is NOT_FOUND, exit 2', async () => {
    const { code, value } = await desk.json(['workflow', 'graph', 'run_missing']);
    expect([code, value]).toMatchObject([2, { error: { code: 'NOT_FOUND' } }]);
  });
});
