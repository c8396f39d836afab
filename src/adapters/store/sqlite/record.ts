// Rows and records: how each record of the port lies in its table, both ways.
import type {
  AnchoredCheckpointRow,
  ApprovalKey,
  ApprovalRecord,
  ApprovalReview,
  ApprovalState,
  AttemptRecord,
  AttemptStatus,
  CheckpointRow,
  Escalation,
  HandedOutCopy,
  LogRow,
  LogState,
  PolicyFiles,
  Receipt,
  RunHead,
  RunRecord,
  RunStatus,
  StoredPayload,
  Vote,
  WorkflowRecord,
} from '../../../runtime/ports.js';
import { isObject, type Json, type JsonObject } from '../../../json.js';
import {
  bigint,
  bytes,
  bytesOrNull,
  checkHex,
  damaged,
  hex64,
  hex64OrNull,
  integer,
  integerOrNull,
  jsonArray,
  json,
  jsonObject,
  oneOf,
  type Row,
  text,
  textOrNull,
} from './column.js';

const RUN_STATUSES = [
  'pending',
  'running',
  'waiting',
  'completed',
  'failed',
  'cancelled',
  'indeterminate',
] as const satisfies readonly RunStatus[];
const ATTEMPT_STATUSES = [
  'waiting',
  'intended',
  'suspended',
  'succeeded',
  'asked',
  'failed',
  'refused',
  'timed-out',
  'cancelled',
  'indeterminate',
  'skipped',
] as const satisfies readonly AttemptStatus[];
const APPROVAL_STATES = [
  'pending',
  'approved',
  'denied',
  'expired',
  'withdrawn',
  'revoked',
  'consumed',
] as const satisfies readonly ApprovalState[];
const MODES = ['none', 'async', 'sync', 'two-person'] as const;
const HASH_BYTES = 32;

export function workflowRow(record: WorkflowRecord): Row {
  return { ...record };
}

export function workflowRecord(row: Row): WorkflowRecord {
  return {
    id: text(row, 'id'),
    hash: hex64(row, 'hash'),
    version: integer(row, 'version'),
    name: text(row, 'name'),
    source: text(row, 'source'),
    file: textOrNull(row, 'file'),
    createdAtMs: integer(row, 'created_at_ms'),
    author: textOrNull(row, 'author'),
  };
}

/** Binds `record` under the names of the run statements; its plan is bound by the insert alone. */
export function runRow(record: RunRecord): Row {
  return {
    ...record,
    state: JSON.stringify(record.state),
    waitingFor: JSON.stringify(record.waitingFor),
    agents: JSON.stringify(record.agents),
  };
}

export function runHead(row: Row): RunHead {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    workflowId: text(row, 'workflow_id'),
    workflowHash: hex64(row, 'workflow_hash'),
    policyHash: hex64(row, 'policy_hash'),
    initiator: text(row, 'initiator'),
    status: oneOf(RUN_STATUSES, row['status'], 'status'),
  };
}

export function runRecord(row: Row): RunRecord {
  return {
    ...runHead(row),
    plan: json(row, 'plan'),
    state: json(row, 'state'),
    waitingFor: json(row, 'waiting_for'),
    wakeAtMs: integerOrNull(row, 'wake_at_ms'),
    agents: agents(jsonObject(row, 'agents')),
    createdAtMs: integer(row, 'created_at_ms'),
    updatedAtMs: integer(row, 'updated_at_ms'),
    exitCode: integerOrNull(row, 'exit_code'),
    version: integer(row, 'version'),
  };
}

/**
 * The columns of an attempt as `attemptRow` gives them. They are bound by place, as all that is written for each attempt:
 * the driver looks every name up by itself, which takes as long as the statement.
 */
export const ATTEMPT_COLUMNS =
  'run, step_path, attempt, status, function_id, principal, idempotency_key, input, output, approval_id, error, ' +
  'started_at_ms, finished_at_ms, intent_idx, iteration, item, turn, converged';

