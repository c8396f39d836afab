// May this act happen? RBAC for the initiator, RBAC for the agent, every ceiling layer, then the approval duty.
// All must say yes and ceilings never grant. Pure: time is a value of the request. Fail closed: any error, and
// anything not understood, is a deny with a code. The record holds every layer, not only the first that refused.
import type { ErrorCode } from '../errors.js';
import type { Hex } from '../json.js';
import type { AccessAnswer } from './rbac/access.js';
import { actionsHint, isAction, isStepAct } from './rbac/action.js';
import { demandOfStep, demandsOf, joinDemands, MAX_EXPIRES_SECONDS } from './ceiling/approval-duty.js';
import type { ApprovalAsk, ApprovalDemand, EffectiveApproval } from './ceiling/approval-duty.js';
import { budgetField, budgetUses, hasBudget } from './ceiling/budget.js';
import { ceilingHint } from './ceiling/hint.js';
import type { BudgetUse } from './ceiling/budget.js';
import { APPROVAL_MODES, labelOf, LAYERS, NO_CEILING } from './ceiling/ceiling.js';
import type { AuditRequirement, CeilingLayer, LayerName, LimitSet, Rate } from './ceiling/ceiling.js';
import type { CeilingRequest, Facts } from './ceiling/facts.js';
import { honestPackageName, requestProblem } from './ceiling/facts.js';
import { grantFor } from './rbac/grant.js';
import type { Grant } from './rbac/grant.js';
import { hostMatches } from './ceiling/host.js';
import { checkAsNamed, checkPackage, decidedCall, decidedNames } from './rbac/package-access.js';
import { boundViolations, effectiveLimits } from './ceiling/permits.js';
import type { Violation } from './ceiling/permits.js';
import { ratesOf } from './ceiling/rate.js';
import { eligibleApprovers, isReachable } from './rbac/quorum.js';
import type { PolicySnapshot } from './snapshot.js';
import { isPrincipal, isRole, principalProblem, quoted } from './file/text.js';

export interface DecisionRequest {
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly initiator: string;
  /** The agent or service that acts for the initiator; null = the step has none, RBAC is asked once. */
  readonly agent: string | null;
  /**
   * Who wrote the workflow; null = nobody knows, and then no approval that they may not give can be given. Absent = the
   * question is about no workflow.
   */
  readonly author?: string | null;
  readonly domain: string;
  readonly action: string;
  readonly resource: string;
  /** Layers beyond the snapshot's own: workflow, agent, parent, step. `spec: null` records an absent one. */
  readonly layers: readonly CeilingLayer[];
  readonly facts: Facts;
  /** What the step asks for; null = it says nothing. */
  readonly approval: ApprovalAsk | null;
}

export type DecisionCode = Extract<
  ErrorCode,
  `POLICY_${string}` | `CEILING_${string}` | 'APPROVAL_QUORUM_UNREACHABLE'
>;

export interface RbacRecord {
  readonly subject: string;
  readonly ruleId: string | null;
  readonly effect: 'allow' | 'deny' | 'none';
  readonly rolePath: readonly string[];
}

/** One row per layer, one per violated field where a layer refuses. `hash: null` = the layer is absent. */
export interface CeilingRecord {
  readonly layer: LayerName;
  readonly name: string;
  readonly hash: Hex | null;
  readonly ok: boolean;
  readonly field?: string;
  readonly limit?: string;
  readonly requested?: string;
}

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'needs_approval';
  /** Set when and only when the verdict is deny. */
  readonly code: DecisionCode | null;
  /** One sentence; a denial names at least one rule, or a layer and its field. */
  readonly message: string;
  readonly hint: string | null;
  /** Initiator first, then the agent. */
  readonly rbac: readonly RbacRecord[];
  readonly ceiling: readonly CeilingRecord[];
  readonly effective: {
    /** null = no approval is needed. Set also where something else denies. */
    readonly approval: EffectiveApproval | null;
    /** Maximum per limit; an absent name is bounded by the driver's default only. */
    readonly limits: LimitSet;
    /** Limits that a clamping layer lowered below what the step asked. */
    readonly narrowed: readonly string[];
    /** What has to be true of the log before the act. */
    readonly audit: AuditRequirement;
    /** Whether a layer lists the mounts that are asked for: what no layer lists is nobody's to give. Absent = none is asked. */
    readonly mounts?: 'listed' | 'unlisted';
    /**
     * Whether ceilings of the operator list every host that a sandbox asks for, addresses by themselves and not by a
     * pattern. Absent = no sandbox, or no host is asked for.
     */
    readonly network?: 'listed' | 'unlisted';
    /** What the sandbox has to keep; absent = nothing is required. */
    readonly require?: readonly string[];
  };
  /** Which layer and rule, or the step, asked for the approval, for people. */
  readonly demandedBy: readonly string[];
  /** The standing approval (grant.ts) that took the place of a person's; absent = none did. */
  readonly grant?: string;
  /** Budgets the act is to be charged to, of every layer; empty where it is denied. See `underMeters`. */
  readonly budgets: readonly LayerBudget[];
  /** Buckets the act takes from, of every layer; empty where it is denied. See `underRates`. */
  readonly rates: readonly LayerRate[];
  readonly policyHash: Hex;
  /** Hash of the meet of all layers. */
  readonly ceilingHash: Hex;
  readonly modelHash: Hex;
}

