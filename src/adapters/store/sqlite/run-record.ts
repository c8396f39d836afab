// How a workflow, a run, its attempts and what is kept beside them lie in their tables, both ways.
import { isList, type JsonObject } from '../../../json.js';
import type {
  AttemptRecord,
  AttemptStatus,
  HandedOutCopy,
  PolicyFiles,
  Receipt,
  RunHead,
  RunRecord,
  RunStatus,
  StoredPayload,
  WakeUp,
  WorkflowRecord,
} from '../../../runtime/ports.js';
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
  text,
  textOrNull,
  type Row,
} from './column.js';
import { word } from './json-column.js';

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

/** The one row of them: a list of lists, in their order. */
export function wakeUps(row: Row): readonly WakeUp[] {
  return jsonArray(row, 'wake_ups').map((value) => {
    const [run, atMs] = isList(value) ? value : [];
    if (typeof run !== 'string' || typeof atMs !== 'number') throw damaged('wake_at_ms');
    return { run, atMs };
  });
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

interface PlacedAttempt {
  /** Order of first appearance in the store. */
  readonly position: bigint;
  readonly record: AttemptRecord;
}

export function placedAttempt(row: Row): PlacedAttempt {
  return { position: bigint(row, 'position'), record: attemptRecord(row) };
}

/** By their steps' first start, those that never started behind, then as they appeared; `rows` come by step and attempt. */
export function inOrderOfStart(rows: readonly PlacedAttempt[]): readonly AttemptRecord[] {
  const steps = new Map<string, { startMs: number; position: bigint; readonly records: AttemptRecord[] }>();
  for (const { position, record } of rows) {
    const startMs = record.startedAtMs ?? Infinity;
    const step = steps.get(record.stepPath);
    if (step === undefined) {
      steps.set(record.stepPath, { startMs, position, records: [record] });
      continue;
    }
    step.records.push(record);
    if (startMs < step.startMs) step.startMs = startMs;
    if (position < step.position) step.position = position;
  }
  return [...steps.values()]
    .toSorted((a, b) => {
      if (a.startMs !== b.startMs) return a.startMs < b.startMs ? -1 : 1;
      return a.position < b.position ? -1 : 1;
    })
    .flatMap(({ records }) => records);
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

export function policyFiles(row: Row): PolicyFiles['files'] {
  return new Map(
    jsonArray(row, 'files').map((pair): [string, string] => {
      const [path, text] = isList(pair) ? pair : [];
      if (typeof path !== 'string' || typeof text !== 'string') throw damaged('files');
      return [path, text];
    }),
  );
}
