// What policy says of an attempt: the callable is looked up, the initiator, the agent and every ceiling layer are
// asked, the sandbox request is prepared. Nothing starts here.
import { canonicalJson } from '../../canonical-json.js';
import { WritError } from '../../errors.js';
import type { Json } from '../../json.js';
import { NO_COST, type Estimate } from '../../policy/ceiling/budget.js';
import type { CeilingLayer, LimitSet } from '../../policy/ceiling/ceiling.js';
import type { Decision } from '../../policy/decision/decision.js';
import { decideOnce } from '../../policy/decision/decide-once.js';
import { underMeters, underRates } from '../../policy/ceiling/metered.js';
import type { DataClass } from '../../workflow/data-class.js';
import type { Plan, TaskNode } from '../../workflow/plan.js';
import type { Attempt } from './attempt.js';
import { resolveCallable, type Callable, type SandboxedCallable } from '../call/callable.js';
import { bucketsOf, metersOf, reserve, take } from './charges.js';
import type { EntryContext } from '../log/entries.js';
import { problemOf } from '../call/function-schema.js';
import type { Guard } from '../guard-parts.js';
import type { Judged } from './judged-attempt.js';
import { askedLimits, innerLimits, layersOf, mountFacts } from './layers.js';
import { defaultLimits, effectiveLimits } from './limits.js';
import { logTime } from '../log/log.js';
import { packageFacts } from '../call/package-facts.js';
import { narrowedByPackage } from '../call/package-policy.js';
import { openJson } from '../log/payload.js';
import type { AttemptRecord, Charge, Clock, FunctionReach, RunRecord, SandboxDriver } from '../ports.js';
import { dataFacts, requireKnownLabels, returnedBy } from '../run/data.js';
import { requireListed, requireListedHosts, sandboxRequest } from './sandbox-request.js';
import { subjectOf } from './subject.js';

/** Looks up, asks policy and every ceiling, and prepares the sandbox; starts nothing. */
export async function judge(guard: Guard, attempt: Attempt, context: EntryContext): Promise<Judged> {
  const { run, plan, node, input, extent, data } = attempt;
  const earlier = await sameInput(guard, attempt, await recordedAttempt(guard, attempt));
  const callable = await resolveCallable(guard.callables, plan, run, node, input);
  const reach = await reachOf(callable, input);
  const asked = askedLimits(node);
  const sandbox = callable.kind === 'sandbox' ? callable.driver.kind : null;
  const asking = { plan, node, initiator: run.initiator, callable, sandbox, reach, extent, data };
  const { packagePolicies = null } = guard.callables;
  const { startPolicy, ...own } = await ofRun(guard, run);
  const first = askPolicy(own, asking);
  const author = await authorOf(guard, attempt, first);
  const answer = author === undefined ? first : askPolicy(own, { ...asking, ...author });
  const narrowed = await narrowedByPackage(
    packagePolicies,
    whileFresh(guard, answer),
    callable.package,
    reach,
  );
  const { decision, charges } = await underBudgets(guard, run.id, narrowed);
  const returns = returnedBy(node, reach);
  if (decision.verdict !== 'deny') requireKnownLabels(returns, () => layersAt(own, asking), 'CEILING_DATA');
  requireListed(decision, node);
  requireListedHosts(decision, node);
  const defaults = defaultLimits(callable.kind === 'sandbox' ? callable.driver : null, node);
  const effective = effectiveLimits(defaults, asked, decision.effective.limits, attempt.timeLeftMs);
  const limits = callable.kind === 'sandbox' ? { ...effective, ...innerLimits(node) } : effective;
  const request =
    callable.kind === 'sandbox' ? sandboxRequest(guard, attempt, context, callable, decision, limits) : null;
  const evidence =
    callable.kind === 'sandbox' && request !== null && decision.verdict !== 'deny'
      ? await callable.driver.prepare(request)
      : null;
  const subject = subjectOf(guard, attempt, callable, reach, decision, limits);
  const judged = {
    attempt,
    context,
    callable,
    decision,
    limits,
    subject,
    request,
    evidence,
    earlier,
    charges,
  };
  return { ...judged, returns, author: author?.author ?? null, startPolicy };
}

/** All layers that the step is judged under. */
function layersAt(
  guard: Pick<Guard, 'policy' | 'tenant'>,
  { plan, node, callable }: Pick<Asked, 'plan' | 'node' | 'callable'>,
): readonly CeilingLayer[] {
  return [...guard.policy().layers.own(guard.tenant), ...layersOf(plan, node, callable.package)];
}

/** Who wrote the workflow, read only where policy asks; undefined where it does not. */
async function authorOf(
  guard: Guard,
  { workflow }: Attempt,
  { effective }: Decision,
): Promise<{ readonly author: string | null } | undefined> {
  if (effective.approval?.author !== true) return undefined;
  return { author: (await guard.store.workflow(workflow.id, workflow.hash))?.author ?? null };
}

/**
 * The questions about a run's steps go to what it may do at most, at the time of the log, which never goes back: a clock
 * that is set back revives no grant that has ended. Throws POLICY_START_LOST and RUN_CHANGED;
 * `startPolicy` is for the record.
 */
export async function ofRun(
  guard: Pick<Guard, 'policyOfRun' | 'clock' | 'tenant' | 'store'>,
  run: RunRecord,
): Promise<Pick<Guard, 'policy' | 'clock' | 'tenant'> & Pick<Judged, 'startPolicy'>> {
  const { snapshot, ...startPolicy } = await guard.policyOfRun(run);
  const nowMs = logTime(guard.clock.nowMs(), (await guard.store.log()).lastTimeMs);
  const { clock: real } = guard;
  const clock: Clock = {
    nowMs: () => nowMs,
    sleepUntil: (untilMs, by) => real.sleepUntil(untilMs, by),
    sleep: (durationMs, by) => real.sleep(durationMs, by),
  };
  return { policy: () => snapshot, clock, tenant: guard.tenant, startPolicy };
}

