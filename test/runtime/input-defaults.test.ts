// `default` in a workflow's inputs, on every way into a run: what is left out is filled in, recorded and checked.
import { expect, it } from 'vitest';
import { simulate } from '../../src/testing/simulate.js';
import { steps, useTeam } from './fixture.js';

const here = useTeam();
const INPUTS =
  'inputs: { type: object, required: [team], additionalProperties: false, properties: { claim: { type: string }, team: { type: string, default: desk } } }';
const DOCUMENT = `${INPUTS}\n${steps(['functionId: "tool::test_one", config: { to: "{{team}}", all: "{{input}}" }'])}`;
const SENT = { to: 'desk', all: { claim: 'C-1', team: 'desk' } };

it('a default stands in the input of the run, in its plan, and in a simulation', async () => {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, DOCUMENT, { claim: 'C-1' });
  expect(run.status).toBe('completed');
  expect(team.functions.calls.map(({ input }) => input)).toEqual([SENT]);
  const request = { workflow: { text: DOCUMENT, file: null }, input: { claim: 'C-1' } };
  const planned = await writ.plan(request, await team.as(writ, 'alice'));
  expect(planned.inputIsKnown).toBe(true);
  const simulated = await simulate(DOCUMENT, { input: { claim: 'C-1' }, mocks: { s1: 'echo' } });
  expect(simulated).toMatchObject({ status: 'SUCCEEDED', output: SENT });
});

it('what is given stays, and is checked with what is filled in', async () => {
  const { team } = here;
  const writ = await team.open();
  const run = await team.run(writ, DOCUMENT, { team: 'other' });
  expect(run.status).toBe('completed');
  expect(team.functions.calls[0]?.input).toMatchObject({ all: { team: 'other' } });
  await expect(team.run(writ, DOCUMENT, { team: 7 })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  await expect(team.run(writ, DOCUMENT, { clam: 'C-1' })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
  expect(team.functions.calls).toHaveLength(1);
});
