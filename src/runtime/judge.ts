// What policy says of an attempt: the callable is looked up, the initiator, the agent and every ceiling layer are
// asked, the sandbox request is prepared. Nothing starts here.
import type { Subject } from '../approval/subject.js';
import { sha256, type Sha256 } from '../audit/sha256.js';
import { canonicalJson, sharedJson } from '../canonical-json.js';
import { WritError } from '../errors.js';
import type { Json, JsonObject } from '../json.js';
import { NO_COST, type Estimate } from '../policy/budget.js';
import type { CeilingLayer, LimitSet } from '../policy/ceiling.js';
import type { Decision } from '../policy/decide.js';
import { decideOnce } from '../policy/decide-once.js';
import { underMeters, underRates } from '../policy/metered.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { DataClass } from '../workflow/data-class.js';
import type { Plan, TaskNode } from '../workflow/plan.js';
import type { Attempt } from './attempt.js';
import { resolveCallable, type Callable, type Callables, type SandboxedCallable } from './callable.js';
import type { StalePolicy } from './live-policy.js';
import { bucketsOf, metersOf, reserve, take } from './charges.js';
import { asJson, draft, egressDecided, type EntryContext } from './entries.js';
import type { Journal } from './journal.js';
import { askedLimits, innerLimits, layersOf, mountFacts } from './layers.js';
import { defaultLimits, effectiveLimits, limitsJson, type StepLimits } from './limits.js';
import { narrowedByPackage } from './package-policy.js';
import { logTime } from './log.js';
import { openJson } from './payload.js';
import type {
  Artifacts,
  AttemptRecord,
  Charge,
  Clock,
  EntryDraft,
  FunctionReach,
  PolicyFiles,
  ProgressNotice,
  QueryEvaluator,
  Random,
  RunRecord,
  SandboxDriver,
  SandboxMount,
  SandboxRequest,
  Store,
} from './ports.js';
import type { Redactor } from './redaction.js';
import { problemOf } from './function-schema.js';
import type { RunPolicy } from './run-policies.js';
import { dataFacts, dataJson, requireKnownLabels, returnedBy } from './run-data.js';

/** What the guard and its rooms need. */
export interface Guard {
  readonly store: Store;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes out secrets before anything is stored, approved or run. */
  readonly redact: Redactor;
  /** The platform's; absent = the portable one, which is slower. */
  readonly sha256?: Sha256;
  readonly tenant: string;
  /** Through what people act here: `cli`, `library`. */
  readonly via: string;
  /** The snapshot in force now; asked once per attempt. */
  readonly policy: () => PolicySnapshot;
  /** What the steps of a run are decided by: never more than the policies that it was started under allow. */
  readonly policyOfRun: (run: Pick<RunRecord, 'id' | 'policyHash'>) => Promise<RunPolicy>;
  /** What `policy()` was loaded from: kept with each run that begins. */
  readonly policyFiles: () => PolicyFiles;
  /** Why no step may begin just now; null = policies are as fresh as they have to be. */
  readonly stalePolicy: () => StalePolicy | null;
  readonly callables: Callables;
  /**
   * Resolves when witnesses have cosigned all that was logged so far, of this run in any case; else throws
   * AUDIT_WITNESS_UNAVAILABLE and the step must not begin.
   */
  readonly requireAnchor: (runId: string, signal: AbortSignal) => Promise<void>;
  /** Resolves when what came before in the run is no longer on its way to the store; absent = it never is. */
  readonly written?: () => Promise<void>;
  /** JSONata, evaluated in a process of its own. */
  readonly queries: Pick<QueryEvaluator, 'evaluate'>;
  /** What distributed Maps read and write. */
  readonly artifacts: Artifacts;
  /** Tells whoever watches; null = nobody does. */
  readonly progress: () => ((notice: ProgressNotice) => void) | null;
}