/** A call as policy is asked about it. */
export interface Asked {
  readonly plan: Plan;
  readonly node: TaskNode;
  readonly initiator: string;
  readonly callable: Pick<Callable, 'resource' | 'action' | 'agent' | 'agentDigest' | 'package' | 'approval'>;
  readonly sandbox: SandboxDriver['kind'] | null;
  readonly reach: FunctionReach;
  readonly extent: LimitSet;
  /** What the data that it may be given carries. */
  readonly data: DataClass;
  /** As `decide` takes it. */
  readonly author?: string | null;
}

/** The one question: before an attempt, and where somebody wants to know beforehand. */
export function askPolicy(
  guard: Pick<Guard, 'policy' | 'clock' | 'tenant'>,
  { plan, node, initiator, callable, sandbox, reach, extent, data, author }: Asked,
): Decision {
  return decideOnce(guard.policy(), {
    nowMs: guard.clock.nowMs(),
    initiator,
    agent: callable.agent,
    ...(author === undefined ? {} : { author }),
    domain: guard.tenant,
    action: callable.action,
    resource: callable.resource,
    layers: layersOf(plan, node, callable.package),
    facts: {
      functionId: callable.resource,
      agentName: node.call.kind === 'agent' ? node.call.name : null,
      agentDigest: callable.agentDigest,
      ...packageFacts(guard.policy(), callable.package, () => layersAt(guard, { plan, node, callable })),
      sandbox,
      network: reach.network,
      mounts: mountFacts(node),
      credentials: reach.credentials,
      tools: reach.tools,
      limits: { ...extent, ...askedLimits(node) },
      ...dataFacts(data),
      ...(reach.estimate === undefined ? {} : { estimate: reach.estimate }),
    },
    approval: callable.approval,
  });
}

/** A yes of policies that are too old is a no. */
export function whileFresh({ stalePolicy }: Pick<Guard, 'stalePolicy'>, decision: Decision): Decision {
  const stale = stalePolicy();
  if (stale === null || decision.verdict === 'deny') return decision;
  return { ...decision, ...stale, verdict: 'deny', ...{ budgets: [], rates: [] } };
}

/** The meters of budgets and rates as they stand now; the store compares again when the intent is written. */
async function underBudgets(
  { store, clock, written }: Guard,
  runId: string,
  decision: Decision,
): Promise<{ readonly decision: Decision; readonly charges: readonly Charge[] }> {
  const { budgets, rates } = decision;
  if (budgets.length === 0 && rates.length === 0) return { decision, charges: [] };
  // What calls before this one gave back counts.
  await written?.();
  const nowMs = clock.nowMs();
  const meters = metersOf(budgets, runId, nowMs);
  const buckets = bucketsOf(rates);
  const used = await store.used([...meters, ...buckets]);
  const within = underMeters(decision, used.slice(0, meters.length));
  const judged = within === decision ? underRates(decision, used.slice(meters.length), nowMs) : within;
  const charges = [...reserve(budgets, meters), ...take(rates, buckets, nowMs)];
  return { decision: judged, charges: judged.verdict === 'deny' ? [] : charges };
}

/** A stored input counts only while it is what would run now: a secret made known meanwhile is no longer in it. */
async function sameInput(
  guard: Guard,
  { input }: Attempt,
  earlier: AttemptRecord | null,
): Promise<AttemptRecord | null> {
  if (earlier?.input == null) return earlier;
  const stored = openJson(await guard.store.payload(earlier.input));
  return canonicalJson(stored) === canonicalJson(input) ? earlier : { ...earlier, input: null };
}

/** What is stored of this very attempt, if it has waited for an approval. */
export async function recordedAttempt(guard: Guard, attempt: Attempt): Promise<AttemptRecord | null> {
  if (!attempt.isWaiting) return null;
  return guard.store.attempt(attempt.run.id, attempt.stepPath, attempt.attempt);
}

export const NOWHERE: FunctionReach = { network: [], credentials: [], tools: [], estimate: NO_COST };
/** A model that nobody has an estimate of. */
const UNKNOWN_COST: Estimate = { tokens: null, costMicroUsd: null };

/** The request against the function's own schema, then what this very call would use. */
export async function reachOf(callable: Callable, input: Json): Promise<FunctionReach> {
  if (callable.kind !== 'function') return sandboxReach(callable);
  const { provider, functionId, agent } = callable;
  const converses = provider.converses?.includes(functionId) === true;
  try {
    const problem = problemOf(provider.schemas?.(functionId).input ?? null, input);
    if (problem !== null) {
      throw new WritError('FUNCTION_REQUEST_INVALID', `the request of ${functionId}: ${problem}`, {
        hint: 'correct the config or prompt of the step',
      });
    }
    const reach = (await provider.reach?.(functionId, structuredClone(input), agent)) ?? NOWHERE;
    return { ...reach, estimate: reach.estimate ?? (converses ? UNKNOWN_COST : NO_COST) };
  } catch (error) {
    if (error instanceof WritError) throw error;
    // What a provider breaks with may hold the run's data.
    throw new WritError('FUNCTION_FAILED', `${functionId} could not say what it would use`, { cause: error });
  }
}

/** What a program in a sandbox would reach: what its step lists. */
export function sandboxReach({ egress }: SandboxedCallable): FunctionReach {
  if (egress === undefined) return NOWHERE;
  return { ...NOWHERE, network: egress.hosts, credentials: egress.credentials };
}
