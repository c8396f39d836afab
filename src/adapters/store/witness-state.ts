// What a witness has cosigned, in one SQLite file: per origin the newest tree. Check and store are one transaction
// that holds the file's write lock from its beginning, so neither two requests nor two processes can take the witness
// back to a smaller tree. Never restore this file from a backup: a witness that forgets may cosign a fork.
import { resolve } from 'node:path';
import { WritError } from '../../errors.js';
import type { WitnessedTree, WitnessState } from '../../runtime/ports.js';
import { openOwnFile } from './own-file.js';
import { storeError } from './sqlite/driver-error.js';

/** "WrtW" in ASCII. */
const APPLICATION_ID = 0x57727457;

const TABLE = `CREATE TABLE IF NOT EXISTS cosigned (
  origin TEXT PRIMARY KEY,
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL
) STRICT`;

const SQL = {
  latest: 'SELECT * FROM cosigned WHERE origin = ?',
  all: 'SELECT * FROM cosigned ORDER BY origin',
  // The size can't become smaller whatever the caller decides.
  store: `INSERT INTO cosigned VALUES (@origin, @size, @root, @note) ON CONFLICT (origin) DO UPDATE
    SET size = excluded.size, root = excluded.root, note = excluded.note WHERE excluded.size >= cosigned.size`,
} as const;

/**
 * Opens `file`, made with mode 0600 when absent. Throws STORE_UNAVAILABLE (no state of a witness, can't be opened),
 * STORE_READ_ONLY, STORE_FULL. After STORE_IO or STORE_FULL from `advance` nothing may be cosigned any more.
 */
export function openWitnessState(file: string): WitnessState {
  const path = resolve(file);
  const db = openOwnFile(path, {
    applicationId: APPLICATION_ID,
    tables: TABLE,
    journal: 'DELETE',
    synchronous: 'EXTRA',
    what: 'the state of a witness',
    hint: 'give --state a file of its own',
  });
  const [latest, all, store] = [db.prepare(SQL.latest), db.prepare(SQL.all), db.prepare(SQL.store)];
  const read = (origin: string): WitnessedTree | null => {
    const row = latest.get(origin);
    return row === undefined ? null : tree(row);
  };
  return {
    advance(origin, decide) {
      const work = db.transaction(() => {
        const { store: next, answer } = decide(read(origin));
        if (next !== null && store.run({ origin, ...next }).changes !== 1) {
          throw new WritError('INTERNAL', `a witness does not go back to size ${next.size}`);
        }
        return answer;
      });
      try {
        return work.immediate();
      } catch (error) {
        throw storeError(error, path, 'write to');
      }
    },
    latest() {
      try {
        return all.all().map((row) => ({ origin: (row as { origin: string }).origin, ...tree(row) }));
      } catch (error) {
        throw storeError(error, path, 'read');
      }
    },
    close: () => {
      db.close();
    },
  };
}

/** A row of our own STRICT table. */
function tree(row: unknown): WitnessedTree {
  const { size, root, note } = row as { size: bigint; root: Uint8Array; note: string };
  return { size, root: Uint8Array.from(root), note };
}
