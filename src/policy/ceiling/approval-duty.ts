// Which approval an act needs: the join of what the step asks for and of every ceiling rule that matches.
// A duty is raised, never lowered: each demand is met by the result, and adding a demand only tightens it.
import { amountText } from './budget.js';
import type { ApprovalRule, Ceiling, Escalation } from './ceiling.js';
import { least, strictestMode } from './meet.js';
import { compareText } from '../file/diagnostic.js';
import type { Facts } from './facts.js';
import { everyPackageName } from './facts.js';
import { fnMatch } from '../rbac/glob.js';
import { hostMatches } from './host.js';
import type { ApprovalMode } from './shape.js';

/** Applied once, after composing, when nobody names an expiry. */
export const DEFAULT_EXPIRES_SECONDS = 3600;
/** No approval waits longer. */
export const MAX_EXPIRES_SECONDS = 30 * 86_400;

/** What a step's document asks for; fields nobody wrote are null, [] or false. */
export interface ApprovalAsk {
  readonly mode: ApprovalMode;
  readonly approverRoles: readonly string[];
  readonly quorum: number | null;
  readonly expiresSeconds: number | null;
  readonly reasonRequired: boolean;
  readonly separationOfDuties: boolean | null;
  /** Not by who wrote the workflow either; absent = not asked for. */
  readonly author?: true;
}

/** One source's demand, with where it comes from in words. */
export interface ApprovalDemand {
  readonly by: string;
  readonly mode: ApprovalMode;
  /** Alternatives; empty = anyone whom RBAC lets decide. */
  readonly approverRoles: readonly string[];
  readonly quorum: number;
  readonly separationOfDuties: boolean;
  /** Not by who wrote the workflow either; absent = not demanded. */
  readonly author?: true;
  readonly expiresSeconds: number | null;
  readonly reasonRequired: boolean;
  /** Who else may fill its places later; absent = nobody. */
  readonly escalation?: readonly Escalation[];
}

/** `role` is one role, or alternatives joined by `|` (see `fillsRole`); all factors are needed. */
export interface QuorumFactor {
  readonly role: string;
  readonly n: number;
  /** Absent = none. */
  readonly escalation?: readonly Escalation[];
}

export interface EffectiveApproval {
  readonly mode: Exclude<ApprovalMode, 'none'>;
  /** Sorted by role; one person fills one factor only. */
  readonly quorum: readonly QuorumFactor[];
  readonly separationOfDuties: boolean;
  /** Who wrote the workflow may not decide; absent = they may. */
  readonly author?: true;
  readonly expiresSeconds: number;
  readonly reasonRequired: boolean;
}

/** Whether somebody who holds `roles` may fill a factor; `role:any` is everybody RBAC lets decide. */
export function fillsRole(roles: ReadonlySet<string>, factorRole: string): boolean {
  return factorRole.split('|').some((role) => role === ANY || roles.has(role));
}

/** The rules of a ceiling that match these facts. Keys of a `match` are ANDed, the values in a list ORed. */
export function matchingRules(ceiling: Ceiling, facts: Facts): readonly ApprovalRule[] {
  return ceiling.approval.rules.filter(({ match }) => matches(match, facts));
}

/** What one ceiling demands for these facts; `label` names it, e.g. `ceiling org-default (org)`. */
export function demandsOf(ceiling: Ceiling, label: string, facts: Facts): readonly ApprovalDemand[] {
  const demands: ApprovalDemand[] = matchingRules(ceiling, facts).map((rule) => ({
    by: demandText(label, rule),
    mode: rule.minimum,
    approverRoles: rule.approverRoles,
    quorum: rule.quorum,
    separationOfDuties: rule.separationOfDuties,
    ...(rule.author === true ? { author: true } : {}),
    expiresSeconds: rule.expiresSeconds,
    reasonRequired: rule.reasonRequired,
    ...(rule.escalation === undefined ? {} : { escalation: rule.escalation }),
  }));
  const minimum = ceiling.approval.minimum;
  if (minimum !== 'none') demands.push(plainDemand(minimumText(label, minimum), minimum));
  return demands;
}

/** The step's own demand; null when it says nothing. A step may always ask for more. */
export function demandOfStep(ask: ApprovalAsk | null): ApprovalDemand | null {
  if (ask === null) return null;
  const plain = plainDemand(`step asks for ${ask.mode}`, ask.mode);
  return {
    ...plain,
    approverRoles: ask.approverRoles,
    quorum: Math.max(ask.quorum ?? 1, plain.quorum),
    // Whoever started a run doesn't approve it, unless the document says in words that they may.
    separationOfDuties: ask.mode === 'two-person' || ask.separationOfDuties !== false,
    ...(ask.author === true ? { author: true } : {}),
    expiresSeconds: ask.expiresSeconds,
    reasonRequired: ask.reasonRequired,
  };
}

