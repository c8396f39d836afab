// The embedded Store: run state, payloads and the log in one SQLite file, so that they can't disagree.
// Writes go through one GroupWriter; reads use a connection of their own and see only committed data.
import type { Database, Statement } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import type { Commitment, Hex, Json } from '../../../json.js';
import type {
  AnchoredCheckpointRow,
  ApprovalFilter,
  ApprovalKey,
  ApprovalRecord,
  ApprovalState,
  AttemptRecord,
  Change,
  CheckpointRow,
  Clock,
  Committed,
  ExtendLog,
  HandedOutCopy,
  LogRow,
  LogState,
  Meter,
  Page,
  Receipt,
  RunRecord,
  Store,
  StoredPayload,
  TaskFilter,
  TaskRecord,
  WorkflowRecord,
} from '../../../runtime/ports.js';
import { changeWriter, type ChangeWriter } from './change.js';
import { RecentRows } from './recent-rows.js';
import { asRow, hex64, integer, json, type Row, text } from './column.js';
import { type Connections, openConnections } from './connection.js';
import { storeError } from './driver-error.js';
import { scrubFile } from './erase.js';
import { GroupWriter } from './group-writer.js';
import {
  anchoredCheckpointRow,
  approvalKeys,
  approvalRecord,
  attemptRecord,
  checkpointRow,
  copyRecord,
  joinedValues,
  logRow,
  logRowsTogether,
  logState,
  payloadRecord,
  receiptRecord,
  runRecord,
  workflowRecord,
} from './record.js';
import { taskRecord } from './task-record.js';

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

/**
 * The values of `query` in one blob, and their lengths: what a tile needs of 256 rows, in a fifth of the time that the
 * driver takes for a value a row. Bytes are kept as they are, whatever they are; the order is the query's.
 */
const joined = (query: string): string =>
  `SELECT CAST(group_concat(value, '') AS BLOB) AS joined, group_concat(length(value)) AS lengths FROM (${query})`;

/** Entries of a run in one value: of the largest, less than SQLite takes for one. */
const MOST_TOGETHER = 2_000;

/** Those behind (@afterMs, @afterId), where there is such; @limit -1 = all. */
const listed = (table: 'approval' | 'task', condition: string): string =>
  `SELECT * FROM ${table} WHERE ${condition}
    AND (@afterMs IS NULL OR (created_at_ms, id) > (@afterMs, @afterId)) ORDER BY created_at_ms, id LIMIT @limit`;

const IN_STATES = 'state IN (SELECT value FROM json_each(@states))';

