// `writ workflow graph RUN`: what became of the steps of a run, over the picture of its workflow.
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BOB, FLOW, HIGH, LOW, newDesk, type Desk } from './claims-desk.js';
import { hosted } from './writ.js';

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

  it('colours every state that the run came to, also those that call nothing', async () => {
    const states = {
      Begin: { Type: 'Pass', Next: 'Which' },
      Which: {
        Type: 'Choice',
        Choices: [{ Variable: '$.end', IsPresent: true, Next: 'Stop' }],
        Default: 'Rest',
      },
      Rest: { Type: 'Wait', Seconds: 3600, Next: 'Never' },
      Stop: { Type: 'Parallel', Branches: [{ StartAt: 'No', States: { No: { Type: 'Fail' } } }], End: true },
      Never: { Type: 'Succeed' },
    };
    writeFileSync(desk.at('claims-review.json'), JSON.stringify({ StartAt: 'Begin', States: states }));
    const drawn = async (input: string, format: string): Promise<string> => {
      const { value } = await desk.json(['workflow', 'run', 'claims-review.json', '--input', input]);
      const { id } = value as { id: string };
      return (await desk.run(['workflow', 'graph', id, '--format', format])).stdout;
    };
    const failed = await drawn('{"end": 1}', 'mermaid');
    expect(failed).toMatch(/Begin<br\/>[^"]*, completed"\]:::completed/);
    expect(failed).toMatch(/Which<br\/>[^"]*, completed"\}:::completed/);
    expect(failed).toMatch(/No<br\/>[^"]*, failed"[^:]*:::failed/);
    expect(failed).not.toMatch(/(Rest|Never)<br\/>[^"]*, /);
    const svg = await drawn('{"end": 1}', 'svg');
    for (const [name, word] of [
      ['Begin', 'completed'],
      ['Which', 'completed'],
      ['Stop', 'failed'],
      ['No', 'failed'],
    ])
      expect(svg).toMatch(new RegExp(`>${name}</text><text[^>]*>[^<]* · ${word}<`));
    expect(svg).toMatch(/>Rest<\/text><text[^>]*>[^<·]*</);
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
