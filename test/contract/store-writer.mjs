// A second process for the store's contract: commits one entry after another for one run and prints the index of
// each acknowledged one on a line of its own. Runs against the built product.
// argv: store file, run id, number of commits.
import process from 'node:process';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { extendLog } from '../../dist/runtime/log.js';

const [file, run, commits] = process.argv.slice(2);
// The clock of the suite: two processes of one log don't live months apart.
const clock = { nowMs: () => Date.UTC(2026, 2, 1, 9, 30), sleepUntil: async () => undefined };
const store = await openSqliteStore({ file, extendLog, clock });
process.stdout.write('ready\n');
for (let i = 0; i < Number(commits); i++) {
  const { entries } = await store.commit({
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
  });
  process.stdout.write(`${entries[0].index}\n`);
}
await store.close();
