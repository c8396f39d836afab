// What would run, and what would hold it up: every step of a workflow asked the questions that the guard will ask, with
// what is known before anything has run. A plan is a question: nothing starts, and nothing is written or logged.
import { WritError } from '../errors.js';
import type { Json } from '../json.js';
import { checkAccess } from '../policy/access.js';
import { MEASURED_NAMES, type CeilingLayer } from '../policy/ceiling.js';
import type { Decision } from '../policy/decide.js';
import {
  declaredTogether,
  grownBy,
  isDeclared,
  UNKNOWN_DATA,
  type DataClass,
} from '../workflow/data-class.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import { taskAt } from '../workflow/state-gate.js';
import { actingAgent, resolveCallable, type Callable } from './callable.js';
import { sandboxKind } from './check.js';
import { Foresight, type KnownRequest } from './foresight.js';
import type { Guard } from './guard-parts.js';
import { askPolicy, NOWHERE, reachOf, sandboxReach } from './judge.js';
import { narrowedByPackage } from './package-policy.js';
import { extentOf } from './extent.js';
import { askedLimits, innerLimits, layersOf } from './layers.js';
import { defaultLimits, effectiveLimits } from './limits.js';
import { outline, referenceOf, type OutlineStep } from './outline.js';
import type { FunctionReach, WorkflowRecord } from './ports.js';
import { dataOf, returnedBy } from './run-data.js';
import type {
  PlanVerdict,
  PlannedLimit,
  PlannedCall,
  PlannedStep,
  PlannedWait,
  RunPlan,
} from './run-plan.js';
import { answerMs, NO_LIMIT_MS } from './task-open.js';

export interface PlanQuestion {
  readonly record: WorkflowRecord;
  readonly isRegistered: boolean;
  readonly plan: Plan;
  readonly input: Json | undefined;
  readonly agents: Readonly<Record<string, string>>;
  readonly initiator: string;
}

export async function planRun(guard: Guard, question: PlanQuestion): Promise<RunPlan> {
  const { record, plan, input, initiator } = question;
  const foresight = new Foresight(plan, input);
  const steps: PlannedStep[] = [];
  // Steps of a group begin together: what one of them gives, the next ones after the group are judged with.
  let [data, given, group] = [dataOf(plan), UNKNOWN_DATA, null as string | null];
  for (const step of outline(plan)) {
    if (step.group === null || step.group !== group) [data, given] = [grownBy(data, given), UNKNOWN_DATA];
    group = step.group;
    const node = plan.nodes[step.key];
    // What a file will carry is not known before it is read.
    if (node?.kind === 'fork' && node.lanes.some(({ each }) => each?.items.kind === 'reader'))
      data = UNKNOWN_DATA;
    const task = taskAt(node);
    const isFirst = step.key === plan.start || step.group === plan.start;
    const each = eachOf(plan, step);
    const call = task === null ? null : await planCall(guard, question, step.key, task, foresight, data);
    steps.push({
      ...step,
      order: steps.length + 1,
      itemCount: each === null ? null : foresight.items(each, isFirst),
      conditionHolds: task === null ? true : foresight.condition(task),
      call,
    });
    if (task !== null) given = declaredTogether(given, returnedBy(task, call?.reach ?? {}));
  }
  const start = askStart(guard, record.id, initiator);
  const verdict = worst([start.problem === null ? 'allow' : 'deny', ...steps.map(verdictOf)]);
  const failing = steps.find((step) => verdictOf(step) === 'error')?.call?.problem;
  return {
    workflow: {
      id: record.id,
      hash: record.hash,
      version: record.version,
      isRegistered: question.isRegistered,
      name: record.name,
      timeoutMs: plan.timeoutMs,
    },
    initiator,
    tenant: guard.tenant,
    policyHash: guard.policy().policyHash,
    inputIsKnown: input !== undefined,
    start,
    verdict,
    exitCode: verdict === 'deny' ? DENIED : failing == null ? 0 : new WritError(failing.code, '').exitCode,
    steps,
  };
}

/** Process exit code of a denial. */
const DENIED = 3;
const ORDER: readonly PlanVerdict[] = ['allow', 'needs_approval', 'error', 'deny'];

function worst(verdicts: readonly PlanVerdict[]): PlanVerdict {
  return verdicts.reduce((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a));
}

function verdictOf({ call }: PlannedStep): PlanVerdict {
  return call?.verdict ?? 'allow';
}

function askStart(guard: Guard, workflowId: string, initiator: string): RunPlan['start'] {
  const { allowed, ruleId, effect, rolePath, code, message, hint } = checkAccess(guard.policy(), {
    subject: initiator,
    domain: guard.tenant,
    action: 'workflow.run',
    resource: workflowId,
  });
  const problem = allowed ? null : { code: code ?? 'POLICY_ERROR', message, hint };
  return { subject: initiator, ruleId, effect, rolePath, problem };
}

function eachOf(plan: Plan, { key, group }: OutlineStep): Parameters<Foresight['items']>[0] | null {
  const fork = group === null ? undefined : plan.nodes[group];
  return fork?.kind === 'fork' ? (fork.lanes.find(({ start }) => start === key)?.each ?? null) : null;
}

export type CallFacts = Pick<
  Callable,
  'resource' | 'action' | 'agent' | 'agentDigest' | 'package' | 'approval'
>;

/** The callable as it is found now, and what is wrong with it where something is. */
interface Found {
  readonly facts: CallFacts;
  readonly callable: Callable | null;
  readonly problem: WritError | null;
}

