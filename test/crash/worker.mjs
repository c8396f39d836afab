// The process that test/crash kills: finishes what earlier lives left, then starts runs for ever. Its function has an
// effect outside the store (one synced line in a file), so that an effect without an entry, or two, would show.
// Speaks only what is already durable: `started RUN`, `finished RUN STATUS`.
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { identify, openWrit } from '../../dist/open.js';

const [home, seed] = process.argv.slice(2);
const effects = openSync(path.join(home, 'effects.txt'), 'a', 0o600);
const say = (line) => writeSync(1, `${line}\n`);

const provider = {
  functionIds: ['tool::test_effect'],
  async invoke(request) {
    writeSync(effects, `${request.idempotencyKey} ${request.input.step}\n`);
    fsyncSync(effects);
    return { done: request.input.step };
  },
};

const step = (name, fields) =>
  `  - { name: ${name}, functionId: "tool::test_effect", config: { step: ${name} }${fields} }\n`;
const workflow = {
  text:
    'id: test-crash\nagents: [claims-triage]\nsteps:\n' +
    step('once', '') +
    step('again', ', idempotent: true') +
    step('gated', ', approval: sync') +
    step('gatedAgain', ', approval: sync, idempotent: true') +
    step('last', ''),
  file: null,
};

const writ = await openWrit({
  data: path.join(home, 'data'),
  policies: path.join(home, 'policies'),
  functions: [provider],
  trustFile: path.join(home, 'trust.json'),
  wasmPool: 0,
});
say('opened');
const alice = await identify(writ, path.join(home, 'alice.key'));
const bob = await identify(writ, path.join(home, 'bob.key'));
const { signal } = new AbortController();

/** To its end, whatever an earlier life left: approvals are given, a lost outcome is counted as failed. */
async function finish(id) {
  for (;;) {
    const run = await writ.drive(id, { stopAt: 'waiting', signal });
    if (run.status === 'indeterminate') {
      await writ.resume(id, alice, { lost: 'fail' });
    } else if (run.status === 'waiting') {
      const { record } = await writ.approval(run.waitingFor.approvalId);
      await writ.decide(record.id, { decision: 'approve', digest: record.subjectDigest, reason: null }, bob);
    } else {
      say(`finished ${id} ${run.status}`);
      return;
    }
  }
}

for (const run of await writ.runs({ unfinished: true })) await finish(run.id);
say('recovered');
if (seed !== 'drain') {
  for (let i = 0; ; i++) {
    const id = await writ.start({ workflow, input: { seed, i } }, alice);
    say(`started ${id}`);
    await finish(id);
  }
}
closeSync(effects);
await writ.close();
