// npm run bench: what governance costs, beside the same act without it, measured in the same process and run.
// Figures are medians and p99 on whatever machine this is; RESULTS.md holds a dated copy.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { parseDocument } from 'yaml';
import { createPersonKey, identify, initWrit, openWrit } from '../../dist/open.js';
import { openWasmDriver } from '../../dist/adapters/sandbox/wasm/index.js';
import { openModuleManifest } from '../../dist/adapters/packages/index.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const home = mkdtempSync(path.join(tmpdir(), 'writ-bench-'));
const at = (...parts) => path.join(home, ...parts);
const quantile = (values, q) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))];
const ms = (value) => `${value.toFixed(2)} ms`;
const rows = [];
const report = (what, values, target, peer = '') => {
  const row = {
    what,
    n: values.length,
    p50: ms(quantile(values, 0.5)),
    p99: ms(quantile(values, 0.99)),
    target,
    peer,
  };
  rows.push(row);
  console.log(`${row.what}\n  p50 ${row.p50}  p99 ${row.p99}  (n=${row.n})  target ${target}  ${peer}`);
};

/** Policies of the package, with keys enrolled and one more function that the adjuster and the agents may call. */
function policies() {
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

const document = (id, steps, fields) =>
  `id: ${id}\nagents: [claims-triage]\nsteps:\n` +
  Array.from({ length: steps }, (_, i) => `  - { name: S${i}, functionId: "tool::bench"${fields} }\n`).join(
    '',
  );

policies();
await initWrit({ data: at('data'), origin: null, tenant: 'default', trustFile: at('trust.json') });
let marks = [];
const bare = async () => ({ ok: true });
const provider = {
  functionIds: ['tool::bench'],
  invoke: async () => {
    marks.push(performance.now());
    return bare();
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
const signal = new AbortController().signal;

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

/** What the disk takes for it: two one-row transactions, nothing else, on the same file system. */
function bareCommits(count) {
  const db = new Database(at('bare.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE row (bytes BLOB)');
  const insert = db.prepare('INSERT INTO row VALUES (?)');
  const bytes = Buffer.alloc(4_096);
  const times = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    insert.run(bytes);
    insert.run(bytes);
    times.push(performance.now() - before);
  }
  db.close();
  return times;
}

async function bareCalls(count) {
  const times = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await provider.invoke();
    times.push(performance.now() - before);
  }
  return times;
}

console.log(
  `${cpus()[0].model} x ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, SQLite WAL synchronous=FULL`,
);
await chain(20);
const chains = [];
for (let i = 0; i < 20; i++) chains.push(...(await chain(26)));
const commits = bareCommits(500);
const call = quantile(await bareCalls(500), 0.5);
report(
  'governed step (2 RBAC checks, 4 ceiling layers, 2 durable commits)',
  chains,
  'p50 <= 3 ms, p99 <= 20 ms',
  `two bare SQLite commits of 4 KiB: p50 ${ms(quantile(commits, 0.5))}, p99 ${ms(quantile(commits, 0.99))}; the call itself: ${ms(call)}`,
);
report('from a durable approval to the start of its step', await gated(40), 'p50 <= 20 ms, p99 <= 100 ms');
await writ.close();

const modules = openModuleManifest(path.join(root, 'sandbox', 'wasm'));
const module = await modules.module('claims-triage');
const claim = readFileSync(path.join(root, 'examples', 'claims-review', 'claims', 'clean-collision.json'));
const driver = openWasmDriver({ poolSize: 1, shipped: [module] });
const wasm = [];
for (let i = 0; i < 12; i++) {
  await setTimeout(900);
  const before = performance.now();
  const result = await driver.run(
    { argv: ['claims-triage'], env: {}, stdin: claim, module, limits: driver.defaults },
    signal,
  );
  if (result.status !== 'exited')
    throw new Error(`the triage agent ended ${result.status}: ${result.reason}`);
  wasm.push(performance.now() - before);
}
await driver.close();
report(
  'one agent in a pre-forked, single-use WASM process (not governance: the sandbox itself)',
  wasm.slice(2),
  'p50 <= 10 ms',
);

const help = [];
for (let i = 0; i < 15; i++) {
  const before = performance.now();
  spawnSync(process.execPath, [path.join(root, 'dist', 'cli', 'main.js'), '--help']);
  help.push(performance.now() - before);
}
const node = [];
for (let i = 0; i < 15; i++) {
  const before = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  node.push(performance.now() - before);
}
report('cold writ --help', help, 'p50 <= 300 ms', `node itself: p50 ${ms(quantile(node, 0.5))}`);
rmSync(home, { recursive: true });
console.log(`\n| what | p50 | p99 | n | target | beside it |\n|---|---|---|---|---|---|`);
for (const { what, p50, p99, n, target, peer } of rows)
  console.log(`| ${what} | ${p50} | ${p99} | ${n} | ${target} | ${peer} |`);
