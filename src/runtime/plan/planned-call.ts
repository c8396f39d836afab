// The call of one step in a plan: what policy and every ceiling would say of it, within which limits it would run, and what
// would be wrong with it.
import type { WritError } from '../../errors.js';
import { MEASURED_NAMES, type CeilingLayer } from '../../policy/ceiling/ceiling.js';
import type { Decision } from '../../policy/decision/decision.js';
import { isDeclared, type DataClass } from '../../workflow/data-class.js';
import type { TaskNode } from '../../workflow/plan.js';
import type { Callable } from '../call/callable.js';
import { sandboxKind } from '../call/sandbox-kind.js';
import { extentOf } from '../attempt/extent.js';
import { foresee, type CallFacts, type Outlook } from './foreseen-call.js';
import { askPolicy, NOWHERE } from '../attempt/judge.js';
import { askedLimits, innerLimits, layersOf } from '../attempt/layers.js';
import { defaultLimits, effectiveLimits } from '../attempt/limits.js';
import { narrowedByPackage } from '../call/package-policy.js';
import type { PlannedCall, PlannedLimit, PlannedWait } from './run-plan.js';
import { answerMs, NO_LIMIT_MS } from '../task/open.js';

/** A step that would be reached. */
export interface Reached {
  readonly key: string;
  readonly node: TaskNode;
  /** With what it would be called. */
  readonly data: DataClass;
  readonly initiator: string;
  /** Who wrote the workflow. */
  readonly author: string | null;
}

export async function planCall(outlook: Outlook, reached: Reached): Promise<PlannedCall> {
  const { guard, plan } = outlook;
  const { key, node, data, initiator, author } = reached;
  const { facts, callable, reach, problem, needs } = await foresee(outlook, key, node);
  const sandbox = sandboxOf(callable, node);
  const extent = extentOf(plan, key, null);
  const answer = askPolicy(guard, {
    ...{ plan, node, initiator, author, data, extent },
    callable: facts,
    sandbox: sandbox?.driver ?? null,
    reach: reach ?? NOWHERE,
  });
  const { packagePolicies = null } = guard.callables;
  const itsPackage = callable?.package ?? null;
  const decision = await narrowedByPackage(packagePolicies, answer, itsPackage, reach ?? NOWHERE);
  const { approval, audit } = decision.effective;
  return {
    ...judgement(decision, problem),
    principal: facts.agent,
    action: facts.action,
    rules: decision.rbac,
    ceilings: decision.ceiling,
    limits: limitsOf(outlook, { node, facts, sandbox, decision }),
    waits: waitOf(node, decision),
    approval: approval === null ? null : { ...approval, demandedBy: decision.demandedBy },
    sandbox,
    reach,
    audit,
    data: isDeclared(data) ? data : null,
    needs,
  };
}

type PlannedSandbox = NonNullable<PlannedCall['sandbox']>;

/** Null outside a sandbox. */
function sandboxOf(callable: Callable | null, node: TaskNode): PlannedSandbox | null {
  if (callable?.kind === 'sandbox')
    return { driver: callable.driver.kind, program: callable.request.program.digest };
  const driver = callable === null ? sandboxKind(node) : null;
  return driver === null ? null : { driver, program: null };
}

/** What task/open.ts will open. */
function waitOf(node: TaskNode, decision: Decision): PlannedWait | null {
  const { call } = node;
  if (call.kind !== 'function' || (call.waits !== 'person' && call.waits !== 'token')) return null;
  const ms = answerMs(node, decision);
  const isForm = call.waits === 'person';
  return {
    for: isForm ? 'form' : 'token',
    withinMs: ms >= NO_LIMIT_MS ? null : ms,
    roles: isForm ? (call.form?.approval.approverRoles ?? []) : [],
  };
}

/**
 * As the guard asks: refusals of the call itself first, such as that nobody acts or that nobody lists its host, for which
 * policy is not even asked; then a denial, which it never lets pass; then any other fault.
 */
function judgement(decision: Decision, fault: WritError | null): Pick<PlannedCall, 'verdict' | 'problem'> {
  if (decision.verdict === 'deny' && fault?.kind !== 'refusal') {
    const { code, message, hint } = decision;
    return { verdict: 'deny', problem: { code: code ?? 'POLICY_ERROR', message, hint } };
  }
  if (fault === null) return { verdict: decision.verdict, problem: null };
  const { code, message, hint = null, kind } = fault;
  return { verdict: kind === 'refusal' ? 'deny' : 'error', problem: { code, message, hint } };
}

/** What the limits of a call depend on. */
interface Limited {
  readonly node: TaskNode;
  readonly facts: CallFacts;
  readonly sandbox: PlannedSandbox | null;
  readonly decision: Decision;
}

function limitsOf(
  { guard, plan }: Outlook,
  { node, facts, sandbox, decision }: Limited,
): readonly PlannedLimit[] {
  const asked = askedLimits(node);
  const driver = sandbox === null ? null : (guard.callables.drivers[sandbox.driver] ?? null);
  const defaults = defaultLimits(driver, node);
  const values = effectiveLimits(defaults, asked, decision.effective.limits, null);
  const layers = [
    ...guard.policy().ceilings.filter((one) => one.layer !== 'tenant' || one.name === guard.tenant),
    ...layersOf(plan, node, facts.package),
  ];
  const own = MEASURED_NAMES.flatMap((name): PlannedLimit[] => {
    const value = values[name];
    // Nothing outside a sandbox has memory of its own.
    if (value === undefined || (sandbox === null && name === 'memoryMiB')) return [];
    // Nobody is called: how long a person has is said beside it.
    if (name === 'timeoutMs' && node.call.kind === 'function' && node.call.waits === 'person') return [];
    const isAsked = asked[name] === value;
    const from = isAsked ? 'step' : defaults[name] === value ? 'default' : lowestOf(layers, name, value);
    return [{ name, value, from }];
  });
  if (sandbox === null) return own;
  const inner = Object.entries(innerLimits(node)).map(([name, value]) => ({ name, value, from: 'step' }));
  return [...own, ...inner];
}

function lowestOf(
  layers: readonly CeilingLayer[],
  name: (typeof MEASURED_NAMES)[number],
  value: number,
): string {
  const found = layers.find(
    ({ spec }) => spec?.limits[name] === value || spec?.clampedLimits[name] === value,
  );
  return found === undefined ? 'default' : `ceiling ${found.name} (${found.layer})`;
}
