// A fanout over many items of a function in this process, everything governed and durable: authorized, under every
// ceiling, intent before the act, outcome after it. And a long chain of steps, and what it takes to plan one.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { createPersonKey } from '../../dist/open.js';
import { initWrit, openWrit } from '../../dist/index.js';
import { median, ms, rate, report, reportTimes, timed } from './report.mjs';
import { writeSameRows } from './same-rows.mjs';

const ITEMS = 10_000;
const STEPS = 1_000;
const ROUNDS = 3;
/** As many as such a run makes: most of a hundred items that wait for the same commit go on together. */
const COMMITS = 230;
const PLANS = 9;

export async function fanout({ root, at }) {
  cpSync(path.join(root, 'policies'), at('policies'), { recursive: true });
  const key = createPersonKey(at('alice.key'), 'alice');
  edit(at('policies', 'approvers.yaml'), (document) => {
    const index = document.toJS().people.findIndex(({ id }) => id === 'user:alice');
    document.setIn(['people', index, 'keys'], [key.publicKey]);
  });
  edit(at('policies', 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:bench'], ['user:alice', 'agent:bench']);
  });
  edit(at('policies', 'ceilings', 'org.yaml'), (document) => {
    document.deleteIn(['spec', 'sandbox']);
    document.setIn(['spec', 'functions', 'allow'], ['bench::*']);
  });
  const rule = (id, action, resource) =>
    `  - { id: ${id}, effect: allow, subject: "role:bench", domain: default, action: ${action}, resource: "${resource}", reason: bench }\n`;
  writeFileSync(
    at('policies', 'rbac', 'bench.yaml'),
    `apiVersion: writ/v1\nkind: Rules\nrules:\n${rule('B-1', 'workflow.run', '*')}${rule('B-2', 'function.invoke', 'bench::*')}`,
  );
  await initWrit({ data: at('data'), origin: null, tenant: 'default' });
  const writ = await openWrit({ data: at('data'), policies: at('policies'), key: at('alice.key') });
  writ.function('bench::score', { input: {}, output: {} }, (input) => ({ score: input.n }));
  try {
    await measure(writ, at);
    await plan(writ, { root, at });
  } finally {
    await writ.close();
  }
}

async function measure(writ, at) {
  const each = {
    id: 'each',
    agents: ['bench'],
    steps: [
      {
        name: 'Score',
        functionId: 'bench::score',
        mode: 'fanout',
        concurrency: 100,
        config: { n: '{{item}}' },
      },
    ],
  };
  const chain = {
    id: 'chain',
    agents: ['bench'],
    steps: Array.from({ length: STEPS }, (_, n) => ({
      name: `S${n}`,
      functionId: 'bench::score',
      config: { n },
    })),
  };
  for (const workflow of [each, chain]) await writ.trigger('workflow::create', workflow);
  let lastRun = '';
  const run = async (workflowId, input) => {
    const start = performance.now();
    const { status, runId } = await writ.trigger('workflow::run', { workflowId, input, wait: true });
    if (status !== 'completed') throw new Error(`the run of ${workflowId} is ${status}`);
    lastRun = runId;
    return performance.now() - start;
  };
  const list = (n) => Array.from({ length: n }, (_, index) => index);
  await run('each', list(500));
  const before = process.memoryUsage().rss;
  const used = process.cpuUsage();
  const times = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await run('each', list(ITEMS)));
  const { user, system } = process.cpuUsage(used);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  const cpuUs = Math.round((user + system) / (ROUNDS * ITEMS));
  const perSecond = ITEMS / (median(times) / 1000);
  const all = times.map((time) => rate(ITEMS / (time / 1000))).join(', ');
  const alone = Array.from({ length: ROUNDS }, (_, round) =>
    writeSameRows(at('data', 'writ.db'), at(`same-rows-${round}.db`), lastRun, COMMITS),
  );
  report(`fanout over ${rate(ITEMS)} items of a function in this process, governed and durable`, {
    measured: `${rate(perSecond)} items/s (${all}), CPU ${cpuUs} µs an item, memory +${Math.round(grown)} MiB`,
    target: '>= 5,000 items/s',
    met: perSecond >= 5000,
    beside: `SQLite alone with the same rows in ${COMMITS} transactions: ${rate(ITEMS / (median(alone) / 1000))} items/s`,
  });
  const chained = [];
  for (let round = 0; round < ROUNDS; round++) chained.push(await run('chain', {}));
  report(`${rate(STEPS)} steps, one after the other`, {
    measured: `${ms(median(chained))}, ${ms(median(chained) / STEPS)} a step`,
  });
}

/** Of a workflow that is registered, and of a file, by the command line too: there a process starts for it. */
async function plan(writ, { root, at }) {
  const steps = Array.from({ length: STEPS }, (_, n) => ({
    name: `S${n}`,
    functionId: 'tool::health_check',
    config: { service: `s${n}` },
  }));
  const text = stringify({ id: 'planned', agents: ['bench'], steps });
  writeFileSync(at('planned.yaml'), text);
  const who = await writ.whoActs();
  const ask = async (workflow) => {
    const found = await writ.plan({ workflow, input: {}, agents: {} }, who);
    if (found.steps.length !== STEPS) throw new Error(`${found.steps.length} steps are planned`);
  };
  const options = ['--data', at('data'), '--policies', at('policies'), '--key', at('alice.key'), '--json'];
  const command = [path.join(root, 'dist', 'cli', 'main.js'), ...options];
  const byCommand = () => {
    const { stdout } = spawnSync(
      process.execPath,
      [...command, 'plan', at('planned.yaml'), '--input', '{}'],
      { encoding: 'utf8', maxBuffer: 2 ** 28 },
    );
    if (JSON.parse(stdout).steps?.length !== STEPS) throw new Error(stdout.slice(0, 500));
  };
  const figures = {
    registered: () => ask('chain'),
    'from its text': () => ask({ text, file: null }),
    'by `writ plan FILE`, its process included': byCommand,
  };
  for (const [what, once] of Object.entries(figures)) {
    await once();
    const times = [];
    for (let round = 0; round < PLANS; round++) times.push(await timed(once));
    reportTimes(`plan of ${rate(STEPS)} steps, ${what}`, times, what.includes('writ') ? {} : { p50: 200 });
  }
}

function edit(file, change) {
  const document = parseDocument(readFileSync(file, 'utf8'));
  change(document);
  writeFileSync(file, document.toString());
}
