export { ERRORS, errorName, WritError, type ErrorCode, type ErrorKind } from './errors.js';
export type { Digest, Hex, Json, JsonObject, SubjectDigest } from './json.js';
export {
  createPersonKey,
  identify,
  initWrit,
  openWrit,
  verifyData,
  type InitOptions,
  type InitResult,
  type OpenOptions,
} from './open.js';
export type { FunctionProvider, FunctionRequest, RunRecord, RunStatus } from './runtime/ports.js';
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
  Waiting,
  WorkflowSource,
  Writ,
} from './runtime/writ.js';
