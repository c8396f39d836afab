// A run that only a timer holds up, driven by whoever has others to drive too: it is let go, and goes on when it is due.
import { expect, it } from 'vitest';
import type { StopAt } from '../../src/runtime/ports.js';
import type { Writ } from '../../src/runtime/writ.js';
import { fail, steps, useTeam } from './fixture.js';

const here = useTeam();
const signal = () => here.team.stop.signal;
const drive = (writ: Writ, runId: string, stopAt: StopAt = 'resting') =>
  writ.drive(runId, { stopAt, signal: signal() });
const retried = (initialMs: number): string =>
  steps([
    `functionId: "tool::test_one", errorMode: retry, retry: { initialMs: ${initialMs}, maxMs: ${initialMs}, jitter: none }`,
  ]);

it('is returned with the time at which it goes on, and nobody holds it until then', async () => {
  const { team } = here;
  const writ = await team.open();
  team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
  const runId = await team.start(writ, retried(60_000));
  const resting = await drive(writ, runId);
  expect(resting).toMatchObject({ status: 'waiting', wakeAtMs: team.clock.nowMs() + 60_000 });
  expect(writ.isAdvanced(runId)).toBe(false);
  // Too early: it rests on.
  expect(await drive(writ, runId)).toMatchObject({ status: 'waiting', wakeAtMs: resting.wakeAtMs });
  team.clock.advance(60_000);
  expect(await drive(writ, runId)).toMatchObject({ status: 'completed', wakeAtMs: null });
  expect(team.functions.calls).toHaveLength(2);
});

it('is not let go for a moment, nor while something of it runs', async () => {
  const { team } = here;
  const writ = await team.open();
  team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
  const driven = drive(writ, await team.start(writ, retried(1_000)));
  await expect.poll(() => team.functions.calls.length).toBe(1);
  await expect.poll(() => (team.clock.advance(1_000), team.functions.calls.length)).toBe(2);
  expect(await driven).toMatchObject({ status: 'completed' });

  team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'), () => 'done');
  let answer: (value: string) => void = () => undefined;
  team.functions.answer(
    'tool::test_two',
    () =>
      new Promise<string>((resolve) => {
        answer = resolve;
      }),
  );
  const both = steps([
    'mode: fanout, functionId: "tool::test_one", errorMode: retry, retry: { initialMs: 60000, maxMs: 60000, jitter: none }',
    'mode: fanout, functionId: "tool::test_two"',
  ]);
  const runId = await team.start(writ, both);
  const group = drive(writ, runId);
  await expect.poll(() => team.functions.calls.length).toBe(4);
  expect(writ.isAdvanced(runId)).toBe(true);
  answer('two');
  expect(await group).toMatchObject({ status: 'waiting', waitingFor: { kind: 'timer' } });
});

it('is cancelled at once by whoever may, though nobody drives it', async () => {
  const { team } = here;
  const writ = await team.open();
  team.functions.answer('tool::test_one', fail('FUNCTION_TEMPORARY'));
  const runId = await team.start(writ, retried(60_000));
  await drive(writ, runId);
  expect(await writ.cancel(runId, await team.as(writ, 'alice'))).toMatchObject({ status: 'cancelled' });
  expect(await drive(writ, runId)).toMatchObject({ status: 'cancelled', wakeAtMs: null });
});
