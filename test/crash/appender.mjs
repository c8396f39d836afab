// The third process that test/crash kills, in the clerk's place every other time: no policies, no people, just the
// store and the tile directory, so that most of its short life is commits, signatures and renames.
// argv: home, `appender`, name of this life. Says `entry TYPE RUN TIME` of what is durable.
import { writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../dist/adapters/clock.js';
import { loadLogKey } from '../../dist/adapters/keys/log-key.js';
import { openLocks } from '../../dist/adapters/store/locks.js';
import { openSqliteStore } from '../../dist/adapters/store/sqlite/store.js';
import { openTileDirectory } from '../../dist/adapters/store/tile-directory.js';
import { openTrustStore } from '../../dist/adapters/store/trust-store.js';
import { extendLog } from '../../dist/runtime/log/log.js';
import { checkLogAtStart } from '../../dist/runtime/log/start.js';
import { publish } from '../../dist/runtime/log/publisher.js';

const [home, , life] = process.argv.slice(2);
const data = path.join(home, 'data');
const say = (line) => writeSync(1, `${line}\n`);

const store = await openSqliteStore({ file: path.join(data, 'writ.db'), extendLog, clock: systemClock });
const parts = {
  store,
  directory: openTileDirectory(path.join(data, 'audit')),
  signer: loadLogKey(path.join(data, 'keys', 'log.key')),
  locks: openLocks(path.join(data, 'locks')),
  trust: openTrustStore(path.join(home, 'trust.json')),
};
await checkLogAtStart(parts);
say('opened');

const entry = (i) => ({
  type: 'secret.used',
  run: null,
  tenant: 'default',
  actor: { id: 'user:appender', via: 'crash' },
  workflow: null,
  policy: null,
  data: { name: life, host: String(i), stepPath: 'none' },
  commit: {},
});
for (let i = 0; ; i++) {
  const entries = Array.from({ length: 1 + (i % 7) }, () => entry(i));
  const committed = await store.commit({ entries });
  for (const { timeMs } of committed.entries) say(`entry secret.used - ${timeMs}`);
  if (i % 3 === 0) await publish(parts);
  await pause(2);
}