/** `intentIndex` as the entries of this change say. */
export function attemptRow(record: AttemptRecord, intentIndex: bigint | null): readonly unknown[] {
  const { error, converged } = record;
  return [
    record.run,
    record.stepPath,
    record.attempt,
    record.status,
    record.functionId,
    record.principal,
    record.idempotencyKey,
    record.input,
    record.output,
    record.approvalId,
    error === null ? null : JSON.stringify(error),
    record.startedAtMs,
    record.finishedAtMs,
    intentIndex,
    record.iteration,
    record.item,
    record.turn,
    converged === null ? null : Number(converged),
  ];
}

export function attemptRecord(row: Row): AttemptRecord {
  return {
    run: text(row, 'run'),
    stepPath: text(row, 'step_path'),
    attempt: integer(row, 'attempt'),
    status: oneOf(ATTEMPT_STATUSES, row['status'], 'status'),
    functionId: text(row, 'function_id'),
    principal: text(row, 'principal'),
    idempotencyKey: text(row, 'idempotency_key'),
    input: hex64OrNull(row, 'input'),
    output: hex64OrNull(row, 'output'),
    approvalId: textOrNull(row, 'approval_id'),
    error: row['error'] === null ? null : attemptError(jsonObject(row, 'error')),
    startedAtMs: integerOrNull(row, 'started_at_ms'),
    finishedAtMs: integerOrNull(row, 'finished_at_ms'),
    intentIndex: row['intent_idx'] === null ? null : bigint(row, 'intent_idx'),
    iteration: integerOrNull(row, 'iteration'),
    item: integerOrNull(row, 'item'),
    turn: integerOrNull(row, 'turn'),
    converged: row['converged'] === null ? null : integer(row, 'converged') !== 0,
  };
}

/** Binds `record` under the names of the approval statements. */
export function approvalRow(record: ApprovalRecord): Row {
  return {
    ...record,
    quorum: JSON.stringify(record.quorum),
    separationOfDuties: record.separationOfDuties ? 1 : 0,
    reasonRequired: record.reasonRequired ? 1 : 0,
    demandedBy: JSON.stringify(record.demandedBy),
    votes: JSON.stringify(record.votes),
    more: JSON.stringify({
      editors: record.editors,
      redriver: record.redriver,
      author: record.author,
      review: record.review,
    }),
  };
}

export function approvalRecord(row: Row): ApprovalRecord {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    run: text(row, 'run'),
    stepPath: text(row, 'step_path'),
    attempt: integer(row, 'attempt'),
    subjectDigest: hex64(row, 'subject_digest'),
    subject: hex64(row, 'subject'),
    mode: oneOf(MODES, row['mode'], 'mode'),
    quorum: jsonArray(row, 'quorum').map(factor),
    separationOfDuties: integer(row, 'separation_of_duties') !== 0,
    reasonRequired: integer(row, 'reason_required') !== 0,
    requester: text(row, 'requester'),
    initiator: text(row, 'initiator'),
    functionId: text(row, 'function_id'),
    demandedBy: jsonArray(row, 'demanded_by').map((reason) => word(reason, 'demanded_by')),
    policyHash: hex64(row, 'policy_hash'),
    createdAtMs: integer(row, 'created_at_ms'),
    expiresAtMs: integer(row, 'expires_at_ms'),
    state: oneOf(APPROVAL_STATES, row['state'], 'state'),
    votes: jsonArray(row, 'votes').map(vote),
    version: integer(row, 'version'),
    ...approvalExtras(jsonObject(row, 'more')),
  };
}

