// Somebody who decides, in a process of his own, while another process appends as fast as it can.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { benchDrafts, openBenchLog } from './audit-log.mjs';
import { rate, reportTimes, timed } from './report.mjs';

const DECISIONS = 400;

export async function auditApprover({ home }) {
  const log = await openBenchLog(home);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'saturate.mjs'), home], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const before = (await log.store.log()).size;
  const began = performance.now();
  const times = [];
  for (let i = 0; i < DECISIONS; i++) {
    await setTimeout(5 + (i % 20));
    const entries = benchDrafts(`approver-${i}`).next().slice(0, 2);
    times.push(await timed(() => log.store.commit({ entries })));
  }
  const size = (await log.store.log()).size - before;
  const perSecond = Number(size) / ((performance.now() - began) / 1000);
  child.stdin.end();
  await once(child, 'exit');
  await log.store.close();
  reportTimes(
    'a decision made durable beside a process that appends as fast as it can',
    times,
    { p99: 50, max: 500 },
    `${rate(perSecond)} entries/s by the other process, 8 commits of 100 entries in its queue`,
  );
}
