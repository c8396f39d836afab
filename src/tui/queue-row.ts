// One request as a row of the inbox: what it is about, how long it stays, who has voted, and whether this person can
// decide it. A row names a request, it does not show it: what is too long is cut with a mark, and opened to be read.
import { whyBarred } from '../approval/ballot.js';
import { revealHidden } from '../approval/display.js';
import type { ApprovalKey, ApprovalRecord } from '../runtime/ports.js';
import { differenceText } from './time-left.js';

const CUT = '~';

export interface RowContext {
  readonly approver: string;
  readonly nowMs: number;
  readonly columns: number;
}

export const QUEUE_HEAD = 'expires in  votes  run (end)  step, function, asked by';
/** Of a run's id, by which those of one workflow differ; `workflow list --runs` shows the whole. */
const RUN_END = 6;

/** At most `columns` characters. */
export function queueRow(record: ApprovalRecord, { approver, nowMs, columns }: RowContext): string {
  const given = record.votes.filter((vote) => vote.decision === 'approve').length;
  const needed = record.quorum.reduce((sum, factor) => sum + factor.n, 0);
  const left = differenceText(record.expiresAtMs - nowMs).padEnd(10);
  const votes = `${given}/${needed}`.padEnd(5);
  const run = revealHidden(record.run.slice(-RUN_END)).padEnd(9);
  const notice = noticeOf(record, approver);
  const what = [
    ...(notice === null ? [] : [`(${notice})`]),
    revealHidden(record.stepPath),
    short(revealHidden(record.functionId)),
    revealHidden(record.requester),
  ].join('  ');
  return cut(`${left}  ${votes}  ${run}  ${what}`, columns);
}

/** Why this person can't decide it; null = nothing that the request itself says. Policy is asked when they vote. */
export function noticeOf(record: ApprovalRecord, approver: string): string | null {
  if (record.votes.some((vote) => vote.approver === approver)) return 'you have voted';
  switch (whyBarred(record, approver)) {
    case null:
      return null;
    case 'changed the input':
      return 'you have changed it';
    case 'wrote the workflow':
      return 'your workflow';
    case 'started this run':
    case 'redrove this run or step':
    case 'asked for this':
      return 'yours';
  }
}

/** Items of one map and calls of one step: what may be read and approved together. */
export function batchKey(record: Pick<ApprovalKey, 'run' | 'functionId' | 'stepPath'>): string {
  return `${record.run} ${record.functionId} ${record.stepPath.replace(/\[\d+\]/gu, '[]')}`;
}

/** A package is named by the end of its path and the beginning of its digest. */
function short(reference: string): string {
  return reference.replace(/^(?:[^@]*\/)?([^@/]+)@sha256:([0-9a-f]{12})[0-9a-f]{52}$/u, '$1@$2');
}

function cut(text: string, columns: number): string {
  const characters = [...text];
  // Wide characters count two columns.
  let used = 0;
  for (const [at, character] of characters.entries()) {
    used += character > '\u02ff' ? 2 : 1;
    if (used > columns) return `${characters.slice(0, Math.max(0, at - 1)).join('')}${CUT}`;
  }
  return text;
}
