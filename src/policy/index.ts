export { checkAccess } from './access.js';
export type { AccessAnswer, AccessQuestion } from './access.js';
export { ACTIONS, isAction } from './action.js';
export type { Action } from './action.js';
export { DEFAULT_EXPIRES_SECONDS, fillsRole, MAX_EXPIRES_SECONDS } from './approval-duty.js';
export type { ApprovalAsk, EffectiveApproval, QuorumFactor } from './approval-duty.js';
export { BUDGET_NAMES, NO_COST } from './budget.js';
export type { BudgetCeiling, BudgetName, BudgetPeriod, BudgetSet, BudgetUse, Estimate } from './budget.js';
export { NO_CEILING } from './ceiling.js';
export { parseCeilingSpec } from './ceiling-spec.js';
export { composeCeilings } from './meet.js';
export type { Ceiling, CeilingLayer, LayerName, LimitName, LimitSet, SandboxKind } from './ceiling.js';
export { decide, refuseQuestion } from './decide.js';
export type {
  CeilingRecord,
  Decision,
  DecisionCode,
  DecisionRequest,
  LayerBudget,
  LayerRate,
  RbacRecord,
} from './decide.js';
export type { PolicyDiagnostic } from './diagnostic.js';
export { delegationOf } from './delegation.js';
export type { BreakGlass, Delegation } from './delegation.js';
export { ENGINE } from './enforcer.js';
export type { CeilingRequest, Facts, ObtainedApproval } from './facts.js';
export { requestProblem } from './facts.js';
export { fnMatch } from './glob.js';
export { MAX_GRANT_DAYS } from './grant.js';
export type { Grant } from './grant.js';
export { lintPolicies } from './lint.js';
export type { LintFinding } from './lint-finding.js';
export { LOCK_FILE, lockMessage, lockOf, readLock, signedBy } from './lock.js';
export type { PolicyLock } from './lock.js';
export { nearestRules } from './nearest.js';
export type { NearRule } from './nearest.js';
export { comparePolicies } from './comparison.js';
export type { DecisionChange, PolicyComparison } from './comparison.js';
export { tightened } from './pinned.js';
export { readPolicyTests, runPolicyTests } from './policy-test.js';
export type { CaseResult, PolicyCase, TestReport } from './policy-test.js';
export { underMeters, underRates } from './metered.js';
export { MODEL_HASH, MODEL_TEXT } from './model.js';
export { boundViolations, effectiveLimits, emptyFields, permits } from './permits.js';
export type { Violation } from './permits.js';
export type { Assurance, Person } from './person.js';
export { factsOf, readQuestion, readSpec } from './question.js';
export type { PolicyQuestion } from './question.js';
export { eligibleApprovers } from './quorum.js';
export type { Rule } from './rule.js';
export type { ApprovalMode } from './ceiling-shape.js';
export { buildSnapshot } from './snapshot.js';
export type { LoadedCeiling, PolicySnapshot, PolicySource } from './snapshot.js';
export { isDomain, isPrincipal, isRole } from './text.js';
