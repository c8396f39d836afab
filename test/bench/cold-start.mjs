// What a command costs before it does anything.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { median, ms, reportTimes, timed } from './report.mjs';

export async function coldStart({ root }) {
  const help = [];
  const node = [];
  for (let i = 0; i < 15; i++) {
    help.push(
      await timed(() => spawnSync(process.execPath, [path.join(root, 'dist', 'cli', 'main.js'), '--help'])),
    );
    node.push(await timed(() => spawnSync(process.execPath, ['-e', '0'])));
  }
  reportTimes('cold `writ --help`', help, { p50: 300 }, `node itself: p50 ${ms(median(node))}`);
}
