// Which decisions change between two policy directories. Every principal of both is asked about an example of every
// resource that a rule of either names; ceilings, approvers and roles are compared by what they say.
import type { Json } from '../json.js';
import { checkAccess } from './access.js';
import type { AccessAnswer } from './access.js';
import { ACTIONS, resourceProblem } from './action.js';
import type { Action } from './action.js';
import { compareText } from './diagnostic.js';
import { exampleOf } from './glob-cover.js';
import type { PolicySnapshot } from './snapshot.js';

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
  readonly ceilings: readonly FieldChange[];
  readonly approvers: readonly FieldChange[];
}

/** Longest comparison, in questions to each side. */
export const MAX_QUESTIONS = 200_000;

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
        const [was, is] = [answerOf(checkAccess(before, question)), answerOf(checkAccess(after, question))];
        if (was.verdict !== is.verdict) decisions.push({ ...question, before: was, after: is });
      }
    }
  }
  const { policyHash } = before;
  return {
    same: policyHash === after.policyHash,
    policyHash: { before: policyHash, after: after.policyHash },
    asked,
    notAsked: total - asked,
    decisions,
    rules: ruleChanges(before, after),
    ceilings: ceilingChanges(before, after),
    approvers: approverChanges(before, after),
  };
}

/** Every action a rule names with an example of its resource; a rule about all actions is asked with each that fits. */
function targetsOf(
  ...snapshots: readonly PolicySnapshot[]
): readonly { readonly action: Action; readonly resource: string }[] {
  const found = new Map<string, { readonly action: Action; readonly resource: string }>();
  for (const { rules } of snapshots) {
    for (const rule of rules) {
      const actions = rule.action === '*' ? (ACTIONS as readonly Action[]) : [rule.action];
      for (const action of actions) {
        for (const resource of examplesOf(rule.resource)) {
          if (resourceProblem(action, resource) !== null) continue;
          found.set(JSON.stringify([action, resource]), { action, resource });
        }
      }
    }
  }
  return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, target]) => target);
}

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** A bare example, and the forms that functions, packages, hosts and paths have. */
function examplesOf(pattern: string): readonly string[] {
  const bare = exampleOf(pattern);
  const open = pattern.endsWith('*') ? exampleOf(pattern.slice(0, -1)) : bare;
  const examples = [bare, `${open}@${DIGEST}`, `${open}x@${DIGEST}`];
  if (pattern === '*') examples.push('tool::x', `x@${DIGEST}`, 'x.example:443', '/x');
  return [...new Set(examples)].filter((one) => one !== '');
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

function ceilingChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const fields = (snapshot: PolicySnapshot) =>
    new Map<string, Json>(
      snapshot.ceilings.flatMap(({ layer, name, spec }) =>
        Object.entries(spec).map(
          ([field, value]) => [`ceiling ${name} (${layer}) ${field}`, value as Json] as const,
        ),
      ),
    );
  return fieldChanges(fields(before), fields(after));
}

function approverChanges(before: PolicySnapshot, after: PolicySnapshot): readonly FieldChange[] {
  const people = (snapshot: PolicySnapshot) =>
    new Map<string, Json>(
      snapshot.people.map(({ id, keys, osUser, assurance }) => [
        `approver ${id}`,
        { keys: [...keys], osUser, assurance: [...assurance] },
      ]),
    );
  return fieldChanges(people(before), people(after));
}

function fieldChanges(was: ReadonlyMap<string, Json>, is: ReadonlyMap<string, Json>): readonly FieldChange[] {
  return united(was.keys(), is.keys()).flatMap((what) => {
    const [before, after] = [was.get(what) ?? null, is.get(what) ?? null];
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ what, before, after }];
  });
}

function united(...lists: readonly Iterable<string>[]): readonly string[] {
  return [...new Set(lists.flatMap((list) => [...list]))].toSorted(compareText);
}
