// The approval that an act needs: what layers and the step ask for together, unless a grant stands for it, and whether
// anybody can give it.
import {
  demandOfStep,
  demandsOf,
  joinDemands,
  type ApprovalDemand,
  type EffectiveApproval,
} from '../ceiling/approval-duty.js';
import { labelOf, type CeilingLayer } from '../ceiling/ceiling.js';
import { honestPackageName, type Facts } from '../ceiling/facts.js';
import { isAction, isStepAct } from '../rbac/action.js';
import { grantFor, type Grant } from '../rbac/grant.js';
import { decidedCall, decidedNames } from '../rbac/package-access.js';
import { eligibleApprovers, isReachable } from '../rbac/quorum.js';
import type { PolicySnapshot } from '../snapshot.js';
import type { DecisionRequest } from './decision.js';
import type { Refusal } from './refusal.js';

export interface ApprovalDuty {
  /** null = no approval is needed. */
  readonly approval: EffectiveApproval | null;
  /** Which layer and rule, or the step, asked for it, for people. */
  readonly demandedBy: readonly string[];
  /** What stands for the approval that would be needed. */
  readonly grant: Grant | null;
  /** Nobody could give it. */
  readonly refusal: Refusal | null;
}

export function approvalDuty(
  snapshot: PolicySnapshot,
  request: DecisionRequest,
  layers: readonly CeilingLayer[],
): ApprovalDuty {
  const demands = allDemands(layers, request);
  const needed = joinDemands(demands);
  if (needed === null) return { approval: null, demandedBy: [], grant: null, refusal: null };
  const grant = grantOf(snapshot, request, needed);
  if (grant !== null) return { approval: null, demandedBy: [], grant, refusal: null };
  const demandedBy = demands.filter(({ mode }) => mode !== 'none').map(({ by }) => by);
  return { approval: needed, demandedBy, grant: null, refusal: unreachable(snapshot, request, needed) };
}

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

function unreachable(
  snapshot: PolicySnapshot,
  { domain, facts, author, initiator, agent }: DecisionRequest,
  approval: EffectiveApproval,
): Refusal | null {
  const { separationOfDuties, quorum } = approval;
  if (approval.author === true && author === null) return authorRefusal(facts);
  const involved = agent === null ? [initiator] : [initiator, agent];
  const barred = approval.author === true && typeof author === 'string' ? { author } : {};
  const question = { domain, ...decidedCall(facts), separationOfDuties, involved, ...barred };
  if (isReachable(snapshot, domain, quorum, eligibleApprovers(snapshot, question))) return null;
  return quorumRefusal(facts, domain, quorum);
}

function authorRefusal({ functionId }: Facts): Refusal {
  return {
    code: 'APPROVAL_QUORUM_UNREACHABLE',
    message: `approval of ${functionId} is not for who wrote the workflow, and nobody knows who did`,
    hint: 'register a new version of the workflow: who registers a version is its author',
  };
}

function quorumRefusal(facts: Facts, domain: string, quorum: EffectiveApproval['quorum']): Refusal {
  const needed = quorum.map(({ role, n }) => `${n} x ${role}`).join(' and ');
  const [name, own] = decidedNames(decidedCall(facts));
  const called = own === undefined ? name : `${name}, by its own name ${own},`;
  return {
    code: 'APPROVAL_QUORUM_UNREACHABLE',
    message: `approval of ${called} needs ${needed}, which the eligible people in ${domain} can't reach`,
    hint: 'add people to approvers.yaml and the role, or give the role approval.decide in rbac/*.yaml',
  };
}