const SQL = {
  workflow: 'SELECT * FROM workflow WHERE id = ? ORDER BY version DESC LIMIT 1',
  workflowByHash: 'SELECT * FROM workflow WHERE id = ? AND hash = ?',
  workflows: 'SELECT * FROM workflow ORDER BY id, version',
  workflowsPage: `SELECT * FROM workflow AS one
    WHERE version = (SELECT MAX(version) FROM workflow WHERE id = one.id)
    ORDER BY id LIMIT @limit OFFSET @offset`,
  workflowCount: 'SELECT COUNT(DISTINCT id) AS total FROM workflow',
  run: 'SELECT * FROM run WHERE id = ?',
  runVersion: 'SELECT version FROM run WHERE id = ?',
  runs: 'SELECT * FROM run ORDER BY created_at_ms, id',
  runsOfWorkflow: 'SELECT * FROM run WHERE workflow_id = @workflowId ORDER BY created_at_ms, id',
  // The inner query reads an index only: rows hold plan and state.
  runsPage: `SELECT * FROM run WHERE rowid IN (
      SELECT rowid FROM run WHERE @workflowId IS NULL OR workflow_id = @workflowId
      ORDER BY created_at_ms DESC, rowid DESC LIMIT @limit OFFSET @offset)
    ORDER BY created_at_ms DESC, rowid DESC`,
  runCount: 'SELECT COUNT(*) AS total FROM run WHERE @workflowId IS NULL OR workflow_id = @workflowId',
  unfinished: `SELECT * FROM run WHERE status NOT IN ('completed', 'failed', 'cancelled')
    AND (@workflowId IS NULL OR workflow_id = @workflowId) ORDER BY created_at_ms, id`,
  attempts: `SELECT *, MIN(started_at_ms) OVER step AS first_start, MIN(position) OVER step AS first_position
    FROM attempt WHERE run = ? WINDOW step AS (PARTITION BY step_path)
    ORDER BY first_start NULLS LAST, first_position, attempt`,
  attempt: 'SELECT * FROM attempt WHERE run = ? AND step_path = ? AND attempt = ?',
  parts: 'SELECT key, value FROM run_part WHERE run = @run AND substr(key, 1, length(@prefix)) = @prefix',
  used: 'SELECT used FROM meter WHERE scope = @scope AND layer = @layer AND name = @name AND budget = @budget',
  approval: 'SELECT * FROM approval WHERE id = ?',
  approvals: listed('approval', '@states IS NULL'),
  approvalsIn: listed('approval', IN_STATES),
  approvalsOfRun: listed('approval', `run = @run AND (@states IS NULL OR ${IN_STATES})`),
  // As one value: the driver takes longer for many than SQLite for reading them.
  approvalKeys: `SELECT json_group_array(json_array(id, run, step_path, function_id, expires_at_ms)) AS keys FROM (
    SELECT * FROM approval WHERE state IN (SELECT value FROM json_each(@states))
    ORDER BY expires_at_ms, id LIMIT @limit)`,
  task: 'SELECT * FROM task WHERE id = ?',
  taskOfToken: 'SELECT * FROM task WHERE token_hash = ?',
  taskOfAttempt: 'SELECT * FROM task WHERE run = ? AND step_path = ? AND attempt = ?',
  tasks: listed('task', '@states IS NULL'),
  tasksIn: listed('task', IN_STATES),
  tasksOfRun: listed('task', `run = @run AND (@states IS NULL OR ${IN_STATES})`),
  payload: 'SELECT * FROM payload WHERE commitment = ?',
  receipt: 'SELECT * FROM receipt WHERE source = ? AND id = ?',
  copies: 'SELECT * FROM handed_out ORDER BY made_at_ms, path',
  unscrubbed: 'SELECT lower(hex(commitment)) AS commitment FROM unscrubbed ORDER BY 1',
  log: 'SELECT * FROM log_state',
  entries: 'SELECT * FROM log_entry WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?',
  // A limit below 0 is none.
  entriesOfRun: 'SELECT * FROM log_entry WHERE run = ? AND run_seq >= ? ORDER BY run_seq LIMIT ?',
  entriesTogether: `SELECT CAST(group_concat(bytes, '') AS BLOB) AS bytes, group_concat(length(bytes)) AS lengths,
      CAST(group_concat(leaf_hash, '') AS BLOB) AS leaf_hashes, group_concat(idx) AS indices,
      group_concat(run_seq) AS seqs, group_concat(type) AS types
    FROM (SELECT * FROM log_entry WHERE run = ? AND run_seq >= ? ORDER BY run_seq LIMIT ?)`,
  ownEntries: "SELECT * FROM log_entry WHERE run = '' AND type = ? ORDER BY idx DESC LIMIT ?",
  entryBytes: joined('SELECT bytes AS value FROM log_entry WHERE idx >= ? AND idx < ? ORDER BY idx'),
  leafHashes: joined('SELECT leaf_hash AS value FROM log_entry WHERE idx >= ? AND idx < ? ORDER BY idx'),
  subtreeHashes: joined(
    'SELECT hash AS value FROM log_subtree WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx',
  ),
  lastCheckpoint: 'SELECT * FROM log_checkpoint ORDER BY size DESC LIMIT 1',
  anchoredCheckpoints:
    'SELECT * FROM log_checkpoint WHERE cosigned_at IS NOT NULL ORDER BY size DESC LIMIT ?',
  dataVersion: 'PRAGMA data_version',
} as const;

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
  /** Largest size of the file in pages of 4,096 bytes; a commit beyond it is STORE_FULL. Default: none. */
  readonly maxPages?: number;
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
    maxPages: options.maxPages ?? null,
  });
  return new SqliteStore(connections, options, busyTimeoutMs);
}

interface Writing {
  readonly db: Database;
  readonly group: GroupWriter;
  readonly change: ChangeWriter;
}

/** The part of a list that is asked for, as `listed` takes it. */
function partOf({
  states,
  after,
  limit = -1,
}: Pick<ApprovalFilter | TaskFilter, 'states' | 'after' | 'limit'>) {
  return {
    states: states === undefined ? null : JSON.stringify(states),
    afterMs: after?.createdAtMs ?? null,
    afterId: after?.id ?? '',
    limit,
  };
}

class SqliteStore implements Store {
  readonly #file: string;
  readonly #reader: Database;
  readonly #read: (name: keyof typeof SQL) => Statement;
  readonly #clock: Clock;
  /** Null in a read-only store. */
  readonly #write: Writing | null;
  readonly #recent = new RecentRows();

