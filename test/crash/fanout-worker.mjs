// The process that test/crash/fanout.test.ts kills in the middle of a map. It goes on with the run it finds, or starts
// one, and has an effect outside the store for each item (one synced line in a file). argv: home, workflow.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { identify, openHome } from './built.mjs';

const [home, id] = process.argv.slice(2);
const effects = openSync(path.join(home, 'effects.txt'), 'a', 0o600);
const say = (line) => writeSync(1, `${line}\n`);

const provider = {
  functionIds: ['tool::test_effect'],
  async invoke({ idempotencyKey, input }) {
    writeSync(effects, `${idempotencyKey} ${input.n}\n`);
    fsyncSync(effects);
    say('effect');
    return input.n;
  },
};
const again = id === 'test-again' ? ', idempotent: true' : '';
const text =
  `id: ${id}\nagents: [claims-triage]\nsteps:\n` +
  `  - { name: each, mode: fanout, functionId: "tool::test_effect", config: { n: "{{item}}" }, items: input.list, ` +
  `concurrency: 16, errorMode: skip${again} }\n`;

const writ = await openHome(home, provider);
const alice = await identify(writ, path.join(home, 'alice.key'));
const { signal } = new AbortController();
const found = (await writ.runs({ workflowId: id }))[0]?.id;
const run =
  found ??
  (await writ.start(
    { workflow: { text, file: null }, input: { list: Array.from({ length: 200 }, (_, i) => i) } },
    alice,
  ));
say(`run ${run}`);
for (;;) {
  const { status } = await writ.drive(run, { stopAt: 'finished', signal });
  say(`status ${status}`);
  if (status !== 'indeterminate') break;
  await writ.resume(run, alice, { lost: 'fail' });
}
await writ.publish();
await writ.close();
closeSync(effects);
