// Casbin, unmodified, is the only judge. The index in front of it picks rows that could match; it must only ever
// be a superset of the matching ones. That is sound because the effect is allow-and-not-deny, `fnMatch` takes
// every character but `*` and `?` literally, and the matcher is frozen (model.ts).
// The enforcer never leaves this file: `enableEnforce(false)` or a changed row would allow everything.
import { newEnforcer, newModelFromString } from 'casbin';
import type { Enforcer } from 'casbin';
import { WritError } from '../errors.js';
import { fnMatch, hasWildcard, literalPrefix } from './glob.js';
import { MODEL_TEXT } from './model.js';
import type { RoleEdge } from './role.js';
import type { Rule } from './rule.js';

/** The engine named in decision records. */
export const ENGINE = 'casbin@5.51.1';

/** Verdict and the rule that gave it; null = no rule matched, which is a deny. All four are non-empty strings. */
export type Judge = (
  subject: string,
  domain: string,
  action: string,
  resource: string,
) => { readonly allowed: boolean; readonly ruleId: string | null };

/** Column order of `policy_definition`: sub, dom, obj, act, eft, id. */
type Row = readonly [string, string, string, string, string, string];

/**
 * A judge over these rules and edges. Asks a canary deny and a canary allow first; a wrong answer throws
 * POLICY_ERROR and there is no judge. `pause` as of PolicySource.
 */
export async function createJudge(
  rules: readonly Pick<Rule, 'id' | 'effect' | 'subject' | 'domain' | 'action' | 'resource'>[],
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
    if (!(isText(subject) && isText(domain) && isText(action) && isText(resource))) {
      throw new WritError(
        'POLICY_REQUEST_INVALID',
        'subject, domain, action and resource must be non-empty strings',
      );
    }
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
  const index = new CandidateIndex(
    rules.map(({ id, effect, subject, domain, action, resource }): Row => [
      subject,
      domain,
      resource,
      action,
      effect,
      id,
    ]),
  );
  return (subject, domain, action, resource) =>
    ask(index.candidates(domain, action, resource), subject, domain, action, resource);
}

/** A caller in JavaScript may ask with anything (trap 5). */
function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** Rows by (domain, action), then by exact resource or by the literal text before the first wildcard. */
class CandidateIndex {
  readonly #cells = new Map<string, Map<string, Cell>>();

  constructor(readonly rows: readonly Row[]) {
    let position = -1;
    for (const [, domain, resource, action] of rows) {
      position += 1;
      const cell = this.#cell(domain, action);
      if (!hasWildcard(resource)) {
        addPosition(cell.exact, resource, position);
        continue;
      }
      const prefix = literalPrefix(resource);
      addPosition(cell.prefix, prefix, position);
      if (!cell.prefixLengths.includes(prefix.length)) cell.prefixLengths.push(prefix.length);
    }
  }

  #cell(domain: string, action: string): Cell {
    const cells = this.#cells.get(domain) ?? new Map<string, Cell>();
    const cell = cells.get(action) ?? { exact: new Map(), prefix: new Map(), prefixLengths: [] };
    this.#cells.set(domain, cells.set(action, cell));
    return cell;
  }

  /** In the order of the rules. */
  candidates(domain: string, action: string, resource: string): readonly Row[] {
    const positions: number[] = [];
    this.#collect(positions, domain, action, resource);
    if (domain !== '*') this.#collect(positions, '*', action, resource);
    if (positions.length > 1) positions.sort((a, b) => a - b);
    const rows: Row[] = [];
    for (const position of positions) {
      const row = this.rows[position];
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }

  #collect(positions: number[], domain: string, action: string, resource: string): void {
    const cells = this.#cells.get(domain);
    if (cells === undefined) return;
    collectFrom(positions, cells.get(action), resource);
    if (action !== '*') collectFrom(positions, cells.get('*'), resource);
  }
}

interface Cell {
  readonly exact: Map<string, number[]>;
  readonly prefix: Map<string, number[]>;
  readonly prefixLengths: number[];
}

function collectFrom(positions: number[], cell: Cell | undefined, resource: string): void {
  if (cell === undefined) return;
  for (const position of cell.exact.get(resource) ?? NONE) positions.push(position);
  for (const length of cell.prefixLengths) {
    if (length > resource.length) continue;
    for (const position of cell.prefix.get(resource.slice(0, length)) ?? NONE) positions.push(position);
  }
}

const NONE: readonly number[] = [];

function addPosition(positions: Map<string, number[]>, key: string, position: number): void {
  const known = positions.get(key);
  if (known === undefined) positions.set(key, [position]);
  else known.push(position);
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
