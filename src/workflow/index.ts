// The workflow room: documents of both dialects to plans. Pure.
export type { Diagnostic } from './diagnostic.js';
export { canonicalErrorName, type CaughtError, errorMatches } from './error-match.js';
export { KNOWN_FUNCTIONS } from './functions.js';
export { checkInput, type InputProblem } from './input.js';
export { parseWorkflow, type ParsedWorkflow, type ParseOptions, validate } from './parse.js';
export type {
  ApprovalMode,
  ApprovalSpec,
  Call,
  Catcher,
  ChoiceNode,
  ChoiceRule,
  Each,
  FailNode,
  ForkNode,
  InputBinding,
  Lane,
  Loop,
  OutputBinding,
  PassNode,
  Plan,
  PlanNode,
  Retrier,
  SandboxLimits,
  SandboxSpec,
  SucceedNode,
  TaskNode,
  Until,
  WaitNode,
} from './plan.js';
