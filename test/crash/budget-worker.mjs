// One of the two processes that test/crash/budget.test.ts kills: it goes on with what an earlier life of it has left, then
// starts maps, until a budget has no room any more. Its function has an effect outside the store, one synced line. Says
// `opened`, `effect` for each of those, `full` at its end. argv: home, which of the two, offset of its clock in ms, how
// many effects until it only waits to be killed.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../dist/adapters/clock.js';
import { identify, openHome } from './built.mjs';

const [home, which, offset, most] = process.argv.slice(2);
const effects = openSync(path.join(home, 'effects.txt'), 'a', 0o600);
const say = (line) => writeSync(1, `${line}\n`);

const toBeKilled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 600_000);
  });
let count = 0;

const provider = {
  functionIds: ['tool::test_effect'],
  // Seven tokens at least, and it never says how many there were.
  reach: async () => ({ network: [], credentials: [], tools: [], estimate: { tokens: 7, costMicroUsd: 0 } }),
  async invoke({ idempotencyKey }) {
    writeSync(effects, `${idempotencyKey}\n`);
    fsyncSync(effects);
    say('effect');
    count += 1;
    if (count >= Number(most)) await toBeKilled();
    return {};
  },
};

const id = `test-budget-${which}`;
const text =
  `id: ${id}\nagents: [claims-triage]\nsteps:\n` +
  `  - { name: each, mode: fanout, functionId: "tool::test_effect", items: input.list, concurrency: 4, idempotent: true }\n`;
const aheadMs = Number(offset);
const writ = await openHome(home, provider, {
  // Far from midnight: a day has one meter.
  clock: {
    nowMs: () => systemClock.nowMs() + aheadMs,
    sleepUntil: (timeMs, signal) => systemClock.sleepUntil(timeMs - aheadMs, signal),
    sleep: (durationMs, signal) => systemClock.sleep(durationMs, signal),
  },
});
const alice = await identify(writ, path.join(home, 'alice.key'));
const { signal } = new AbortController();
say('opened');

const input = { list: Array.from({ length: 12 }, (_, at) => at) };
const left = (await writ.runs({ workflowId: id, unfinished: true })).map((run) => run.id);
for (;;) {
  const run = left.shift() ?? (await writ.start({ workflow: { text, file: null }, input }, alice));
  const { status } = await writ.drive(run, { stopAt: 'finished', signal });
  if (status === 'completed') continue;
  const { error } = await writ.results(run);
  if (status !== 'failed' || error?.code !== 'CEILING_BUDGET') {
    throw new Error(`run ${run} is ${status}: ${JSON.stringify(error)}`);
  }
  if (left.length === 0) break;
}
say('full');
closeSync(effects);
await writ.close();
