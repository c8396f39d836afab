export { ERRORS, errorName, WritError, type ErrorCode, type ErrorKind } from './errors.js';
export type { Digest, Hex, Json, JsonObject, SubjectDigest } from './json.js';
export { trigger } from './library/default-trigger.js';
export { openWrit, type CloseOptions, type EmbeddedWrit, type OpenOptions } from './library/embed.js';
export type { FunctionCall, FunctionDefinition, FunctionHandler } from './library/own-function.js';
export type { RunReport, StepResult, StepStatus } from './library/run-report.js';
export type { Trigger, TriggerOptions, TriggerRequest } from './library/trigger.js';
export type {
  PagePayload,
  RedrivePayload,
  ResumePayload,
  RunIdPayload,
  RunList,
  RunListItem,
  RunPayload,
  RunsPayload,
  StatusPayload,
  TriggerFunctionId,
  TriggerFunctions,
  WorkflowList,
} from './library/trigger-request.js';
export {
  createPersonKey,
  identify,
  initWrit,
  verifyData,
  type InitOptions,
  type InitResult,
  type VerifyDataOptions,
} from './open.js';
export { templates, type WorkflowTemplate } from './templates.js';
export type { OutlineStep } from './runtime/plan/outline.js';
export type { PlannedCall, PlannedStep, RunPlan } from './runtime/plan/run-plan.js';
export type {
  FunctionProvider,
  FunctionRequest,
  RunRecord,
  RunStatus,
  TaskRecord,
  TaskState,
} from './runtime/ports.js';
export type {
  ApprovalView,
  Diagnostic,
  Erasure,
  EraseScope,
  EntryNotice,
  Principal,
  Retention,
  RetentionView,
  RunView,
  StartRequest,
  StepView,
  TaskReference,
  TaskReply,
  TaskView,
  Waiting,
  WorkflowSource,
  Writ,
} from './runtime/writ.js';