/** An attempt that policy has judged, with everything it would do if it ran. */
export interface Judged {
  readonly attempt: Attempt;
  readonly context: EntryContext;
  readonly callable: Callable;
  readonly decision: Decision;
  readonly limits: StepLimits;
  readonly subject: Subject;
  /** What the sandbox will be given; null for a function. */
  readonly request: SandboxRequest | null;
  readonly evidence: JsonObject | null;
  readonly earlier: AttemptRecord | null;
  /** What the act gives carries besides what it was given. */
  readonly returns: DataClass;
  /** What its intent is charged, to every layer that has a budget. */
  readonly charges: readonly Charge[];
  /** Who wrote the workflow, where policy bars them from deciding; null where it does not. */
  readonly author: string | null;
  /** As `RunPolicy` has it. */
  readonly startPolicy: Pick<RunPolicy, 'startPolicy'>;
}

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
  const { egressBytes, egressRequests, ...ofSandbox } = limits;
  const request: SandboxRequest | null =
    callable.kind === 'sandbox'
      ? {
          ...callable.request,
          ...fixedFor(guard, attempt, callable),
          ...requiredBy(decision),
          ...egressFor(guard, attempt, context, callable, limits),
          limits: ofSandbox,
          run: run.id,
        }
      : null;
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
  { plan, node, callable }: Asked,
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
 * that is set back revives no grant that has ended. Throws POLICY_START_LOST; `startPolicy` is for the record.
 */
