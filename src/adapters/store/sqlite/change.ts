// Writes one Change inside a transaction that is already open: entries first, because the other rows name their
// indices. A compare-and-set that loses throws STORE_CONFLICT; the caller then undoes the whole change.
import type { Database, Statement } from 'better-sqlite3';
import { WritError } from '../../../errors.js';
import {
  VERSION_JUMP,
  type ApprovalRecord,
  type Change,
  type Charge,
  type ChainTail,
  type Committed,
  type EntryDraft,
  type ExtendLog,
  type LogRow,
  type PartsChange,
  type Payload,
  type PolicyFiles,
  type Receipt,
  type RunRecord,
  type WorkflowRecord,
} from '../../../runtime/ports.js';
import { ChainTails } from './chain-tails.js';
import { asRow, bytes, integer } from './column.js';
import { eraser } from './erase.js';
import { approvalRow } from './approval-record.js';
import { logState } from './log-record.js';
import { ATTEMPT_COLUMNS, attemptRow, runRow, workflowRecord, workflowRow } from './run-record.js';
import { taskRow } from './task-record.js';

const SQL = {
  logState: 'SELECT * FROM log_state',
  tail: 'SELECT run_seq, leaf_hash FROM log_entry WHERE run = ? ORDER BY run_seq DESC LIMIT 1',
  addEntry: 'INSERT INTO log_entry VALUES (?, ?, ?, ?, ?, ?)',
  addSubtree: 'INSERT INTO log_subtree VALUES (@level, @index, @hash)',
  setLogState: 'UPDATE log_state SET size = ?, compact_range = ?, last_time_ms = ?',
  workflow: 'SELECT * FROM workflow WHERE id = @id AND (hash = @hash OR version = @version)',
  addWorkflow:
    'INSERT INTO workflow VALUES (@id, @hash, @version, @name, @source, @file, @createdAtMs, @author)',
  addRun: `INSERT INTO run VALUES (@id, @tenant, @workflowId, @workflowHash, @policyHash, @initiator, @status, @plan,
    @state, @waitingFor, @wakeAtMs, @agents, @createdAtMs, @updatedAtMs, @exitCode, @version)
    ON CONFLICT (id) DO NOTHING`,
  setRun: `UPDATE run SET policy_hash = @policyHash, status = @status, state = @state, waiting_for = @waitingFor,
    wake_at_ms = @wakeAtMs, agents = @agents, updated_at_ms = @updatedAtMs, exit_code = @exitCode,
    version = version + @step WHERE id = @id AND version = @version`,
  interrupt: `UPDATE run SET waiting_for = @waitingFor, wake_at_ms = @nowMs, version = version + @step
    WHERE id = @run AND status NOT IN ('completed', 'failed', 'cancelled')`,
  putPart: 'INSERT INTO run_part VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  removePart: 'DELETE FROM run_part WHERE run = ? AND key = ?',
  removeParts: 'DELETE FROM run_part WHERE run = ?',
  charge: `INSERT INTO meter (layer, name, scope, budget, used) VALUES (@layer, @name, @scope, @budget, MAX(0, @from + @add))
    ON CONFLICT DO UPDATE SET used = MIN(MAX(0, MAX(used, @from) + @add), ${Number.MAX_SAFE_INTEGER}) RETURNING used`,
  removeMeters: 'DELETE FROM meter WHERE scope = ?',
  // An intent that was logged stays logged: a later record without its index doesn't take it away.
  putAttempt: `INSERT INTO attempt (${ATTEMPT_COLUMNS})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run, step_path, attempt) DO UPDATE SET status = excluded.status, function_id = excluded.function_id,
    principal = excluded.principal, idempotency_key = excluded.idempotency_key, input = excluded.input,
    output = excluded.output, approval_id = excluded.approval_id, error = excluded.error, turn = excluded.turn,
    converged = excluded.converged,
    started_at_ms = excluded.started_at_ms, finished_at_ms = excluded.finished_at_ms,
    intent_idx = COALESCE(excluded.intent_idx, intent_idx)`,
  addApproval: `INSERT INTO approval VALUES (@id, @tenant, @run, @stepPath, @attempt, @subjectDigest, @subject, @mode,
    @quorum, @separationOfDuties, @reasonRequired, @requester, @initiator, @functionId, @demandedBy, @policyHash,
    @createdAtMs, @expiresAtMs, @state, @votes, @version, @more) ON CONFLICT (id) DO NOTHING`,
  // Only the decision moves. What was asked (digest, quorum, expiry) is never rewritten.
  setApproval: `UPDATE approval SET state = @state, votes = @votes, more = @more, version = version + 1
    WHERE id = @id AND version = @version AND subject_digest = @subjectDigest`,
  forgetReceipts: `DELETE FROM receipt WHERE (source, id) IN
    (SELECT source, id FROM receipt WHERE until_ms <= @nowMs ORDER BY until_ms LIMIT 16)`,
  forgetReceipt: 'DELETE FROM receipt WHERE source = @source AND id = @id AND until_ms <= @nowMs',
  addReceipt: `INSERT INTO receipt VALUES (@source, @id, @digest, @answer, @untilMs)
    ON CONFLICT (source, id) DO NOTHING`,
  addTask: `INSERT INTO task VALUES (@id, @run, @stepPath, @attempt, @tokenHash, @state, @aliveAtMs, @answer, @facts,
    @createdAtMs, @version) ON CONFLICT DO NOTHING`,
  // What was asked for is never rewritten, and what is over stays so.
  setTask: `UPDATE task SET state = @state, alive_at_ms = @aliveAtMs, answer = @answer, version = version + 1
    WHERE id = @id AND version = @version AND state IN ('open', 'answered')`,
  closeTask: `UPDATE task SET state = @state, version = version + 1
    WHERE id = @id AND state IN ('open', 'answered')`,
  hasPolicies: 'SELECT 1 FROM policy_files WHERE policy_hash = ?',
  dropPolicies: `DELETE FROM policy_files WHERE policy_hash NOT IN
    (SELECT policy_hash FROM run WHERE status NOT IN ('completed', 'failed', 'cancelled'))`,
  addPolicies: 'INSERT INTO policy_files VALUES (?, ?)',
  addPayload: `INSERT INTO payload (commitment, label, salt, bytes, media_type, run, entry_idx)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (commitment) DO NOTHING`,
} as const;

