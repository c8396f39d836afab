// How an approval lies in its table, both ways.
import { isList, isObject, type Json, type JsonObject } from '../../../json.js';
import {
  APPROVAL_STATES,
  type ApprovalKey,
  type ApprovalRecord,
  type ApprovalReview,
  type Escalation,
  type Vote,
} from '../../../runtime/ports.js';
import { checkHex, damaged, hex64, integer, jsonArray, jsonObject, oneOf, text, type Row } from './column.js';
import { listOf, words, word, wordOrNull, whole } from './json-column.js';

const MODES = ['none', 'async', 'sync', 'two-person'] as const;

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
      repository: record.repository,
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
    if (!isList(value)) throw damaged('keys');
    const [id, run, stepPath, functionId, expiresAtMs] = value;
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
  repository,
  editors,
  redriver,
  author,
  review,
}: JsonObject): Pick<ApprovalRecord, 'repository' | 'editors' | 'redriver' | 'author' | 'review'> {
  return {
    ...(repository === undefined ? {} : { repository: word(repository, 'more') }),
    ...(editors === undefined ? {} : { editors: words(editors, 'more') }),
    ...(redriver === undefined ? {} : { redriver: word(redriver, 'more') }),
    ...(author === undefined ? {} : { author: word(author, 'more') }),
    ...(review === undefined ? {} : { review: approvalReview(review) }),
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

function factor(value: Json): ApprovalRecord['quorum'][number] {
  if (!isObject(value)) throw damaged('quorum');
  const later = value['escalation'];
  return {
    role: word(value['role'], 'quorum'),
    n: whole(value['n'], 'quorum'),
    ...(later === undefined ? {} : { escalation: listOf(later, 'quorum').map(escalation) }),
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
