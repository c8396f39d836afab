// A process that writes a lot without a pause, so that the write-ahead log is copied while commits go on. argv: file,
// changes (0 = until it is killed). Says `N` when N changes are durable, and at the end the largest write-ahead log seen.
import { statSync, writeSync } from 'node:fs';
import { systemClock } from '../../dist/adapters/clock.js';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { extendLog } from '../../dist/runtime/log/log.js';

const [file, changes] = process.argv.slice(2);
const most = Number(changes) || Infinity;
const AT_ONCE = 8;
const fill = 'x'.repeat(48_000);
const store = await openSqliteStore({ file, extendLog, clock: systemClock });
const entry = {
  type: 'authz.decided',
  run: 'large',
  tenant: 'default',
  actor: { id: 'user:u', via: 'cli' },
  workflow: null,
  policy: null,
  data: { fill },
  commit: {},
};

let begun = 0;
let done = 0;
let largest = 0;
async function write() {
  while (begun < most) {
    begun += 1;
    await store.commit({ entries: [entry] });
    writeSync(1, `${(done += 1)}\n`);
    largest = Math.max(largest, statSync(`${file}-wal`).size);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, write));
await store.close();
writeSync(1, `wal ${largest}\n`);
