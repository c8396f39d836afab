// Which decisions change between two policy directories. Every principal of both is asked about an example of every
// resource that a rule of either names; ceilings, roles, package signers and everything of approvers.yaml are compared by
// what they say.
import { isObject, type Json } from '../../json.js';
import type { AccessAnswer } from '../rbac/access.js';
import { checkAsNamed, isAboutPackages } from '../rbac/package-access.js';
import { ACTIONS, resourceProblem } from '../rbac/action.js';
import type { Action } from '../rbac/action.js';
import { labelOf, NO_CEILING } from '../ceiling/ceiling.js';
import type { BreakGlass, Delegation } from '../rbac/delegation.js';
import { compareText } from '../file/diagnostic.js';
import { examplesOf } from '../rbac/glob-example.js';
import type { Grant } from '../rbac/grant.js';
import type { Rule } from '../rbac/rule.js';
import type { PolicySnapshot } from '../snapshot.js';

export interface DecisionChange {
  readonly subject: string;
  readonly domain: string;
  readonly action: string;
  /** An example that the rule's pattern matches. */
  readonly resource: string;
  readonly before: Answered;
  readonly after: Answered;
}

export interface Answered {
  readonly verdict: 'allow' | 'deny';
  readonly ruleId: string | null;
}

export interface FieldChange {
  /** `ceiling org-default limits`, `approver user:bob`. */
  readonly what: string;
  readonly before: Json | null;
  readonly after: Json | null;
}

export interface PolicyComparison {
  /** Whether anything at all differs that decides. */
  readonly same: boolean;
  readonly policyHash: { readonly before: string; readonly after: string };
  readonly asked: number;
  /** Questions that were left out because there would have been too many; 0 = all were asked. */
  readonly notAsked: number;
  /** Where allow became deny or deny became allow. */
  readonly decisions: readonly DecisionChange[];
  /** Rules, by id. */
  readonly rules: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** Of the rules that differ: those of whose pattern no example was found, so that nothing was asked about them. */
  readonly rulesNotAsked: readonly string[];
  readonly ceilings: readonly FieldChange[];
  /** Who holds a role, or inherits it: the roles of quorums are named by no rule. */
  readonly roles: readonly FieldChange[];
  /** People, delegations, standing approvals and who may break the glass. */
  readonly approvers: readonly FieldChange[];
  /** Whose signatures of packages count. */
  readonly packageSigners: readonly FieldChange[];
}

/** Longest comparison, in questions to each side. */
const MAX_QUESTIONS = 200_000;

/** A name that no file knows stands for everybody who holds no role. */
const STRANGER = 'user:somebody-else';

/** What changes from `before` to `after`. Asks at most MAX_QUESTIONS and says how many were left out. */
export function comparePolicies(before: PolicySnapshot, after: PolicySnapshot): PolicyComparison {
  const subjects = united(before.principals, after.principals, [STRANGER]);
  const domains = united(before.domains, after.domains);
  const targets = targetsOf(before, after);
  const total = subjects.length * domains.length * targets.length;
  const decisions: DecisionChange[] = [];
  let asked = 0;
  for (const { action, resource } of targets) {
    for (const domain of domains) {
      for (const subject of subjects) {
        if (asked >= MAX_QUESTIONS) break;
        asked += 1;
        const question = { subject, domain, action, resource };
        const [was, is] = [answerOf(checkAsNamed(before, question)), answerOf(checkAsNamed(after, question))];
        if (was.verdict !== is.verdict) decisions.push({ ...question, before: was, after: is });
      }
    }
  }
  const { policyHash } = before;
  const rules = ruleChanges(before, after);
  const seen = new Set(decisions.flatMap(({ before: was, after: is }) => [was.ruleId, is.ruleId]));
  // A deny of a package holds under whatever name it is called by, and no example goes through them all.
  const isUnasked = (id: string): boolean =>
    [before.ruleById(id), after.ruleById(id)].some(
      (rule) =>
        rule !== null &&
        (targetsOfRule(rule).length === 0 ||
          (rule.effect === 'deny' && isAboutPackages(rule) && !seen.has(id))),
    );
  return {
    same: policyHash === after.policyHash,
    policyHash: { before: policyHash, after: after.policyHash },
    asked,
    notAsked: total - asked,
    decisions,
    rules,
    rulesNotAsked: united(rules.added, rules.removed, rules.changed).filter(isUnasked),
    ceilings: ceilingChanges(before, after),
    roles: roleChanges(before, after),
    approvers: approverChanges(before, after),
    packageSigners: signerChanges(before, after),
  };
}

