// The embedded Store: run state, payloads and the log in one SQLite file, so that they can't disagree.
// Writes go through one GroupWriter; reads use a connection of their own and see only committed data.
import type { Database } from 'better-sqlite3';
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
  PolicyFiles,
  Receipt,
  RunHead,
  RunRecord,
  Store,
  StoredPayload,
  TaskFilter,
  TaskRecord,
  WakeUp,
  WorkflowRecord,
} from '../../../runtime/ports.js';
import { changeWriter, type ChangeWriter } from './change.js';
import { RecentRows } from './recent-rows.js';
import { asRow, hex64, integer, json, type Row, text } from './column.js';
import { type Connections, openConnections } from './connection.js';
import { storeError } from './driver-error.js';
import { scrubFile } from './erase.js';
import { GroupWriter } from './group-writer.js';
import { approvalKeys, approvalRecord } from './approval-record.js';
import {
  anchoredCheckpointRow,
  checkpointRow,
  joinedValues,
  logRow,
  logRowsTogether,
  logState,
} from './log-record.js';
import {
  attemptRecord,
  copyRecord,
  payloadRecord,
  policyFiles,
  receiptRecord,
  runHead,
  runRecord,
  wakeUps,
  workflowRecord,
} from './run-record.js';
import { Reader } from './reader.js';
import { taskRecord } from './task-record.js';

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

