// How the states of a run stand that call nothing: by these its picture is coloured.
import { expect, it } from 'vitest';
import type { JsonObject } from '../../src/json.js';
import type { Writ } from '../../src/runtime/writ.js';
import { fail, refusalOf, states, useTeam } from './fixture.js';

const here = useTeam();
const standings = async (writ: Writ, id: string): Promise<Record<string, string>> =>
  Object.fromEntries(await writ.standings(id));

it('tells what a run has come to while it waits, when it is cancelled, and after a redrive', async () => {
  const { team } = here;
  const writ = await team.open();
  const text = states('Begin', {
    Begin: { type: 'Pass', next: 'Each' },
    Each: {
      type: 'Map',
      itemProcessor: {
        startAt: 'Call',
        states: { Call: { type: 'Task', resource: 'tool::test_one', approval: 'sync', end: true } },
      },
      next: 'End',
    },
    End: { type: 'Succeed' },
  });
  const { id } = await team.run(writ, text, [1]);
  const waiting = { Begin: 'completed', Each: 'waiting', Call: 'waiting' };
  expect(await standings(writ, id)).toEqual(waiting);
  await writ.cancel(id, await team.as(writ, 'alice'));
  expect(await standings(writ, id)).toEqual({ Begin: 'completed', Each: 'cancelled', Call: 'cancelled' });
  await writ.redrive(id, await team.as(writ, 'alice'));
  expect((await team.drive(writ, id)).status).toBe('waiting');
  expect(await standings(writ, id)).toEqual(waiting);
  await team.approve(writ, await team.pending(writ, id));
  expect((await team.drive(writ, id)).status).toBe('completed');
  const all = { Begin: 'completed', Each: 'completed', Call: 'completed', End: 'completed' };
  expect(await standings(writ, id)).toEqual(all);
  expect((await refusalOf(writ.standings('run_none'))).code).toBe('NOT_FOUND');
});

it('tells where a run failed, what that stopped, and nothing of what it did not come to', async () => {
  const { team } = here;
  const writ = await team.open();
  team.functions.answer('tool::test_one', fail());
  const branch = (start: string, state: JsonObject): JsonObject => ({
    startAt: start,
    states: { [start]: state },
  });
  const text = states('Both', {
    Both: {
      type: 'Parallel',
      branches: [
        branch('Fails', { type: 'Task', resource: 'tool::test_one', end: true }),
        branch('Rests', { type: 'Wait', seconds: 3600, end: true }),
      ],
      next: 'Never',
    },
    Never: { type: 'Succeed' },
  });
  const { id } = await team.run(writ, text);
  expect(await standings(writ, id)).toEqual({ Both: 'failed', Fails: 'failed', Rests: 'cancelled' });
});
