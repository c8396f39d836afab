// The one error class and its closed set of codes. A code belongs to exactly one of the four kinds
// (document, refusal, failure, fatal); the kind decides what may be retried and the process's exit code.

/** Four kinds: document (nothing ran), refusal (never retried or skipped), failure (may be retried), fatal (stop). */
export type ErrorKind = 'document' | 'refusal' | 'failure' | 'fatal';

/** Every code with its kind, exit code, and the error name a workflow may catch. */
export const ERRORS = {
  // documents and command-line input: nothing ran
  DOC_SYNTAX: { kind: 'document', exit: 2 },
  DOC_TOO_LARGE: { kind: 'document', exit: 2 },
  DOC_INVALID: { kind: 'document', exit: 2 },
  DOC_UNKNOWN_FIELD: { kind: 'document', exit: 2 },
  DOC_DUPLICATE_FIELD: { kind: 'document', exit: 2 },
  DOC_MISSING_FIELD: { kind: 'document', exit: 2 },
  DOC_WRONG_TYPE: { kind: 'document', exit: 2 },
  DOC_BAD_VALUE: { kind: 'document', exit: 2 },
  DOC_UNSUPPORTED: { kind: 'document', exit: 2 },
  DOC_UNKNOWN_FUNCTION: { kind: 'document', exit: 2 },
  DOC_UNKNOWN_STATE: { kind: 'document', exit: 2 },
  DOC_UNREACHABLE_STATE: { kind: 'document', exit: 2 },
  DOC_NO_TERMINAL_STATE: { kind: 'document', exit: 2 },
  DOC_EXPRESSION: { kind: 'document', exit: 2 },
  DOC_TEMPLATE: { kind: 'document', exit: 2 },
  DOC_UNKNOWN_NAME: { kind: 'document', exit: 2 },
  DOC_COLLECT_WITHOUT_FANOUT: { kind: 'document', exit: 2 },
  DOC_UNTIL_WORD: { kind: 'document', exit: 2 },
  DOC_AGENT_TAG: { kind: 'document', exit: 2 },
  DOC_DIGEST_ELIDED: { kind: 'document', exit: 2 },
  DOC_AGENT_UNRESOLVED: { kind: 'document', exit: 2 },
  DOC_CEILING_EXCEEDED: { kind: 'document', exit: 2 },
  DOC_REQUEST_INCOMPLETE: { kind: 'document', exit: 2 },
  DOC_OUTPUT_VAR_TWICE: { kind: 'document', exit: 2 },
  DOC_FIELD_IGNORED: { kind: 'document', exit: 2 },
  DOC_JSONATA_OFF: { kind: 'document', exit: 2 },
  DOC_NUMBER_PRECISION: { kind: 'document', exit: 2 },
  INPUT_INVALID: { kind: 'document', exit: 2 },
  USAGE: { kind: 'document', exit: 2 },
  NOT_FOUND: { kind: 'document', exit: 2 },
  NOT_INITIALISED: { kind: 'document', exit: 2 },
  CONFIG_INVALID: { kind: 'document', exit: 2 },
  // policy
  POLICY_INVALID: { kind: 'document', exit: 2 },
  POLICY_NO_MATCH: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_DENY_RULE: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_ERROR: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_REQUEST_INVALID: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_IDENTITY_UNKNOWN: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_UNSIGNED: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_START_LOST: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_STALE: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  POLICY_TOOL_DENIED: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  // ceilings
  CEILING_FUNCTIONS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_TOOLS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_AGENTS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_DELEGATION: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_NETWORK: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_MOUNTS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_CREDENTIALS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_SANDBOX: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_APPROVAL: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_LIMITS: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_BUDGET: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_RATES: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_DATA: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_VALIDITY: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  CEILING_EMPTY: { kind: 'refusal', exit: 3, name: 'Ceiling.Exceeded' },
  // approvals
  APPROVAL_DENIED: { kind: 'refusal', exit: 4, name: 'Approval.Denied' },
  APPROVAL_EXPIRED: { kind: 'refusal', exit: 4, name: 'Approval.Expired' },
  APPROVAL_WITHDRAWN: { kind: 'refusal', exit: 4, name: 'Approval.Denied' },
  APPROVAL_DIGEST_MISMATCH: { kind: 'refusal', exit: 4 },
  APPROVAL_ALREADY_DECIDED: { kind: 'refusal', exit: 4 },
  APPROVAL_ALREADY_VOTED: { kind: 'refusal', exit: 4 },
  APPROVAL_CONSUMED: { kind: 'refusal', exit: 4 },
  APPROVAL_NOT_ELIGIBLE: { kind: 'refusal', exit: 3 },
  APPROVAL_SEPARATION_OF_DUTIES: { kind: 'refusal', exit: 3 },
  APPROVAL_QUORUM_UNREACHABLE: { kind: 'refusal', exit: 3, name: 'Approval.Denied' },
  APPROVAL_SIGNATURE_INVALID: { kind: 'refusal', exit: 3 },
  APPROVAL_REASON_REQUIRED: { kind: 'document', exit: 2 },
  APPROVAL_TOKEN_INVALID: { kind: 'refusal', exit: 3 },
  APPROVAL_WEBHOOK_INVALID: { kind: 'refusal', exit: 3 },
  // answers from outside to what waits for one
  TASK_TOKEN_INVALID: { kind: 'refusal', exit: 3 },
  TASK_NOT_ELIGIBLE: { kind: 'refusal', exit: 3 },
  TASK_CHANGED: { kind: 'refusal', exit: 4 },
  TASK_SIGNATURE_INVALID: { kind: 'refusal', exit: 3, name: 'Approval.Denied' },
  TASK_ANSWERED: { kind: 'refusal', exit: 4 },
  TASK_CLOSED: { kind: 'refusal', exit: 4 },
  // sandboxes
  SANDBOX_EXIT: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_TEMPORARY: { kind: 'failure', exit: 1, name: 'Tool.TemporaryFailure' },
  SANDBOX_TIMEOUT: { kind: 'failure', exit: 1, name: 'Runner.Timeout' },
  SANDBOX_OOM: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_OUTPUT_LIMIT: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_CANCELLED: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_CRASHED: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_UNAVAILABLE: { kind: 'failure', exit: 6, name: 'Sandbox.Unavailable' },
  SANDBOX_UNSUPPORTED: { kind: 'failure', exit: 6, name: 'Sandbox.Unavailable' },
  SANDBOX_SPEC_INVALID: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_MODULE_INVALID: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_OUTPUT_REFUSED: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  SANDBOX_IMAGE_MISSING: { kind: 'failure', exit: 6, name: 'Sandbox.Unavailable' },
  SANDBOX_IMAGE_MISMATCH: { kind: 'failure', exit: 6, name: 'Sandbox.Unavailable' },
  SANDBOX_RUNTIME_UNKNOWN: { kind: 'failure', exit: 6, name: 'Sandbox.Unavailable' },
  // functions and steps
  FUNCTION_NOT_FOUND: { kind: 'document', exit: 2 },
  FUNCTION_FAILED: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  FUNCTION_TIMEOUT: { kind: 'failure', exit: 6 },
  FUNCTION_TEMPORARY: { kind: 'failure', exit: 1, name: 'Tool.TemporaryFailure' },
  FUNCTION_UNAVAILABLE: { kind: 'failure', exit: 6, name: 'Tool.Unavailable' },
  FUNCTION_REQUEST_INVALID: { kind: 'document', exit: 1, name: 'States.Runtime' },
  STEP_TIMEOUT: { kind: 'failure', exit: 1, name: 'Runner.Timeout' },
  STEP_CANCELLED: { kind: 'failure', exit: 1, name: 'Step.Cancelled' },
  STEP_OUTPUT_INVALID: { kind: 'failure', exit: 1, name: 'Tool.Failed' },
  STEP_TEMPLATE_UNRESOLVED: { kind: 'document', exit: 1, name: 'States.Runtime' },
  STEP_PATH_UNRESOLVED: { kind: 'failure', exit: 1, name: 'States.Runtime' },
  STEP_RESULT_PATH: { kind: 'failure', exit: 1, name: 'States.ResultPathMatchFailure' },
  STEP_DATA_LIMIT: { kind: 'failure', exit: 1, name: 'States.DataLimitExceeded' },
  STEP_NO_CHOICE: { kind: 'failure', exit: 1, name: 'States.NoChoiceMatched' },
  STEP_INTRINSIC: { kind: 'failure', exit: 1, name: 'States.IntrinsicFailure' },
  STEP_QUERY: { kind: 'failure', exit: 1, name: 'States.QueryEvaluationError' },
  STEP_ITEM_READER: { kind: 'failure', exit: 1, name: 'States.ItemReaderFailed' },
  STEP_RESULT_WRITER: { kind: 'failure', exit: 1, name: 'States.ResultWriterFailed' },
  STEP_TOLERANCE: { kind: 'failure', exit: 1, name: 'States.ExceedToleratedFailureThreshold' },
  STEP_FANOUT_NO_ITEMS: { kind: 'failure', exit: 1, name: 'Step.FanoutNoItems' },
  STEP_LOOP_EXHAUSTED: { kind: 'failure', exit: 1, name: 'Step.LoopExhausted' },
  STEP_FAILED: { kind: 'failure', exit: 1 },
  STEP_INDETERMINATE: { kind: 'failure', exit: 1, name: 'Step.Indeterminate' },
  // runs
  RUN_FAILED: { kind: 'failure', exit: 1 },
  RUN_BUSY: { kind: 'failure', exit: 6 },
  RUN_INDETERMINATE: { kind: 'failure', exit: 1 },
  RUN_ALREADY_FINISHED: { kind: 'document', exit: 2 },
  RUN_TIMEOUT: { kind: 'failure', exit: 1, name: 'States.Timeout' },
  RUN_UNFINISHED: { kind: 'document', exit: 2 },
  RUN_NOT_REDRIVABLE: { kind: 'document', exit: 2 },
  RUN_CHANGED: { kind: 'refusal', exit: 3, name: 'Policy.Denied' },
  // secrets by handle
  SECRET_INVALID: { kind: 'document', exit: 2 },
  SECRET_UNREADABLE: { kind: 'fatal', exit: 6 },
  // audit log and store: stop
  AUDIT_JSON_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_NOTE_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_CHECKPOINT_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_ENTRY_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_ERASED_UNLOGGED: { kind: 'fatal', exit: 5 },
  AUDIT_PROOF_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_KEY_INVALID: { kind: 'fatal', exit: 5 },
  AUDIT_POLICY_INVALID: { kind: 'document', exit: 2 },
  AUDIT_KEY_MISSING: { kind: 'fatal', exit: 6 },
  AUDIT_ROLLBACK: { kind: 'fatal', exit: 5 },
  AUDIT_FORK: { kind: 'fatal', exit: 5 },
  AUDIT_WITNESS_UNAVAILABLE: { kind: 'failure', exit: 6 },
  AUDIT_TIMESTAMP_FAILED: { kind: 'failure', exit: 6 },
  STORE_CONFLICT: { kind: 'failure', exit: 6 },
  STORE_BUSY: { kind: 'fatal', exit: 6 },
  STORE_READ_ONLY: { kind: 'fatal', exit: 6 },
  STORE_FULL: { kind: 'fatal', exit: 6 },
  STORE_IO: { kind: 'fatal', exit: 6 },
  STORE_CLOCK: { kind: 'fatal', exit: 6 },
  STORE_UNAVAILABLE: { kind: 'fatal', exit: 6 },
  // bytes that are not what their digest says
  INTEGRITY_DIGEST: { kind: 'fatal', exit: 5, name: 'Integrity.Digest' },
  INTEGRITY_SIZE: { kind: 'fatal', exit: 5, name: 'Integrity.Size' },
  INTEGRITY_PACKAGE: { kind: 'fatal', exit: 5, name: 'Integrity.Package' },
  INTERNAL: { kind: 'fatal', exit: 1 },
} as const satisfies Record<string, { kind: ErrorKind; exit: number; name?: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface WritErrorOptions {
  /** What to do next, one sentence, lower case. */
  hint?: string;
  /** Names, sizes and digests only; never payloads or secrets. */
  details?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** The error of every room. Messages say what, where and which value; lower case, no full stop. */
export class WritError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: WritErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'WritError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code].kind;
  }

  /** Exit code of the `writ` command. */
  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  toJSON(): { code: ErrorCode; message: string; hint?: string; details?: Readonly<Record<string, unknown>> } {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** The dotted name a workflow's `retry` and `catch` see for a code, e.g. `Approval.Denied`. */
export function errorName(code: ErrorCode): string {
  const entry: { readonly kind: ErrorKind; readonly exit: number; readonly name?: string } = ERRORS[code];
  return entry.name ?? 'States.TaskFailed';
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
