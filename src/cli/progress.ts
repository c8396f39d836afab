// One line for each committed log entry that a person watching a run wants to see. Entries carry public facts only,
// and a line is printed after the commit, so what is shown has happened.
import type { Json } from '../json.js';
import type { EntryNotice } from '../runtime/writ.js';
import { printable, shortReference } from './output.js';
import { clockText, durationText } from './time-text.js';

/** Null for entries that are evidence rather than progress. */
export function progressLine(notice: EntryNotice): string | null {
  const what = describe(notice);
  return what === null ? null : `${clockText(notice.timeMs)}  ${what}`;
}

function describe({ type, data }: EntryNotice): string | null {
  const step = `step ${name(data['stepPath'])}`;
  switch (type) {
    case 'run.started':
      return 'run started';
    case 'authz.decided':
      return data['verdict'] === 'deny'
        ? `${step}: ${refusalOf(data['code'])}, ${name(data['code'])}${withRule(data['ruleId'])}`
        : null;
    case 'ceiling.composed':
      return null;
    case 'approval.requested':
      return `${step}: waits for approval ${name(data['approvalId'])}`;
    case 'approval.decided':
      return `approval ${name(data['approvalId'])}: ${pastOf(data['decision'])} by ${name(data['approver'])}`;
    case 'approval.expired':
      return `approval ${name(data['approvalId'])}: expired`;
    case 'approval.withdrawn':
      return `approval ${name(data['approvalId'])}: withdrawn (${name(data['cause'])})`;
    case 'approval.consumed':
      return null;
    case 'step.intended':
      return `${step}: started${attemptText(data['attempt'])}, ${reference(data['function'])}`;
    case 'step.finished':
      return `${step}: ${name(data['status'])}${codeText(data['code'])}${tookText(data['durationMs'])}`;
    case 'run.finished':
      return `run ${name(data['status'])}${reasonText(data['reason'])}`;
    default:
      return null;
  }
}

function name(value: Json | undefined): string {
  if (typeof value === 'string') return printable(value);
  return typeof value === 'number' ? String(value) : '-';
}

function reference(value: Json | undefined): string {
  return typeof value === 'string' ? shortReference(value) : '-';
}

/** The entry also records refusals that no rule made: a ceiling, a changed package, a vote that does not count. */
function refusalOf(code: Json | undefined): string {
  return typeof code === 'string' && code.startsWith('POLICY_') ? 'denied by policy' : 'refused';
}

function withRule(ruleId: Json | undefined): string {
  return typeof ruleId === 'string' ? ` (${printable(ruleId)})` : '';
}

function attemptText(attempt: Json | undefined): string {
  return typeof attempt === 'number' && attempt > 1 ? ` (attempt ${attempt})` : '';
}

function codeText(code: Json | undefined): string {
  return typeof code === 'string' ? ` ${printable(code)}` : '';
}

function reasonText(reason: Json | undefined): string {
  return typeof reason === 'string' && reason !== '' ? `: ${printable(reason)}` : '';
}

function tookText(durationMs: Json | undefined): string {
  return typeof durationMs === 'number' ? ` in ${durationText(durationMs)}` : '';
}

const PAST: Readonly<Record<string, string>> = { approve: 'approved', deny: 'denied', revoke: 'revoked' };

function pastOf(decision: Json | undefined): string {
  return typeof decision === 'string' ? (PAST[decision] ?? printable(decision)) : '-';
}
