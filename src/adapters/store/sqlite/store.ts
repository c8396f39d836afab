// The embedded Store: run state, payloads and the log in one SQLite file, so that they can't disagree.
// Writes go through one GroupWriter; what is read is in reads.ts.
import type { Database } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import type { Commitment } from '../../../json.js';
import type {
  Change,
  CheckpointRow,
  Clock,
  Committed,
  ExtendLog,
  HandedOutCopy,
  Store,
} from '../../../runtime/ports.js';
import { changeWriter, type ChangeWriter } from './change.js';
import { asRow } from './column.js';
import { type Connections, openConnections } from './connection.js';
import { storeError } from './driver-error.js';
import { scrubFile } from './erase.js';
import { GroupWriter } from './group-writer.js';
import { checkpointRow } from './log-record.js';
import { Reader } from './reader.js';
import { StoreReads } from './reads.js';

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

const WRITE = {
  addCheckpoint: `INSERT INTO log_checkpoint (size, root, note) VALUES (@size, @root, @note)
    ON CONFLICT (size) DO NOTHING`,
  checkpoint: 'SELECT * FROM log_checkpoint WHERE size = ?',
  anchorCheckpoint: `UPDATE log_checkpoint SET note = @after, cosigned_at = @atMs
    WHERE size = @size AND note = @before`,
  recordCopy: `INSERT INTO handed_out VALUES (@path, @run, @madeAtMs)
    ON CONFLICT (path) DO UPDATE SET run = excluded.run, made_at_ms = excluded.made_at_ms`,
  forgetCopy: 'DELETE FROM handed_out WHERE path = ?',
  markScrubbed: 'DELETE FROM unscrubbed WHERE commitment = ?',
  published: 'UPDATE log_state SET published_size = MAX(published_size, @size) WHERE @size <= size',
} as const;

export interface SqliteStoreOptions {
  /** Made with mode 0600 when absent, its directory with 0700. */
  readonly file: string;
  /** Called inside the write transaction; pure. */
  readonly extendLog: ExtendLog;
  /** Gives the time of the entries. */
  readonly clock: Clock;
  /** Never writes and never makes the file; every write rejects with STORE_READ_ONLY. */
  readonly readOnly?: boolean;
  /** How long a commit waits for another process, default 5,000 ms. */
  readonly busyTimeoutMs?: number;
  /** Largest size of the file; a commit beyond it is STORE_FULL. Default: none. */
  readonly maxBytes?: number;
}

/**
 * Opens the embedded store. Several processes, and several handles in one, may hold the same file.
 * Throws STORE_UNAVAILABLE (not a store, newer schema, can't be opened), STORE_READ_ONLY, STORE_FULL, STORE_BUSY.
 * A commit rejected with STORE_IO, STORE_FULL or STORE_READ_ONLY ends the handle: every later write rejects alike.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const busyTimeoutMs = options.busyTimeoutMs ?? DEFAULT_BUSY_TIMEOUT_MS;
  const connections = await openConnections({
    file: options.file,
    readOnly: options.readOnly ?? false,
    busyTimeoutMs,
    maxBytes: options.maxBytes ?? null,
  });
  return new SqliteStore(connections, options, busyTimeoutMs);
}

interface Writing {
  readonly db: Database;
  readonly group: GroupWriter;
  readonly change: ChangeWriter;
}

class SqliteStore extends StoreReads implements Store {
  readonly #clock: Clock;
  /** Null in a read-only store. */
  readonly #write: Writing | null;

  constructor(connections: Connections, options: SqliteStoreOptions, busyTimeoutMs: number) {
    super(new Reader(connections.reader, connections.file), connections.file);
    this.#clock = options.clock;
    this.#write =
      connections.writer === null
        ? null
        : {
            db: connections.writer,
            group: new GroupWriter(connections.writer, connections.file, busyTimeoutMs),
            change: changeWriter(connections.writer, options.extendLog),
          };
  }

  async commit(change: Change): Promise<Committed> {
    const { group, change: writer } = this.#writing();
    const { rows, ...committed } = await group.submit(() => writer.write(change, this.#clock.nowMs()));
    this.recent.add(rows);
    return committed;
  }

  async recordCopy(copy: HandedOutCopy): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.recordCopy).run({ ...copy }));
  }

  async forgetCopy(path: string): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.forgetCopy).run(path));
  }

  async scrub(waitMs: number): Promise<'done' | 'busy' | 'full'> {
    const { db, group } = this.#writing();
    return scrubFile(db, group, waitMs);
  }

  async markScrubbed(commitments: readonly Commitment[]): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => {
      const mark = db.prepare(WRITE.markScrubbed);
      for (const commitment of commitments) mark.run(Buffer.from(commitment, 'hex'));
    });
  }

  async putCheckpoint(row: CheckpointRow): Promise<CheckpointRow> {
    const { db, group } = this.#writing();
    return group.submit(() => {
      db.prepare(WRITE.addCheckpoint).run({ ...row });
      return checkpointRow(asRow(db.prepare(WRITE.checkpoint).get(row.size)));
    });
  }

  async anchorCheckpoint(size: bigint, before: string, after: string, atMs: number): Promise<boolean> {
    const { db, group } = this.#writing();
    return group.submit(() => {
      const { changes } = db.prepare(WRITE.anchorCheckpoint).run({ size, before, after, atMs });
      return changes === 1;
    });
  }

  async markPublished(size: bigint): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => {
      const { changes } = db.prepare(WRITE.published).run({ size });
      if (changes !== 1)
        throw new WritError('INTERNAL', `size ${size} can't be published, the log is smaller`);
    });
    this.recent.published(size);
  }

  async close(): Promise<void> {
    if (!this.reader.isOpen) return;
    await this.#write?.group.close();
    if (this.#write === null) {
      this.reader.close();
      return;
    }
    const { db, group } = this.#write;
    if (group.failure !== null) {
      // The last connection to close checkpoints, which would sync again after a failed sync: let it be the reader.
      db.close();
      this.reader.close();
      return;
    }
    this.reader.close();
    try {
      // Busy or not: what stays in the write-ahead log is as durable. Erased bytes don't stay in it for long.
      db.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      const failure = storeError(error, this.file, 'close');
      // No room or no right to tidy up: everything is where the next one who opens it finds it.
      if (failure.code !== 'STORE_FULL' && failure.code !== 'STORE_READ_ONLY') throw failure;
    } finally {
      db.close();
    }
  }

  #writing(): Writing {
    if (this.#write !== null) return this.#write;
    throw new WritError('STORE_READ_ONLY', `the store ${this.file} was opened for reading only`, {
      hint: 'use a command that may write, as a user who may write the data directory',
    });
  }
}
