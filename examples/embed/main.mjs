// Writ inside a program: two functions of its own, a workflow that calls them, a person who has to agree, and the log.
// Everything is made in a folder of its own: `node examples/embed/main.mjs [FOLDER]`.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createPersonKey, initWrit, openWrit, verifyData } from 'writ';

const folder = process.argv[2] ?? mkdtempSync(join(tmpdir(), 'writ-embed-'));
const data = join(folder, 'data');
const policies = join(folder, 'policies');
const say = (line) => process.stdout.write(`${line}\n`);

// --- once: keys, who holds them, and an empty log (what `writ keys create` and `writ init` do) ---------------------

cpSync(fileURLToPath(new URL('policies', import.meta.url)), policies, { recursive: true });
const people = ['alice', 'bob'].map((name) => {
  const { publicKey } = createPersonKey(join(folder, `${name}.key`), `user:${name}`);
  return `  - { id: user:${name}, keys: ["${publicKey}"] }\n`;
});
const approvers = `apiVersion: writ/v1\nkind: Approvers\npeople:\n${people.join('')}`;
writeFileSync(join(policies, 'approvers.yaml'), approvers);
// What this machine knows of a log is kept beside the user's other state; here it stays in the folder.
process.env.XDG_STATE_HOME = folder;
await initWrit({ data, origin: null, tenant: 'default' });

// --- the program: functions of its own, behind the same guard as everything else ---------------------------------

const claim = {
  type: 'object',
  properties: { id: { type: 'string' }, amount: { type: 'number', minimum: 0 } },
  required: ['id', 'amount'],
  additionalProperties: false,
};
const score = {
  type: 'object',
  properties: { id: { type: 'string' }, risk: { enum: ['low', 'high'] } },
  required: ['id', 'risk'],
  additionalProperties: false,
};
const paid = [];

const writ = await openWrit({ data, policies, key: join(folder, 'alice.key') });

writ.function('claims::score', { input: claim, output: score, idempotent: true }, ({ id, amount }) => {
  return { id, risk: amount > 1_000 ? 'high' : 'low' };
});
writ.function(
  'claims::pay',
  { input: claim, output: { type: 'string' } },
  ({ id, amount }, { idempotencyKey }) => {
    // A payment service takes such a key, so that a call which is made again pays nothing twice.
    paid.push({ id, amount, idempotencyKey });
    return `${amount} paid for ${id}`;
  },
);

const workflowId = await writ.trigger('workflow::create', {
  id: 'claims-desk',
  agents: ['claims-desk'],
  inputs: claim,
  steps: [
    {
      name: 'Score',
      functionId: 'claims::score',
      config: { id: '{{input.id}}', amount: '{{input.amount}}' },
      outputVar: 'score',
    },
    {
      name: 'Pay',
      functionId: 'claims::pay',
      mode: 'conditional',
      condition: "{{score.risk}} == 'low'",
      config: { id: '{{input.id}}', amount: '{{input.amount}}' },
    },
  ],
});

// --- a claim that nobody pays, and one that waits for a person ---------------------------------------------------

const high = await writ.trigger('workflow::run', {
  workflowId,
  input: { id: 'C-1', amount: 9_000 },
  wait: true,
});
say(`C-1: ${high.status}, Pay was ${high.results.at(-1).status}`);

// Not awaited yet: the run waits for bob, and this program goes on meanwhile.
const ending = writ.trigger('workflow::run', { workflowId, input: { id: 'C-2', amount: 120 }, wait: true });
const request = await firstPending();
say(`C-2: waits for ${request.quorum.map((one) => one.role).join(', ')}, ${paid.length} payments so far`);

const bob = await openWrit({ data, policies, key: join(folder, 'bob.key') });
const { display } = await bob.approval(request.id);
say(`bob is shown: ${display.find((line) => line.includes('amount')).trim()}`);
const vote = { decision: 'approve', digest: request.subjectDigest, reason: null };
await bob.decide(request.id, vote, await bob.whoActs());
await bob.close();

const report = await ending;
say(`C-2: ${report.status}, "${report.output}", ${paid.length} payment`);
await writ.close();

// --- what anybody can check afterwards -----------------------------------------------------------------------------

const trust = join(folder, 'writ', 'trust.json');
const log = { dir: join(data, 'audit'), vkeys: [], old: [], trust, run: null, payloads: true };
say(
  `log: ${(await verifyData(log)).verdict}, ${JSON.parse(readFileSync(join(data, 'config.json'), 'utf8')).origin}`,
);

async function firstPending() {
  for (;;) {
    const [pending] = await writ.approvals({ states: ['pending'] });
    if (pending !== undefined) return pending;
    await pause(20);
  }
}
