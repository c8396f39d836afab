// May this act happen? RBAC for the initiator, RBAC for the agent, every ceiling layer, then the approval duty.
// All must say yes and ceilings never grant. Pure: time is a value of the request. Fail closed: any error, and
// anything not understood, is a deny with a code. The record holds every layer, not only the first that refused.
import type { AccessAnswer } from '../rbac/access.js';
import { actionsHint, isAction } from '../rbac/action.js';
import { hasBudget } from '../ceiling/budget.js';
import { NO_CEILING, type Ceiling, type CeilingLayer } from '../ceiling/ceiling.js';
import type { Facts } from '../ceiling/facts.js';
import { checkAsNamed, checkPackage } from '../rbac/package-access.js';
import { effectiveLimits } from '../ceiling/amounts.js';
import type { PolicySnapshot } from '../snapshot.js';
import type { Decision, DecisionCode, DecisionRequest } from './decision.js';
import { approvalDuty, type ApprovalDuty } from './duty.js';
import { allLayers, areListed, budgetsOf, isCharged, judgeLayer, layerRatesOf } from './layers.js';
import { firstRefusal, firstViolation } from './refusal.js';
import { problemOf } from './request-problem.js';

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
  const { action, facts, initiator, agent } = request;
  const subjects = agent === null ? [initiator] : [initiator, agent];
  const answers = subjects.map((subject) => ({ subject, answer: accessOf(snapshot, request, subject) }));
  const layers = allLayers(snapshot, request);
  const { ceiling: composed, hash: ceilingHash } = snapshot.layers.compose(layers);
  const judged = layers.map((layer) => judgeLayer(snapshot, layer, request));
  const duty = approvalDuty(snapshot, request, layers);
  const { approval, demandedBy, grant } = duty;

  const refusal = firstRefusal(answers) ?? firstViolation(judged) ?? duty.refusal;
  const charges = refusal === null && isCharged(action);
  return {
    verdict: refusal !== null ? 'deny' : approval !== null ? 'needs_approval' : 'allow',
    code: refusal?.code ?? null,
    message: refusal?.message ?? consent(answers, duty),
    hint: refusal?.hint ?? null,
    rbac: answers.map(({ subject, answer: { ruleId, effect, rolePath } }) => ({
      subject,
      ruleId,
      effect,
      rolePath,
    })),
    ceiling: judged.flatMap(({ records }) => records),
    effective: { approval, ...bounds(composed, layers, facts) },
    demandedBy,
    ...(grant === null ? {} : { grant: grant.id }),
    budgets: charges && hasBudget(composed.budget) ? budgetsOf(layers, facts) : [],
    rates: charges && composed.rates !== undefined ? layerRatesOf(layers, facts) : [],
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

/** What is said of an act that nothing refuses. */
function consent(
  answers: readonly { readonly answer: AccessAnswer }[],
  { approval, demandedBy, grant }: ApprovalDuty,
): string {
  if (approval !== null) return `needs ${approval.mode} approval: ${demandedBy.join('; ')}`;
  const stands = grant === null ? [] : [`grant ${grant.id} stands for the approval`];
  return [...answers.map(({ answer }) => answer.message), ...stands].join('; ');
}

/** What holds while it runs: of all layers together. */
function bounds(
  composed: Ceiling,
  layers: readonly CeilingLayer[],
  { limits, mounts, network, sandbox }: Facts,
): Omit<Decision['effective'], 'approval'> {
  const { require } = composed.sandbox;
  return {
    ...effectiveLimits(composed, limits),
    audit: composed.audit.required,
    ...(mounts.length === 0 ? {} : { mounts: composed.mounts.length > 0 ? 'listed' : 'unlisted' }),
    ...(sandbox === null || network.length === 0
      ? {}
      : { network: areListed(layers, network) ? 'listed' : 'unlisted' }),
    ...(require === undefined || sandbox === null ? {} : { require }),
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
