// A second process for the store's contract: commits one entry after another for one run and prints the index of
// each acknowledged one on a line of its own. Runs against the built product.
// argv: store file, run id, number of commits, and optionally how many calls the meter of the day has room for: each
// commit is charged one, and the process ends when there is no more room.
import process from 'node:process';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { extendLog } from '../../dist/runtime/log/log.js';

const [file, run, commits, room] = process.argv.slice(2);
const meter = { layer: 'org', name: 'org-default', scope: '2026-03-01', budget: 'calls' };
const charges = room === undefined ? [] : [{ ...meter, add: 1, atMost: Number(room) }];
// The clock of the suite: two processes of one log don't live months apart.
const clock = {
  nowMs: () => Date.UTC(2026, 2, 1, 9, 30),
  sleepUntil: async () => undefined,
  sleep: async () => undefined,
};
const store = await openSqliteStore({ file, extendLog, clock });
process.stdout.write('ready\n');
for (let i = 0; i < Number(commits); i++) {
  const change = {
    charges,
    entries: [
      {
        type: 'authz.decided',
        run,
        tenant: 'default',
        actor: { id: 'user:second', via: 'cli' },
        workflow: null,
        policy: null,
        data: { i },
        commit: {},
      },
    ],
  };
  const committed = await store.commit(change).catch((error) => {
    if (error.code !== 'STORE_CONFLICT') throw error;
    return null;
  });
  if (committed === null) break;
  process.stdout.write(`${committed.entries[0].index}\n`);
}
await store.close();
