// One line for each committed log entry that a person watching a run wants to see. Entries carry public facts only,
// and a line is printed after the commit, so what is shown has happened.
import { isObject, type Json, type JsonObject } from '../json.js';
import type { EntryNotice } from '../runtime/writ.js';
import { printable, shortReference } from './output.js';
import { clockText, durationText } from './time-text.js';

/** Null for entries that are evidence rather than progress. */
export function progressLine(notice: EntryNotice): string | null {
  const what = describe(notice);
  return what === null ? null : `${clockText(notice.timeMs)}  ${what}`;
}

/** How long what was counted may stay untold while more items end. */
const COUNT_EVERY_MS = 2_000;
/** Lines about single items, of one map. */
const ITEM_LINES = 20;

interface ItemCount {
  succeeded: number;
  failed: number;
  /** Since this was told last. */
  untold: number;
  toldAtMs: number;
  /** Lines about single items so far. */
  lines: number;
}

/** Lines for a run: one per entry, but items of a map are counted, and what is said of a single one is bounded. */
export class ProgressLines {
  readonly #counts = new Map<string, ItemCount>();

  /** Lines that are due now that this entry is committed. */
  linesFor(notice: EntryNotice): readonly string[] {
    const map = mapOf(notice.data['stepPath']);
    if (map !== null) return this.#itemLines(map, notice);
    const line = progressLine(notice);
    // What follows a map comes after its count.
    return line === null ? [] : [...this.rest(notice.timeMs), line];
  }

  /** What was counted and not told yet. */
  rest(timeMs?: number): readonly string[] {
    return Array.from(this.#counts).flatMap(([map, count]) =>
      count.untold === 0 ? [] : [countLine(map, count, timeMs ?? count.toldAtMs)],
    );
  }

  #itemLines(map: string, notice: EntryNotice): readonly string[] {
    const { type, data, timeMs } = notice;
    const count = this.#counts.get(map) ?? { succeeded: 0, failed: 0, untold: 0, toldAtMs: timeMs, lines: 0 };
    this.#counts.set(map, count);
    const isEnd = type === 'step.finished' && data['calls'] === undefined;
    const isWell = type === 'step.intended' || data['status'] === 'succeeded';
    if (isEnd) {
      count.untold += 1;
      if (isWell) count.succeeded += 1;
      else count.failed += 1;
    }
    const line = isWell || count.lines > ITEM_LINES ? null : progressLine(notice);
    const own =
      line === null
        ? []
        : [
            count.lines < ITEM_LINES
              ? line
              : `step ${printable(map)}: further lines about single items are left out`,
          ];
    count.lines += own.length;
    const isDue = count.untold > 0 && timeMs - count.toldAtMs >= COUNT_EVERY_MS;
    return isDue ? [...own, countLine(map, count, timeMs)] : own;
  }
}

function countLine(map: string, count: ItemCount, timeMs: number): string {
  count.untold = 0;
  count.toldAtMs = timeMs;
  const failed = count.failed === 0 ? '' : `, ${count.failed} failed`;
  return `${clockText(timeMs)}  step ${printable(map)}: ${count.succeeded} items done${failed}`;
}

/** The map that an item is of, or that a call of an item is of; null for everything else. */
function mapOf(stepPath: Json | undefined): string | null {
  if (typeof stepPath !== 'string') return null;
  const [, map = null] = /^(.*?)(?:#\d+)?\[\d+\](?:\/call\[\d+\])?$/su.exec(stepPath) ?? [];
  return map?.endsWith('/call') === true ? null : map;
}

function describe({ type, data }: EntryNotice): string | null {
  const step = `step ${name(data['stepPath'])}`;
  switch (type) {
    case 'run.started':
      return 'run started';
    case 'authz.decided':
      return data['verdict'] === 'deny'
        ? `${step}: ${refusalOf(data['code'])}, ${name(data['code'])}${withRule(data)}`
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
    case 'step.skipped':
      return `${step}: skipped (${name(data['reason'])})`;
    case 'step.retried':
      return `${step}: attempt ${name(data['attempt'])} follows${delayText(data['delayMs'])}`;
    case 'loop.ended':
      return `${step}: ${iterationsText(data['iterations'])}${data['converged'] === true ? '' : ', until was never true'}`;
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

/** The rule that denies. One that allows, for the initiator where the agent has no right, is no reason. */
function withRule({ rules }: JsonObject): string {
  const denying = Array.isArray(rules)
    ? rules.filter((rule: Json): rule is JsonObject => isObject(rule) && rule['effect'] === 'deny')
    : [];
  const ruleId = denying[0]?.['ruleId'];
  return typeof ruleId === 'string' ? ` (${printable(ruleId)})` : '';
}

/** `1 iteration`, `3 iterations` */
export function iterationsText(iterations: Json | undefined): string {
  return iterations === 1 ? '1 iteration' : `${name(iterations)} iterations`;
}

function attemptText(attempt: Json | undefined): string {
  return typeof attempt === 'number' && attempt > 1 ? ` (attempt ${attempt})` : '';
}

function delayText(delayMs: Json | undefined): string {
  return typeof delayMs === 'number' && delayMs > 0 ? ` in ${durationText(delayMs)}` : '';
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
