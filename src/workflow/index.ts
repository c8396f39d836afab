// The workflow room: documents of both dialects to plans. Pure.
export type { Diagnostic } from './diagnostic.js';
export { canonicalErrorName, type CaughtError, errorMatches } from './error-match.js';
export { KNOWN_FUNCTIONS } from './functions.js';
export { graphOf, type Graph, type GraphOutcome } from './graph.js';
export { toMermaid } from './graph-mermaid.js';
export { toSvg } from './graph-svg.js';
export { checkInput, checkValue, type InputProblem } from './input.js';
export { parseWorkflow, type ParsedWorkflow, type ParseOptions, validate } from './parse.js';
export type {
  Alternative,
  Amount,
  ApprovalMode,
  ApprovalSpec,
  Call,
  Catcher,
  ChoiceNode,
  ChoiceRule,
  Distributed,
  Each,
  FailNode,
  Flow,
  ForkNode,
  ItemReader,
  Lane,
  Loop,
  PassNode,
  PathFlow,
  Plan,
  PlanNode,
  QueryFlow,
  ResultWriter,
  Retrier,
  SandboxLimits,
  SandboxSpec,
  StepFlow,
  SucceedNode,
  TaskNode,
  Until,
  WaitNode,
  Wording,
} from './plan.js';