/** The one row of names: a list of lists, in their order. */
export function approvalKeys(row: Row): readonly ApprovalKey[] {
  return jsonArray(row, 'keys').map((value) => {
    if (!Array.isArray(value)) throw damaged('keys');
    const [id, run, stepPath, functionId, expiresAtMs] = value as readonly Json[];
    return {
      id: word(id, 'id'),
      run: word(run, 'run'),
      stepPath: word(stepPath, 'step_path'),
      functionId: word(functionId, 'function_id'),
      expiresAtMs: whole(expiresAtMs, 'expires_at_ms'),
    };
  });
}

function approvalExtras({
  editors,
  redriver,
  author,
  review,
}: JsonObject): Pick<ApprovalRecord, 'editors' | 'redriver' | 'author' | 'review'> {
  return {
    ...(editors === undefined ? {} : { editors: words(editors, 'more') }),
    ...(redriver === undefined ? {} : { redriver: word(redriver, 'more') }),
    ...(author === undefined ? {} : { author: word(author, 'more') }),
    ...(review === undefined ? {} : { review: approvalReview(review) }),
  };
}

function escalation(value: Json): Escalation {
  if (!isObject(value)) throw damaged('quorum');
  return {
    afterSeconds: whole(value['afterSeconds'], 'quorum'),
    notifyRoles: words(value['notifyRoles'], 'quorum'),
    addRoles: words(value['addRoles'], 'quorum'),
  };
}

function approvalReview(value: Json): ApprovalReview {
  if (!isObject(value)) throw damaged('more');
  return {
    dueAtMs: whole(value['dueAtMs'], 'more'),
    closedBy: wordOrNull(value['closedBy'], 'more'),
    closedAtMs: value['closedAtMs'] === null ? null : whole(value['closedAtMs'], 'more'),
  };
}

export function payloadRecord(row: Row): StoredPayload {
  return {
    commitment: checkHex(Buffer.from(bytes(row, 'commitment')).toString('hex'), 'commitment'),
    label: text(row, 'label'),
    salt: bytesOrNull(row, 'salt'),
    bytes: bytesOrNull(row, 'bytes'),
    mediaType: text(row, 'media_type'),
    run: text(row, 'run'),
    entryIndex: bigint(row, 'entry_idx'),
    erasedBy: row['erased_by'] === null ? null : bigint(row, 'erased_by'),
  };
}

export function receiptRecord(row: Row): Receipt {
  return {
    source: text(row, 'source'),
    id: text(row, 'id'),
    digest: hex64(row, 'digest'),
    answer: json(row, 'answer'),
    untilMs: integer(row, 'until_ms'),
  };
}

export function copyRecord(row: Row): HandedOutCopy {
  return { path: text(row, 'path'), run: textOrNull(row, 'run'), madeAtMs: integer(row, 'made_at_ms') };
}

export function logState(row: Row): LogState {
  const range = bytes(row, 'compact_range');
  if (range.length % HASH_BYTES !== 0) throw damaged('compact_range');
  const compactRange: Uint8Array[] = [];
  for (let at = 0; at < range.length; at += HASH_BYTES) compactRange.push(range.slice(at, at + HASH_BYTES));
  return {
    size: bigint(row, 'size'),
    compactRange,
    lastTimeMs: integer(row, 'last_time_ms'),
    publishedSize: bigint(row, 'published_size'),
  };
}

export function logRow(row: Row): LogRow {
  return {
    index: bigint(row, 'idx'),
    bytes: bytes(row, 'bytes'),
    leafHash: bytes(row, 'leaf_hash'),
    run: text(row, 'run'),
    seq: integer(row, 'run_seq'),
    type: text(row, 'type'),
  };
}

/** Values that a query put one behind the other; none when it found no row. */
export function joinedValues(row: Row): Uint8Array[] {
  return row['joined'] === null ? [] : cut(row, 'joined', listed(row, 'lengths').map(Number));
}