/** Every action a rule names with an example of its resource; a rule about all actions is asked with each that fits. */
function targetsOf(...snapshots: readonly PolicySnapshot[]): readonly Target[] {
  const found = new Map<string, Target>();
  for (const { rules } of snapshots) {
    for (const target of rules.flatMap(targetsOfRule)) {
      found.set(JSON.stringify([target.action, target.resource]), target);
    }
  }
  return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, target]) => target);
}

interface Target {
  readonly action: Action;
  readonly resource: string;
}

function targetsOfRule(rule: Pick<Rule, 'action' | 'resource'>): readonly Target[] {
  const actions = rule.action === '*' ? (ACTIONS as readonly Action[]) : [rule.action];
  return actions.flatMap((action) =>
    examplesOf(rule.resource, (resource) => resourceProblem(action, resource) === null).map((resource) => {
      return { action, resource };
    }),
  );
}

function answerOf({ allowed, ruleId }: AccessAnswer): Answered {
  return { verdict: allowed ? 'allow' : 'deny', ruleId };
}

function ruleChanges(before: PolicySnapshot, after: PolicySnapshot): PolicyComparison['rules'] {
  const text = (snapshot: PolicySnapshot) =>
    new Map(
      snapshot.rules.map(({ id, effect, subject, domain, action, resource }) => [
        id,
        JSON.stringify([effect, subject, domain, action, resource]),
      ]),
    );
  const [was, is] = [text(before), text(after)];
  return {
    added: [...is.keys()].filter((id) => !was.has(id)),
    removed: [...was.keys()].filter((id) => !is.has(id)),
    changed: [...is].filter(([id, row]) => was.has(id) && was.get(id) !== row).map(([id]) => id),
  };
}

/** A field that restricts nothing is as absent: null. */
function ceilingChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const nothing = new Map(Object.entries(NO_CEILING).map(([field, value]) => [field, JSON.stringify(value)]));
  const fields = (snapshot: PolicySnapshot) =>
    new Map<string, Json>(
      snapshot.ceilings.flatMap((ceiling) => [
        [labelOf(ceiling), 'present'] as const,
        ...Object.entries(ceiling.spec)
          .filter(([field, value]) => nothing.get(field) !== JSON.stringify(value))
          .map(([field, value]) => [`${labelOf(ceiling)} ${field}`, value as Json] as const),
      ]),
    );
  return fieldChanges(fields(before), fields(after));
}

function roleChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const holders = (snapshot: PolicySnapshot) => {
    const found = new Map<string, string[]>();
    for (const { member, role, domain } of snapshot.roleEdges) {
      const what = `${role} in ${domain}`;
      const held = found.get(what);
      if (held === undefined) found.set(what, [member]);
      else held.push(member);
    }
    return found;
  };
  return fieldChanges(holders(before), holders(after));
}

function approverChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const fields = (snapshot: PolicySnapshot) =>
    new Map<string, Json>([
      ...snapshot.people.map(({ id, keys, osUser, oidc, assurance }) => {
        const proof = { keys: [...keys], osUser, oidc, assurance: [...assurance] };
        return [`approver ${id}`, proof] as const;
      }),
      ...snapshot.delegations.map((one) => {
        return [`delegation from ${one.from} to ${one.to}`, asJson(one)] as const;
      }),
      ...snapshot.grants.map((one) => [`grant ${one.id}`, asJson(one)] as const),
      ...(snapshot.breakGlass === null ? [] : [['breakGlass', asJson(snapshot.breakGlass)] as const]),
    ]);
  return fieldChanges(fields(before), fields(after));
}

function signerChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const keys = ({ packageSigners }: PolicySnapshot) =>
    new Map(packageSigners.map(({ name, key }) => [`package signer ${name}`, key]));
  return fieldChanges(keys(before), keys(after));
}

/** Of a snapshot: plain values, and nothing undefined among them. */
function asJson(value: Delegation | Grant | BreakGlass): Json {
  return { ...value };
}

function fieldChanges(was: ReadonlyMap<string, Json>, is: ReadonlyMap<string, Json>): readonly FieldChange[] {
  return united(was.keys(), is.keys()).flatMap((what) => {
    const [before, after] = [was.get(what) ?? null, is.get(what) ?? null];
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    return [{ what, before: withTimes(before), after: withTimes(after) }];
  });
}

/** Moments as files write them: who signs a change can't read milliseconds. */
function withTimes(value: Json): Json {
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const isMoment = /^not(?:Before|After)Ms$/.test(key);
      if (!isMoment) return [key, one];
      return [key.slice(0, -2), typeof one === 'number' ? new Date(one).toISOString() : one];
    }),
  );
}

function united(...lists: readonly Iterable<string>[]): readonly string[] {
  return [...new Set(lists.flatMap((list) => [...list]))].toSorted(compareText);
}