export interface ChangeWriter {
  /** Inside an open transaction. Throws STORE_CONFLICT, what `extendLog` throws, or a driver error. */
  write(change: Change, nowMs: number): Written;
}

/** What was committed, and its rows of the log. */
export interface Written extends Committed {
  readonly rows: readonly LogRow[];
}

/** Statements are compiled once per connection. */
export function changeWriter(db: Database, extendLog: ExtendLog): ChangeWriter {
  const statements = new Map<string, Statement>();
  const erase = eraser(db);
  const tails = new ChainTails();
  const sql = (name: keyof typeof SQL): Statement => {
    const known = statements.get(name) ?? db.prepare(SQL[name]);
    statements.set(name, known);
    return known;
  };
  return {
    write(change, nowMs) {
      const committed = append(sql, tails, extendLog, change.entries, nowMs);
      const indexOf = (position: number): bigint => entryIndex(committed, position);
      for (const record of change.workflows ?? []) putWorkflow(sql, record);
      for (const { op, record, jump } of change.runs ?? [])
        putRun(sql, op, record, jump === true ? VERSION_JUMP : 1);
      for (const charge of change.charges ?? []) putCharge(sql, charge);
      for (const parts of change.parts ?? []) putParts(sql, parts);
      for (const interrupt of change.interrupts ?? []) putInterrupt(sql, interrupt, nowMs);
      for (const { record, intentEntry } of change.attempts ?? []) {
        const intent = intentEntry === undefined ? record.intentIndex : indexOf(intentEntry);
        sql('putAttempt').run(attemptRow(record, intent));
      }
      for (const { op, record } of change.approvals ?? []) putApproval(sql, op, record);
      for (const task of change.tasks ?? []) putTask(sql, task);
      for (const { payload, entry } of change.payloads ?? []) putPayload(sql, payload, indexOf(entry));
      for (const { commitment, entry } of change.erasures ?? []) erase(commitment, indexOf(entry));
      for (const kept of change.policies ?? []) putPolicies(sql, kept);
      for (const receipt of change.receipts ?? []) putReceipt(sql, receipt, nowMs);
      return committed;
    },
  };
}

type Sql = (name: keyof typeof SQL) => Statement;

function append(
  sql: Sql,
  known: ChainTails,
  extendLog: ExtendLog,
  drafts: readonly EntryDraft[],
  nowMs: number,
): Written {
  if (drafts.length === 0) return { entries: [], rows: [] };
  const state = asRow(sql('logState').get());
  const before = logState(state);
  const range = bytes(state, 'compact_range');
  const tails = new Map<string, ChainTail>();
  for (const run of new Set(drafts.map((draft) => draft.run ?? ''))) {
    const tail = known.of(run, range) ?? storedTail(sql, run);
    if (tail !== null) tails.set(run, tail);
  }
  const { log, rows, subtrees } = extendLog(before, tails, drafts, nowMs);
  if (rows.length !== drafts.length || log.size !== before.size + BigInt(rows.length)) {
    throw new WritError('INTERNAL', `the log gave ${rows.length} rows for ${drafts.length} entries`);
  }
  const addEntry = sql('addEntry');
  let next = before.size;
  for (const row of rows) {
    if (row.index !== next)
      throw new WritError('INTERNAL', `the log gave index ${row.index} at size ${next}`);
    addEntry.run(row.index, row.bytes, row.leafHash, row.run, row.seq, row.type);
    next += 1n;
  }
  for (const subtree of subtrees) sql('addSubtree').run(subtree);
  const after = Buffer.concat(log.compactRange);
  sql('setLogState').run(log.size, after, log.lastTimeMs);
  known.extended(range, rows, after);
  return {
    rows,
    entries: rows.map(({ index, leafHash }) => ({ index, leafHash, timeMs: log.lastTimeMs })),
  };
}

