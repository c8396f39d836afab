// The processes that test/crash kills. `runner` finishes what earlier lives left, then starts runs for ever; `clerk`
// approves whatever waits, and in between asks for starts that policy refuses, which is an entry each. The runner's
// function has an effect outside the store (one synced line in a file), so that an effect without an entry, or two,
// would show. Both speak only of what is already durable:
// `entry TYPE RUN TIME`, `started RUN`, `finished RUN STATUS`, `approved ID`, `refused WORKFLOW`.
// argv: home, role, name of this life (`drain`: the runner ends when nothing is left, the clerk when stdin ends).
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { identify, openHome } from './built.mjs';

const [home, role, life] = process.argv.slice(2);
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
const workflow = (id) => ({
  text:
    `id: ${id}\nagents: [claims-triage]\nsteps:\n` +
    step('once', '') +
    step('again', ', idempotent: true') +
    step('gated', ', approval: sync') +
    step('gatedAgain', ', approval: sync, idempotent: true') +
    step('last', ''),
  file: null,
});

const writ = await openHome(home, provider);
writ.onEntry(({ type, run, timeMs }) => say(`entry ${type} ${run ?? '-'} ${timeMs}`));
const person = (name) => identify(writ, path.join(home, `${name}.key`));
const { signal } = new AbortController();
say('opened');

/** Once the runner has let go of it; it always waits inside `drive` for the clerk, so nobody else holds it. */
async function finish(id, alice) {
  for (;;) {
    const run = await writ.drive(id, { stopAt: 'finished', signal });
    if (run.status !== 'indeterminate') {
      say(`finished ${id} ${run.status}`);
      return;
    }
    await writ.resume(id, alice, { lost: 'fail' });
  }
}

async function runner() {
  const alice = await person('alice');
  for (const run of await writ.runs({ unfinished: true })) await finish(run.id, alice);
  for (let i = 0; life !== 'drain'; i++) {
    const id = await writ.start({ workflow: workflow('test-crash'), input: { life, i } }, alice);
    say(`started ${id}`);
    await finish(id, alice);
  }
}

/** The runner may withdraw a request, or be killed with it, between our look and our vote. */
async function approve({ id, subjectDigest }, bob) {
  try {
    await writ.decide(id, { decision: 'approve', digest: subjectDigest, reason: null }, bob);
    say(`approved ${id}`);
  } catch (error) {
    if (error.kind !== 'refusal') throw error;
  }
}

async function clerk() {
  const bob = await person('bob');
  const audrey = await person('audrey');
  let ended = false;
  process.stdin.resume().on('end', () => (ended = true));
  for (let i = 0; !ended; i++) {
    for (const record of await writ.approvals({ states: ['pending'] })) await approve(record, bob);
    if (life !== 'drain' && i % 4 === 0) {
      const refused = workflow(`test-refused-${life}-${i}`);
      const code = await writ.start({ workflow: refused, input: {} }, audrey).catch((error) => error.code);
      if (code !== 'POLICY_NO_MATCH') throw new Error(`a start that must be refused gave ${code}`);
      say(`refused ${`test-refused-${life}-${i}`}`);
      await writ.publish();
    }
    // The pace of a person, so that the log is written by both.
    await pause(10);
  }
}

await (role === 'clerk' ? clerk() : runner());
closeSync(effects);
await writ.close();
