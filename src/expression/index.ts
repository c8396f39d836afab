// The expression room: templates, conditions, paths, Choice rules. Pure.
export { CHOICE_OPERATORS, type ChoiceRule, evaluateChoice, type OperandKind } from './choice.js';
export type { Condition, ConditionNode, ConditionPath } from './condition/condition.js';
export { type ConditionResult, evaluateCondition } from './condition/evaluate.js';
export { parseCondition } from './condition/parse.js';
export { BLOCKED_NAMES, FIXED_NAMES } from './names.js';
export { nearest } from './nearest.js';
export {
  callIntrinsic,
  type IntrinsicCall,
  isIntrinsic,
  parseIntrinsic,
  readText,
} from './intrinsic/intrinsic.js';
export {
  isDefinite,
  parsePath,
  parseReferencePath,
  type Path,
  readPath,
  tryReadPath,
  writePath,
} from './path/path.js';
export { fillPayload, type PayloadFault, payloadFaults } from './template/payload-template.js';
export type { Sources } from './sources.js';
export type { Scope } from './scope.js';
export {
  checkTemplate,
  isOnePath,
  type NamedVariable,
  renderTemplate,
  renderValue,
  type TemplateProblem,
  templateVariables,
} from './template/template.js';
export { timestampMs, timestampNs } from './timestamp.js';
export {
  parseUntil,
  parseVariable,
  textOf,
  type Until,
  untilHolds,
  type UntilOperator,
  type UntilResult,
} from './condition/until.js';
