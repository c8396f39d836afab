// The queries of the embedded store, on a connection of their own that sees committed data only.
import type { Database, Statement } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import { asRow, type Row } from './column.js';
import { storeError } from './driver-error.js';

/**
 * The values of `query` in one blob, and their lengths: what a tile needs of 256 rows, in a fifth of the time that the
 * driver takes for a value a row. Bytes are kept as they are, whatever they are; the order is the query's.
 */
const joined = (query: string): string =>
  `SELECT CAST(group_concat(value, '') AS BLOB) AS joined, group_concat(length(value)) AS lengths FROM (${query})`;

/** Those behind (@afterMs, @afterId), where there is such; @limit -1 = all. */
const listed = (table: 'approval' | 'task', condition: string): string =>
  `SELECT * FROM ${table} WHERE ${condition}
    AND (@afterMs IS NULL OR (created_at_ms, id) > (@afterMs, @afterId)) ORDER BY created_at_ms, id LIMIT @limit`;

const IN_STATES = 'state IN (SELECT value FROM json_each(@states))';

const QUERIES = {
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
  unfinishedHeads: `SELECT id, tenant, workflow_id, workflow_hash, policy_hash, initiator, status FROM run
    WHERE status NOT IN ('completed', 'failed', 'cancelled') ORDER BY created_at_ms, id`,
  // From indexes that hold the time, whose conditions are in it; the planner would take the rows of tasks. One value, as
  // approvalKeys. A run with many tasks is among the first @limit once, so that others are too.
  wakeUps: `SELECT json_group_array(json_array(run, at_ms)) AS wake_ups FROM (
    SELECT id AS run, wake_at_ms AS at_ms FROM run WHERE wake_at_ms IS NOT NULL
    UNION ALL
    SELECT run, MIN(alive_at_ms + (facts ->> 'heartbeatMs')) FROM task INDEXED BY task_silence
      WHERE state = 'open' AND (facts ->> 'heartbeatMs') IS NOT NULL GROUP BY run
    UNION ALL
    SELECT run, 0 FROM task WHERE state = 'answered' GROUP BY run
    ORDER BY at_ms, run LIMIT @limit)`,
  unfinished: `SELECT * FROM run WHERE status NOT IN ('completed', 'failed', 'cancelled')
    AND (@workflowId IS NULL OR workflow_id = @workflowId) ORDER BY created_at_ms, id`,
  // As their index has them.
  attempts: 'SELECT * FROM attempt WHERE run = ? ORDER BY step_path, attempt',
  attempt: 'SELECT * FROM attempt WHERE run = ? AND step_path = ? AND attempt = ?',
  parts: 'SELECT key, value FROM run_part WHERE run = @run AND substr(key, 1, length(@prefix)) = @prefix',
  used: 'SELECT used FROM meter WHERE scope = @scope AND layer = @layer AND name = @name AND budget = @budget',
  approval: 'SELECT * FROM approval WHERE id = ?',
  approvals: listed('approval', '@states IS NULL'),
  approvalsIn: listed('approval', IN_STATES),
  approvalsOfRun: listed('approval', `run = @run AND (@states IS NULL OR ${IN_STATES})`),
  // As one value: the driver takes longer for many than SQLite for reading them. Items of a map expire at one moment: there
  // the order in which they were asked for says which is first.
  approvalKeys: `SELECT json_group_array(json_array(id, run, step_path, function_id, expires_at_ms)) AS keys FROM (
    SELECT * FROM approval WHERE state IN (SELECT value FROM json_each(@states))
    ORDER BY expires_at_ms, rowid LIMIT @limit)`,
  // The condition of the index is in it: rows hold plan and state.
  decidedRuns: `SELECT id FROM run AS one
    WHERE status NOT IN ('completed', 'failed', 'cancelled') AND status = 'waiting' AND EXISTS (
      SELECT 1 FROM approval WHERE run = one.id AND state IN ('approved', 'denied', 'expired', 'revoked'))
    ORDER BY created_at_ms, id`,
  task: 'SELECT * FROM task WHERE id = ?',
  taskOfToken: 'SELECT * FROM task WHERE token_hash = ?',
  taskOfAttempt: 'SELECT * FROM task WHERE run = ? AND step_path = ? AND attempt = ?',
  tasks: listed('task', '@states IS NULL'),
  tasksIn: listed('task', IN_STATES),
  tasksOfRun: listed('task', `run = @run AND (@states IS NULL OR ${IN_STATES})`),
  payload: 'SELECT * FROM payload WHERE commitment = ?',
  policyFiles: 'SELECT files FROM policy_files WHERE policy_hash = ?',
  receipt: 'SELECT * FROM receipt WHERE source = ? AND id = ?',
  copies: 'SELECT * FROM handed_out ORDER BY made_at_ms, path',
  unscrubbed: 'SELECT lower(hex(commitment)) AS commitment FROM unscrubbed ORDER BY 1',
  log: 'SELECT * FROM log_state',
  entries: 'SELECT * FROM log_entry WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?',
  // A limit below 0 is none.
  entriesOfRun: 'SELECT * FROM log_entry WHERE run = ? AND run_seq >= ? ORDER BY run_seq LIMIT ?',
  // Looked through where they lie: of ten thousand items a few are shown. A CASE asks nothing of what is no JSON.
  entriesOfSteps: `SELECT * FROM log_entry WHERE run = @run AND CASE
      WHEN NOT json_valid(CAST(bytes AS TEXT)) THEN TRUE
      WHEN json_type(CAST(bytes AS TEXT), '$.data.stepPath') IS NOT 'text' THEN TRUE
      ELSE json_extract(CAST(bytes AS TEXT), '$.data.stepPath') IN (SELECT value FROM json_each(@stepPaths)) END
    ORDER BY run_seq`,
  lastOfRun: `SELECT * FROM log_entry WHERE run = @run AND type IN (SELECT value FROM json_each(@types))
    ORDER BY run_seq DESC LIMIT 1`,
  // As the index of it says.
  entriesOfApproval: `SELECT * FROM log_entry WHERE type GLOB 'approval.*' AND json_valid(CAST(bytes AS TEXT))
    AND json_extract(CAST(bytes AS TEXT), '$.data.approvalId') = ? ORDER BY idx`,
  entriesOfTask: `SELECT * FROM log_entry WHERE type GLOB 'task.*' AND json_valid(CAST(bytes AS TEXT))
    AND json_extract(CAST(bytes AS TEXT), '$.data.taskId') = ? ORDER BY idx`,
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

export type Query = keyof typeof QUERIES;

/** Prepares each query when it is first asked. */
export class Reader {
  readonly #statements = new Map<Query, Statement>();

  constructor(
    private readonly db: Database,
    private readonly file: string,
  ) {}

  get isOpen(): boolean {
    return this.db.open;
  }

  close(): void {
    this.db.close();
  }

  /** Null when there is no such row. Throws what reading throws, and STORE_UNAVAILABLE once it is closed. */
  one<Found>(name: Query, decode: (row: Row) => Found, ...values: unknown[]): Found | null {
    return this.#reading(() => {
      const row = this.#statement(name).get(...values);
      return row === undefined ? null : decode(asRow(row));
    });
  }

  /** As `one`. */
  all<Found>(name: Query, decode: (row: Row) => Found, ...values: unknown[]): Found[] {
    return this.#reading(() =>
      this.#statement(name)
        .all(...values)
        .map((row) => decode(asRow(row))),
    );
  }

  /** The only column of the only row. */
  value(name: Query): unknown {
    return this.#reading(() => this.#statement(name).pluck().get());
  }

  #statement(name: Query): Statement {
    const known = this.#statements.get(name) ?? this.db.prepare(QUERIES[name]);
    this.#statements.set(name, known);
    return known;
  }

  #reading<Result>(work: () => Result): Result {
    if (!this.db.open) {
      throw new WritError('STORE_UNAVAILABLE', `the store ${this.file} is closed`, {
        hint: 'open it again',
      });
    }
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.file, 'read');
    }
  }
}