function storedTail(sql: Sql, run: string): ChainTail | null {
  const row = sql('tail').get(run);
  if (row === undefined) return null;
  return { seq: integer(asRow(row), 'run_seq'), leafHash: bytes(asRow(row), 'leaf_hash') };
}

function entryIndex(committed: Committed, position: number): bigint {
  const entry = committed.entries[position];
  if (entry === undefined)
    throw new WritError('INTERNAL', `a change names entry ${position}, which it does not have`);
  return entry.index;
}

/** The same content under the same version again changes nothing; anything else under either key is a conflict. */
function putWorkflow(sql: Sql, record: WorkflowRecord): void {
  const known = sql('workflow').all({ id: record.id, hash: record.hash, version: record.version });
  if (known.length === 0) {
    sql('addWorkflow').run(workflowRow(record));
    return;
  }
  for (const row of known) {
    const { hash, version } = workflowRecord(asRow(row));
    if (hash !== record.hash || version !== record.version) {
      throw conflict(`workflow ${record.id} has version ${version} already`);
    }
  }
}

function putRun(sql: Sql, op: 'insert' | 'update', record: RunRecord, step: number): void {
  const { changes } =
    op === 'insert'
      ? sql('addRun').run({ ...runRow(record), plan: JSON.stringify(record.plan) })
      : sql('setRun').run({ ...runRow(record), step });
  if (changes !== 1) throw lost('run', op, record);
}

function putInterrupt(
  sql: Sql,
  { run, waitingFor }: NonNullable<Change['interrupts']>[number],
  nowMs: number,
): void {
  const row = { run, waitingFor: JSON.stringify(waitingFor), step: VERSION_JUMP, nowMs };
  if (sql('interrupt').run(row).changes !== 1) throw conflict(`run ${run} has finished, or is not there`);
}

function putParts(sql: Sql, { run, put, removed, ended, mayGoOn }: PartsChange): void {
  if (ended) {
    sql('removeParts').run(run);
    if (mayGoOn !== true) sql('removeMeters').run(run);
  }
  for (const key of removed) sql('removePart').run(run, key);
  for (const [key, value] of put) sql('putPart').run(run, key, JSON.stringify(value));
}

function putCharge(sql: Sql, { layer, name, scope, budget, add, atMost, from = 0 }: Charge): void {
  const used = integer(asRow(sql('charge').get({ layer, name, scope, budget, add, from })), 'used');
  if (atMost !== null && used > atMost) {
    throw conflict(`the budget ${budget} of ceiling ${name} (${layer}) has no room for ${add}`);
  }
}

function putApproval(sql: Sql, op: 'insert' | 'update', record: ApprovalRecord): void {
  const { changes } = sql(op === 'insert' ? 'addApproval' : 'setApproval').run(approvalRow(record));
  if (changes !== 1) throw lost('approval', op, record);
}

function putTask(sql: Sql, task: NonNullable<Change['tasks']>[number]): void {
  if (task.op === 'close') {
    sql('closeTask').run({ id: task.id, state: task.state });
    return;
  }
  const { op, record } = task;
  const { changes } = sql(op === 'insert' ? 'addTask' : 'setTask').run(taskRow(record));
  if (changes !== 1) throw lost('task', op, record);
}

function putPayload(sql: Sql, payload: Payload, index: bigint): void {
  const { commitment, label, salt, bytes, mediaType, run } = payload;
  const { changes } = sql('addPayload').run(
    Buffer.from(commitment, 'hex'),
    label,
    salt,
    bytes,
    mediaType,
    run,
    index,
  );
  if (changes !== 1) throw conflict(`a payload with commitment ${commitment} exists already`);
}

/** Runs begin under the same policies a thousand times: only with new ones is anything written, or looked for to go. */
function putPolicies(sql: Sql, { policyHash, files }: PolicyFiles): void {
  if (sql('hasPolicies').get(policyHash) !== undefined) return;
  sql('dropPolicies').run();
  sql('addPolicies').run(policyHash, JSON.stringify([...files]));
}

/** What may be forgotten goes first, a bounded number at a time: a receipt that is over is none. */
function putReceipt(sql: Sql, receipt: Receipt, nowMs: number): void {
  sql('forgetReceipts').run({ nowMs });
  sql('forgetReceipt').run({ nowMs, source: receipt.source, id: receipt.id });
  const row = { ...receipt, answer: JSON.stringify(receipt.answer) };
  if (sql('addReceipt').run(row).changes !== 1) {
    throw conflict(`a message of ${receipt.source} with this id was received before`);
  }
}

function lost(what: string, op: 'insert' | 'update', record: { id: string; version: number }): WritError {
  return conflict(
    op === 'insert'
      ? `${what} ${record.id} exists already`
      : `${what} ${record.id} is no longer at version ${record.version}`,
  );
}

function conflict(message: string): WritError {
  return new WritError('STORE_CONFLICT', message, { hint: 'read it again and decide anew' });
}
