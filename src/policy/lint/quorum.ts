// Approvals that nobody could ever give: what a ceiling's rule names, and what somebody may call while ceilings ask for an
// approval of it, a `minimum` too. Advice: examples are asked about, so a pattern counts only when all of them fail.
import { resourceProblem, type Action } from '../rbac/action.js';
import { checkAccess } from '../rbac/access.js';
import { demandsOf, joinDemands, type EffectiveApproval } from '../ceiling/approval-duty.js';
import { NO_COST } from '../ceiling/budget.js';
import type { CeilingLayer } from '../ceiling/ceiling.js';
import type { Facts } from '../ceiling/facts.js';
import { fnMatch } from '../rbac/glob.js';
import { exampleOf } from '../rbac/glob-cover.js';
import { examplesOf } from '../rbac/glob-example.js';
import type { LintFinding } from './finding.js';
import { boundViolations } from '../ceiling/permits.js';
import { eligibleApprovers, isReachable } from '../rbac/quorum.js';
import type { LoadedCeiling } from '../ceiling/loaded.js';
import type { PolicySnapshot } from '../snapshot.js';

/** Of a very large set the first ones: it stays quick. */
const MAX_PATTERNS = 500;
const MAX_CALLERS = 200;
const MAX_EXAMPLES = 50;
const DIGEST = `sha256:${'0'.repeat(64)}`;

/** What of a domain waits for ever once it is asked for. */
export function quorumFindings(
  snapshot: PolicySnapshot,
  domain: string,
  nowMs: number,
): readonly LintFinding[] {
  const ofRules = ruleFindings(snapshot, domain);
  const told = new Set(ofRules.map(({ resource }) => resource));
  const ofCalls = callFindings(snapshot, domain, nowMs).filter(({ resource }) => !told.has(resource));
  return [...ofRules, ...ofCalls].map(({ finding }) => finding);
}

interface Found {
  readonly resource: string;
  readonly finding: LintFinding;
}

// --- what rules of ceilings name --------------------------------------------------------------------------------

/** Can the people who may decide on what a rule is about, by RBAC too, reach its quorum? */
function ruleFindings(snapshot: PolicySnapshot, domain: string): readonly Found[] {
  const found: Found[] = [];
  for (const ceiling of snapshot.ceilings) {
    if (ceiling.layer === 'tenant' && ceiling.name !== domain) continue;
    for (const rule of ceiling.spec.approval.rules) {
      const demand = joinDemands([{ ...rule, by: '', mode: rule.minimum }]);
      if (demand === null) continue;
      for (const resource of decidables(rule.match)) {
        const question = { domain, functionId: resource, separationOfDuties: false, involved: [] };
        if (isReachable(snapshot, domain, demand.quorum, eligibleApprovers(snapshot, question))) continue;
        const finding = findingOf(demand, { about: ceiling.name, file: ceiling.file, domain, resource });
        found.push({ resource, finding: isCalled(snapshot, domain, resource) ? finding : idle(finding) });
      }
    }
  }
  return found;
}

/** Whether a rule lets anybody call it there: of a pattern that is narrower than the example `callFindings` tells. */
function isCalled(snapshot: PolicySnapshot, domain: string, resource: string): boolean {
  return CALLS.some((action) => allowed(snapshot, domain, action).some((one) => fnMatch(resource, one)));
}

/** What nobody may call waits for nobody: a rule for all domains is about each, also where it is of no use yet. */
function idle(finding: LintFinding): LintFinding {
  return { ...finding, severity: 'warning', message: `${finding.message}; nobody may call it there either` };
}

/** An example of each function or package that a rule names; one that names none is asked about with what is called. */
function decidables(match: LoadedCeiling['spec']['approval']['rules'][number]['match']): readonly string[] {
  const functions = (match.functions ?? []).map(exampleOf);
  const packages = (match.agents ?? []).map((pattern) => {
    const name = exampleOf(pattern.replace(/\*$/, '')).replace(/@.*$/s, '');
    return `${name}@${DIGEST}`;
  });
  return [...functions, ...packages].filter((resource) => isDecidable(resource));
}

function isDecidable(resource: string): boolean {
  return resourceProblem('approval.decide', resource) === null;
}

// --- what somebody may call -------------------------------------------------------------------------------------

type Call = Extract<Action, 'function.invoke' | 'agent.invoke'>;
const CALLS: readonly Call[] = ['function.invoke', 'agent.invoke'];

