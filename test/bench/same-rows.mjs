// What SQLite alone takes for the rows that a run has written: the same bytes into the same tables and indices, in as many
// transactions, with the same settings. Nothing is authorized, rendered, hashed or called.
import Database from 'better-sqlite3';

const SETTINGS = [
  'foreign_keys = OFF',
  'synchronous = FULL',
  'secure_delete = ON',
  'wal_autocheckpoint = 2048',
  'cache_size = -16384',
];

/** Milliseconds for the rows of `run` in the store `from`, written to the new file `to` in `commits` transactions. */
export function writeSameRows(from, to, run, commits) {
  const store = new Database(from, { readonly: true });
  const file = new Database(to);
  try {
    file.pragma('page_size = 8192');
    file.pragma('journal_mode = WAL');
    for (const setting of SETTINGS) file.pragma(setting);
    const tables = ['log_entry', 'payload', 'attempt'];
    const made = store.prepare(
      'SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC',
    );
    for (const table of tables) for (const { sql } of made.all(table)) file.exec(sql);
    const [entries, payloads, attempts] = [
      ['log_entry', 'idx'],
      ['payload', 'entry_idx'],
      ['attempt', 'position'],
    ].map(([table, order]) =>
      store.prepare(`SELECT * FROM ${table} WHERE run = ? ORDER BY ${order}`).all(run),
    );
    const put = Object.fromEntries(
      tables.map((table) => {
        const columns = Object.keys({ log_entry: entries, payload: payloads, attempt: attempts }[table][0]);
        return [
          table,
          file.prepare(`INSERT INTO ${table} VALUES (${columns.map((name) => `@${name}`).join(', ')})`),
        ];
      }),
    );
    const end = file.prepare(
      'UPDATE attempt SET status = @status, output = @output WHERE position = @position',
    );
    const part = (rows, at) =>
      rows.slice(Math.floor((rows.length * at) / commits), Math.floor((rows.length * (at + 1)) / commits));
    const write = file.transaction((at) => {
      for (const row of part(entries, at)) put.log_entry.run(row);
      for (const row of part(payloads, at)) put.payload.run(row);
      for (const row of part(attempts, at)) put.attempt.run(row);
      for (const row of at === 0 ? [] : part(attempts, at - 1)) end.run(row);
    });
    const start = performance.now();
    for (let at = 0; at < commits; at++) write(at);
    return performance.now() - start;
  } finally {
    file.close();
    store.close();
  }
}