/** A budget of one layer, and what of it the act will use at least. */
export interface LayerBudget extends BudgetUse {
  readonly layer: LayerName;
  readonly name: string;
  readonly estimate: number;
}

/** A rate of one layer that counts the act. */
export interface LayerRate extends Rate {
  readonly layer: LayerName;
  readonly name: string;
}

/** Decides one act. Never throws; an error in policy code is a deny with POLICY_ERROR. */
export function decide(snapshot: PolicySnapshot, request: DecisionRequest): Decision {
  try {
    const problem = problemOf(request);
    return problem === null
      ? decideValid(snapshot, request)
      : denied(snapshot, 'POLICY_REQUEST_INVALID', problem, hintFor(request));
  } catch (error) {
    const words = error instanceof Error ? error.message : 'unknown error';
    const hint = 'nothing runs until policy can decide';
    return denied(snapshot, 'POLICY_ERROR', `policy could not decide: ${words}`, hint);
  }
}

function hintFor({ action }: DecisionRequest): string {
  return isAction(action) ? 'ask with known, well-formed names' : actionsHint(action);
}

/** What is said to a question that can't be understood. Never throws. */
export function refuseQuestion(snapshot: PolicySnapshot, problem: string): Decision {
  return denied(snapshot, 'POLICY_REQUEST_INVALID', problem, 'ask with known fields and well-formed names');
}

function decideValid(snapshot: PolicySnapshot, request: DecisionRequest): Decision {
  const { action, facts } = request;
  const subjects = request.agent === null ? [request.initiator] : [request.initiator, request.agent];
  const answers = subjects.map((subject) => ({ subject, answer: accessOf(snapshot, request, subject) }));

  const layers = allLayers(snapshot, request);
  const { ceiling: composed, hash: ceilingHash } = snapshot.layers.compose(layers);
  const judged = layers.map((layer) => judgeLayer(snapshot, layer, request));
  const { limits, narrowed } = effectiveLimits(composed, facts.limits);

  const demands = allDemands(layers, request);
  const needed = joinDemands(demands);
  const grant = needed === null ? null : grantOf(snapshot, request, needed);
  const approval = grant === null ? needed : null;
  const unreachable = approval !== null && !reachable(snapshot, request, approval, subjects);

  const refusal =
    firstRefusal(answers) ??
    firstViolation(judged) ??
    (approval?.author === true && request.author === null ? authorRefusal(request) : null) ??
    (unreachable ? quorumRefusal(request, approval.quorum) : null);
  const verdict = refusal !== null ? 'deny' : approval !== null ? 'needs_approval' : 'allow';
  const demandedBy =
    approval === null ? [] : demands.filter(({ mode }) => mode !== 'none').map((demand) => demand.by);
  return {
    verdict,
    code: refusal?.code ?? null,
    message:
      refusal?.message ??
      (approval === null
        ? [
            ...answers.map(({ answer }) => answer.message),
            ...(grant === null ? [] : [`grant ${grant.id} stands for the approval`]),
          ].join('; ')
        : `needs ${approval.mode} approval: ${demandedBy.join('; ')}`),
    hint: refusal?.hint ?? null,
    rbac: answers.map(({ subject, answer: { ruleId, effect, rolePath } }) => ({
      subject,
      ruleId,
      effect,
      rolePath,
    })),
    ceiling: judged.flatMap(({ records }) => records),
    effective: {
      ...{ approval, limits, narrowed, audit: composed.audit.required },
      ...(facts.mounts.length === 0
        ? {}
        : ({ mounts: composed.mounts.length > 0 ? 'listed' : 'unlisted' } as const)),
      ...(facts.sandbox === null || facts.network.length === 0
        ? {}
        : ({ network: areListed(layers, facts.network) ? 'listed' : 'unlisted' } as const)),
      ...(composed.sandbox.require === undefined || facts.sandbox === null
        ? {}
        : { require: composed.sandbox.require }),
    },
    demandedBy,
    ...(grant === null ? {} : { grant: grant.id }),
    budgets:
      refusal === null && isCharged(action) && hasBudget(composed.budget) ? budgetsOf(layers, facts) : [],
    rates:
      refusal === null && isCharged(action) && composed.rates !== undefined
        ? layerRatesOf(layers, facts)
        : [],
    policyHash: snapshot.policyHash,
    ceilingHash,
    modelHash: snapshot.modelHash,
  };
}

