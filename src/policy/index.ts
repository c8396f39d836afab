export { checkAccess } from './access.js';
export type { AccessAnswer, AccessQuestion } from './access.js';
export { ACTIONS, isAction } from './action.js';
export type { Action } from './action.js';
export { DEFAULT_EXPIRES_SECONDS, fillsRole, MAX_EXPIRES_SECONDS } from './approval-duty.js';
export type { ApprovalAsk, EffectiveApproval, QuorumFactor } from './approval-duty.js';
export { BUDGET_NAMES, NO_COST } from './budget.js';
export type { BudgetCeiling, BudgetName, BudgetPeriod, BudgetSet, BudgetUse, Estimate } from './budget.js';
export { composeCeilings, NO_CEILING, parseCeilingSpec } from './ceiling.js';
export type { Ceiling, CeilingLayer, LayerName, LimitName, LimitSet, SandboxKind } from './ceiling.js';
export { decide } from './decide.js';
export type {
  CeilingRecord,
  Decision,
  DecisionCode,
  DecisionRequest,
  LayerBudget,
  RbacRecord,
} from './decide.js';
export type { PolicyDiagnostic } from './diagnostic.js';
export { ENGINE } from './enforcer.js';
export type { CeilingRequest, Facts, ObtainedApproval } from './facts.js';
export { fnMatch } from './glob.js';
export { underMeters } from './metered.js';
export { MODEL_HASH, MODEL_TEXT } from './model.js';
export { boundViolations, effectiveLimits, emptyFields, permits } from './permits.js';
export type { Violation } from './permits.js';
export type { Assurance, Person } from './person.js';
export { eligibleApprovers } from './quorum.js';
export type { Rule } from './rule.js';
export type { ApprovalMode } from './shape.js';
export { buildSnapshot } from './snapshot.js';
export type { LoadedCeiling, PolicySnapshot, PolicySource } from './snapshot.js';
export { isDomain, isPrincipal, isRole } from './text.js';
