// What policy says of an attempt: the callable is looked up, the initiator, the agent and every ceiling layer are
// asked, the sandbox request is prepared. Nothing starts here.
import type { Subject } from '../approval/subject.js';
import { canonicalJson } from '../canonical-json.js';
import type { JsonObject } from '../json.js';
import { decide, type Decision } from '../policy/decide.js';
import type { PolicySnapshot } from '../policy/snapshot.js';
import type { Attempt } from './attempt.js';
import { resolveCallable, type Callable, type Callables } from './callable.js';
import { asJson, draft, type EntryContext } from './entries.js';
import type { Journal } from './journal.js';
import { askedLimits, packageLayer, stepLayer, workflowLayer } from './layers.js';
import { openJson } from './payload.js';
import type { AttemptRecord, Clock, EntryDraft, Limits, Random, SandboxRequest, Store } from './ports.js';
import type { Redactor } from './redaction.js';

/** What the guard and its rooms need. */
export interface Guard {
  readonly store: Store;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes out secrets before anything is stored, approved or run. */
  readonly redact: Redactor;
  readonly tenant: string;
  /** Through what people act here: `cli`, `library`. */
  readonly via: string;
  /** The snapshot in force now; asked once per attempt. */
  readonly policy: () => PolicySnapshot;
  readonly callables: Callables;
  /**
   * Resolves when witnesses have cosigned all that was logged so far, of this run in any case; else throws
   * AUDIT_WITNESS_UNAVAILABLE and the step must not begin.
   */
  readonly requireAnchor: (runId: string, signal: AbortSignal) => Promise<void>;
}

/** An attempt that policy has judged, with everything it would do if it ran. */
export interface Judged {
  readonly attempt: Attempt;
  readonly context: EntryContext;
  readonly callable: Callable;
  readonly decision: Decision;
  readonly limits: Limits;
  readonly subject: Subject;
  /** What the sandbox will be given; null for a function. */
  readonly request: SandboxRequest | null;
  readonly evidence: JsonObject | null;
  readonly earlier: AttemptRecord | null;
}

/** Looks up, asks policy and every ceiling, and prepares the sandbox; starts nothing. */
export async function judge(guard: Guard, attempt: Attempt, context: EntryContext): Promise<Judged> {
  const { run, plan, node, input, stepPath } = attempt;
  const earlier = await sameInput(guard, attempt, await recordedAttempt(guard, attempt));
  const callable = await resolveCallable(guard.callables, plan, run, node, input);
  const snapshot = guard.policy();
  const asked = askedLimits(node);
  const sandbox = callable.kind === 'sandbox' ? callable.driver.kind : null;
  const decision = decide(snapshot, {
    nowMs: guard.clock.nowMs(),
    initiator: run.initiator,
    agent: callable.agent,
    domain: guard.tenant,
    action: callable.action,
    resource: callable.resource,
    layers: [workflowLayer(plan), packageLayer(callable.package), stepLayer(node, stepPath)],
    facts: {
      functionId: callable.resource,
      agentName: node.call.kind === 'agent' ? node.call.name : null,
      agentDigest: callable.agentDigest,
      sandbox,
      network: [],
      mounts: [],
      credentials: [],
      limits: asked,
      labels: null,
    },
    approval: callable.approval,
  });
  const limits = effectiveLimits(callable, asked, decision.effective.limits, attempt.timeLeftMs);
  const request: SandboxRequest | null =
    callable.kind === 'sandbox'
      ? { argv: callable.argv, env: {}, stdin: callable.stdin, module: callable.module, limits }
      : null;
  const evidence =
    callable.kind === 'sandbox' && request !== null && decision.verdict !== 'deny'
      ? await callable.driver.prepare(request)
      : null;
  const subject = subjectOf(guard, attempt, callable, decision, limits);
  return { attempt, context, callable, decision, limits, subject, request, evidence, earlier };
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

/** What is stored of this very attempt: it has waited for an approval, or its outcome was lost. */
export function recordedAttempt(guard: Guard, attempt: Attempt): Promise<AttemptRecord | null> {
  return guard.store.attempt(attempt.run.id, attempt.stepPath, attempt.attempt);
}

const FUNCTION_DEFAULTS: Limits = { timeoutMs: 120_000, memoryMiB: 0, outputBytes: 1_048_576 };

/** Defaults are applied once, after composing: what was asked, else the smaller of default and ceiling. */
function effectiveLimits(
  callable: Callable,
  asked: Partial<Limits>,
  ceiling: Partial<Limits>,
  timeLeftMs: number | null,
): Limits {
  const defaults = callable.kind === 'sandbox' ? callable.driver.defaults : FUNCTION_DEFAULTS;
  const pick = (name: keyof Limits): number =>
    Math.min(asked[name] ?? defaults[name], ceiling[name] ?? Number.MAX_SAFE_INTEGER);
  const timeoutMs = Math.min(pick('timeoutMs'), timeLeftMs ?? Number.MAX_SAFE_INTEGER);
  return { timeoutMs, memoryMiB: pick('memoryMiB'), outputBytes: pick('outputBytes') };
}

function subjectOf(
  guard: Guard,
  attempt: Attempt,
  callable: Callable,
  decision: Decision,
  limits: Limits,
): Subject {
  const sandbox =
    callable.kind === 'sandbox'
      ? {
          driver: callable.driver.kind,
          profile: 'strict',
          image: callable.module.digest,
          mounts: [],
          network: [],
        }
      : null;
  return {
    tenant: guard.tenant,
    run: attempt.run.id,
    workflowHash: attempt.workflow.hash,
    stepPath: attempt.stepPath,
    attempt: attempt.attempt,
    iteration: null,
    item: null,
    function: callable.resource,
    input: attempt.input,
    agentDigest: callable.agentDigest,
    sandbox,
    credentials: [],
    policyHash: decision.policyHash,
    ceilingHash: decision.ceilingHash,
    limits: limitsJson(limits),
  };
}

export function limitsJson(limits: Limits): JsonObject {
  return { timeoutMs: limits.timeoutMs, memoryMiB: limits.memoryMiB, outputBytes: limits.outputBytes };
}

/** `authz.decided` and `ceiling.composed`: written for allow and deny alike. */
export function decisionEntries(judged: Judged): EntryDraft[] {
  const { attempt, callable, decision, context } = judged;
  const { stepPath } = attempt;
  const rules = decision.rbac.map(({ subject, ruleId, effect, rolePath }) => ({
    subject,
    ruleId,
    effect,
    rolePath,
  }));
  return [
    draft(context, 'authz.decided', {
      stepPath,
      attempt: attempt.attempt,
      subject: attempt.run.initiator,
      agent: callable.agent,
      domain: context.tenant,
      action: callable.action,
      resource: callable.resource,
      verdict: decision.verdict,
      ruleId: decision.rbac[0]?.ruleId ?? null,
      rules: asJson(rules),
      code: decision.code,
    }),
    draft(context, 'ceiling.composed', {
      stepPath,
      attempt: attempt.attempt,
      ceilingHash: decision.ceilingHash,
      layers: asJson(decision.ceiling),
      effective: asJson(decision.effective),
    }),
  ];
}
