// One line for each committed log entry that a person watching a run wants to see. Entries carry public facts only,
// and a line is printed after the commit, so what is shown has happened.
import { mapOf, stepLabel } from '../../engine/step-path.js';
import { isObject, type Json, type JsonObject } from '../../json.js';
import type { EntryNotice } from '../../runtime/writ.js';
import { printable, shortReference } from '../output.js';
import { clockText, durationText } from '../time-text.js';

/** How long what was counted may stay untold while more items end. */
const COUNT_EVERY_MS = 2_000;
/** Lines about single items, of one map. */
const ITEM_LINES = 20;
/** Lines about what was refused beside the start of a step, of one step: a program in a sandbox may ask for any host. */
const ASIDE_LINES = 20;

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
  /** Turns that a conversation has taken, by step path: the next one is no attempt of its own. */
  readonly #turns = new Map<string, number>();
  /** What was refused beside the start of a step and is told, by step path. */
  readonly #asides = new Map<string, Set<string>>();
  readonly #nameOf: (key: string) => string | null;

  /** `nameOf`: what the document calls the step of this key; null = nothing else than the key. */
  constructor(nameOf: (key: string) => string | null = () => null) {
    this.#nameOf = nameOf;
  }

  /** Lines that are due now that this entry is committed. */
  linesFor(notice: EntryNotice): readonly string[] {
    const { stepPath } = notice.data;
    const map = typeof stepPath === 'string' ? mapOf(stepPath) : null;
    const line = this.#line(notice);
    if (map !== null) return this.#itemLines(map, notice, line);
    // What follows a map comes after its count.
    return line === null ? [] : [...this.rest(notice.timeMs), line];
  }

  /** What was counted and not told yet. */
  rest(timeMs?: number): readonly string[] {
    return Array.from(this.#counts).flatMap(([map, count]) =>
      count.untold === 0 ? [] : [this.#countLine(map, count, timeMs ?? count.toldAtMs)],
    );
  }

  /** Null for entries that are evidence rather than progress. */
  #line(notice: EntryNotice): string | null {
    const { type, data, timeMs } = notice;
    const { stepPath } = data;
    const path = typeof stepPath === 'string' ? stepPath : '';
    const turns = this.#turns.get(path) ?? 0;
    const what =
      type === 'authz.decided' && data['attempt'] === null
        ? this.#aside(path, data)
        : describe(notice, { step: `step ${this.#label(path)}`, turns });
    if (type === 'step.finished') {
      if (data['calls'] === undefined) this.#turns.delete(path);
      else this.#turns.set(path, turns + 1);
    }
    return what === null ? null : `${clockText(timeMs)}  ${what}`;
  }

  /** A refusal that is not the step's own: each act on each resource once. Who may not answer a task is told so itself. */
  #aside(path: string, data: JsonObject): string | null {
    if (data['verdict'] !== 'deny' || data['action'] === 'task.answer') return null;
    const of = path === '' ? 'run' : `step ${this.#label(path)}`;
    const act = `${name(data['action'])} on ${name(data['resource'])}`;
    const told = this.#asides.get(path) ?? new Set<string>();
    this.#asides.set(path, told);
    if (told.has(act) || told.size > ASIDE_LINES) return null;
    told.add(act);
    if (told.size > ASIDE_LINES) return `${of}: further refusals beside it are left out`;
    return `${of}: ${act} refused, ${name(data['code'])}${causeText(data['reason'])}`;
  }

  #label(path: string): string {
    return path === '' ? '-' : printable(stepLabel(this.#nameOf, path));
  }

  #itemLines(map: string, notice: EntryNotice, told: string | null): readonly string[] {
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
    const line = isWell || count.lines > ITEM_LINES ? null : told;
    const own =
      line === null
        ? []
        : [
            count.lines < ITEM_LINES
              ? line
              : `step ${this.#label(map)}: further lines about single items are left out`,
          ];
    count.lines += own.length;
    const isDue = count.untold > 0 && timeMs - count.toldAtMs >= COUNT_EVERY_MS;
    return isDue ? [...own, this.#countLine(map, count, timeMs)] : own;
  }

  #countLine(map: string, count: ItemCount, timeMs: number): string {
    count.untold = 0;
    count.toldAtMs = timeMs;
    const failed = count.failed === 0 ? '' : `, ${count.failed} failed`;
    return `${clockText(timeMs)}  step ${this.#label(map)}: ${count.succeeded} items done${failed}`;
  }
}

interface Told {
  /** `step <name>` */
  readonly step: string;
  /** Turns of its conversation before this entry. */
  readonly turns: number;
}

function describe({ type, data }: EntryNotice, { step, turns }: Told): string | null {
  switch (type) {
    case 'run.started':
      return 'run started';
    case 'run.redriven':
      return `run goes on where it stood (redrive ${name(data['redrive'])})`;
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
      return turns > 0
        ? `${step}: goes on, turn ${turns + 1}`
        : `${step}: started${roundText(data)}, ${reference(data['function'])}`;
    case 'task.opened':
      return `${step}: waits for ${data['kind'] === 'person' ? 'a person' : 'an answer by token'}, task ${name(data['taskId'])}`;
    case 'task.answered':
      return `task ${name(data['taskId'])}: ${name(data['answer'])} by ${name(data['by'])}`;
    case 'step.finished':
      if (typeof data['calls'] === 'number')
        return `${step}: asks for ${callsText(data['calls'])}${tookText(data['durationMs'])}`;
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

/** Which round it is, where it is not the first: attempts are counted through all iterations of a loop. */
function roundText({ attempt, iteration }: JsonObject): string {
  if (typeof iteration === 'number') return iteration > 0 ? ` (iteration ${iteration + 1})` : '';
  return typeof attempt === 'number' && attempt > 1 ? ` (attempt ${attempt})` : '';
}

function callsText(calls: number): string {
  return calls === 1 ? '1 call' : `${calls} calls`;
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

function causeText(reason: Json | undefined): string {
  return typeof reason === 'string' && reason !== '' ? ` (${printable(reason)})` : '';
}

function tookText(durationMs: Json | undefined): string {
  return typeof durationMs === 'number' ? ` in ${durationText(durationMs)}` : '';
}

const PAST: Readonly<Record<string, string>> = { approve: 'approved', deny: 'denied', revoke: 'revoked' };

function pastOf(decision: Json | undefined): string {
  return typeof decision === 'string' ? (PAST[decision] ?? printable(decision)) : '-';
}