  constructor(connections: Connections, options: SqliteStoreOptions, busyTimeoutMs: number) {
    this.#file = connections.file;
    this.#reader = connections.reader;
    this.#clock = options.clock;
    const statements = new Map<string, Statement>();
    this.#read = (name) => {
      const known = statements.get(name) ?? this.#reader.prepare(SQL[name]);
      statements.set(name, known);
      return known;
    };
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
    this.#recent.add(rows);
    return committed;
  }

  async workflow(id: string, hash?: Hex): Promise<WorkflowRecord | null> {
    return hash === undefined
      ? this.#one('workflow', workflowRecord, id)
      : this.#one('workflowByHash', workflowRecord, id, hash);
  }

  async workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#all('workflows', workflowRecord);
  }

  async workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }> {
    const total = this.#one('workflowCount', (row) => integer(row, 'total')) ?? 0;
    const { limit, offset } = page;
    return { workflows: this.#all('workflowsPage', workflowRecord, { limit, offset }), total };
  }

  async run(id: string): Promise<RunRecord | null> {
    return this.#one('run', runRecord, id);
  }

  async runVersion(id: string): Promise<number | null> {
    return this.#one('runVersion', (row) => integer(row, 'version'), id);
  }

  async runs(
    filter: { readonly unfinished?: boolean; readonly workflowId?: string } = {},
  ): Promise<readonly RunRecord[]> {
    const { unfinished, workflowId } = filter;
    if (unfinished === true) return this.#all('unfinished', runRecord, { workflowId: workflowId ?? null });
    return workflowId === undefined
      ? this.#all('runs', runRecord)
      : this.#all('runsOfWorkflow', runRecord, { workflowId });
  }

  async runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }> {
    const { limit, offset, workflowId = null } = page;
    const total = this.#one('runCount', (row) => integer(row, 'total'), { workflowId }) ?? 0;
    return { runs: this.#all('runsPage', runRecord, { limit, offset, workflowId }), total };
  }

  async attempts(run: string): Promise<readonly AttemptRecord[]> {
    return this.#all('attempts', attemptRecord, run);
  }

  async attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null> {
    return this.#one('attempt', attemptRecord, run, stepPath, attempt);
  }

  async parts(run: string, prefix = ''): Promise<ReadonlyMap<string, Json>> {
    const part = (row: Row) => [text(row, 'key'), json(row, 'value')] as const;
    return new Map(this.#all('parts', part, { run, prefix }));
  }

  async used(meters: readonly Meter[]): Promise<readonly number[]> {
    return meters.map(({ layer, name, scope, budget }) => {
      return this.#one('used', (row) => integer(row, 'used'), { layer, name, scope, budget }) ?? 0;
    });
  }

  async approval(id: string): Promise<ApprovalRecord | null> {
    return this.#one('approval', approvalRecord, id);
  }

  async approvals(filter: ApprovalFilter = {}): Promise<readonly ApprovalRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.#all('approvalsOfRun', approvalRecord, { ...part, run });
    return this.#all(part.states === null ? 'approvals' : 'approvalsIn', approvalRecord, part);
  }

  async approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]> {
    const { states, limit = -1 } = filter;
    return this.#one('approvalKeys', approvalKeys, { states: JSON.stringify(states), limit }) ?? [];
  }

  async task(id: string): Promise<TaskRecord | null> {
    return this.#one('task', taskRecord, id);
  }

  async taskOfToken(tokenHash: Hex): Promise<TaskRecord | null> {
    return this.#one('taskOfToken', taskRecord, tokenHash);
  }

  async taskOfAttempt(run: string, stepPath: string, attempt: number): Promise<TaskRecord | null> {
    return this.#one('taskOfAttempt', taskRecord, run, stepPath, attempt);
  }

  async tasks(filter: TaskFilter = {}): Promise<readonly TaskRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.#all('tasksOfRun', taskRecord, { ...part, run });
    return this.#all(part.states === null ? 'tasks' : 'tasksIn', taskRecord, part);
  }

  async payload(commitment: Commitment): Promise<StoredPayload | null> {
    return this.#one('payload', payloadRecord, Buffer.from(commitment, 'hex'));
  }

  async receipt(source: string, id: string): Promise<Receipt | null> {
    return this.#one('receipt', receiptRecord, source, id);
  }

  async recordCopy(copy: HandedOutCopy): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.recordCopy).run({ ...copy }));
  }

  async copies(): Promise<readonly HandedOutCopy[]> {
    return this.#all('copies', copyRecord);
  }

  async forgetCopy(path: string): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.forgetCopy).run(path));
  }

  async unscrubbed(): Promise<readonly Commitment[]> {
    return this.#all('unscrubbed', (row) => hex64(row, 'commitment'));
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

  async log(): Promise<LogState> {
    const state = this.#one('log', logState);
    if (state === null) throw this.#missing('the state of the log');
    return state;
  }

  async entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]> {
    return this.#all('entries', logRow, first, end, limit);
  }

  async entriesOfRun(
    run: string,
    { from, limit }: { readonly from: number; readonly limit: number } = { from: 0, limit: -1 },
  ): Promise<readonly LogRow[]> {
    if (limit < 0 || limit > MOST_TOGETHER) return this.#all('entriesOfRun', logRow, run, from, limit);
    return this.#one('entriesTogether', (row) => logRowsTogether(row, run), run, from, limit) ?? [];
  }

  async ownEntries(type: string, limit: number): Promise<readonly LogRow[]> {
    return this.#all('ownEntries', logRow, type, limit);
  }

  async entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = this.#recent.between(first, end);
    if (recent !== null) return recent.map(({ bytes }) => bytes);
    const found = this.#one('entryBytes', joinedValues, first, end);
    if (found?.length !== count) throw this.#missing(`an entry in ${first}..${end - 1n}`);
    return found;
  }

  async hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = level === 0 ? this.#recent.between(first, end) : null;
    if (recent !== null) return recent.map(({ leafHash }) => leafHash);
    const found =
      level === 0
        ? this.#one('leafHashes', joinedValues, first, end)
        : this.#one('subtreeHashes', joinedValues, level, first, end);
    if (found?.length !== count) throw this.#missing(`a hash of level ${level} in ${first}..${end - 1n}`);
    return found;
  }

  async putCheckpoint(row: CheckpointRow): Promise<CheckpointRow> {
    const { db, group } = this.#writing();
    return group.submit(() => {
      db.prepare(WRITE.addCheckpoint).run({ ...row });
      return checkpointRow(asRow(db.prepare(WRITE.checkpoint).get(row.size)));
    });
  }

  async lastCheckpoint(): Promise<CheckpointRow | null> {
    return this.#one('lastCheckpoint', checkpointRow);
  }

  async anchorCheckpoint(size: bigint, before: string, after: string, atMs: number): Promise<boolean> {
    const { db, group } = this.#writing();
    return group.submit(() => {
      const { changes } = db.prepare(WRITE.anchorCheckpoint).run({ size, before, after, atMs });
      return changes === 1;
    });
  }

  async anchoredCheckpoints(limit: number): Promise<readonly AnchoredCheckpointRow[]> {
    return this.#all('anchoredCheckpoints', anchoredCheckpointRow, limit);
  }

  async markPublished(size: bigint): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => {
      const { changes } = db.prepare(WRITE.published).run({ size });
      if (changes !== 1)
        throw new WritError('INTERNAL', `size ${size} can't be published, the log is smaller`);
    });
    this.#recent.published(size);
  }

  /** Counts commits of every connection but the reading one, so this process's own are in it. */
  changeCounter(): number {
    return this.#reading(() => Number(this.#read('dataVersion').pluck().get()));
  }

  async close(): Promise<void> {
    if (!this.#reader.open) return;
    await this.#write?.group.close();
    if (this.#write === null) {
      this.#reader.close();
      return;
    }
    const { db, group } = this.#write;
    if (group.failure !== null) {
      // The last connection to close checkpoints, which would sync again after a failed sync: let it be the reader.
      db.close();
      this.#reader.close();
      return;
    }
    this.#reader.close();
    try {
      // Busy or not: what stays in the write-ahead log is as durable. Erased bytes don't stay in it for long.
      db.pragma('wal_checkpoint(TRUNCATE)');
    } catch (error) {
      throw storeError(error, this.#file, 'close');
    } finally {
      db.close();
    }
  }

  #writing(): Writing {
    if (this.#write !== null) return this.#write;
    throw new WritError('STORE_READ_ONLY', `the store ${this.#file} was opened for reading only`, {
      hint: 'use a command that may write, as a user who may write the data directory',
    });
  }

  #one<Found>(name: keyof typeof SQL, decode: (row: Row) => Found, ...values: unknown[]): Found | null {
    return this.#reading(() => {
      const row = this.#read(name).get(...values);
      return row === undefined ? null : decode(asRow(row));
    });
  }

  #all<Found>(name: keyof typeof SQL, decode: (row: Row) => Found, ...values: unknown[]): Found[] {
    return this.#reading(() =>
      this.#read(name)
        .all(...values)
        .map((row) => decode(asRow(row))),
    );
  }

  #reading<Result>(work: () => Result): Result {
    if (!this.#reader.open) {
      throw new WritError('STORE_UNAVAILABLE', `the store ${this.#file} is closed`, {
        hint: 'open it again',
      });
    }
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.#file, 'read');
    }
  }

  #missing(what: string): WritError {
    return new WritError('STORE_IO', `${what} is missing in ${this.#file}`, {
      hint: 'stop, restore a backup of the data directory and run writ audit verify on it',
    });
  }
}