function accessOf(snapshot: PolicySnapshot, request: DecisionRequest, subject: string): AccessAnswer {
  const { domain, action, resource, facts } = request;
  const question = { subject, domain, action, resource };
  return action === 'agent.invoke'
    ? checkPackage(snapshot, question, facts)
    : checkAsNamed(snapshot, question);
}

// --- layers ---------------------------------------------------------------------------------------------------------

/** The snapshot's own layers that hold for the domain, absent ones recorded, then the caller's, in layer order. */
const OPERATORS: readonly LayerName[] = ['org', 'environment', 'tenant'];
/** An address, as `host:port` writes it. */
const ADDRESS = /^(?:[0-9.]+|\[.*\]):[0-9]+$/;

/** Who writes a workflow doesn't say where programs may connect to: its own layers count for nothing here. */
function areListed(layers: readonly CeilingLayer[], hosts: readonly string[]): boolean {
  const lists = layers.flatMap(({ layer, spec }) =>
    OPERATORS.includes(layer) && spec !== null ? spec.network.allow : [],
  );
  return hosts.every((host) =>
    lists.some((list) =>
      list.some((pattern) => hostMatches(host, pattern) && !(ADDRESS.test(host) && pattern.startsWith('*'))),
    ),
  );
}

function allLayers(snapshot: PolicySnapshot, request: DecisionRequest): readonly CeilingLayer[] {
  const own = snapshot.layers.own(request.domain);
  return [...own, ...request.layers].toSorted((a, b) => LAYERS.indexOf(a.layer) - LAYERS.indexOf(b.layer));
}

interface JudgedLayer {
  readonly of: CeilingLayer;
  readonly records: readonly CeilingRecord[];
  readonly violations: readonly Violation[];
}

function judgeLayer(snapshot: PolicySnapshot, of: CeilingLayer, request: DecisionRequest): JudgedLayer {
  const { layer, name, spec } = of;
  if (spec === null) return { of, records: [{ layer, name, hash: null, ok: true }], violations: [] };
  const hash = snapshot.ceilingHash(spec);
  // Checked by problemOf: the action is one of the closed list.
  const violations = boundViolations(spec, request as Omit<CeilingRequest, 'approval'>);
  if (violations.length === 0) return { of, records: [{ layer, name, hash, ok: true }], violations };
  const records = violations.map(({ field, limit, requested }) => {
    return { layer, name, hash, ok: false, field, limit, requested };
  });
  return { of, records, violations };
}

/** Only what steps do is charged. */
function isCharged(action: string): boolean {
  return isAction(action) && isStepAct(action);
}

function budgetsOf(layers: readonly CeilingLayer[], facts: Facts): readonly LayerBudget[] {
  return layers.flatMap(({ layer, name, spec }) =>
    (spec === null ? [] : budgetUses(spec.budget, facts.estimate)).map((use) => {
      if (use.estimate === null)
        throw new Error(`an unknown amount under ${budgetField(use)} was let through`);
      return { layer, name, ...use, estimate: use.estimate };
    }),
  );
}

function layerRatesOf(layers: readonly CeilingLayer[], facts: Facts): readonly LayerRate[] {
  return layers.flatMap(({ layer, name, spec }) =>
    ratesOf(spec?.rates, facts).map((rate) => ({ layer, name, ...rate })),
  );
}

// --- approval -------------------------------------------------------------------------------------------------------

function allDemands(layers: readonly CeilingLayer[], request: DecisionRequest): readonly ApprovalDemand[] {
  const step = demandOfStep(request.approval);
  // Whoever may start or stop a run, decide or read needs nobody's approval for it: only what steps do does.
  if (isAction(request.action) && !isStepAct(request.action)) return step === null ? [] : [step];
  return [
    ...layers.flatMap((layer) =>
      layer.spec === null ? [] : demandsOf(layer.spec, labelOf(layer), request.facts),
    ),
    ...(step === null ? [] : [step]),
  ];
}

function grantOf(
  snapshot: PolicySnapshot,
  { domain, facts, initiator, nowMs }: DecisionRequest,
  needed: EffectiveApproval,
): Grant | null {
  if (snapshot.grants.length === 0) return null;
  const roles = snapshot.grantRolesOf(initiator, domain);
  const { functionId } = facts;
  const alsoCalled = honestPackageName(facts);
  return grantFor(snapshot.grants, { functionId, alsoCalled, initiator, roles, domain, nowMs, needed });
}