/** Can what all ceilings ask for together be given, by somebody else than whoever calls where that is asked for? */
function callFindings(snapshot: PolicySnapshot, domain: string, nowMs: number): readonly Found[] {
  const layers = snapshot.layers.own(domain);
  const isAsked = layers.some(({ spec }) => spec !== null && asksAtAll(spec.approval));
  if (!isAsked) return [];
  const decided = allowed(snapshot, domain, 'approval.decide').flatMap((one) => examplesOf(one, isDecidable));
  return CALLS.flatMap((action) =>
    allowed(snapshot, domain, action).flatMap((pattern): readonly Found[] => {
      const isAskable = (value: string): boolean =>
        resourceProblem(action, value) === null && isDecidable(value);
      const near = decided.filter((value) => fnMatch(value, pattern) && isAskable(value));
      const examples = [...new Set([...examplesOf(pattern, isAskable), ...near])].slice(0, MAX_EXAMPLES);
      let found: Found | null = null;
      for (const resource of examples) {
        const asked = askedOf(snapshot, layers, { domain, action, resource, nowMs });
        if (asked === 'given') return [];
        if (asked !== 'not called') found ??= asked;
      }
      return found === null ? [] : [found];
    }),
  );
}

function asksAtAll({ minimum, rules }: LoadedCeiling['spec']['approval']): boolean {
  return minimum !== 'none' || rules.length > 0;
}

/** Patterns that somebody is allowed. */
function allowed(snapshot: PolicySnapshot, domain: string, action: Action): readonly string[] {
  const patterns = snapshot.rules.filter(
    (rule) =>
      rule.effect === 'allow' &&
      (rule.domain === '*' || rule.domain === domain) &&
      (rule.action === '*' || rule.action === action),
  );
  return [...new Set(patterns.map(({ resource }) => resource))].slice(0, MAX_PATTERNS);
}

interface Called {
  readonly domain: string;
  readonly action: Call;
  readonly resource: string;
  readonly nowMs: number;
}

/** `given`: no approval is asked for, or it can be given; else what to say, or that nothing lets anybody call it. */
function askedOf(
  snapshot: PolicySnapshot,
  layers: readonly CeilingLayer[],
  { domain, action, resource, nowMs }: Called,
): 'given' | 'not called' | Found {
  const facts = plainFacts(action, resource);
  const isBelow = layers.every(({ spec }) => {
    const found = spec === null ? [] : boundViolations(spec, { nowMs, action, resource, facts });
    return !found.some(({ field }) => /^(?:functions|agents)\./.test(field));
  });
  if (!isBelow) return 'not called';
  const demands = layers.flatMap(({ layer, name, spec }) =>
    (spec === null ? [] : demandsOf(spec, name, facts)).map((demand) => ({ ...demand, layer, name })),
  );
  const demand = joinDemands(demands);
  if (demand === null) return 'given';
  const { separationOfDuties, quorum } = demand;
  let isCalled = false;
  for (const subject of snapshot.principals
    .filter((one) => !one.startsWith('agent:'))
    .slice(0, MAX_CALLERS)) {
    if (!checkAccess(snapshot, { subject, domain, action, resource }).allowed) continue;
    isCalled = true;
    const question = { domain, functionId: resource, separationOfDuties, involved: [subject] };
    if (isReachable(snapshot, domain, quorum, eligibleApprovers(snapshot, question))) return 'given';
  }
  if (!isCalled) return 'not called';
  const names = [...new Set(demands.map(({ name }) => name))];
  const file = snapshot.ceilings.find(({ name }) => name === names[0])?.file ?? null;
  return { resource, finding: findingOf(demand, { about: names.join(', '), file, domain, resource }) };
}

/** A call that asks for nothing besides: what holds for it holds for every call. */
function plainFacts(action: Call, resource: string): Facts {
  const [name, digest] = action === 'agent.invoke' ? resource.split('@') : [null, null];
  return {
    ...{ functionId: resource, agentName: name ?? null, agentDigest: digest ?? null, sandbox: null },
    ...{ network: [], mounts: [], credentials: [], limits: {}, labels: [], classification: 'public' },
    estimate: NO_COST,
  };
}

// --- words ------------------------------------------------------------------------------------------------------

interface Asked {
  /** The ceiling that asks for it, or several with commas between. */
  readonly about: string;
  readonly file: string | null;
  readonly domain: string;
  readonly resource: string;
}

function findingOf(
  { quorum, separationOfDuties }: EffectiveApproval,
  { about, file, domain, resource }: Asked,
): LintFinding {
  const needed = quorum.map(({ role, n }) => `${n} x ${role}`).join(' and ');
  const what = resource.replace(`@${DIGEST}`, '');
  const whom = separationOfDuties ? ' besides who started the run' : '';
  return {
    ...{ code: 'quorum-unreachable', severity: 'error', file, line: null, about },
    message: `nobody can approve ${what} in ${domain}: ${needed} are needed, and not so many${whom} may decide on it`,
    hint: 'give the role approval.decide on it in rbac/*.yaml, or add people to approvers.yaml',
  };
}
