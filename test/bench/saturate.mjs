// The process that appends as fast as it can: eight commits of 100 entries are always in its queue, and it publishes as
// a process under load does. Ends when its input does. argv: home of the log.
import { systemClock } from '../../dist/adapters/clock.js';
import { Cadence } from '../../dist/runtime/log/cadence.js';
import { appendBatches, benchDrafts, reopenBenchLog } from './audit-log.mjs';

const log = await reopenBenchLog(process.argv[2]);
const failed = (error) => {
  throw error;
};
const cadence = new Cadence({ publish: log.publish, clock: systemClock, failed });
let ended = false;
process.stdin.on('end', () => (ended = true)).resume();

async function append(i) {
  for (const drafts = benchDrafts(`busy-${i}`); !ended;) {
    await appendBatches(log.store, drafts, 1);
    cadence.soon();
  }
}

const all = Promise.all(Array.from({ length: 8 }, (_, i) => append(i)));
console.log('ready');
await all;
await cadence.close(true);
await log.store.close();
