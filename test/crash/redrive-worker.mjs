// What test/crash/redrive.test.ts kills: a run of three steps, of which the second fails in the first life. Its function
// has an effect outside the store, one synced line, so that a step done twice would show. Says what is durable:
// `failed RUN`, `redriven RUN`, `effect STEP`, `finished RUN STATUS`.
// argv: home, act (`begin`, `redrive`: and no more, `hang`: within the second step, `drive`), run.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { identify, openHome } from './built.mjs';

const [home, act, known] = process.argv.slice(2);
const say = (line) => writeSync(1, `${line}\n`);
const effects = openSync(path.join(home, 'effects.txt'), 'a', 0o600);

const toBeKilled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 600_000);
  });

const provider = {
  functionIds: ['tool::test_effect'],
  async invoke({ input: { step }, idempotencyKey }) {
    if (step === 'second' && act === 'begin') throw new Error('the disk is on fire');
    writeSync(effects, `${step} ${idempotencyKey}\n`);
    fsyncSync(effects);
    say(`effect ${step}`);
    // Until it is killed.
    if (step === 'second' && act === 'hang') await toBeKilled();
    return { done: step };
  },
};

const writ = await openHome(home, provider);
const alice = await identify(writ, path.join(home, 'alice.key'));
const { signal } = new AbortController();
const step = (name) =>
  `  - { name: ${name}, functionId: "tool::test_effect", idempotent: true, config: { step: ${name} } }\n`;
const text = `id: test-redrive\nagents: [claims-triage]\nsteps:\n${['first', 'second', 'third'].map(step).join('')}`;
const id = known ?? (await writ.start({ workflow: { text, file: null }, input: {} }, alice));
if (act === 'redrive') {
  await writ.redrive(id, alice);
  say(`redriven ${id}`);
  await toBeKilled();
}
const run = await writ.drive(id, { stopAt: 'finished', signal });
say(`${act === 'begin' ? 'failed' : 'finished'} ${id} ${run.status}`);
closeSync(effects);
await writ.close();
