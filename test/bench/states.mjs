// Dialect 2: transitions and items of the engine alone, in memory, and the same workflows governed, with every change of
// the run durable. Beside it the target that the best peer on this kind of machine set (24-31,000 transitions/s and
// 14,000 items/s in memory).
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseDocument } from 'yaml';
import { Execution } from '../../dist/engine/index.js';
import { initWrit, openWrit } from '../../dist/index.js';
import { createPersonKey } from '../../dist/open.js';
import { parseWorkflow } from '../../dist/workflow/index.js';
import { median, rate, report } from './report.mjs';

const CHAIN = 1_000;
const ITEMS = 10_000;
const LOOP = 1_000_000;
const ROUNDS = 5;

export async function states({ root, at }) {
  inMemory();
  await durable(root, at);
}

function inMemory() {
  const passes = planOf(chain());
  const chained = rounds(() => finish(passes, {}).transitions);
  report('chain of 1,000 Pass states, in memory', {
    measured: `${rate(median(chained))} transitions/s (${chained.map(rate).join(', ')})`,
    target: '>= 60,000 transitions/s',
    met: median(chained) >= 60_000,
  });
  const each = planOf(map());
  const items = Array.from({ length: ITEMS }, (_, n) => n);
  const mapped = rounds(() => {
    if (finish(each, items).output.length !== ITEMS) throw new Error('items are missing');
    return ITEMS;
  });
  report(`Map over ${rate(ITEMS)} items, in memory`, {
    measured: `${rate(median(mapped))} items/s (${mapped.map(rate).join(', ')})`,
    target: '>= 30,000 items/s',
    met: median(mapped) >= 30_000,
  });
  const loop = planOf(counting());
  const before = process.memoryUsage().rss;
  const start = performance.now();
  const { transitions, peak } = finish(loop, { n: 0 });
  const perSecond = transitions / ((performance.now() - start) / 1000);
  const grown = (peak - before) / 2 ** 20;
  report(`Choice loop of ${rate(transitions)} transitions, in memory`, {
    measured: `${rate(perSecond)} transitions/s, memory +${Math.round(grown)} MiB`,
    target: '>= 60,000 transitions/s in flat memory',
    met: perSecond >= 60_000 && grown < 64,
  });
}

async function durable(root, at) {
  cpSync(path.join(root, 'policies'), at('policies'), { recursive: true });
  const key = createPersonKey(at('alice.key'), 'alice');
  const edit = (file, change) => {
    const document = parseDocument(readFileSync(file, 'utf8'));
    change(document);
    writeFileSync(file, document.toString());
  };
  edit(at('policies', 'approvers.yaml'), (document) => {
    const index = document.toJS().people.findIndex(({ id }) => id === 'user:alice');
    document.setIn(['people', index, 'keys'], [key.publicKey]);
  });
  edit(at('policies', 'roles', 'default.yaml'), (document) => {
    document.setIn(['members', 'role:bench'], ['user:alice']);
  });
  const rule =
    '  - { id: B-1, effect: allow, subject: "role:bench", domain: default, action: workflow.run, resource: "*", reason: bench }\n';
  writeFileSync(at('policies', 'rbac', 'bench.yaml'), `apiVersion: writ/v1\nkind: Rules\nrules:\n${rule}`);
  await initWrit({ data: at('data'), origin: null, tenant: 'default' });
  const writ = await openWrit({ data: at('data'), policies: at('policies'), key: at('alice.key') });
  const run = async (workflowId, input) => {
    const start = performance.now();
    const { status } = await writ.trigger('workflow::run', { workflowId, input, wait: true });
    if (status !== 'completed') throw new Error(`the run of ${workflowId} is ${status}`);
    return (performance.now() - start) / 1000;
  };
  try {
    for (const document of [chain(), map()]) await writ.trigger('workflow::create', document);
    const chained = [];
    const mapped = [];
    const items = Array.from({ length: ITEMS }, (_, n) => n);
    for (let round = 0; round < ROUNDS; round++) {
      chained.push(CHAIN / (await run('chain', {})));
      mapped.push(ITEMS / (await run('map', items)));
    }
    report('chain of 1,000 Pass states, governed and durable, with its log', {
      measured: `${rate(median(chained))} transitions/s (${chained.map(rate).join(', ')})`,
    });
    report(`Map over ${rate(ITEMS)} items, governed and durable, with its log`, {
      measured: `${rate(median(mapped))} items/s (${mapped.map(rate).join(', ')})`,
    });
  } finally {
    await writ.close();
  }
}

/** Per second. `work` says how much it has done. */
function rounds(work) {
  work();
  return Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    const done = work();
    return done / ((performance.now() - start) / 1000);
  });
}

function planOf(document) {
  const { plan, diagnostics } = parseWorkflow(JSON.stringify(document));
  if (plan === null) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return plan;
}

/** A run in memory, and the most memory the process had meanwhile. */
function finish(plan, input) {
  const execution = Execution.start(plan, {
    runId: 'run_bench',
    initiator: 'user:bench',
    input,
    nowMs: 0,
    seed: '00'.repeat(32),
    maxTransitions: 2 * LOOP,
  });
  let peak = 0;
  for (let slice = 0; execution.hasWork; slice++) {
    execution.takeChanges();
    execution.apply({ kind: 'tick', nowMs: 0 });
    if (slice % 10 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  }
  const { status, output, transitions, error } = execution.head;
  if (status !== 'completed') throw new Error(`the run is ${status}: ${error?.message}`);
  return { output, transitions, peak };
}

function chain() {
  const states = Object.fromEntries(
    Array.from({ length: CHAIN }, (_, n) => [
      `S${n}`,
      { type: 'Pass', ...(n + 1 === CHAIN ? { end: true } : { next: `S${n + 1}` }) },
    ]),
  );
  return native('chain', 'S0', states);
}

function map() {
  const itemProcessor = { startAt: 'One', states: { One: { type: 'Pass', end: true } } };
  return native('map', 'Each', { Each: { type: 'Map', itemProcessor, end: true } });
}

/** Counts up to half of the transitions: a Pass that adds, a Choice that looks. */
function counting() {
  const more = { variable: '$.n', numericLessThan: LOOP / 2, next: 'Add' };
  return native('counting', 'Add', {
    Add: { type: 'Pass', parameters: { 'n.$': 'States.MathAdd($.n, 1)' }, next: 'More' },
    More: { type: 'Choice', choices: [more], default: 'Done' },
    Done: { type: 'Succeed' },
  });
}

function native(name, startAt, states) {
  return {
    apiVersion: 'agentrc.workflow/v0.1',
    kind: 'AgentWorkflow',
    metadata: { name },
    spec: { startAt, states },
  };
}
