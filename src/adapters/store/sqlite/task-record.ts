// How a task that waits for an answer from outside lies in its table, both ways. The token is not among it, only its hash.
import { isObject } from '../../../json.js';
import { TASK_STATES, type TaskAnswer, type TaskRecord } from '../../../runtime/ports.js';
import {
  checkHex,
  damaged,
  hex64OrNull,
  integer,
  json,
  jsonObject,
  oneOf,
  type Row,
  text,
} from './column.js';
import { whole, word, wordOrNull, words } from './json-column.js';

const ASSURANCES = ['os', 'key', 'oidc', 'token'] as const satisfies readonly TaskAnswer['assurance'][];

export function taskRow(record: TaskRecord): Row {
  const { id, run, stepPath, attempt, tokenHash, state, aliveAtMs, answer, createdAtMs, version } = record;
  const { tenant, kind, functionId, initiator, roles, separationOfDuties, redriver } = record;
  const { outputBytes, expiresAtMs, heartbeatMs } = record;
  const asked = { tenant, kind, functionId, initiator, roles, separationOfDuties, redriver };
  return {
    ...{ id, run, stepPath, attempt, tokenHash, state, aliveAtMs, createdAtMs, version },
    answer: JSON.stringify(answer),
    facts: JSON.stringify({ ...asked, outputBytes, expiresAtMs, heartbeatMs }),
  };
}

export function taskRecord(row: Row): TaskRecord {
  const facts = jsonObject(row, 'facts');
  const { roles, separationOfDuties, redriver, heartbeatMs } = facts;
  if (typeof separationOfDuties !== 'boolean') throw damaged('facts');
  return {
    id: text(row, 'id'),
    tenant: word(facts['tenant'], 'facts'),
    run: text(row, 'run'),
    stepPath: text(row, 'step_path'),
    attempt: integer(row, 'attempt'),
    kind: oneOf(['token', 'person'] as const, facts['kind'], 'facts'),
    tokenHash: hex64OrNull(row, 'token_hash'),
    functionId: word(facts['functionId'], 'facts'),
    initiator: word(facts['initiator'], 'facts'),
    roles: words(roles, 'facts'),
    separationOfDuties,
    ...(redriver === undefined ? {} : { redriver: word(redriver, 'facts') }),
    outputBytes: whole(facts['outputBytes'], 'facts'),
    createdAtMs: integer(row, 'created_at_ms'),
    expiresAtMs: whole(facts['expiresAtMs'], 'facts'),
    heartbeatMs: heartbeatMs === null ? null : whole(heartbeatMs, 'facts'),
    aliveAtMs: integer(row, 'alive_at_ms'),
    state: oneOf(TASK_STATES, row['state'], 'state'),
    answer: answerOf(row),
    version: integer(row, 'version'),
  };
}

function answerOf(row: Row): TaskAnswer | null {
  const answer = json(row, 'answer');
  if (answer === null) return null;
  if (!isObject(answer)) throw damaged('answer');
  return {
    kind: oneOf(['success', 'failure'] as const, answer['kind'], 'answer'),
    by: word(answer['by'], 'answer'),
    assurance: oneOf(ASSURANCES, answer['assurance'], 'answer'),
    // Rows of earlier versions have no signature: such an answer counts as one that nobody has signed.
    keyId: wordOrNull(answer['keyId'] ?? null, 'answer'),
    signature: wordOrNull(answer['signature'] ?? null, 'answer'),
    atMs: whole(answer['atMs'], 'answer'),
    payload: checkHex(answer['payload'], 'answer'),
  };
}