/** Entries of `run` that a query put together into one row; none when it found none. */
export function logRowsTogether(row: Row, run: string): LogRow[] {
  if (row['bytes'] === null) return [];
  const entries = cut(row, 'bytes', listed(row, 'lengths').map(Number));
  const [indices, seqs, types] = [listed(row, 'indices'), listed(row, 'seqs'), listed(row, 'types')];
  const hashes = cut(
    row,
    'leaf_hashes',
    indices.map(() => HASH_BYTES),
  );
  return entries.map((bytes, at) => {
    const [index, seq, type, leafHash] = [indices[at], seqs[at], types[at], hashes[at]];
    if (index === undefined || seq === undefined || type === undefined || leafHash === undefined)
      throw damaged('bytes');
    return { index: BigInt(index), bytes, leafHash, run, seq: Number(seq), type };
  });
}

/** No word of a type or number holds a comma. */
function listed(row: Row, name: string): readonly string[] {
  return text(row, name).split(',');
}

function cut(row: Row, name: string, lengths: readonly number[]): Uint8Array[] {
  const joined = bytes(row, name);
  let at = 0;
  return lengths.map((length) => joined.subarray(at, (at += length)));
}

export function checkpointRow(row: Row): CheckpointRow {
  return { size: bigint(row, 'size'), root: bytes(row, 'root'), note: text(row, 'note') };
}

export function anchoredCheckpointRow(row: Row): AnchoredCheckpointRow {
  return { ...checkpointRow(row), anchoredAtMs: integer(row, 'cosigned_at') };
}

function agents(value: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(value).map(([role, name]) => [role, word(name, 'agents')]));
}

function attemptError(value: JsonObject): AttemptRecord['error'] {
  return {
    code: word(value['code'], 'error'),
    name: word(value['name'], 'error'),
    message: word(value['message'], 'error'),
    ...(value['hint'] === undefined ? {} : { hint: word(value['hint'], 'error') }),
  };
}

function factor(value: Json): ApprovalRecord['quorum'][number] {
  if (!isObject(value)) throw damaged('quorum');
  const later = value['escalation'];
  return {
    role: word(value['role'], 'quorum'),
    n: whole(value['n'], 'quorum'),
    ...(later === undefined ? {} : { escalation: listOf(later, 'quorum').map(escalation) }),
  };
}

function vote(value: Json): Vote {
  if (!isObject(value)) throw damaged('votes');
  return {
    seq: whole(value['seq'], 'votes'),
    approver: word(value['approver'], 'votes'),
    keyId: wordOrNull(value['keyId'], 'votes'),
    assurance: oneOf(['os', 'key', 'oidc', 'token'], value['assurance'], 'votes'),
    decision: oneOf(['approve', 'deny', 'revoke'], value['decision'], 'votes'),
    reason: value['reason'] === null ? null : checkHex(value['reason'], 'votes'),
    atMs: whole(value['atMs'], 'votes'),
    signature: wordOrNull(value['signature'], 'votes'),
    ...(value['delegation'] === undefined ? {} : { delegation: word(value['delegation'], 'votes') }),
    ...(value['breakGlass'] === true ? { breakGlass: true } : {}),
  };
}

function listOf(value: Json | undefined, column: string): readonly Json[] {
  if (!Array.isArray(value)) throw damaged(column);
  return value as readonly Json[];
}

function words(value: Json | undefined, column: string): readonly string[] {
  return listOf(value, column).map((one) => word(one, column));
}

function word(value: Json | undefined, column: string): string {
  if (typeof value !== 'string') throw damaged(column);
  return value;
}

function wordOrNull(value: Json | undefined, column: string): string | null {
  return value === null ? null : word(value, column);
}

function whole(value: Json | undefined, column: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw damaged(column);
  return value;
}

export function policyFiles(row: Row): PolicyFiles['files'] {
  return new Map(
    jsonArray(row, 'files').map((pair): [string, string] => {
      const [path, text] = Array.isArray(pair) ? (pair as readonly Json[]) : [];
      if (typeof path !== 'string' || typeof text !== 'string') throw damaged('files');
      return [path, text];
    }),
  );
}