export async function ofRun(
  guard: Pick<Guard, 'policyOfRun' | 'clock' | 'tenant' | 'store'>,
  run: Pick<RunRecord, 'id' | 'policyHash'>,
): Promise<Pick<Guard, 'policy' | 'clock' | 'tenant'> & Pick<Judged, 'startPolicy'>> {
  const { snapshot, ...startPolicy } = await guard.policyOfRun(run);
  const nowMs = logTime(guard.clock.nowMs(), (await guard.store.log()).lastTimeMs);
  const { clock: real } = guard;
  const clock: Clock = { nowMs: () => nowMs, sleepUntil: (untilMs, by) => real.sleepUntil(untilMs, by) };
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
      ...(callable.package === null ? {} : { agentOwnName: callable.package.name }),
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

/** Throws CEILING_MOUNTS: a layer that says nothing of mounts forbids none, and one has to have said yes. */
function requireListed({ verdict, effective }: Decision, node: TaskNode): void {
  if (effective.mounts !== 'unlisted' || verdict === 'deny') return;
  throw new WritError(
    'CEILING_MOUNTS',
    `"${node.name}" mounts folders of the host, and no ceiling lists any`,
    {
      hint: 'list them in policies/ceilings: mounts: { allow: [{ path: /data/claims, mode: ro }] }',
    },
  );
}

/** What a program in a sandbox would reach: what its step lists. */
export function sandboxReach({ egress }: SandboxedCallable): FunctionReach {
  if (egress === undefined) return NOWHERE;
  return { ...NOWHERE, network: egress.hosts, credentials: egress.credentials };
}

/** Throws CEILING_NETWORK: no ceiling of the operator has said yes to these hosts. */
function requireListedHosts({ verdict, effective }: Decision, node: TaskNode): void {
  if (effective.network !== 'unlisted' || verdict === 'deny') return;
  throw new WritError(
    'CEILING_NETWORK',
    `"${node.name}" asks for hosts from a sandbox that no ceiling of the operator lists`,
    {
      hint: 'list them in policies/ceilings: network: { mode: allowlist, allow: [api.example:443] }, an address by itself',
    },
  );
}

/** The way out as a driver is asked for it: each decision of the proxy becomes an entry before anything is connected. */
function egressFor(
  { journal, tenant }: Guard,
  { stepPath, attempt, run }: Attempt,
  context: EntryContext,
  { agent, egress }: SandboxedCallable,
  { egressBytes: bytes, egressRequests: requests }: StepLimits,
): Pick<SandboxRequest, 'egress'> {
  if (egress === undefined) return {};
  if (bytes === undefined || requests === undefined)
    throw new WritError('INTERNAL', 'a way out without budget');
  const about = { stepPath, attempt, subject: run.initiator, agent, domain: tenant };
  return {
    egress: {
      ...{ ...egress, bytes, requests },
      record: async (decision) => {
        await journal.commit({ entries: egressDecided(context, about, decision) });
      },
    },
  };
}

/** As the log and an approval name them. */
export function mountsJson(mounts: readonly SandboxMount[]): JsonObject[] {
  return mounts.map(({ source, target, mode }) => ({ source, target, mode }));
}

function requiredBy({ effective }: Decision): Pick<SandboxRequest, 'require'> {
  return effective.require === undefined ? {} : { require: effective.require };
}

/** Clock and random bytes of a program that is to see the same each time this attempt is run. */
function fixedFor(
  { clock }: Guard,
  { idempotencyKey }: Attempt,
  { deterministic }: SandboxedCallable,
): Pick<SandboxRequest, 'deterministic'> {
  if (deterministic !== true) return {};
  const seed = Buffer.from(sha256(new TextEncoder().encode(idempotencyKey))).toString('hex');
  return { deterministic: { seed, nowMs: clock.nowMs() } };
}

function subjectOf(
  guard: Guard,
  attempt: Attempt,
  callable: Callable,
  reach: FunctionReach,
  decision: Decision,
  limits: StepLimits,
): Subject {
  const sandbox =
    callable.kind === 'sandbox'
      ? {
          driver: callable.driver.kind,
          profile: 'strict',
          image: callable.request.program.digest,
          mounts: mountsJson(callable.request.mounts ?? []),
          network: [...reach.network].sort(),
        }
      : outsideOf(reach);
  const data = dataJson(attempt.data);
  return {
    tenant: guard.tenant,
    run: attempt.run.id,
    workflowHash: attempt.workflow.hash,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    iteration: attempt.iteration,
    item: attempt.item,
    function: callable.resource,
    input: attempt.input,
    agentDigest: callable.agentDigest ?? reach.definition ?? null,
    sandbox,
    credentials: reach.credentials,
    policyHash: decision.policyHash,
    ceilingHash: decision.ceilingHash,
    limits: limitsJson(limits),
    ...(data === null ? {} : { data }),
  };
}

/** A function that runs outside a sandbox and reaches into the network is approved with the hosts that it reaches. */
function outsideOf({ network }: FunctionReach): JsonObject | null {
  if (network.length === 0) return null;
  return { driver: 'none', profile: 'none', image: null, mounts: [], network: [...network].sort() };
}

/** `authz.decided` and `ceiling.composed`: written for allow and deny alike. */
export function decisionEntries(judged: Judged): EntryDraft[] {
  const { attempt, callable, decision, context } = judged;
  const { stepPath } = attempt;
  const { rules, layers, effective } = recordOf(decision);
  const data = dataJson(attempt.data);
  return [
    draft(context, 'authz.decided', {
      action: callable.action,
      agent: callable.agent,
      attempt: attempt.attempt,
      code: decision.code,
      domain: context.tenant,
      resource: callable.resource,
      ruleId: decision.rbac[0]?.ruleId ?? null,
      rules,
      stepPath,
      subject: attempt.run.initiator,
      verdict: decision.verdict,
      ...(decision.grant === undefined ? {} : { grant: decision.grant }),
      ...judged.startPolicy,
    }),
    draft(context, 'ceiling.composed', {
      attempt: attempt.attempt,
      ceilingHash: decision.ceilingHash,
      effective,
      layers,
      stepPath,
      ...(data === null ? {} : { data }),
    }),
  ];
}

interface DecisionRecord {
  readonly rules: Json;
  readonly layers: Json;
  readonly effective: Json;
}

const records = new WeakMap<Decision, DecisionRecord>();

/** A decision as the log tells it; the same one for all attempts that share it. */
function recordOf(decision: Decision): DecisionRecord {
  const before = records.get(decision);
  if (before !== undefined) return before;
  const rules = decision.rbac.map(({ subject, ruleId, effect, rolePath }) => ({
    subject,
    ruleId,
    effect,
    rolePath,
  }));
  const { ceiling, effective } = decision;
  const record = {
    rules: sharedJson(asJson(rules)),
    layers: sharedJson(asJson(ceiling)),
    effective: sharedJson(asJson(effective)),
  };
  records.set(decision, record);
  return record;
}
