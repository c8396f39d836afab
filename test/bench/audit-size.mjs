// What the size of the log costs: verification of all of it, appending at its end, and the check when a process opens it.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { platformSha256 } from '../../dist/adapters/hash.js';
import { checkLogAtStart } from '../../dist/runtime/log/start.js';
import { appendBatches, benchDrafts, openBenchLog } from './audit-log.mjs';
import { median, ms, quantile, rate, report, timed } from './report.mjs';

const MEBI = 2 ** 20;

export async function auditVerify({ home }) {
  const log = await openBenchLog(home);
  await grow(log, benchDrafts(), 100_000);
  await log.store.close();
  reportVerify(home, 100_000, 5);
}

/** `size` is a million, or less to see that it runs. */
export async function auditMillion({ home, size = 1_000_000 }) {
  const log = await openBenchLog(home);
  const drafts = benchDrafts();
  await grow(log, drafts, 1_000);
  const small = await appendBatches(log.store, drafts, 300);
  await grow(log, drafts, size);
  const large = await appendBatches(log.store, drafts, 300);
  await log.publish();
  const atStart = [];
  for (let i = 0; i < 20; i++) atStart.push(await timed(() => checkLogAtStart(log)));
  await log.store.close();
  const ratio = median(large) / median(small);
  report(`append of 100 entries at ${size.toLocaleString('en')} against at 1,000`, {
    measured: `${ratio.toFixed(2)} x (p50 ${ms(median(large))} against ${ms(median(small))}, p99 ${ms(quantile(large, 0.99))} against ${ms(quantile(small, 0.99))})`,
    target: '<= 1.5 x',
    met: ratio <= 1.5,
  });
  report(`check when a process opens a log of ${size.toLocaleString('en')}`, {
    measured: `p50 ${ms(median(atStart))}, max ${ms(Math.max(...atStart))} (n=${atStart.length})`,
    target: 'bounded',
  });
  reportVerify(home, size, 3);
}

/** Appends and publishes until the log has about `size` entries. */
async function grow(log, drafts, size) {
  const have = Number((await log.store.log()).size);
  await appendBatches(log.store, drafts, Math.ceil((size - have) / 100));
  await log.publish();
}

/** Each in a process of its own: what it needs in memory is its own too. */
function reportVerify(home, size, rounds) {
  const script = path.join(import.meta.dirname, 'verify-once.mjs');
  const found = Array.from({ length: rounds }, () =>
    JSON.parse(execFileSync(process.execPath, [script, home], { encoding: 'utf8' })),
  );
  const took = median(found.map((one) => one.ms));
  const perSecond = Number(found[0].size) / (took / 1000);
  const rss = Math.max(...found.map((one) => one.rssMiB));
  const isMillion = size === 1_000_000;
  const hashing = hashesAlone(Number(found[0].size), found[0].bytes / Number(found[0].size));
  report(`verification of ${size.toLocaleString('en')} entries, all rules`, {
    measured: `${rate(perSecond)} entries/s, ${(took / 1000).toFixed(2)} s, RSS ${rss} MiB (${found.map((one) => (one.ms / 1000).toFixed(2)).join(', ')} s; CPU ${(median(found.map((one) => one.cpuMs)) / 1000).toFixed(2)} s)`,
    // A tenth of it is mostly the engine's start.
    ...(isMillion && {
      target: '>= 200,000 entries/s, <= 5 s, RSS <= 300 MB',
      met: perSecond >= 200_000 && took <= 5_000 && rss * MEBI <= 300e6,
    }),
    beside: `SHA-256 of leaves and nodes alone: ${rate(Number(found[0].size) / (hashing / 1000))}/s`,
  });
}

function hashesAlone(count, bytes) {
  const leaf = new Uint8Array(Math.round(bytes) + 1);
  const node = new Uint8Array(65);
  const before = performance.now();
  for (let i = 0; i < count; i++) {
    platformSha256(leaf);
    platformSha256(node);
  }
  return performance.now() - before;
}
