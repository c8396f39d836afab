// Casbin, unmodified, is the only judge. The index in front of it picks rows that could match; it must only ever
// be a superset of the matching ones. That is sound because the effect is allow-and-not-deny, `fnMatch` takes
// every character but `*` and `?` literally, and the matcher is frozen (model.ts).
// The enforcer never leaves this file: `enableEnforce(false)` or a changed row would allow everything.
import { newEnforcer, newModelFromString } from 'casbin';
import type { Enforcer } from 'casbin';
import { WritError } from '../../errors.js';
import { fnMatch, literalPrefix, literalSuffix } from './glob.js';
import { MODEL_TEXT } from './model.js';
import type { RoleEdge } from './role.js';
import { rowOf } from './rule.js';
import type { Row, RowRule } from './rule.js';

/** The engine named in decision records. */
export const ENGINE = 'casbin@5.51.1';

/** Verdict and the rule that gave it; null = no rule matched, which is a deny. All four are non-empty strings. */
export type Judge = (
  subject: string,
  domain: string,
  action: string,
  resource: string,
) => { readonly allowed: boolean; readonly ruleId: string | null };

/**
 * A judge over these rules and edges. Asks a canary deny and a canary allow first; a wrong answer throws
 * POLICY_ERROR and there is no judge. `pause` as of PolicySource.
 */
export async function createJudge(
  rules: readonly RowRule[],
  edges: readonly RoleEdge[],
  pause?: () => Promise<void>,
): Promise<Judge> {
  const model = newModelFromString(MODEL_TEXT);
  const rows = model.model.get('p')?.get('p');
  const roles = model.model.get('g')?.get('g');
  if (rows === undefined || roles === undefined) throw broken('the model has no policy or role section');
  const enforcer = await newEnforcer(model);
  // None of Casbin's own functions can be reached (traps 1 and 12), and none is copied for every row.
  const functions: unknown = enforcer['fm'].getFunctions();
  if (!(functions instanceof Map)) throw broken('its functions are no map');
  functions.clear();
  await enforcer.addFunction('fnMatch', (value: unknown, pattern: unknown) => {
    if (typeof value !== 'string' || typeof pattern !== 'string') throw broken('fnMatch needs two strings');
    return fnMatch(value, pattern);
  });
  roles.policy = edges.map(({ member, role, domain }) => [member, role, domain]);
  await enforcer.buildRoleLinks();
  checkIdentifiers(enforcer);

  // One synchronous call with the candidates in place: nothing can interleave.
  const ask: Ask = (candidates, subject, domain, action, resource) => {
    // Stock Casbin evaluates its matcher with empty strings when there are no rows.
    if (candidates.length === 0) return { allowed: false, ruleId: null };
    rows.policy = candidates as unknown as string[][];
    try {
      const [allowed, row] = enforcer.enforceExSync(subject, domain, resource, action);
      return { allowed: allowed === true, ruleId: row[5] ?? null };
    } finally {
      rows.policy = [];
    }
  };
  askCanaries(ask);
  await pause?.();
  const index = new CandidateIndex(rules);
  return (subject, domain, action, resource) => {
    if (!(isText(subject) && isText(domain) && isText(action) && isText(resource))) {
      throw new WritError(
        'POLICY_REQUEST_INVALID',
        'subject, domain, action and resource must be non-empty strings',
      );
    }
    return ask(index.candidates(domain, action, resource), subject, domain, action, resource);
  };
}

/** A caller in JavaScript may ask with anything (trap 5). */
function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/**
 * Rules by (domain, action), then by exact resource or by the longer of a glob's two literal ends: what stands before its
 * first wildcard begins every value it matches, what stands after its last one ends it.
 */
class CandidateIndex {
  readonly #cells = new Map<string, Map<string, Cell>>();
  /** Of each rule the one before it that stands under the same text, or -1. */
  readonly #before: Int32Array;

  constructor(readonly rules: readonly RowRule[]) {
    this.#before = new Int32Array(rules.length);
    let position = 0;
    for (const { domain, action, resource } of rules) {
      const { exact, prefix, suffix } = this.#cell(domain, action);
      const start = literalPrefix(resource);
      const end = literalSuffix(resource);
      if (start.length === resource.length) this.#add(exact, resource, position);
      else if (start.length >= end.length) this.#addEnd(prefix, start, position);
      else this.#addEnd(suffix, end, position);
      position += 1;
    }
  }

