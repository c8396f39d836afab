// What approvals cost people: from a decision to the start of its step, and what 10,000 requests that wait do to a restart
// and to the inbox. Beside each time the processor time, which a busy machine changes less.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import path from 'node:path';
import { systemClock } from '../../dist/adapters/clock.js';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { extendLog } from '../../dist/runtime/log/log.js';
import { newId } from '../../dist/runtime/ids.js';
import { systemRandom } from '../../dist/adapters/random.js';
import { identify, initWrit, openWrit } from '../../dist/open.js';
import { document, policies } from './governed-step.mjs';
import { median, ms, quantile, report, reportTimes, timed } from './report.mjs';

const PENDING = 10_000;
const DECISIONS = 200;
const TRIES = 7;
const signal = new AbortController().signal;

/** Milliseconds of processor time that `work` takes, user and system. */
async function cpuOf(work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

export async function approvalsBench({ root, at }) {
  policies(root, at);
  await initWrit({ data: at('data'), origin: null, tenant: 'default', trustFile: at('trust.json') });
  let started = 0;
  const provider = {
    functionIds: ['tool::bench'],
    invoke: async () => {
      started = performance.now();
      return { ok: true };
    },
  };
  const open = () =>
    openWrit({
      ...{ data: at('data'), policies: at('policies'), trustFile: at('trust.json') },
      ...{ functions: [provider], wasmPool: 0 },
    });
  const writ = await open();
  const alice = await identify(writ, at('alice.key'));
  const bob = await identify(writ, at('bob.key'));
  const workflow = { text: document('bench-gated', 1, ', approval: sync'), file: null };
  const waiting = async (input) => {
    const run = await writ.start({ workflow, input }, alice);
    const { waitingFor } = await writ.drive(run, { stopAt: 'waiting', signal });
    return (await writ.approval(waitingFor.approvalId)).record;
  };

  const [whole, start, cpu] = [[], [], []];
  for (let i = 0; i < DECISIONS; i++) {
    const record = await waiting({ i });
    const vote = { decision: 'approve', digest: record.subjectDigest, reason: null };
    const asked = performance.now();
    let decided = 0;
    cpu.push(
      await cpuOf(async () => {
        await writ.decide(record.id, vote, bob);
        decided = performance.now();
        await writ.drive(record.run, { stopAt: 'finished', signal });
      }),
    );
    start.push(started - decided);
    whole.push(started - asked);
  }
  reportTimes(
    'from a durable decision to the start of its step',
    start,
    { p50: 20, p99: 100 },
    `from the key press, signing and committing included: p50 ${ms(median(whole))}, p99 ${ms(quantile(whole, 0.99))}; ` +
      `processor time of decision, step and end of the run: p50 ${ms(median(cpu))}`,
  );

  const template = await waiting({ i: 'kept' });
  await writ.close();
  await fill(at, template);
  await restart(root, at, open);
  await inbox(open);
}

/** Copies of one request that waits, each with its entry. */
async function fill(at, template) {
  const store = await openSqliteStore({ file: at('data', 'writ.db'), extendLog, clock: systemClock });
  for (let made = 1; made < PENDING;) {
    const records = Array.from({ length: Math.min(500, PENDING - made) }, (_, i) => ({
      ...template,
      id: newId('apr', systemRandom),
      stepPath: `Each[${made + i}]`,
      expiresAtMs: template.expiresAtMs - made - i,
    }));
    await store.commit({
      approvals: records.map((record) => ({ op: 'insert', record })),
      entries: records.map(({ id, run, subjectDigest }) => ({
        ...{ type: 'approval.requested', run, tenant: 'default', workflow: null, policy: null, commit: {} },
        ...{ actor: { id: 'user:alice', via: 'bench' }, data: { approvalId: id, subjectDigest } },
      })),
    });
    made += records.length;
  }
  await store.close();
}

async function restart(root, at, open) {
  const [opened, cpu] = [[], []];
  for (let i = 0; i < TRIES; i++) {
    let writ = null;
    cpu.push(await cpuOf(async () => void opened.push(await timed(async () => (writ = await open())))));
    await writ.close();
  }
  reportTimes(
    `opening with ${PENDING} requests that wait, modules loaded`,
    opened,
    { p50: 500 },
    `processor time p50 ${ms(median(cpu))}`,
  );
  const served = [];
  const main = path.join(root, 'dist', 'cli', 'main.js');
  const words = [
    main,
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--data',
    at('data'),
    '--policies',
    at('policies'),
  ];
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], cwd: at() });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    served.push(performance.now() - before);
    child.kill('SIGTERM');
    await exit;
  }
  const node = [];
  for (let i = 0; i < TRIES; i++) node.push(await timed(() => spawnSync(process.execPath, ['-e', '0'])));
  reportTimes(
    `\`writ serve\` from nothing to listening, ${PENDING} requests waiting`,
    served,
    { p50: 500 },
    `node itself: p50 ${ms(median(node))}`,
  );
}

async function inbox(open) {
  const { showQueue } = await import('../../dist/tui/open-prompt.js');
  const { waitingRequests } = await import('../../dist/cli/approvals/inbox.js');
  const writ = await open();
  const [frames, cpu] = [[], []];
  for (let i = 0; i < TRIES; i++) {
    cpu.push(
      await cpuOf(async () => {
        const before = performance.now();
        const { shown, answer } = showOn(showQueue, await waitingRequests(writ, null));
        await shown;
        frames.push(performance.now() - before);
        await answer();
      }),
    );
  }
  await writ.close();
  reportTimes(
    `the inbox from reading the store to its first frame, ${PENDING} requests`,
    frames,
    { p50: 300 },
    `processor time p50 ${ms(median(cpu))}; the first of ${TRIES}, which loads and compiles: ${ms(frames[0])}`,
  );
  report('requests that wait in it', { measured: String(PENDING) });
}

/** The queue on a terminal of 80 by 24 that is none. */
function showOn(showQueue, waiting) {
  const stdout = Object.assign(new PassThrough(), { columns: 80, rows: 24, isTTY: true });
  const stdin = Object.assign(new PassThrough(), {
    ...{ isTTY: true, setRawMode: () => stdin, ref: () => stdin, unref: () => stdin },
  });
  const shown = new Promise((resolve) => {
    let drawn = '';
    stdout.on('data', (part) => {
      drawn += part.toString();
      if (drawn.includes('requests wait')) resolve();
    });
  });
  const done = showQueue({
    ...{ stdin, stdout, screenReader: false, color: false, nowMs: () => Date.now(), signal },
    ...waiting,
    ...{ approver: 'user:bob', message: null, selected: null, refresh: async () => null },
  });
  return {
    shown,
    answer: () => {
      stdin.write('q');
      return done;
    },
  };
}
