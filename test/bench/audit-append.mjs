// Appending to the log, everything included: canonical JSON, hashes, tree, rows, a run's state, and once a second a
// signed checkpoint with its files. Beside it, in turns: SQLite alone, which puts the bytes of the same entries into a
// table, as many rows in a transaction, with the same settings (pages of 8 KiB, WAL, synchronous=FULL, secure_delete, checkpoints
// every 16 MiB, cache of 16 MiB).
import Database from 'better-sqlite3';
import { platformSha256 } from '../../dist/adapters/hash.js';
import { systemClock } from '../../dist/adapters/clock.js';
import { Cadence } from '../../dist/runtime/log/cadence.js';
import { appendBatches, BATCH, benchDrafts, openBenchLog } from './audit-log.mjs';
import { median, ms, percent, quantile, rate, report, reportTimes, timed } from './report.mjs';

/** Some seconds: publications run beside appending, as in a process under load, and the last one, beside nothing, weighs little. */
const ENTRIES = 120_000;
/** Of callers with one entry each. */
const SINGLES = 20_000;
const ROUNDS = 5;

export async function auditAppend({ home, at }) {
  const log = await openBenchLog(home);
  const drafts = benchDrafts();
  // Warm: compiled code, prepared statements, tables beyond their first pages.
  await appendBatches(log.store, drafts, 100);
  const rows = await log.store.entries(0n, 1_000n, 1_000);
  const raw = openRaw(at('raw.db'), BARE);
  const same = openRaw(at('same.db'), SAME);
  raw.batches(rows, 100);
  same.batches(rows, 100);

  const batches = [];
  const bare = [];
  const indexed = [];
  const callers = [];
  const hashing = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(ENTRIES / (raw.batches(rows, ENTRIES / BATCH) / 1000));
    indexed.push(ENTRIES / (same.batches(rows, ENTRIES / BATCH) / 1000));
    batches.push(ENTRIES / ((await published(log, (soon) => inBatches(log, drafts, soon))) / 1000));
    callers.push(SINGLES / ((await published(log, (soon) => byCallers(log, soon))) / 1000));
    hashing.push(ENTRIES / (hashes(rows) / 1000));
  }
  const bytes = rows.reduce((sum, row) => sum + row.bytes.length, 0) / rows.length;
  const beside =
    `SQLite alone, ${BATCH} rows a transaction: ${rate(median(bare))}/s of the same bytes, ` +
    `${rate(median(indexed))}/s into a table with the columns and the indices of the log's; ` +
    `SHA-256 of leaf and node alone: ${rate(median(hashing))}/s`;
  const enough = median(batches) >= 15_000 && median(batches) >= 0.3 * median(indexed);
  report(`durable append, ${BATCH} entries a commit (${Math.round(bytes)} bytes each), published`, {
    measured: `${rate(median(batches))} entries/s, ${percent(median(batches), median(bare))} of SQLite with the bytes alone, ${percent(median(batches), median(indexed))} with the same table (${batches.map(rate).join(', ')})`,
    target: '>= 15,000 entries/s (aim 30,000), >= 30 % of SQLite with the same table',
    met: enough,
    beside,
  });
  report(`durable append, ${BATCH} callers at once with one entry each, published`, {
    measured: `${rate(median(callers))} entries/s (${callers.map(rate).join(', ')})`,
  });
  const single = [];
  for (let i = 0; i < 2_000; i++) {
    const [draft] = drafts.next();
    let index = 0n;
    single.push(
      await timed(async () => {
        const committed = await log.store.commit({ entries: [{ ...draft, run: `single-${i}` }] });
        index = committed.entries[0].index;
      }),
    );
    if ((await log.store.log()).size !== index + 1n) throw new Error('the entry is not in the tree');
  }
  const one = raw.singles(rows, 500);
  reportTimes(
    'durable append of one entry, in the tree when it returns',
    single,
    { p50: 2, p99: 15 },
    `SQLite alone, one row a transaction: p50 ${ms(median(one))}, p99 ${ms(quantile(one, 0.99))}`,
  );
  const publishing = [];
  for (let i = 0; i < 30; i++) {
    await appendBatches(log.store, drafts, 1);
    publishing.push(await timed(() => log.publish()));
  }
  reportTimes(`publication of ${BATCH} more entries (about 8 files, each synced)`, publishing);
  raw.close();
  same.close();
  await log.store.close();
}

/**
 * Milliseconds of `append` and of the publications it asks for, the last one included; without those that `append`
 * says it needed to think of entries, which is no part of the product.
 */
async function published(log, append) {
  const failed = (error) => {
    throw error;
  };
  let thinking = 0;
  const took = await timed(async () => {
    const cadence = new Cadence({ publish: log.publish, clock: systemClock, failed });
    thinking = await append(() => cadence.soon());
    await cadence.close(true);
  });
  return took - thinking;
}

async function inBatches({ store }, drafts, soon) {
  let thinking = 0;
  for (let i = 0; i < ENTRIES / BATCH; i++) {
    const before = performance.now();
    const entries = drafts.next();
    thinking += performance.now() - before;
    drafts.committed((await store.commit({ entries })).entries);
    soon();
  }
  return thinking;
}

let callerRun = 0;
async function byCallers({ store }, soon) {
  callerRun += 1;
  const caller = async (i) => {
    const drafts = benchDrafts(`caller-${callerRun}-${i}`);
    const [draft] = drafts.next();
    for (let n = 0; n < SINGLES / BATCH; n++) {
      await store.commit({ entries: [draft] });
      soon();
    }
  };
  await Promise.all(Array.from({ length: BATCH }, (_, i) => caller(i)));
  return 0;
}

/** One table and what is put into it, as SQLite alone does it. */
const BARE = {
  schema: 'CREATE TABLE row (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT',
  values: (index, row) => [index, row.bytes],
};
/** As the store's `log_entry`. */
const SAME = {
  schema: `CREATE TABLE row (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL,
      leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32), run TEXT NOT NULL, run_seq INTEGER NOT NULL,
      type TEXT NOT NULL, UNIQUE (run, run_seq)) STRICT;
    CREATE INDEX own ON row (type, idx) WHERE run = ''`,
  // The same rows again and again are other runs each time.
  values: (index, { bytes, leafHash, run, seq, type }) => [
    index,
    bytes,
    leafHash,
    `${Math.floor(index / 1_000)}-${run}`,
    seq,
    type,
  ],
};

function openRaw(file, { schema, values }) {
  const db = new Database(file);
  db.pragma('page_size = 8192');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('secure_delete = ON');
  db.pragma('wal_autocheckpoint = 2048');
  db.pragma('cache_size = -16384');
  db.exec(schema);
  let size = 0;
  const marks = values(0, {}).map(() => '?');
  const insert = db.prepare(`INSERT INTO row VALUES (${marks.join()})`);
  const batch = db.transaction((rows) => {
    for (const row of rows) insert.run(...values(size++, row));
  });
  return {
    batches(rows, count) {
      const before = performance.now();
      for (let i = 0; i < count; i++) {
        const first = size % rows.length;
        batch(rows.slice(first, first + BATCH));
      }
      return performance.now() - before;
    },
    singles(rows, count) {
      return Array.from({ length: count }, (_, i) => {
        const before = performance.now();
        insert.run(...values(size++, rows[i]));
        return performance.now() - before;
      });
    },
    close: () => db.close(),
  };
}

function hashes(rows) {
  const node = new Uint8Array(65);
  const before = performance.now();
  for (let i = 0; i < ENTRIES; i++) {
    platformSha256(rows[i % rows.length].bytes);
    platformSha256(node);
  }
  return performance.now() - before;
}