  #cell(domain: string, action: string): Cell {
    let actions = this.#cells.get(domain);
    if (actions === undefined) this.#cells.set(domain, (actions = new Map<string, Cell>()));
    let cell = actions.get(action);
    if (cell === undefined) {
      const ends = (): Ends => ({ positions: new Map(), lengths: [] });
      actions.set(action, (cell = { exact: new Map(), prefix: ends(), suffix: ends() }));
    }
    return cell;
  }

  #addEnd({ positions, lengths }: Ends, text: string, position: number): void {
    this.#add(positions, text, position);
    if (!lengths.includes(text.length)) lengths.push(text.length);
  }

  #add(positions: Map<string, number>, text: string, position: number): void {
    this.#before[position] = positions.get(text) ?? -1;
    positions.set(text, position);
  }

  /** In the order of the rules. */
  candidates(domain: string, action: string, resource: string): readonly Row[] {
    const found: number[] = [];
    this.#collect(found, domain, action, resource);
    if (domain !== '*') this.#collect(found, '*', action, resource);
    if (found.length > 1) found.sort((a, b) => a - b);
    const rows: Row[] = [];
    for (const position of found) {
      const rule = this.rules[position];
      if (rule !== undefined) rows.push(rowOf(rule));
    }
    return rows;
  }

  #collect(found: number[], domain: string, action: string, resource: string): void {
    const cells = this.#cells.get(domain);
    if (cells === undefined) return;
    this.#collectFrom(found, cells.get(action), resource);
    if (action !== '*') this.#collectFrom(found, cells.get('*'), resource);
  }

  #collectFrom(found: number[], cell: Cell | undefined, resource: string): void {
    if (cell === undefined) return;
    for (let at = cell.exact.get(resource) ?? -1; at >= 0; at = this.#before[at] ?? -1) found.push(at);
    for (const length of cell.prefix.lengths) {
      if (length <= resource.length)
        this.#collectGlobs(found, cell.prefix.positions.get(resource.slice(0, length)), resource);
    }
    for (const length of cell.suffix.lengths) {
      if (length <= resource.length)
        this.#collectGlobs(
          found,
          cell.suffix.positions.get(resource.slice(resource.length - length)),
          resource,
        );
    }
  }

  /** Casbin asks the same function about each row, at many times the cost: what it says no to can't match. */
  #collectGlobs(found: number[], last: number | undefined, resource: string): void {
    for (let at = last ?? -1; at >= 0; at = this.#before[at] ?? -1) {
      if (fnMatch(resource, this.rules[at]?.resource ?? '')) found.push(at);
    }
  }
}

interface Cell {
  /** The last rule of each resource. */
  readonly exact: Map<string, number>;
  readonly prefix: Ends;
  readonly suffix: Ends;
}

interface Ends {
  /** The last rule of each text. */
  readonly positions: Map<string, number>;
  readonly lengths: number[];
}

/** Stock Casbin calls an unknown function undefined, and undefined may allow (trap 4): every name must be known. */
function checkIdentifiers(enforcer: Enforcer): void {
  const model = enforcer.getModel().model;
  const matcher = model.get('m')?.get('m')?.value ?? '';
  const known = new Set([
    ...(model.get('r')?.get('r')?.tokens ?? []),
    ...(model.get('p')?.get('p')?.tokens ?? []),
    'fnMatch',
    'g',
  ]);
  const names = matcher.replace(/"[^"]*"/g, '').match(/[A-Za-z_]\w*/g) ?? [];
  const unknown = names.find((name) => !known.has(name));
  if (names.length === 0 || unknown !== undefined) throw broken(`matcher names ${unknown ?? 'nothing'}`);
}

type Ask = (
  candidates: readonly Row[],
  subject: string,
  domain: string,
  action: string,
  resource: string,
) => { readonly allowed: boolean; readonly ruleId: string | null };

function askCanaries(ask: Ask): void {
  const who = 'service:canary';
  const allow: Row = [who, '*', 'canary::*', 'function.invoke', 'allow', 'canary-allow'];
  const deny: Row = [who, '*', 'canary::no', 'function.invoke', 'deny', 'canary-deny'];
  const wants = (expected: string, rows: readonly Row[], subject: string, resource: string) => {
    const { allowed, ruleId } = ask(rows, subject, 'canary', 'function.invoke', resource);
    const answer = `${String(allowed)} ${ruleId ?? 'no rule'}`;
    if (answer !== expected) throw broken(`canary answered ${answer}, expected ${expected}`);
  };
  wants('true canary-allow', [allow, deny], who, 'canary::yes');
  wants('false canary-deny', [allow, deny], who, 'canary::no');
  wants('false no rule', [allow, deny], who, 'other::yes');
  wants('false no rule', [allow, deny], 'service:stranger', 'canary::yes');
}

function broken(message: string): WritError {
  return new WritError('POLICY_ERROR', `policy engine is not what it should be: ${message}`, {
    hint: 'reinstall the pinned casbin version',
  });
}