async function planCall(
  guard: Guard,
  { record, plan, agents, initiator }: PlanQuestion,
  key: string,
  node: TaskNode,
  foresight: Foresight,
  data: DataClass,
): Promise<PlannedCall> {
  const request = foresight.request(key, node);
  const found = await find(guard, plan, agents, node, request);
  const { facts, callable } = found;
  const { reach, problem: unreachable } = await foreseenReach(callable, request);
  const kind = sandboxKind(node);
  const sandbox = callable?.kind === 'sandbox' ? callable.driver.kind : callable === null ? kind : null;
  const answer = askPolicy(guard, {
    plan,
    node,
    initiator,
    callable: facts,
    sandbox,
    reach: reach ?? NOWHERE,
    extent: extentOf(plan, key, null),
    data,
    author: record.author,
  });
  const { packagePolicies = null } = guard.callables;
  const decision = await narrowedByPackage(
    packagePolicies,
    answer,
    callable?.package ?? null,
    reach ?? NOWHERE,
  );
  const fault = request.problem ?? found.problem ?? unreachable;
  const { approval, audit } = decision.effective;
  return {
    ...judgement(decision, fault),
    principal: facts.agent,
    action: facts.action,
    rules: decision.rbac,
    ceilings: decision.ceiling,
    limits: limitsOf(guard, plan, node, sandbox, facts, decision),
    waits: waitOf(node, decision),
    approval: approval === null ? null : { ...approval, demandedBy: decision.demandedBy },
    sandbox:
      sandbox === null
        ? null
        : {
            driver: sandbox,
            program: callable?.kind === 'sandbox' ? callable.request.program.digest : null,
          },
    reach,
    audit,
    data: isDeclared(data) ? data : null,
    needs: request.needs,
  };
}

/** What task-open.ts will open. */
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

/** Why a step would fail for another reason than policy, as far as that is known before anything has run; null = nothing is. */
export async function foreseenProblem(
  guard: Guard,
  plan: Plan,
  agents: Readonly<Record<string, string>>,
  key: string,
  node: TaskNode,
  foresight: Foresight,
): Promise<WritError | null> {
  const request = foresight.request(key, node);
  const { callable, problem } = await find(guard, plan, agents, node, request);
  return request.problem ?? problem ?? (await foreseenReach(callable, request)).problem;
}

/** A denial comes before any other fault: it is what the guard says first, and what it never lets pass. */
function judgement(decision: Decision, fault: WritError | null): Pick<PlannedCall, 'verdict' | 'problem'> {
  if (decision.verdict === 'deny') {
    const { code, message, hint } = decision;
    return { verdict: 'deny', problem: { code: code ?? 'POLICY_ERROR', message, hint } };
  }
  if (fault === null) return { verdict: decision.verdict, problem: null };
  const { code, message, hint = null, kind } = fault;
  return { verdict: kind === 'refusal' ? 'deny' : 'error', problem: { code, message, hint } };
}

async function find(
  guard: Guard,
  plan: Plan,
  agents: Readonly<Record<string, string>>,
  node: TaskNode,
  { value, needs }: KnownRequest,
): Promise<Found> {
  try {
    const callable = await resolveCallable(guard.callables, plan, { agents }, node, value);
    return { facts: callable, callable, problem: null };
  } catch (error) {
    if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
    // A request that is not whole yet says nothing about the one that will be.
    const isEarly = error.code === 'FUNCTION_REQUEST_INVALID' && needs.length > 0;
    return { facts: factsOf(plan, agents, node), callable: null, problem: isEarly ? null : error };
  }
}

/** What policy can be asked about although the callable itself was not found. */
export function factsOf(plan: Plan, agents: Readonly<Record<string, string>>, node: TaskNode): CallFacts {
  const { call, approval } = node;
  return {
    resource: referenceOf(call),
    action: call.kind === 'agent' ? 'agent.invoke' : 'function.invoke',
    agent: agentOf(plan, agents, node),
    agentDigest: call.kind === 'agent' ? call.digest : null,
    package: null,
    approval,
  };
}

function agentOf(plan: Plan, agents: Readonly<Record<string, string>>, node: TaskNode): string | null {
  try {
    return actingAgent(plan, { agents }, node);
  } catch (error) {
    // Nobody acts; that is the problem which is told.
    if (error instanceof WritError) return null;
    throw error;
  }
}

async function foreseenReach(
  callable: Callable | null,
  { value, needs }: KnownRequest,
): Promise<{ readonly reach: FunctionReach | null; readonly problem: WritError | null }> {
  if (callable === null) return { reach: null, problem: null };
  try {
    if (needs.length === 0) return { reach: await reachOf(callable, value), problem: null };
    if (callable.kind !== 'function') return { reach: sandboxReach(callable), problem: null };
    const { provider, functionId, agent } = callable;
    return { reach: (await provider.reach?.(functionId, value, agent)) ?? NOWHERE, problem: null };
  } catch (error) {
    if (!(error instanceof WritError) || error.code === 'INTERNAL') throw error;
    const isEarly = error.code === 'FUNCTION_REQUEST_INVALID' && needs.length > 0;
    return { reach: null, problem: isEarly ? null : error };
  }
}

function limitsOf(
  guard: Guard,
  plan: Plan,
  node: TaskNode,
  sandbox: 'wasm' | 'docker' | null,
  facts: CallFacts,
  decision: Decision,
): readonly PlannedLimit[] {
  const asked = askedLimits(node);
  const driver = sandbox === null ? null : (guard.callables.drivers[sandbox] ?? null);
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
