export { checkAccess } from './rbac/access.js';
export type { AccessAnswer, AccessQuestion } from './rbac/access.js';
export { ACTIONS, isAction } from './rbac/action.js';
export type { Action } from './rbac/action.js';
export { DEFAULT_EXPIRES_SECONDS, fillsRole, MAX_EXPIRES_SECONDS } from './ceiling/approval-duty.js';
export type { ApprovalAsk, EffectiveApproval, QuorumFactor } from './ceiling/approval-duty.js';
export { BUDGET_NAMES, NO_COST } from './ceiling/budget.js';
export type {
  BudgetCeiling,
  BudgetName,
  BudgetPeriod,
  BudgetSet,
  BudgetUse,
  Estimate,
} from './ceiling/budget.js';
export { NO_CEILING } from './ceiling/ceiling.js';
export { parseCeilingSpec } from './ceiling/spec.js';
export { composeCeilings } from './ceiling/meet.js';
export type {
  Ceiling,
  CeilingLayer,
  LayerName,
  LimitName,
  LimitSet,
  SandboxKind,
} from './ceiling/ceiling.js';
export { decide, refuseQuestion } from './decision/decide.js';
export type {
  CeilingRecord,
  Decision,
  DecisionCode,
  DecisionRequest,
  LayerBudget,
  LayerRate,
  RbacRecord,
} from './decision/decision.js';
export type { PolicyDiagnostic } from './file/diagnostic.js';
export { delegationOf } from './rbac/delegation.js';
export type { BreakGlass, Delegation } from './rbac/delegation.js';
export { ENGINE } from './rbac/enforcer.js';
export type { CeilingRequest, Facts, ObtainedApproval } from './ceiling/facts.js';
export { requestProblem } from './ceiling/facts.js';
export { fnMatch } from './rbac/glob.js';
export { MAX_GRANT_DAYS } from './rbac/grant.js';
export type { Grant } from './rbac/grant.js';
export { lintPolicies } from './lint/lint.js';
export type { LintFinding } from './lint/finding.js';
export { LOCK_FILE, lockMessage, lockOf, readLock, signedBy } from './file/lock.js';
export type { PolicyLock } from './file/lock.js';
export { nearestRules } from './rbac/nearest.js';
export type { NearRule } from './rbac/nearest.js';
export { comparePolicies } from './question/comparison.js';
export type { DecisionChange, PolicyComparison } from './question/comparison.js';
export { tightened } from './pinned.js';
export { readPolicyTests, runPolicyTests } from './question/policy-test.js';
export type { CaseResult, PolicyCase, TestReport } from './question/policy-test.js';
export { underMeters, underRates } from './ceiling/metered.js';
export { MODEL_HASH, MODEL_TEXT } from './rbac/model.js';
export { effectiveLimits } from './ceiling/amounts.js';
export { boundViolations, emptyFields, permits } from './ceiling/permits.js';
export type { Violation } from './ceiling/violation.js';
export type { Assurance, Person } from './rbac/person.js';
export { factsOf, readQuestion, readSpec } from './question/question.js';
export type { PolicyQuestion } from './question/question.js';
export { eligibleApprovers } from './rbac/quorum.js';
export type { Rule } from './rbac/rule.js';
export type { ApprovalMode } from './ceiling/shape.js';
export { buildSnapshot } from './snapshot.js';
export type { LoadedCeiling } from './ceiling/loaded.js';
export type { PolicySnapshot, PolicySource } from './snapshot.js';
export { isDomain, isPrincipal, isRole } from './file/text.js';
