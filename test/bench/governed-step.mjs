// What governance adds to a step, and how long an approved step waits, in one process with a function of its own.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { parseDocument } from 'yaml';
import { createPersonKey, identify, initWrit, openWrit } from '../../dist/open.js';
import { median, ms, quantile, reportTimes, timed } from './report.mjs';

const signal = new AbortController().signal;

/** Policies of the package, with keys enrolled and one more function that the adjuster and the agents may call. */
export function policies(root, at) {
  cpSync(path.join(root, 'policies'), at('policies'), { recursive: true });
  const file = at('policies', 'approvers.yaml');
  const document = parseDocument(readFileSync(file, 'utf8'));
  for (const [index, person] of document.toJS().people.entries()) {
    const name = person.id.slice('user:'.length);
    const key = createPersonKey(at(`${name}.key`), name);
    document.setIn(['people', index, 'keys'], [key.publicKey]);
  }
  writeFileSync(file, document.toString());
  // The benched function runs in this process, which the shipped ceiling allows to none.
  const ceiling = at('policies', 'ceilings', 'org.yaml');
  const org = parseDocument(readFileSync(ceiling, 'utf8'));
  org.deleteIn(['spec', 'sandbox']);
  writeFileSync(ceiling, org.toString());
  const rule = (id, subject, action) =>
    `  - { id: ${id}, effect: allow, subject: "${subject}", domain: default, action: ${action}, resource: "tool::bench", reason: "bench" }\n`;
  writeFileSync(
    at('policies', 'rbac', 'bench.yaml'),
    'apiVersion: writ/v1\nkind: Rules\nrules:\n' +
      rule('BENCH-1', 'role:adjuster', 'function.invoke') +
      rule('BENCH-2', 'role:claims-agent', 'function.invoke') +
      rule('BENCH-3', 'role:reviewer', 'approval.decide') +
      '  - { id: BENCH-4, effect: allow, subject: "role:adjuster", domain: default, action: workflow.run, resource: "bench*", reason: "bench" }\n',
  );
}

export const document = (id, steps, fields) =>
  `id: ${id}\nagents: [claims-triage]\nsteps:\n` +
  Array.from({ length: steps }, (_, i) => `  - { name: S${i}, functionId: "tool::bench"${fields} }\n`).join(
    '',
  );

/** What the disk takes for it: two one-row transactions, nothing else, on the same file system. */
async function bareCommits(file, count) {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE row (bytes BLOB)');
  const insert = db.prepare('INSERT INTO row VALUES (?)');
  const bytes = Buffer.alloc(4_096);
  const times = [];
  for (let i = 0; i < count; i++) {
    times.push(
      await timed(() => {
        insert.run(bytes);
        insert.run(bytes);
      }),
    );
  }
  db.close();
  return times;
}

export async function governedStep({ root, at }) {
  policies(root, at);
  await initWrit({ data: at('data'), origin: null, tenant: 'default', trustFile: at('trust.json') });
  let marks = [];
  const provider = {
    functionIds: ['tool::bench'],
    invoke: async () => {
      marks.push(performance.now());
      return { ok: true };
    },
  };
  const writ = await openWrit({
    data: at('data'),
    policies: at('policies'),
    functions: [provider],
    trustFile: at('trust.json'),
    wasmPool: 0,
  });
  const alice = await identify(writ, at('alice.key'));
  const bob = await identify(writ, at('bob.key'));

  async function chain(steps) {
    marks = [];
    const workflow = { text: document(`bench-${steps}`, steps, ''), file: null };
    const run = await writ.start({ workflow, input: {} }, alice);
    await writ.drive(run, { stopAt: 'finished', signal });
    // From one act to the next: outcome, next state, two RBAC checks, ceilings, intent.
    return marks.slice(1).map((mark, i) => mark - marks[i]);
  }

  async function gated(count) {
    const times = [];
    for (let i = 0; i < count; i++) {
      marks = [];
      const workflow = { text: document('bench-gated', 1, ', approval: sync'), file: null };
      const run = await writ.start({ workflow, input: { i } }, alice);
      const waiting = await writ.drive(run, { stopAt: 'waiting', signal });
      const { record } = await writ.approval(waiting.waitingFor.approvalId);
      await writ.decide(record.id, { decision: 'approve', digest: record.subjectDigest, reason: null }, bob);
      const decided = performance.now();
      await writ.drive(run, { stopAt: 'finished', signal });
      times.push(marks[0] - decided);
    }
    return times;
  }

  await chain(20);
  const chains = [];
  for (let i = 0; i < 20; i++) chains.push(...(await chain(26)));
  const commits = await bareCommits(at('bare.db'), 500);
  const calls = [];
  for (let i = 0; i < 500; i++) calls.push(await timed(() => provider.invoke()));
  reportTimes(
    'governed step (2 RBAC checks, 4 ceiling layers, 2 durable commits)',
    chains,
    { p50: 3, p99: 20 },
    `two bare SQLite commits of 4 KiB: p50 ${ms(median(commits))}, p99 ${ms(quantile(commits, 0.99))}; the call itself: ${ms(median(calls))}`,
  );
  reportTimes('from a durable approval to the start of its step', await gated(40), { p50: 20, p99: 100 });
  await writ.close();
}