/** The join; null when no demand asks for approval. */
export function joinDemands(demands: readonly ApprovalDemand[]): EffectiveApproval | null {
  const mode = demands.map((demand) => demand.mode).reduce(strictestMode, 'none');
  if (mode === 'none') return null;
  const expires = demands.map((demand) => demand.expiresSeconds).reduce(least, null);
  return {
    mode,
    quorum: joinQuorum(demands),
    separationOfDuties: demands.some((demand) => demand.separationOfDuties),
    ...(demands.some((demand) => demand.author === true) ? { author: true } : {}),
    expiresSeconds: Math.min(expires ?? DEFAULT_EXPIRES_SECONDS, MAX_EXPIRES_SECONDS),
    reasonRequired: demands.some((demand) => demand.reasonRequired),
  };
}

/**
 * Demands that name roles become factors, the larger n per set of alternatives. A demand that names none wants so
 * many people in all, whoever they are: those the named factors don't bring are added as `role:any`.
 */
function joinQuorum(demands: readonly ApprovalDemand[]): readonly QuorumFactor[] {
  const named = new Map<string, QuorumFactor>();
  let people = 1;
  for (const { approverRoles, quorum, escalation } of demands) {
    const alternatives = [...new Set(approverRoles)].toSorted(compareText);
    if (alternatives.length === 0 || alternatives.includes(ANY)) {
      people = Math.max(people, quorum);
    } else {
      const role = alternatives.join('|');
      const before = named.get(role);
      // A demand that lets nobody else in later is not weakened by one that does.
      const isShared =
        before === undefined || JSON.stringify(before.escalation) === JSON.stringify(escalation);
      const n = Math.max(before?.n ?? 1, quorum);
      named.set(role, { role, n, ...(isShared && escalation !== undefined ? { escalation } : {}) });
    }
  }
  const factors = [...named.values()];
  const missing = people - factors.reduce((sum, { n }) => sum + n, 0);
  if (missing > 0) factors.push({ role: ANY, n: missing });
  return factors.toSorted((a, b) => compareText(a.role, b.role));
}

const ANY = 'role:any';

function plainDemand(by: string, mode: ApprovalMode): ApprovalDemand {
  const twoPerson = mode === 'two-person';
  return {
    by,
    mode,
    approverRoles: [],
    quorum: twoPerson ? 2 : 1,
    separationOfDuties: true,
    expiresSeconds: null,
    reasonRequired: false,
  };
}

function matches(match: ApprovalRule['match'], facts: Facts): boolean {
  const glob = (patterns: readonly string[] | undefined, values: readonly string[]) =>
    patterns === undefined || patterns.some((pattern) => values.some((value) => fnMatch(value, pattern)));
  return (
    glob(match.functions, [facts.functionId, ...everyPackageName(facts)]) &&
    glob(match.agents, everyPackageName(facts)) &&
    glob(match.credentials, facts.credentials) &&
    (match.network === undefined ||
      match.network.some((pattern) => facts.network.some((host) => hostMatches(host, pattern)))) &&
    // Unknown labels might be any label: the rule holds.
    (match.labels === undefined ||
      facts.labels === null ||
      match.labels.some((label) => facts.labels?.includes(label))) &&
    (match.sandbox === undefined || (facts.sandbox !== null && match.sandbox.includes(facts.sandbox))) &&
    costsMore(facts, match.costMicroUsdAbove)
  );
}

/** A cost that nobody knows is above every bound. */
function costsMore({ estimate }: Facts, above: number | undefined): boolean {
  if (above === undefined) return true;
  const cost = estimate?.costMicroUsd ?? null;
  return cost === null || !(cost <= above);
}

/** What a rule demands, in words, after the name of its ceiling. */
export function demandText(label: string, rule: ApprovalRule): string {
  return `${label}: ${describe(rule)}`;
}

/** What a ceiling demands of every act, in words. */
export function minimumText(label: string, minimum: ApprovalMode): string {
  return `${label}: minimum ${minimum}`;
}

function describe(rule: ApprovalRule): string {
  const { costMicroUsdAbove, ...lists } = rule.match;
  const keys = Object.entries(lists).map(([key, values]) => `${key} ${values.join(' or ')}`);
  if (costMicroUsdAbove !== undefined)
    keys.push(`cost above ${amountText('costMicroUsd', costMicroUsdAbove)} USD`);
  const roles = rule.approverRoles.length === 0 ? '' : ` by ${rule.approverRoles.join(' or ')}`;
  return `${keys.length === 0 ? 'every step' : keys.join(' and ')} needs ${rule.minimum} approval${roles}`;
}