function reachable(
  snapshot: PolicySnapshot,
  { domain, facts, author }: DecisionRequest,
  approval: EffectiveApproval,
  involved: readonly string[],
): boolean {
  const { separationOfDuties, quorum } = approval;
  const barred = approval.author === true && typeof author === 'string' ? { author } : {};
  const question = { domain, ...decidedCall(facts), separationOfDuties, involved, ...barred };
  return isReachable(snapshot, domain, quorum, eligibleApprovers(snapshot, question));
}

// --- refusals -------------------------------------------------------------------------------------------------------

interface Refusal {
  readonly code: DecisionCode;
  readonly message: string;
  readonly hint: string | null;
}

function firstRefusal(answers: readonly { readonly answer: AccessAnswer }[]): Refusal | null {
  const refused = answers.find(({ answer }) => !answer.allowed)?.answer;
  if (refused === undefined) return null;
  return { code: refused.code ?? 'POLICY_ERROR', message: refused.message, hint: refused.hint };
}

function firstViolation(judged: readonly JudgedLayer[]): Refusal | null {
  const layer = judged.find(({ violations }) => violations.length > 0);
  const first = layer?.violations[0];
  if (layer === undefined || first === undefined) return null;
  return {
    code: first.code,
    message: `${labelOf(layer.of)}: ${first.field} is ${first.limit}, the request asks for ${first.requested}`,
    hint: ceilingHint(first, undefined, layer.of.layer),
  };
}

function authorRefusal({ facts }: DecisionRequest): Refusal {
  return {
    code: 'APPROVAL_QUORUM_UNREACHABLE',
    message: `approval of ${facts.functionId} is not for who wrote the workflow, and nobody knows who did`,
    hint: 'register a new version of the workflow: who registers a version is its author',
  };
}

function quorumRefusal(request: DecisionRequest, quorum: EffectiveApproval['quorum']): Refusal {
  const needed = quorum.map(({ role, n }) => `${n} x ${role}`).join(' and ');
  const [name, own] = decidedNames(decidedCall(request.facts));
  const called = own === undefined ? name : `${name}, by its own name ${own},`;
  return {
    code: 'APPROVAL_QUORUM_UNREACHABLE',
    message:
      `approval of ${called} needs ${needed}, ` +
      `which the eligible people in ${request.domain} can't reach`,
    hint: 'add people to approvers.yaml and the role, or give the role approval.decide in rbac/*.yaml',
  };
}

function denied(snapshot: PolicySnapshot, code: DecisionCode, message: string, hint: string): Decision {
  return {
    ...{ verdict: 'deny', code, message, hint, rbac: [], ceiling: [], demandedBy: [] },
    ...{ budgets: [], rates: [] },
    effective: { approval: null, limits: {}, narrowed: [], audit: 'local' },
    policyHash: snapshot.policyHash,
    // Known since the snapshot was built: computing it can't fail here.
    ceilingHash: snapshot.ceilingHash(NO_CEILING),
    modelHash: snapshot.modelHash,
  };
}

// --- request --------------------------------------------------------------------------------------------------------

/** Why the request can't be judged, or null. */
function problemOf(request: DecisionRequest): string | null {
  const { nowMs, initiator, agent, approval, facts } = request;
  if (!Number.isSafeInteger(nowMs) || nowMs < 0) return `nowMs ${quoted(nowMs)} is no time`;
  if (!isPrincipal(initiator)) return `initiator ${principalProblem(initiator)}`;
  if (agent !== null && (!isPrincipal(agent) || agent.startsWith('user:'))) {
    return `agent ${quoted(agent)} is not agent:NAME or service:NAME`;
  }
  const layer = request.layers.find((candidate) => !(LAYERS as readonly string[]).includes(candidate.layer));
  if (layer !== undefined) return `ceiling layer ${quoted(layer.layer)} is unknown`;
  return (
    (approval === null ? null : askProblem(approval)) ??
    requestProblem(request.action, request.resource, facts)
  );
}

function askProblem(ask: ApprovalAsk): string | null {
  if (!APPROVAL_MODES.includes(ask.mode)) return `approval mode ${quoted(ask.mode)} is unknown`;
  const role = ask.approverRoles.find((candidate) => !isRole(candidate));
  if (role !== undefined) return `approver role ${quoted(role)} is not role:NAME`;
  const whole = (value: number | null, maximum: number) =>
    value === null || (Number.isSafeInteger(value) && value >= 1 && value <= maximum);
  if (!whole(ask.quorum, MAX_QUORUM)) return `quorum ${quoted(ask.quorum)} is not 1 to ${MAX_QUORUM}`;
  return whole(ask.expiresSeconds, MAX_EXPIRES_SECONDS)
    ? null
    : `expiresSeconds ${quoted(ask.expiresSeconds)} is not 1 to ${MAX_EXPIRES_SECONDS}`;
}

const MAX_QUORUM = 20;