/** Entries of a run in one value: of the largest, less than SQLite takes for one. */
const MOST_TOGETHER = 2_000;

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
  readonly #reader: Reader;
  readonly #clock: Clock;
  /** Null in a read-only store. */
  readonly #write: Writing | null;
  readonly #recent = new RecentRows();

  constructor(connections: Connections, options: SqliteStoreOptions, busyTimeoutMs: number) {
    this.#file = connections.file;
    this.#reader = new Reader(connections.reader, connections.file);
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
    this.#recent.add(rows);
    return committed;
  }

  async workflow(id: string, hash?: Hex): Promise<WorkflowRecord | null> {
    return hash === undefined
      ? this.#reader.one('workflow', workflowRecord, id)
      : this.#reader.one('workflowByHash', workflowRecord, id, hash);
  }

  async workflows(): Promise<readonly WorkflowRecord[]> {
    return this.#reader.all('workflows', workflowRecord);
  }

  async workflowsPage(
    page: Page,
  ): Promise<{ readonly workflows: readonly WorkflowRecord[]; readonly total: number }> {
    const total = this.#reader.one('workflowCount', (row) => integer(row, 'total')) ?? 0;
    const { limit, offset } = page;
    return { workflows: this.#reader.all('workflowsPage', workflowRecord, { limit, offset }), total };
  }

  async run(id: string): Promise<RunRecord | null> {
    return this.#reader.one('run', runRecord, id);
  }

  async runVersion(id: string): Promise<number | null> {
    return this.#reader.one('runVersion', (row) => integer(row, 'version'), id);
  }

  async unfinishedRuns(): Promise<readonly RunHead[]> {
    return this.#reader.all('unfinishedHeads', runHead);
  }

  async wakeUps(limit: number): Promise<readonly WakeUp[]> {
    return this.#reader.one('wakeUps', wakeUps, { limit }) ?? [];
  }

  async runs(
    filter: { readonly unfinished?: boolean; readonly workflowId?: string } = {},
  ): Promise<readonly RunRecord[]> {
    const { unfinished, workflowId } = filter;
    if (unfinished === true)
      return this.#reader.all('unfinished', runRecord, { workflowId: workflowId ?? null });
    return workflowId === undefined
      ? this.#reader.all('runs', runRecord)
      : this.#reader.all('runsOfWorkflow', runRecord, { workflowId });
  }

  async runsPage(
    page: Page & { readonly workflowId?: string },
  ): Promise<{ readonly runs: readonly RunRecord[]; readonly total: number }> {
    const { limit, offset, workflowId = null } = page;
    const total = this.#reader.one('runCount', (row) => integer(row, 'total'), { workflowId }) ?? 0;
    return { runs: this.#reader.all('runsPage', runRecord, { limit, offset, workflowId }), total };
  }

  async attempts(run: string): Promise<readonly AttemptRecord[]> {
    return this.#reader.all('attempts', attemptRecord, run);
  }

  async attempt(run: string, stepPath: string, attempt: number): Promise<AttemptRecord | null> {
    return this.#reader.one('attempt', attemptRecord, run, stepPath, attempt);
  }

  async parts(run: string, prefix = ''): Promise<ReadonlyMap<string, Json>> {
    const part = (row: Row) => [text(row, 'key'), json(row, 'value')] as const;
    return new Map(this.#reader.all('parts', part, { run, prefix }));
  }

  async used(meters: readonly Meter[]): Promise<readonly number[]> {
    return meters.map(({ layer, name, scope, budget }) => {
      return this.#reader.one('used', (row) => integer(row, 'used'), { layer, name, scope, budget }) ?? 0;
    });
  }

  async approval(id: string): Promise<ApprovalRecord | null> {
    return this.#reader.one('approval', approvalRecord, id);
  }

  async approvals(filter: ApprovalFilter = {}): Promise<readonly ApprovalRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.#reader.all('approvalsOfRun', approvalRecord, { ...part, run });
    return this.#reader.all(part.states === null ? 'approvals' : 'approvalsIn', approvalRecord, part);
  }

  async approvalKeys(filter: {
    readonly states: readonly ApprovalState[];
    readonly limit?: number;
  }): Promise<readonly ApprovalKey[]> {
    const { states, limit = -1 } = filter;
    return this.#reader.one('approvalKeys', approvalKeys, { states: JSON.stringify(states), limit }) ?? [];
  }

  async decidedRuns(): Promise<readonly string[]> {
    return this.#reader.all('decidedRuns', (row) => text(row, 'id'));
  }

  async task(id: string): Promise<TaskRecord | null> {
    return this.#reader.one('task', taskRecord, id);
  }

  async taskOfToken(tokenHash: Hex): Promise<TaskRecord | null> {
    return this.#reader.one('taskOfToken', taskRecord, tokenHash);
  }

  async taskOfAttempt(run: string, stepPath: string, attempt: number): Promise<TaskRecord | null> {
    return this.#reader.one('taskOfAttempt', taskRecord, run, stepPath, attempt);
  }

  async tasks(filter: TaskFilter = {}): Promise<readonly TaskRecord[]> {
    const { run } = filter;
    const part = partOf(filter);
    if (run !== undefined) return this.#reader.all('tasksOfRun', taskRecord, { ...part, run });
    return this.#reader.all(part.states === null ? 'tasks' : 'tasksIn', taskRecord, part);
  }

  async payload(commitment: Commitment): Promise<StoredPayload | null> {
    return this.#reader.one('payload', payloadRecord, Buffer.from(commitment, 'hex'));
  }

  async receipt(source: string, id: string): Promise<Receipt | null> {
    return this.#reader.one('receipt', receiptRecord, source, id);
  }

  async policyFiles(policyHash: Hex): Promise<PolicyFiles['files'] | null> {
    return this.#reader.one('policyFiles', policyFiles, policyHash);
  }

  async recordCopy(copy: HandedOutCopy): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.recordCopy).run({ ...copy }));
  }

  async copies(): Promise<readonly HandedOutCopy[]> {
    return this.#reader.all('copies', copyRecord);
  }

  async forgetCopy(path: string): Promise<void> {
    const { db, group } = this.#writing();
    await group.submit(() => db.prepare(WRITE.forgetCopy).run(path));
  }

  async unscrubbed(): Promise<readonly Commitment[]> {
    return this.#reader.all('unscrubbed', (row) => hex64(row, 'commitment'));
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
    const state = this.#reader.one('log', logState);
    if (state === null) throw this.#missing('the state of the log');
    return state;
  }

  async entries(first: bigint, end: bigint, limit: number): Promise<readonly LogRow[]> {
    return this.#reader.all('entries', logRow, first, end, limit);
  }

  async entriesOfRun(
    run: string,
    { from, limit }: { readonly from: number; readonly limit: number } = { from: 0, limit: -1 },
  ): Promise<readonly LogRow[]> {
    if (limit < 0 || limit > MOST_TOGETHER) return this.#reader.all('entriesOfRun', logRow, run, from, limit);
    return this.#reader.one('entriesTogether', (row) => logRowsTogether(row, run), run, from, limit) ?? [];
  }

  async lastOfRun(run: string, types: readonly string[]): Promise<LogRow | null> {
    return this.#reader.one('lastOfRun', logRow, { run, types: JSON.stringify(types) });
  }

  async entriesOfApproval(id: string): Promise<readonly LogRow[]> {
    return this.#reader.all('entriesOfApproval', logRow, id);
  }

  async entriesOfTask(id: string): Promise<readonly LogRow[]> {
    return this.#reader.all('entriesOfTask', logRow, id);
  }

  async ownEntries(type: string, limit: number): Promise<readonly LogRow[]> {
    return this.#reader.all('ownEntries', logRow, type, limit);
  }

  async entryBytes(first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = this.#recent.between(first, end);
    if (recent !== null) return recent.map(({ bytes }) => bytes);
    const found = this.#reader.one('entryBytes', joinedValues, first, end);
    if (found?.length !== count) throw this.#missing(`an entry in ${first}..${end - 1n}`);
    return found;
  }

  async hashes(level: number, first: bigint, count: number): Promise<readonly Uint8Array[]> {
    const end = first + BigInt(count);
    const recent = level === 0 ? this.#recent.between(first, end) : null;
    if (recent !== null) return recent.map(({ leafHash }) => leafHash);
    const found =
      level === 0
        ? this.#reader.one('leafHashes', joinedValues, first, end)
        : this.#reader.one('subtreeHashes', joinedValues, level, first, end);
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
    return this.#reader.one('lastCheckpoint', checkpointRow);
  }

  async anchorCheckpoint(size: bigint, before: string, after: string, atMs: number): Promise<boolean> {
    const { db, group } = this.#writing();
    return group.submit(() => {
      const { changes } = db.prepare(WRITE.anchorCheckpoint).run({ size, before, after, atMs });
      return changes === 1;
    });
  }

  async anchoredCheckpoints(limit: number): Promise<readonly AnchoredCheckpointRow[]> {
    return this.#reader.all('anchoredCheckpoints', anchoredCheckpointRow, limit);
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
    return Number(this.#reader.value('dataVersion'));
  }

  async close(): Promise<void> {
    if (!this.#reader.isOpen) return;
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
      const failure = storeError(error, this.#file, 'close');
      // No room or no right to tidy up: everything is where the next one who opens it finds it.
      if (failure.code !== 'STORE_FULL' && failure.code !== 'STORE_READ_ONLY') throw failure;
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

  #missing(what: string): WritError {
    return new WritError('STORE_IO', `${what} is missing in ${this.#file}`, {
      hint: 'stop, restore a backup of the data directory and run writ audit verify on it',
    });
  }
}
